"""Columns that give the target away by themselves."""

from __future__ import annotations

import json
from collections.abc import Callable

import numpy as np
import pandas as pd
import pytest

from labline.contract import Problem
from labline.contract.written import as_list
from labline.data.leakage import determining_columns
from tests.data.leakage.tables import contract, honest

ROWS = 1500


def make_problem(task: str, **columns: dict[str, object]) -> Problem:
    return Problem.model_validate(
        {
            "name": "people",
            "title": "People",
            "task": task,
            "target": "y",
            "classes": {"multiclass": ["a", "b", "c"], "binary": ["a", "b"], "regression": []}[task],
            "metric": "rmse" if task == "regression" else "accuracy",
            "sources": {"train": {"csv": "people.csv"}},
            "columns": {"honest": {"type": "number"}, "name": NAME} | columns,
        }
    )


NUMBER = {"type": "number"}
NAME = {"type": "category", "values": ["u", "v", "w"], "missing": "allow"}
LEAK = {"multiclass": {"type": "category", "values": ["p", "q", "r"]}, "regression": NUMBER}


def people(task: str, rows: int = ROWS) -> pd.DataFrame:
    """Honest rows: two columns that tell something of the target, and not all."""
    rng = np.random.default_rng(0)
    honest = rng.normal(size=rows)
    score = honest + 0.3 * rng.normal(size=rows)
    names = {"multiclass": ["a", "b", "c"], "binary": ["a", "b"]}
    y = pd.qcut(score, len(names[task]), labels=names[task]).astype("str") if task in names else score
    return pd.DataFrame({"honest": honest, "name": rng.choice(["u", "v", "w"], rows), "y": y})


def leaks(frame: pd.DataFrame, problem: Problem) -> list[str]:
    found = determining_columns(frame, problem, seed=7)
    assert all(0.99 < leak.score <= 1 for leak in found)
    return [leak.column for leak in found]


@pytest.mark.parametrize("task", ["multiclass", "binary", "regression"])
def test_honest_rows_have_no_leak(task: str) -> None:
    assert leaks(people(task), make_problem(task)) == []


@pytest.mark.parametrize("task", ["multiclass", "regression"])
def test_a_column_that_tells_much_and_not_all_is_no_leak(task: str) -> None:
    frame = people(task)
    score = frame["y"].map({"a": 1.0, "b": 2.0, "c": 3.0}) if task == "multiclass" else frame["y"]
    strong = score + 0.2 * np.random.default_rng(1).normal(size=ROWS)

    assert abs(np.corrcoef(strong, score)[0, 1]) > 0.95
    assert leaks(frame.assign(strong=strong), make_problem(task, strong=NUMBER)) == []


def test_a_leak_is_found_in_rows_sorted_by_their_target() -> None:
    frame = people("regression").assign(copy=lambda rows: rows["y"]).sort_values("y")

    assert leaks(frame, make_problem("regression", copy=NUMBER)) == ["copy"]


def test_a_column_equal_to_the_target_is_found() -> None:
    frame = people("regression")
    assert leaks(frame.assign(copy=frame["y"]), make_problem("regression", copy=NUMBER)) == ["copy"]

    frame = people("multiclass")
    column = {"type": "category", "values": ["a", "b", "c"]}
    assert leaks(frame.assign(copy=frame["y"]), make_problem("multiclass", copy=column)) == ["copy"]


@pytest.mark.parametrize("task", ["multiclass", "binary"])
def test_the_target_under_other_names_is_found(task: str) -> None:
    frame = people(task)
    renamed = frame["y"].map({"a": "q", "b": "r", "c": "p"}).astype("str")

    assert leaks(frame.assign(renamed=renamed), make_problem(task, renamed=LEAK["multiclass"])) == ["renamed"]


def test_a_boolean_that_is_the_target_is_found() -> None:
    frame = people("binary")

    flag = {"type": "boolean"}
    assert leaks(frame.assign(flag=frame["y"] == "b"), make_problem("binary", flag=flag)) == ["flag"]
    assert leaks(frame.assign(flag=frame["name"] == "u"), make_problem("binary", flag=flag)) == []


@pytest.mark.parametrize("noise", [0.0, 1e-3])
def test_a_number_that_tells_the_target_but_for_a_trace_is_found(noise: float) -> None:
    frame = people("regression")
    nearly = -3 * frame["y"] + 100 + noise * np.random.default_rng(1).normal(size=ROWS)

    assert leaks(frame.assign(nearly=nearly), make_problem("regression", nearly=NUMBER)) == ["nearly"]


def test_a_number_that_is_cut_into_the_classes_is_found() -> None:
    frame = people("multiclass")
    place = frame["y"].map({"a": 2.0, "b": 1.0, "c": 3.0}) + np.random.default_rng(1).uniform(-0.4, 0.4, ROWS)

    assert leaks(frame.assign(place=place), make_problem("multiclass", place=NUMBER)) == ["place"]


