"""Messy text files: each is read as it is meant, or refused in one clear line."""

from __future__ import annotations

import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from labline.contract import Problem
from labline.contract.columns import MOMENT, as_given
from labline.data import check_frame, read_frame
from labline.errors import DataError
from tests.data.contracts import make_problem

Read = Callable[..., pd.DataFrame]


@pytest.fixture
def read(tmp_path: Path) -> Read:
    def read(text: str | bytes, problem: Problem | None = None, name: str = "shop.csv") -> pd.DataFrame:
        (tmp_path / name).write_bytes(text.encode() if isinstance(text, str) else text)
        return read_frame(str(tmp_path / name), problem or make_problem())

    return read


def one_line(call: Callable[[], Any]) -> str:
    with pytest.raises(DataError) as caught:
        call()
    assert "\n" not in str(caught.value)
    assert caught.value.where
    assert caught.value.mend
    return str(caught.value)


def known(values: pd.Series[Any]) -> list[Any]:
    return [None if pd.isna(value) else value for value in values]


# Numbers


@pytest.mark.parametrize(
    ("dialect", "written", "meant"),
    [
        ({"separator": ";", "decimal": ",", "thousands": "."}, "1.234,5;12.345.678;7", [1234.5, 12345678.0, 7.0]),
        ({"separator": ";", "decimal": ","}, "0,5;-3,25e2;+1,", [0.5, -325.0, 1.0]),
        ({"separator": ";", "thousands": ","}, "1,234.5;12,34,567;1000", [1234.5, 1234567.0, 1000.0]),
        ({"separator": ";", "thousands": "'"}, "1'234.5;1’000;0", [1234.5, 1000.0, 0.0]),
        (
            {"separator": ";", "decimal": ",", "thousands": " "},
            "1 234,5;1\u00a0000;1\u202f000",
            [1234.5, 1000.0, 1000.0],
        ),
    ],
)
def test_numbers_are_read_as_the_dialect_writes_them(
    dialect: dict[str, str], written: str, meant: list[float], read: Read
) -> None:
    rows = "".join(f"{value};no\n" for value in written.split(";"))

    assert read("price;y\n" + rows, make_problem(dialect=dialect))["price"].tolist() == meant


def test_a_point_is_never_dropped_from_a_number_that_is_in_no_groups(read: Read) -> None:
    """1.5 under a dialect whose thousands have points is a mistake, and not 15."""
    problem = make_problem(dialect={"separator": ";", "decimal": ",", "thousands": "."})
    frame = read("price;y\n1.234,5;no\n1.5;yes\n", problem)

    assert frame["price"].tolist() == ["1234.5", "1.5"]


def test_mixed_types_in_a_column_of_numbers_are_named_by_value_and_row(read: Read) -> None:
    frame = read("price,y\n1.50,no\n2kg,yes\n ,no\nunknown,yes\n+4,no\n")
    [finding] = [
        one for one in check_frame(frame, make_problem(), with_target=True).findings if one.severity == "error"
    ]

    assert known(frame["price"]) == ["1.5", "2kg", None, "unknown", "4"]
    assert str(finding).startswith("price: '2kg' and 'unknown': not a number (rows 2, 4)")


def test_numbers_are_those_of_python_to_the_last_bit(read: Read) -> None:
    random = np.random.default_rng(0)
    written = [repr(struct.unpack("d", random.bytes(8))[0]) for _ in range(3000)] + [
        "-0.0",
        "5e-324",
        "1e23",
        " 7 ",
        "1.",
    ]
    written = [text for text in written if "nan" not in text]
    frame = read("price,y\n" + "".join(f"{text},no\n" for text in written))

    assert frame["price"].to_numpy().tobytes() == np.array([float(text) for text in written]).tobytes()


