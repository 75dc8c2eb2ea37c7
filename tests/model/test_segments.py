"""Segments: which rows are in each, by type of column."""

from __future__ import annotations

from typing import Any

import numpy as np

from labline.contract import Problem, settle
from labline.model.segments import segments_of
from tests.model.test_tasks import problem


def by(column: dict[str, Any]) -> Problem:
    return problem("binary", "no", "yes", columns={"x": column}, segments=["x"])


def positions(column: dict[str, Any], values: list[Any]) -> dict[str, list[int]]:
    """The rows of each segment, by its name without the column's."""
    contract = by(column)
    found = segments_of(contract, settle(contract, {"x": values}))
    assert all(name.startswith("x: ") for name in found)
    return {name.removeprefix("x: "): np.flatnonzero(rows).tolist() for name, rows in found.items()}


def test_a_category_has_a_segment_a_name_in_the_contracts_order_and_none_without_rows() -> None:
    column = {"type": "category", "values": ["zebra", "ape", "gnu"], "missing": "allow"}
    assert positions(column, ["ape", "zebra", None, "ape"]) == {"zebra": [1], "ape": [0, 3], "(missing)": [2]}


def test_a_name_that_reads_like_missing_is_a_segment_of_its_own() -> None:
    column = {"type": "category", "values": ["missing", "there"], "missing": "allow"}
    assert positions(column, ["missing", None]) == {"missing": [0], "(missing)": [1]}


def test_of_an_open_category_the_commonest_names_have_segments_and_the_others_one() -> None:
    values = [f"n{index}" for index in range(25) for _ in range(25 - index)]
    found = positions({"type": "category"}, values)
    assert list(found) == [*(f"n{index}" for index in range(20)), "any other"]
    assert [len(rows) for rows in found.values()] == [*range(25, 5, -1), 5 + 4 + 3 + 2 + 1]


def test_a_boolean_has_two() -> None:
    assert positions({"type": "boolean"}, [True, False, True]) == {"true": [0, 2], "false": [1]}


def test_a_number_is_cut_at_its_bands_and_a_limit_belongs_to_the_band_above() -> None:
    column = {"type": "number", "bands": [18, 25], "missing": "allow"}
    assert positions(column, [17.9, 18, 24, 25, 1e6, None]) == {
        "below 18": [0],
        "18 to 25": [1, 2],
        "25 and more": [3, 4],
        "(missing)": [5],
    }


def test_a_number_without_bands_is_cut_at_its_quartiles() -> None:
    found = positions({"type": "number"}, [float(value) for value in range(1000, 1400)])
    assert list(found) == ["below 1,100", "1,100 to 1,200", "1,200 to 1,299", "1,299 and more"]
    assert [len(rows) for rows in found.values()] == [100, 100, 99, 101]


def test_quartiles_that_fall_together_make_fewer_segments() -> None:
    assert list(positions({"type": "number"}, [0.0] * 90 + [5.0] * 10)) == ["0 and more"]


def test_a_whole_number_of_few_values_has_a_segment_a_value() -> None:
    assert positions({"type": "integer"}, [3, 1, 3]) == {"1": [1], "3": [0, 2]}


def test_a_column_without_any_value_has_one_segment() -> None:
    assert positions({"type": "number", "missing": "allow"}, [None, None]) == {"(missing)": [0, 1]}


def test_every_row_is_in_one_segment_of_a_column_and_of_no_column_there_are_none() -> None:
    random = np.random.default_rng(0)
    contract = by({"type": "number", "missing": "allow"})
    values = np.where(random.random(500) < 0.1, np.nan, random.lognormal(size=500))
    masks = segments_of(contract, {"x": values})
    assert np.sum(list(masks.values()), axis=0).tolist() == [1] * 500
    assert segments_of(contract.model_copy(update={"segments": ()}), {"x": values}) == {}
