"""Plain columns: what a value becomes before and after the contract's policies, and what counts as missing."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import numpy as np
import pandas as pd
import pytest

from labline.contract import as_given, columns_from_records, is_missing, settle
from tests.contract.test_records import make_problem

WHEN = {"type": "datetime", "missing": "allow"}
TAGS = {"type": "labels", "missing": "allow"}
TEXT = {"type": "text", "missing": "allow"}
OPEN = {"type": "category", "missing": "allow"}


def settled(column: dict[str, Any], *values: Any) -> np.ndarray:
    return settle(make_problem({"x": column}), {"x": list(values)})["x"]


def given(column: dict[str, Any], *values: Any) -> np.ndarray:
    return as_given(make_problem({"x": column}), {"x": list(values)})["x"]


def micros(*written: str) -> list[np.datetime64]:
    return np.array(written, dtype="datetime64[us]").tolist()


# Moments


@pytest.mark.parametrize(
    "value",
    [
        "2024-12-31T22:30",
        "2024-12-31T23:30:00+01:00",
        "31.12.2024 22:30",
        datetime(2024, 12, 31, 22, 30),
        datetime(2024, 12, 31, 22, 30, tzinfo=UTC),
        datetime(2025, 1, 1, 0, 30, tzinfo=timezone(timedelta(hours=2))),
        pd.Timestamp("2024-12-31T22:30"),
        pd.Timestamp("2025-01-01T00:30", tz="Europe/Athens"),
        np.datetime64("2024-12-31T22:30"),
    ],
)
def test_a_moment_is_one_and_the_same_however_it_is_given(value: Any) -> None:
    found = settled(WHEN | {"formats": ["%d.%m.%Y %H:%M"]}, value)
    assert found.dtype == np.dtype("datetime64[us]")
    assert found.tolist() == micros("2024-12-31T22:30")


def test_every_kind_of_missing_moment_is_not_a_time() -> None:
    found = settled(WHEN, None, float("nan"), pd.NaT, np.datetime64("NaT"), pd.NA, "2024-01-01")
    assert is_missing(found).tolist() == [True] * 5 + [False]


@pytest.mark.parametrize("unit", ["s", "ms", "us", "ns"])
def test_a_frames_own_moments_are_taken_over_whatever_their_unit(unit: str) -> None:
    dates = pd.Series(["2024-12-31T22:30", None]).astype(f"datetime64[{unit}]").to_numpy()
    found = settle(make_problem({"x": WHEN}), {"x": dates})["x"]
    assert found.dtype == np.dtype("datetime64[us]")
    assert found[:1].tolist() == micros("2024-12-31T22:30")
    assert is_missing(found).tolist() == [False, True]


@pytest.mark.parametrize(
    ("policy", "becomes"),
    [("clip", ("2020-01-01", "2020-06-01", "2020-12-31")), ("missing", ("NaT", "2020-06-01", "NaT"))],
)
def test_a_moment_out_of_range_is_clipped_or_missing_where_the_contract_says_so(
    policy: str, becomes: tuple[str, ...]
) -> None:
    column = WHEN | {"minimum": "2020-01-01", "maximum": "2020-12-31", "out_of_range": policy}
    values = ("2019-12-31T23:59:59", "2020-06-01", "2021-01-01")
    assert settled(column, *values).tolist() == micros(*becomes)
    assert given(column, *values).tolist() == micros(*values)
    assert is_missing(settled(column, None)).tolist() == [True]


def test_a_limit_on_one_side_leaves_the_other_open() -> None:
    column = WHEN | {"minimum": "2020-01-01", "out_of_range": "clip"}
    assert settled(column, "0001-01-01", "9999-12-31").tolist() == micros("2020-01-01", "9999-12-31")


# Names


def test_an_open_category_keeps_every_name() -> None:
    assert settled(OPEN, "a", "anything else", "", None, float("nan"), pd.NA).tolist() == [
        *("a", "anything else", ""),
        *(None, None, None),
    ]


def test_what_is_given_is_kept_beside_what_the_policies_make_of_it() -> None:
    column = {"type": "category", "values": ["a", "b"], "unknown": "missing", "missing": "allow"}
    assert given(column, "a", "z", None).tolist() == ["a", "z", None]
    assert settled(column, "a", "z", None).tolist() == ["a", None, None]
    number = {"type": "number", "minimum": 0, "maximum": 9, "out_of_range": "clip"}
    assert given(number, -1, 5, 99).tolist() == [-1, 5, 99]
    assert settled(number, -1, 5, 99).tolist() == [0, 5, 9]


def test_lists_are_tuples_in_order_each_name_once_and_empty_is_not_missing() -> None:
    found = settled(TAGS, ["b", "a", "b"], '["a"]', "a, c", [], "", None, float("nan"))
    assert found.tolist() == [("a", "b"), ("a",), ("a", "c"), (), (), None, None]
    assert is_missing(found).tolist() == [False] * 5 + [True] * 2


def test_lists_of_one_length_stay_lists_of_names_and_make_no_table() -> None:
    found = settled(TAGS, ["a", "b"], ["c", "d"])
    assert (found.dtype, found.shape) == (np.dtype(object), (2,))


def test_of_a_list_unknown_names_are_left_out_where_the_contract_says_so() -> None:
    column = TAGS | {"values": ["a", "b"], "unknown": "missing"}
    assert settled(column, ["z", "b", "a"], ["z"], None).tolist() == [("a", "b"), (), None]
    assert given(column, ["z", "a"]).tolist() == [("a", "z")]


# Texts


def test_texts_are_read_as_the_contract_says_and_given_ones_stay_as_they_came() -> None:
    column = TEXT | {"html": True, "urls": "remove"}
    said = "<p>see <b>http://a.b</b> x</p><pre>code</pre>"
    assert [text.split() for text in settled(column, said)] == [["see", "x"]]
    assert given(column, said).tolist() == [said]
    assert settled(column, None, "").tolist() == [None, ""]
    assert settled(TEXT, said).tolist() == [said]


# All at once

EVERY = make_problem(
    {
        "n": {"type": "number", "missing": "allow"},
        "i": {"type": "integer", "missing": "allow"},
        "b": {"type": "boolean", "missing": "allow"},
        "c": OPEN,
        "d": WHEN,
        "t": TEXT,
        "l": TAGS,
    }
)


def test_a_record_of_nothing_is_a_row_of_missing_values() -> None:
    columns = columns_from_records(EVERY, [{}, dict.fromkeys("nibcdtl")])
    for name, values in columns.items():
        assert values.shape == (2,)
        assert is_missing(values).all(), name


def test_settled_columns_settle_to_themselves() -> None:
    record = {"n": 1.5, "i": 2, "b": True, "c": "x", "d": "2024-01-01", "t": "said", "l": ["a", "b"]}
    once = columns_from_records(EVERY, [record, {}])
    twice = settle(EVERY, once)
    for name, values in once.items():
        assert values.dtype == twice[name].dtype
        np.testing.assert_array_equal(values, twice[name], strict=True)
        assert not is_missing(values)[0]
        assert is_missing(values)[1]


def test_a_frame_and_its_records_settle_to_the_same_columns() -> None:
    frame = pd.DataFrame(
        {
            "n": [1.5, None],
            "i": [2, None],
            "b": pd.array([True, None], dtype="boolean"),
            "c": pd.array(["x", None], dtype="str"),
            "d": pd.to_datetime(["2024-01-01T10:00", None]),
            "t": pd.array(["said", None], dtype="str"),
            "l": pd.array(['["a", "b"]', None], dtype="str"),
        }
    )
    record = {"n": 1.5, "i": 2.0, "b": True, "c": "x", "d": "2024-01-01T10:00", "t": "said", "l": ["b", "a"]}
    of_frame = settle(EVERY, {name: frame[name].astype(object).where(frame[name].notna(), None) for name in frame})
    of_records = columns_from_records(EVERY, [record, {}])
    for name in EVERY.columns:
        np.testing.assert_array_equal(of_frame[name], of_records[name], strict=True)
