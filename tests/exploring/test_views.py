"""Views: every type of column becomes numbers, moments or a few names."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import numpy as np
import pandas as pd

from labline.contract import Problem, settle
from labline.data import Snapshot
from labline.exploring import announce, corners, view, view_answers, view_target
from tests.data.contracts import make_problem


def seen(problem: Problem, name: str, values: list[Any]) -> pd.Series:
    """The view of one column, its values as a file has them."""
    given = {other: [None] * len(values) for other in problem.columns} | {name: values}
    return view(settle(problem, given)[name], problem.columns[name])


def test_a_text_is_its_length_and_a_missing_one_has_none() -> None:
    assert seen(make_problem(), "note", ["four", None]).tolist()[0] == 4
    assert seen(make_problem(), "note", ["four", None]).isna().tolist() == [False, True]


def test_a_moment_stays_a_moment() -> None:
    assert seen(make_problem(), "day", ["2024-05-06"])[0] == pd.Timestamp("2024-05-06")


def test_a_few_whole_numbers_are_names_in_their_order_and_missing_is_one_more() -> None:
    found = seen(make_problem(), "pieces", [10, 2, None, 2])
    assert found.tolist() == ["10", "2", "(missing)", "2"]
    assert list(found.cat.categories) == ["2", "10", "(missing)"]


def test_a_measured_quantity_is_a_number_however_few_values_it_has() -> None:
    assert seen(make_problem(), "price", [1, 2, 2]).tolist() == [1, 2, 2]


def test_truth_is_told_in_words() -> None:
    assert seen(make_problem(), "sold", [True, False]).tolist() == ["true", "false"]


def test_names_stand_in_the_contracts_order_and_open_ones_by_how_common_they_are() -> None:
    problem = make_problem(
        columns={"size": {"type": "category", "values": ["S", "M", "L"]}, "brand": {"type": "category"}}
    )
    assert list(seen(problem, "size", ["L", "L", "S"]).cat.categories) == ["S", "L"]
    assert list(seen(problem, "brand", ["x", "y", "y"]).cat.categories) == ["y", "x"]


def test_of_many_names_the_eight_commonest_are_told_apart() -> None:
    names = [f"n{index}" for index in range(10) for _ in range(10 - index)]
    found = seen(make_problem(), "brand", names)
    assert list(found.cat.categories) == [*(f"n{index}" for index in range(8)), "(another)"]
    assert (found == "(another)").sum() == 2 + 1


def test_a_row_with_several_names_stands_under_each_and_one_with_none_says_so() -> None:
    found = seen(make_problem(), "tags", ["a;b", "[]", None])
    assert list(zip(found.index, found, strict=True)) == [(0, "a"), (0, "b"), (1, "(none)"), (2, "(missing)")]


def test_the_target_is_seen_as_the_answers_are() -> None:
    labels = make_problem("multilabel")
    truth = view_target(labels, pd.Series(["sql java", "c#"]))
    answers = view_answers(labels, np.array([("sql", "java"), ("c#",)], dtype=object))
    assert sorted(zip(truth.index, truth, strict=True)) == sorted(zip(answers.index, answers, strict=True))
    assert list(truth.cat.categories) == ["c#", "java", "sql"]
    assert view_target(make_problem("regression"), pd.Series([1.5, 2.0])).tolist() == [1.5, 2.0]


def test_in_the_corners_numbers_are_at_their_limits_and_everything_else_is_allowed() -> None:
    columns = {
        "height": {"type": "number", "minimum": 1.2, "maximum": 2.3},
        "free": {"type": "number"},
        "size": {"type": "category", "values": ["S", "M"]},
    }
    found = corners(make_problem(columns=columns), 60)
    assert set(found["height"]) == {1.2, 2.3}
    assert len(set(found["free"])) > 2
    assert set(found["size"]) == {"S", "M"}


def test_generated_rows_are_announced_loudly_and_real_ones_with_where_they_come_from() -> None:
    known = {"problem": "shop", "role": "train", "origin": "file:shop.csv", "sha256": "0", "rows": 1200}
    real, generated = (
        Snapshot.model_validate(known | {"kind": kind, "taken_at": datetime(2024, 5, 6, tzinfo=UTC)})
        for kind in ("file", "sample")
    )
    assert announce(real) == "1,200 rows from `file:shop.csv`, taken 06 May 2024"
    assert "GENERATED SAMPLE" in announce(generated)
    assert "labline data shop" in announce(generated)