def test_a_bad_value_far_down_does_not_lose_the_good_ones_before(tmp_path: Path) -> None:
    """It comes in another part of the file, when those before are numbers, moments and booleans already."""
    rows = ["7,1,True,2024-01-31T10:00:00,no"] * 100_001 + ["7.5kg,1,perhaps,tomorrow,no"]
    (tmp_path / "shop.csv").write_text("price,pieces,sold,day,y\n" + "\n".join(rows))
    frame = read_frame(str(tmp_path / "shop.csv"), make_problem())

    assert frame.iloc[0][["price", "sold", "day"]].tolist() == ["7", "True", "2024-01-31T10:00:00"]
    assert frame.iloc[-1][["price", "sold", "day"]].tolist() == ["7.5kg", "perhaps", "tomorrow"]
    assert frame["pieces"].dtype == np.float64
    found = check_frame(frame, make_problem(), with_target=True).findings
    assert [(one.column, one.rows) for one in found if one.severity == "error"] == [
        ("price", (100_002,)),
        ("sold", (100_002,)),
        ("day", (100_002,)),
    ]


# Moments, booleans, labels, texts


def test_dates_in_three_formats_are_one_column_of_moments(read: Read) -> None:
    frame = read("day,y\n2024-01-31,no\n31.01.2024,yes\n01/31/2024 14:30,no\n,yes\n2024-01-31T15:30:00+01:00,no\n")

    assert frame["day"].dtype == MOMENT
    assert [None if pd.isna(day) else day.isoformat() for day in frame["day"]] == [
        *("2024-01-31T00:00:00", "2024-01-31T00:00:00", "2024-01-31T14:30:00", None, "2024-01-31T14:30:00"),
    ]


@pytest.mark.parametrize(
    "written",
    [
        "2024-02-30",
        "20240131",
        "2024-W05-3",
        " 2024-01-31 ",
        "31.1.2024",
        "31.01.24",
        "2024",
        "1/2/2024 5:06",
        "0001-01-01",
    ],
)
def test_a_moment_in_a_file_is_what_it_is_in_a_request(written: str, read: Read) -> None:
    problem = make_problem()
    asked = as_given(problem, {name: [None] for name in problem.columns} | {"day": [written]})["day"]
    frame = read(f"day,y\n{written},no\n")

    if np.isnat(asked[0]):
        assert frame["day"].tolist() == [written]
        assert not check_frame(frame, problem, with_target=True).ok
    else:
        assert frame["day"].to_numpy().tolist() == asked.tolist()


def test_labels_are_json_however_they_are_written(read: Read) -> None:
    rows = ["sql;java", '"[""java"", ""sql""]"', "\"['sql', 'java']\"", "<java><sql>", "java", "[]", ""]
    frame = read("tags,y\n" + "".join(f"{row},no\n" for row in rows))

    assert known(frame["tags"]) == [*['["java", "sql"]'] * 4, '["java"]', "[]", None]


def test_the_target_of_a_multilabel_problem_has_its_own_separator(read: Read) -> None:
    frame = read("note,y\nfirst,java c#\nsecond,sql\nthird,[broken\n", make_problem("multilabel"))

    assert frame["y"].tolist() == ['["c#", "java"]', '["sql"]', "[broken"]


def test_texts_keep_their_line_breaks_quotes_and_length(read: Read) -> None:
    long = "word " * 40_000
    frame = read(f'note,y\n"two\nlines, ""quoted""",no\n{long},yes\n"Brand new" coat,no\n')

    assert frame["note"].tolist() == ['two\nlines, "quoted"', long, "Brand new coat"]


# Encodings, headers, separators


@pytest.mark.parametrize(
    ("encoding", "said"),
    [("utf-8-sig", "utf-8"), ("utf-16", "utf-8"), ("utf-32", "utf-8"), ("latin-1", "latin-1"), ("cp1252", "cp1252")],
)
def test_a_file_is_read_in_its_encoding_and_its_mark_is_no_part_of_a_name(encoding: str, said: str, read: Read) -> None:
    frame = read("note,y\ngrüne Äpfel,no\n".encode(encoding), make_problem(dialect={"encoding": said}))

    assert list(frame)[:2] == ["note", "y"]
    assert frame["note"].tolist() == ["grüne Äpfel"]


def test_a_wrong_encoding_is_answered_with_the_line_to_write(read: Read) -> None:
    line = one_line(lambda: read("note,y\ngrüne Äpfel,no\n".encode("latin-1")))

    assert "not written in UTF-8" in line
    assert "dialect: {encoding: latin-1}" in line


@pytest.mark.parametrize("separator", [",", ";", "\t", "|"])
def test_a_separator_that_the_contract_does_not_name_is_found_by_the_names(separator: str, read: Read) -> None:
    frame = read(separator.join(["price", "note", "y"]) + "\n" + separator.join(["1", "a b", "no"]) + "\n")

    assert frame[["price", "note", "y"]].iloc[0].tolist() == [1.0, "a b", "no"]


