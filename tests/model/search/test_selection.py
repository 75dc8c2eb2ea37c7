"""Feature selection: it finds the columns that tell, keeps 10 % to 40 % of them, and heeds the clock."""

from __future__ import annotations

import time

import pytest

from labline.contract import Problem
from labline.model.search import Folds
from labline.model.search.selection import Curve, Step, by_study, screened, sequential
from labline.model.search.studies import Studies
from tests.model.search.conftest import Searching

SOON = 120.0


@pytest.mark.parametrize("family", ["linear", "lightgbm", "decision_tree"])
def test_forward_selection_takes_the_two_columns_that_tell_before_any_noise(
    family: str, folds: Folds, problem: Problem
) -> None:
    kept: list[Curve] = []
    start = Curve.of(family, "log_loss", len(problem.columns))
    curve = sequential(folds, list(problem.columns), start, time.monotonic() + SOON, kept.append)
    assert (curve.fewest, curve.most) == (1, 4)
    assert {*curve.steps[1].columns} == {"signal", "other"}
    assert [len(step.columns) for step in curve.steps] == list(range(1, len(curve.steps) + 1))
    assert curve.best is not None
    assert {"signal", "other"} <= {*curve.best.columns}
    assert curve.complete
    assert len(kept[0].steps) == 1


def test_the_alternative_finds_them_too(folds: Folds, problem: Problem, studies: Studies) -> None:
    study = studies.begin("told-lightgbm-columns", {}, 7)
    start = Curve.of("lightgbm", "log_loss", len(problem.columns))
    curve = by_study(study, folds, list(problem.columns), start, time.monotonic() + 6, lambda _curve: None)
    assert curve.best is not None
    assert {"signal", "other"} <= {*curve.best.columns}
    assert 1 <= len(curve.best.columns) <= 4


def test_a_curve_is_gone_on_with_and_no_step_is_begun_when_the_time_is_over(folds: Folds, problem: Problem) -> None:
    names = list(problem.columns)
    start = Curve.of("linear", "log_loss", len(names))
    nothing = sequential(folds, names, start, time.monotonic() - 1, lambda _curve: None)
    assert nothing.steps == ()
    assert nothing.best is None
    assert not nothing.complete
    one = start.with_step(Step(columns=("noise_3",), loss=1.0, deviation=0.0))
    curve = sequential(folds, names, one, time.monotonic() + SOON, lambda _curve: None)
    assert curve.steps[0].columns == ("noise_3",)
    assert curve.steps[1].columns[0] == "noise_3"


def test_of_each_size_the_better_set_stays_and_the_best_keeps_neither_too_few_nor_too_many() -> None:
    curve = Curve.of("any", "log_loss", 20)
    assert (curve.fewest, curve.most) == (2, 8)
    for names, loss in (("a", 0.1), ("ab", 0.5), ("cd", 0.4), ("abc", 0.45), ("abcdefghi", 0.2)):
        curve = curve.with_step(Step(columns=tuple(names), loss=loss, deviation=0.0))
    assert curve.best is not None
    assert curve.best.columns == ("c", "d")


def test_of_thousands_of_columns_the_most_important_are_looked_at() -> None:
    names = [f"c{at}" for at in range(3000)]
    found = screened(names, {"c2999": 0.5, "c7": 0.2})
    assert found[:2] == ["c2999", "c7"]
    assert len(found) == 40


def test_a_selected_set_is_compared_on_the_real_folds_like_any_other(searching: Searching) -> None:
    fitted = searching(selection="sequential", families=("lightgbm",))
    selected = next(tried for tried in fitted.tried if tried.feature_set == "selected")
    assert selected.stage == "selected"
    assert {*selected.candidate.columns} >= {"signal", "other"}
    assert len(selected.candidate.columns) <= 4
    everything = next(tried for tried in fitted.tried if tried.feature_set == "raw" and tried.family == "lightgbm")
    assert selected.mean("log_loss") < everything.mean("log_loss")  # noise only harms
    assert fitted.curves["lightgbm"].best is not None
