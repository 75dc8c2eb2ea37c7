"""How dates, lists of labels and texts may be written, and what they then mean."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from labline.contract import DateTimeColumn, TextColumn, as_list, names_in
from labline.contract.written import moment, prose

# Moments

GERMAN = DateTimeColumn(type="datetime", formats=("%d.%m.%Y", "%d.%m.%y %H:%M"))
ISO = DateTimeColumn(type="datetime")


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("2024-12-31", datetime(2024, 12, 31)),
        (" 2024-12-31T23:59:59 ", datetime(2024, 12, 31, 23, 59, 59)),
        ("2024-12-31 23:59:59.25", datetime(2024, 12, 31, 23, 59, 59, 250_000)),
        ("2024-12-31T23:59:59Z", datetime(2024, 12, 31, 23, 59, 59)),
        ("2024-12-31T23:30:00-01:00", datetime(2025, 1, 1, 0, 30)),
        ("2025-01-01T00:30+02:00", datetime(2024, 12, 31, 22, 30)),
        ("20241231", datetime(2024, 12, 31)),
    ],
)
def test_iso_8601_is_read_everywhere_and_taken_to_utc(written: str, meant: datetime) -> None:
    assert moment(written, ISO) == meant
    assert moment(written, GERMAN) == meant


@pytest.mark.parametrize(
    ("written", "meant"),
    [("31.12.2024", datetime(2024, 12, 31)), (" 1.2.24 07:05 ", datetime(2024, 2, 1, 7, 5))],
)
def test_other_forms_are_read_where_the_contract_names_them(written: str, meant: datetime) -> None:
    assert moment(written, GERMAN) == meant
    assert moment(written, ISO) is None


def test_a_form_may_have_a_time_zone_of_its_own() -> None:
    column = DateTimeColumn(type="datetime", formats=("%d/%b/%Y:%H:%M:%S %z",))
    assert moment("10/Oct/2000:13:55:36 -0700", column) == datetime(2000, 10, 10, 20, 55, 36)


@pytest.mark.parametrize("written", ["", "soon", "2024-13-01", "2024-02-30", "31.02.2024", "12/31/2024", "1e9"])
def test_what_is_no_moment_is_none(written: str) -> None:
    assert moment(written, GERMAN) is None


# Lists of labels


@pytest.mark.parametrize(
    ("written", "separator"),
    [
        ("java,c#", ","),
        (" c# , java ,, java", ","),
        ("c# java", " "),
        ("  java   c# ", " "),
        ("c#|java", "|"),
        ("java; c#", ";"),
        ("java::c#", "::"),
        ('["java", "c#"]', ","),
        (' ["c#","java","java", null, ""] ', " "),
        ("['java', 'c#']", "|"),
        ("<java><c#>", ","),
        ("<c#><java>", " "),
        (["java", "c#", "java"], ","),
        (("c#", "java", None), "?"),
        (np.array(["java", "c#"], dtype=object), ","),
        (pa.array(["java", "c#"]).to_numpy(zero_copy_only=False), ","),
    ],
)
def test_a_list_of_names_may_be_written_in_many_ways_and_means_one(written: Any, separator: str) -> None:
    assert names_in(written, separator) == ("c#", "java")


@pytest.mark.parametrize("written", ["", "  ", "[]", [], (), ",,"])
def test_a_list_may_be_empty_and_is_not_missing(written: Any) -> None:
    assert names_in(written, ",") == ()


@pytest.mark.parametrize("written", [None, float("nan"), 3, True])
def test_what_is_no_list_is_missing(written: Any) -> None:
    assert names_in(written, ",") is None


@pytest.mark.parametrize("written", ['["a"', "[a, b]", '[["a"], "b"]', '[{"a": 1}]', "[1, 2", "[" * 10_000])
def test_what_begins_like_a_list_and_is_none_is_not_taken_for_names(written: str) -> None:
    assert names_in(written, ",") is None


def test_numbers_in_a_list_are_names_too() -> None:
    assert names_in("[10, 2]", ",") == ("10", "2")


@pytest.mark.parametrize("names", [(), ("a",), ("c#", 'say "hi"', "größe", "a,b", "back\\slash")])
def test_the_one_way_in_which_frames_hold_lists_is_read_back_whatever_the_separator(names: tuple[str, ...]) -> None:
    for separator in (",", " ", "|"):
        assert names_in(as_list(names), separator) == tuple(sorted(names))


# Texts

HTML = TextColumn(type="text", html=True)
PLAIN = TextColumn(type="text")


@pytest.mark.parametrize(
    ("written", "read"),
    [
        ("<p>How do I <b>sort</b> a list?</p>", "How do I sort a list?"),
        ("<p>one</p><p>two</p>", "one two"),
        ("one<br/>two<br>three", "one two three"),
        ("so<i>me</i>thing", "something"),
        ("before <pre><code>x = y &lt; z\nprint(x)</code></pre> after", "before after"),
        ("inline <code>sort()</code> stays", "inline sort() stays"),
        ("see <a href='https://example.org/x'>this page</a>.", "see this page."),
        ("<script>alert('no')</script>text<style>p { }</style>", "text"),
        ("a &amp; b <em>&gt;</em> c", "a & b > c"),
        ("<ul><li>one</li>\n<li>two</li></ul>", "one two"),
        ("<p>never closed", "never closed"),
        ("3 < 4 and 5 > 2", "3 < 4 and 5 > 2"),
        ("<pre>code</pre> between <pre>code</pre>", "between"),
        ("<!-- a comment -->said", "said"),
    ],
)
def test_html_becomes_what_a_reader_sees_without_blocks_of_code(written: str, read: str) -> None:
    assert prose(written, HTML) == read


def test_html_stays_as_it_is_where_the_contract_does_not_call_it_that() -> None:
    assert prose("<p>one</p>", PLAIN) == "<p>one</p>"


@pytest.mark.parametrize(
    ("written", "read"),
    [
        ("see https://example.org/a?b=c#d now", "see   now"),
        ("WWW.Example.org", " "),
        ("no address: example.org, http alone", "no address: example.org, http alone"),
    ],
)
def test_addresses_are_cut_out_where_the_contract_says_so(written: str, read: str) -> None:
    assert prose(written, TextColumn(type="text", urls="remove")) == read
    assert prose(written, PLAIN) == written


def test_an_address_in_html_goes_with_its_tag_and_one_in_the_text_is_cut_out() -> None:
    column = TextColumn(type="text", html=True, urls="remove")
    assert prose("<a href='http://a.b'>here</a> or http://c.d", column).split() == ["here", "or"]