def test_that_a_value_is_missing_may_be_what_gives_the_target_away() -> None:
    frame = people("binary")
    number = frame["honest"].where(frame["y"] == "a")
    name = frame["name"].where(frame["y"] == "a")
    problem = make_problem("binary", number=NUMBER, gone=NAME)

    assert leaks(frame.assign(number=number, gone=name), problem) == ["number", "gone"]


def test_several_leaks_are_all_named() -> None:
    frame = people("regression").assign(one=lambda rows: rows["y"], two=lambda rows: 2 * rows["y"])

    assert leaks(frame, make_problem("regression", one=NUMBER, two=NUMBER)) == ["one", "two"]


def test_a_rare_class_makes_no_honest_column_a_leak() -> None:
    """Where one class is 999 of 1,000 rows, to say it always is right as often."""
    frame = people("binary", 5000)
    frame["y"] = np.where(np.arange(5000) % 1250 == 0, "a", "b")
    assert leaks(frame, make_problem("binary")) == []

    flag = frame.assign(flag=frame["y"] == "a")
    assert leaks(flag, make_problem("binary", flag={"type": "boolean"})) == ["flag"]


def test_rows_without_a_target_are_left_out() -> None:
    frame = people("multiclass")
    frame = frame.assign(copy=frame["y"].map({"a": 1.0, "b": 2.0, "c": 3.0}))
    frame.loc[::5, "y"] = None

    assert leaks(frame, make_problem("multiclass", copy=NUMBER)) == ["copy"]


def test_of_many_rows_a_part_is_looked_at_and_it_is_enough() -> None:
    frame = people("regression", 20_000)

    assert leaks(frame.assign(copy=frame["y"]), make_problem("regression", copy=NUMBER)) == ["copy"]


@pytest.mark.parametrize("rows", [1, 29])
def test_of_too_few_rows_nothing_is_said(rows: int) -> None:
    frame = people("regression")

    assert leaks(frame.assign(copy=frame["y"]).head(rows), make_problem("regression", copy=NUMBER)) == []


def test_where_all_rows_are_of_one_class_nothing_is_said() -> None:
    assert leaks(people("multiclass").assign(y="a"), make_problem("multiclass")) == []


# Recodings


@pytest.mark.parametrize("recoded", [lambda y: np.exp(3 * y), lambda y: -(y**3), lambda y: y.rank()])
def test_the_target_on_a_crooked_scale_is_found(recoded: Callable[[pd.Series[float]], pd.Series[float]]) -> None:
    frame = people("regression").assign(crooked=lambda rows: recoded(rows["y"]))

    assert leaks(frame, make_problem("regression", crooked=NUMBER)) == ["crooked"]


@pytest.mark.parametrize("kind", [{"type": "category"}, {"type": "text"}])
def test_a_number_written_among_words_is_read(kind: dict[str, object]) -> None:
    frame = people("regression").assign(price=lambda rows: [f"about {10 + y:.4f} USD" for y in rows["y"]])
    frame["other"] = [f"about {x:.4f} USD" for x in 10 + frame["honest"]]

    assert leaks(frame, make_problem("regression", price=kind, other=kind)) == ["price"]


def test_a_text_that_says_the_class_in_other_words_is_found() -> None:
    frame = people("binary")
    frame["verdict"] = frame["y"].map({"a": "The person is well.", "b": "The person is ill."})

    assert leaks(frame, make_problem("binary", verdict={"type": "text"})) == ["verdict"]


def test_names_that_are_all_different_are_no_leak_in_a_file_sorted_by_its_target() -> None:
    frame = people("regression").sort_values("y", ignore_index=True)
    frame["who"] = [f"person {'abcdefghij'[index % 10]}{index * 7919 % ROWS}" for index in range(ROWS)]

    assert leaks(frame, make_problem("regression", who={"type": "text"})) == []


def test_labels_in_another_order_or_between_other_signs_are_found() -> None:
    frame = honest("multilabel").assign(y=lambda rows: [as_list(["p", "q"][: 1 + flag]) for flag in rows["flag"]])
    names = [json.loads(written) for written in frame["y"]]
    frame["tags"] = [as_list([*given, "more"][::-1]) for given in names]
    frame["said"] = ["; ".join(given[::-1]) for given in names]
    columns = {"tags": {"type": "labels"}, "said": {"type": "text"}}

    found = determining_columns(frame, contract("multilabel", columns), seed=7)
    assert [(leak.column, leak.severity) for leak in found] == [(name, "refuse") for name in ("flag", "tags", "said")]


def test_of_one_label_that_a_column_tells_is_warned() -> None:
    frame = honest("multilabel")
    frame["is_p"] = [float("p" in json.loads(written)) for written in frame["y"]]
    [leak] = determining_columns(frame, contract("multilabel", {"is_p": NUMBER}), seed=7)

    assert (leak.columns, leak.severity) == (("is_p",), "warn")
    assert leak.what.startswith("is_p alone predicts the label 'p'")
