"""Outcomes: sums of labelled predictions give the metrics that the rows themselves give."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from labline.contract import Problem
from labline.model.tasks import Task, task_of
from labline.monitoring.outcomes import Labelled, Outcomes, figures_of, outcomes_of, total_of

ROWS = 4000
COMMON = {
    "name": "any",
    "title": "Any",
    "target": "y",
    "sources": {"train": {"file": "train.csv"}},
    "columns": {"x": {"type": "number"}},
}


def problem_of(task: str, metric: str, **more: Any) -> Problem:
    return Problem.model_validate(COMMON | {"task": task, "metric": metric, **more})


def drawn(problem: Problem) -> tuple[Task, Labelled]:
    """Rows whose scores say something about their labels, and are wrong now and then."""
    random = np.random.default_rng(3)
    task = task_of(problem)
    delays = random.uniform(0, 100, ROWS)
    if problem.task == "regression":
        target = random.gamma(2, 3, ROWS)
        return task, Labelled(target, np.abs(target + random.normal(0, 1, ROWS)), np.zeros((0, 0)), delays)
    count = len(problem.classes)
    if problem.task == "multilabel":
        target = (random.random((ROWS, count)) < 0.3).astype(np.int8)
        scores = np.clip(0.3 + 0.4 * target + random.normal(0, 0.2, target.shape), 0.01, 0.99)
        return task, Labelled(target, scores, scores >= 0.5, delays)
    target = random.integers(0, count, ROWS)
    raw = random.normal(0, 1, (ROWS, count))
    raw[np.arange(ROWS), target] += 1.5
    scores = np.exp(raw) / np.exp(raw).sum(axis=1, keepdims=True)
    return task, Labelled(target, scores, np.zeros((0, 0)), delays)


PROBLEMS = [
    problem_of("multiclass", "accuracy", classes=("a", "b", "c")),
    problem_of("binary", "roc_auc", classes=("no", "yes")),
    problem_of("multilabel", "jaccard", classes=("a", "b", "c", "d")),
    problem_of("regression", "rmse", value={"minimum": 0}),
]


def part_of(found: Labelled, rows: slice) -> Labelled:
    return Labelled(*(getattr(found, name)[rows] for name in ("target", "scores", "answers", "delays")))


@pytest.mark.parametrize("problem", PROBLEMS, ids=lambda problem: problem.task)
def test_sums_of_hours_give_the_metrics_that_all_rows_give(problem: Problem) -> None:
    task, found = drawn(problem)
    hours = [outcomes_of(problem, task, part_of(found, slice(start, start + 700))) for start in range(0, ROWS, 700)]
    whole = total_of(hours)
    figures, wanted = figures_of(problem, whole), task.metrics(found.target, found.scores)
    assert next(iter(figures)) == problem.metric
    assert figures.keys() == wanted.keys()
    for name, figure in figures.items():
        tolerance = 1e-3 if name in {"roc_auc", "average_precision"} else 1e-9  # these are made of a thousand ranks
        assert figure.value == pytest.approx(wanted[name], abs=tolerance)
    assert whole.rows == ROWS
    assert whole.delay_seconds == pytest.approx(found.delays.sum())


@pytest.mark.parametrize("problem", PROBLEMS, ids=lambda problem: problem.task)
def test_what_is_taken_away_again_leaves_the_rest(problem: Problem) -> None:
    task, found = drawn(problem)
    first, second = (outcomes_of(problem, task, part_of(found, rows)) for rows in (slice(0, 100), slice(100, 300)))
    left = first + second - second
    assert (left.rows, left.cells) == (first.rows, first.cells)
    assert figures_of(problem, left)[problem.metric].value == pytest.approx(
        figures_of(problem, first)[problem.metric].value
    )
    assert Outcomes.model_validate_json(left.model_dump_json()) == left


@pytest.mark.parametrize("problem", PROBLEMS, ids=lambda problem: problem.task)
def test_intervals_are_as_wide_as_those_of_rows_drawn_again(problem: Problem) -> None:
    task, found = drawn(problem)
    figures = figures_of(problem, outcomes_of(problem, task, found))
    random = np.random.default_rng(5)
    draws = (random.multinomial(ROWS, np.full(ROWS, 1 / ROWS), 200).astype(float) for _ in range(1))
    again = task.resampled(figures, found.target, found.scores, draws)
    for name, figure in figures.items():
        assert figure.low is not None
        assert figure.high is not None
        low, high = np.quantile(again[name], [0.025, 0.975])
        assert figure.low < figure.value < figure.high
        assert figure.high - figure.low == pytest.approx(high - low, rel=0.35)


def test_r2_has_no_interval_where_its_sums_do_not_give_one() -> None:
    problem = PROBLEMS[-1]
    task, found = drawn(problem)
    whole = outcomes_of(problem, task, found)
    older = whole.model_copy(update={"sums": {name: whole.sums[name] for name in ("rmse", "mae", "target")}})
    far = replace(found, target=found.target + 1e6, scores=found.scores + 1e6)
    for outcomes in (older, older + whole, outcomes_of(problem, task, far)):
        figure = figures_of(problem, outcomes)["r2"]
        assert (figure.low, figure.high) == (None, None)
    near = replace(found, target=found.target + 100, scores=found.scores + 100)
    one, other = (figures_of(problem, outcomes_of(problem, task, each))["r2"] for each in (found, near))
    assert (one.low, one.high) == pytest.approx((other.low, other.high), abs=1e-4)


def test_without_labels_there_are_no_figures() -> None:
    for problem in PROBLEMS:
        task, found = drawn(problem)
        nothing = outcomes_of(problem, task, part_of(found, slice(0, 0)))
        assert nothing == Outcomes()
        assert figures_of(problem, nothing) == {}
