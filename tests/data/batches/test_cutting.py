"""Blocks of whole rows: wherever a file is cut, its rows are those of the file read at once."""

from __future__ import annotations

import csv
import io

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from labline.data.batches.cutting import cuts, skip, utf8
from labline.errors import DataError

FIELDS = st.one_of(
    st.text("ab,é\n\r\" '", max_size=8),
    st.sampled_from(['5" pipe', "", '"', '""', "a\nb", "\r\n"]),
)


def rows_of(content: str) -> list[list[str]]:
    return [row for row in csv.reader(io.StringIO(content, newline="")) if row]


@settings(max_examples=200)
@given(st.lists(st.tuples(FIELDS, FIELDS), min_size=1, max_size=12), st.integers(1, 40), st.booleans())
def test_rows_of_the_blocks_are_the_rows_of_the_file(rows: list[tuple[str, str]], size: int, all_quoted: bool) -> None:
    out = io.StringIO(newline="")
    csv.writer(out, quoting=csv.QUOTE_ALL if all_quoted else csv.QUOTE_MINIMAL).writerows(rows)
    content = out.getvalue().encode()
    blocks = list(cuts(io.BytesIO(content), 0, size, ","))
    assert b"".join(block.content for block in blocks) == content
    assert [row for block in blocks for row in rows_of(block.content.decode())] == rows_of(content.decode())
    for block in blocks:  # and each place is one to go on from
        stream = io.BytesIO(content)
        skip(stream, block.end)
        assert b"".join(cut.content for cut in cuts(stream, block.end, size, ",")) == content[block.end :]


@pytest.mark.parametrize("size", [1, 5, 1000])
def test_a_quote_within_a_field_opens_none(size: int) -> None:
    content = b'5" pipe,1\n6" pipe,2\n"a\n""b",3\n7",4\n'
    blocks = list(cuts(io.BytesIO(content), 0, size, ","))
    found = [row for block in blocks for row in rows_of(block.content.decode())]
    assert found == [['5" pipe', "1"], ['6" pipe', "2"], ['a\n"b', "3"], ['7"', "4"]]


def test_a_quote_that_is_never_closed_is_refused() -> None:
    with pytest.raises(DataError, match="never closed"):
        list(cuts(io.BytesIO(b'a,b\n"c,d\ne,f\n'), 0, 6, ","))


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "latin-1", "cp1252"])
def test_any_encoding_is_cut_in_utf8_and_gone_on_with(encoding: str) -> None:
    text = "name,city\nZoë,Münster\nJörg,Köln\n"
    named = "utf-8" if encoding == "utf-8-sig" else encoding
    blocks = list(cuts(utf8(io.BytesIO(text.encode(encoding)), named), 0, 12))
    assert b"".join(block.content for block in blocks).decode() == text
    stream = utf8(io.BytesIO(text.encode(encoding)), named)
    skip(stream, blocks[0].end)
    assert (
        b"".join(cut.content for cut in cuts(stream, blocks[0].end, 12)).decode()
        == text[len(blocks[0].content.decode()) :]
    )