def test_the_dialects_separator_goes_before_one_that_would_fit_better(read: Read) -> None:
    frame = read("price,x;y\n1,2;no\n", make_problem(dialect={"separator": ","}))

    assert list(frame)[:2] == ["price", "x;y"]


def test_unusual_column_names_are_taken_as_they_are(read: Read) -> None:
    names = ["unit price", "größe", "class", "2nd", " padded ", "a-b/c", "価格", "x,y", 'say "hi"']
    problem = make_problem(columns={name: {"type": "number"} for name in names})
    header = ",".join('"' + name.replace('"', '""') + '"' for name in names)
    frame = read(f"{header},y\n" + ",".join("1" * len(names)) + ",no\n", problem)

    assert list(frame) == [*names, "y"]
    assert check_frame(frame, problem, with_target=True).ok


def test_duplicate_names_are_refused_by_name(read: Read) -> None:
    assert "two columns have the name 'price'" in one_line(lambda: read("price,y,price\n1,no,2\n"))


def test_ragged_rows_are_refused_with_row_and_fields(read: Read) -> None:
    assert "row 2 has 3 fields, the header has 2" in one_line(lambda: read("price,y\n1,no\n1,500,no\n"))
    assert "row 2 has 1 fields, the header has 2" in one_line(lambda: read("price,y\n1,no\n1\n"))


def test_empty_files_are_refused(read: Read) -> None:
    assert "it is empty" in one_line(lambda: read(""))
    assert "it has no rows" in one_line(lambda: read("price,y\n"))


def test_blank_lines_and_a_missing_last_line_break_do_no_harm(read: Read) -> None:
    assert read("\n\nprice,y\n\n1,no\r\n\r\n2,yes")["price"].tolist() == [1.0, 2.0]


# Columns that are empty, not there, or many


def test_a_column_that_is_all_missing_has_its_type(read: Read) -> None:
    empty = read("price,pieces,brand,sold,day,note,tags,y\n" + ",,,,,,,no\n" * 3)
    absent = read("y\n" + "no\n" * 3)

    pd.testing.assert_frame_equal(empty, absent[list(empty)])
    kinds = {"price": np.float64, "pieces": np.float64, "brand": "str", "sold": object, "day": MOMENT, "note": "str"}
    assert {name: empty[name].dtype == kind for name, kind in kinds.items()} == dict.fromkeys(kinds, True)
    assert empty.drop(columns="y").isna().all(axis=None)
    report = check_frame(absent, make_problem(), with_target=True)
    assert report.ok


def test_a_column_that_must_be_there_is_named_when_it_is_not(read: Read) -> None:
    problem = make_problem(columns={"price": {"type": "number"}, "note": {"type": "text"}})
    found = check_frame(read("price,y\n1,no\n", problem), problem, with_target=True).findings

    assert [(one.column, one.what) for one in found if one.severity == "error"] == [("note", "the column is missing")]


def test_signs_of_the_dialect_stand_for_missing_too(read: Read) -> None:
    frame = read("price,brand,y\n-,?,no\n1,NA,yes\n", make_problem(dialect={"missing": ["-", "?"]}))

    assert known(frame["price"]) == [None, 1.0]
    assert known(frame["brand"]) == [None, None]


def test_three_thousand_columns_are_read(read: Read) -> None:
    names = [f"c{number}" for number in range(3000)]
    problem = make_problem(columns={name: {"type": "number"} for name in names})
    row = ",".join(str(number) for number in range(3000))
    frame = read(",".join(names) + ",y\n" + f"{row},no\n" * 20, problem)

    assert frame.shape == (20, 3001)
    assert frame["c2999"].tolist() == [2999.0] * 20


def test_columns_that_the_contract_does_not_know_have_the_type_of_all_their_values(read: Read) -> None:
    frame = read("y,i,f,b,s,e\nno,1,1.5,True,007,\nyes,2,,False,x,\n")

    assert [str(frame[name].dtype) for name in "ifbse"] == ["int64", "float64", "bool", "str", "float64"]
    assert frame["s"].tolist() == ["007", "x"]
