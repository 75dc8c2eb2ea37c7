"""Predictions as bytes: whatever ids, names and numbers are, a reader of the kind gets them back."""

from __future__ import annotations

import csv
import io
import json
import math
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from labline.data.batches import writing
from labline.data.batches.writing import head, rendered

TEXTS = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\x00"), max_size=8)
ROWS = st.lists(
    st.tuples(TEXTS, TEXTS.filter(bool), st.floats(allow_nan=False, allow_infinity=False), st.floats()),
    min_size=1,
    max_size=20,
)
NAMES = ("id", "prediction", 'a, "b"', "c\td")


def table(rows: list[tuple[Any, ...]]) -> pa.Table:
    kinds = (pa.string(), pa.string(), pa.float64(), pa.float64())
    columns = zip(*rows, strict=True)
    arrays = [pa.array(column, kind) for column, kind in zip(columns, kinds, strict=True)]
    return pa.table(arrays, NAMES)


def read(content: bytes, separator: str) -> list[list[str]]:
    return list(csv.reader(io.StringIO(content.decode(), newline=""), delimiter=separator))


@pytest.mark.parametrize(("kind", "separator"), [(".csv", ","), (".tsv", "\t")])
@given(rows=ROWS, whole=st.booleans())
def test_a_delimited_file_gives_back_texts_and_numbers(
    kind: str, separator: str, rows: list[tuple[Any, ...]], whole: bool
) -> None:
    if whole:  # numbers that JSON has words for go another way
        rows = [(*row[:3], row[3] if math.isfinite(row[3]) else 0.5) for row in rows]

    names, *found = read(head(kind, NAMES) + rendered(table(rows), kind), separator)

    assert tuple(names) == NAMES
    assert len(found) == len(rows)
    for (row_id, answer, *numbers), row in zip(found, rows, strict=True):
        assert (row_id, answer) == row[:2]
        assert [repr(float(number)) for number in numbers] == [repr(number) for number in row[2:]]


def test_only_what_needs_quotes_has_them() -> None:
    rows = [("1", "Some, but not all", 0.5, 1e-7), ("2", "None", 1.0, 0.1), (None, 'the "third"', 0.0, 1e22)]

    assert rendered(table(rows), ".csv").decode() == (
        '1,"Some, but not all",0.5,1e-7\n2,None,1.0,0.1\n,"the ""third""",0.0,1e+22\n'
    )
    assert rendered(table(rows), ".tsv").decode().splitlines()[0] == "1\tSome, but not all\t0.5\t1e-7"


def test_a_part_of_a_table_is_written_without_the_rest() -> None:
    rows = [(str(at), "yes", at / 7, 0.5) for at in range(10)]

    assert rendered(table(rows)[3:5], ".csv") == rendered(table(rows[3:5]), ".csv")
    assert rendered(table(rows)[3:5], ".jsonl") == rendered(table(rows[3:5]), ".jsonl")
    assert rendered(table(rows)[3:3], ".csv") == b""


@pytest.mark.parametrize("kind", [".csv", ".tsv", ".jsonl"])
def test_rows_too_many_for_one_array_of_text_are_written_in_parts(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    rows = [(f'{at} "x"' if at % 3 else None, "yes", at / 7 + 0.01, 0.25) for at in range(10)]
    whole = rendered(table(rows), kind)

    monkeypatch.setattr(writing, "TEXT_CELLS", 12)

    assert rendered(table(rows), kind) == whole


def test_answers_of_a_regression_are_numbers_alone() -> None:
    found = rendered(pa.table({"prediction": [1.5, -2.0]}), ".csv")

    assert found == b"1.5\n-2.0\n"


def test_several_labels_are_a_list_in_one_field() -> None:
    answers = pa.array([["c#", 'say "hi"'], []], pa.list_(pa.string()))

    found = rendered(pa.table({"prediction": answers, "c#": [0.9, 0.1]}), ".csv")

    [first, second] = read(found, ",")
    assert json.loads(first[0]) == ["c#", 'say "hi"']
    assert json.loads(second[0]) == []


@given(rows=ROWS)
def test_json_lines_give_back_texts_and_numbers(rows: list[tuple[Any, ...]]) -> None:
    for line, row in zip(rendered(table(rows), ".jsonl").decode().split("\n"), rows, strict=False):
        found = json.loads(line)
        assert list(found) == list(NAMES)
        assert str(found["id"]) == row[0]
        assert found["prediction"] == row[1]
        wanted = [number if math.isfinite(number) else None for number in row[2:]]
        assert [found[name] for name in NAMES[2:]] == wanted
