"""Regression: targets learned on a log scale, intervals that cover what they promise, and the rule to beat."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from labline.contract import Problem
from labline.model.tasks import AnswerRule, task_of
from labline.model.tasks.by_group import UsualByGroup
from tests.model.test_tasks import problem


def prices(**value: object) -> Problem:
    return problem("regression", metric="rmsle", value={"minimum": 0} | value)


LOG = task_of(prices(log=True))
PLAIN = task_of(prices())
COVERED = 0.8


def noisy(rows: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Prices, and predictions that miss them by a share of their size that is not symmetric."""
    random = np.random.default_rng(seed)
    predicted = random.lognormal(3, 1, rows)
    return predicted * random.gamma(4, 0.25, rows), predicted


# The scale


def test_on_a_log_scale_members_learn_the_logarithm_and_answer_in_the_targets_unit() -> None:
    target = np.array([0.0, 9.5, 2000.0])
    fitted = LOG.to_fit(target)
    np.testing.assert_array_equal(fitted, np.log1p(target))
    np.testing.assert_allclose(LOG.scores(fitted), target)
    assert PLAIN.to_fit(target) is target


@pytest.mark.parametrize("task", [LOG, PLAIN], ids=["log", "plain"])
def test_of_a_target_that_is_never_negative_no_answer_is(task: object) -> None:
    scores = task.scores(np.array([-5.0, -0.1, 0.0, 2.0]))  # type: ignore[attr-defined]
    assert scores[:3].tolist() == [0, 0, 0]
    assert scores[3] > 0


def test_a_target_that_may_be_negative_keeps_its_sign() -> None:
    for value in ({}, {"minimum": -10}):
        task = task_of(problem("regression", metric="rmse", value=value))
        assert task.scores(np.array([-5.0])).tolist() == [-5]


def test_the_logarithmic_error_is_that_of_scikit_learn() -> None:
    from sklearn.metrics import root_mean_squared_log_error

    target, predicted = noisy(200, 0)
    assert PLAIN.metric("rmsle", target, predicted) == pytest.approx(root_mean_squared_log_error(target, predicted))


def test_a_baseline_learns_on_the_scale_of_the_members() -> None:
    target = np.array([1.0, 9.0, 99.0])
    mean = LOG.baselines(0)["mean"].estimator.fit(np.zeros((3, 1)), LOG.to_fit(target))
    assert LOG.estimated(mean, np.zeros((1, 1))) == pytest.approx(np.exp(np.log([2, 10, 100]).mean()) - 1)


# The interval


@pytest.mark.parametrize("log", [True, False], ids=["log", "plain"])
@pytest.mark.parametrize("share", [0.5, 0.8, 0.95])
def test_the_interval_covers_of_fresh_rows_about_what_was_asked_for(log: bool, share: float) -> None:
    task = task_of(prices(log=log, interval=share))
    ruled = task.ruled_by(task.learn_rule(*noisy(2000, 1)))
    target, predicted = noisy(20_000, 2)
    metrics = ruled.metrics(target, predicted)
    assert metrics["interval_coverage"] == pytest.approx(share, abs=0.025)
    ends = np.array([answer.interval for answer in ruled.answers(predicted)])
    assert metrics["interval_coverage"] == np.mean((target >= ends[:, 0]) & (target <= ends[:, 1]))
    missed = (1 - share) / 2
    assert np.mean(target < ends[:, 0]) == pytest.approx(missed, abs=0.025)
    assert np.mean(target > ends[:, 1]) == pytest.approx(missed, abs=0.025)


@pytest.mark.parametrize(("rows", "inside"), [(8, 7 / 9), (30, 25 / 31), (40, 33 / 41)])
def test_learned_from_few_rows_it_covers_on_average_what_theory_says(rows: int, inside: float) -> None:
    task = task_of(prices(log=True, interval=COVERED))
    target, predicted = noisy(5000, 3)
    found = []
    for seed in range(300):
        ruled = task.ruled_by(task.learn_rule(*noisy(rows, seed + 10)))
        found.append(ruled.metric("interval_coverage", target, predicted))
    # of n + 1 gaps between the n misses, so many lie between the ends; where n is large enough, at least the share
    assert np.mean(found) == pytest.approx(inside, abs=0.02)


@pytest.mark.parametrize("rows", [1, 2, 5])
def test_of_hardly_any_rows_the_interval_takes_in_all_that_was_seen(rows: int) -> None:
    task = task_of(prices(log=True, interval=COVERED))
    target, predicted = noisy(rows, 0)
    ruled = task.ruled_by(task.learn_rule(target, predicted))
    ends = np.array([answer.interval for answer in ruled.answers(predicted)])
    assert ((ends[:, 0] <= target + 1e-9) & (target <= ends[:, 1] + 1e-9)).all()


def test_no_end_of_an_interval_is_below_zero_where_the_target_never_is() -> None:
    task = task_of(prices(interval=COVERED)).ruled_by(AnswerRule(offsets=(-10, 5)))
    (small, large) = task.answers(np.array([3.0, 30.0]))
    assert (small.prediction, small.interval) == (3.0, (0.0, 8.0))
    assert large.interval == (20.0, 35.0)


def test_on_a_log_scale_the_interval_is_wider_for_greater_values() -> None:
    task = task_of(prices(log=True, interval=COVERED)).ruled_by(AnswerRule(offsets=(-0.5, 0.5)))
    ends = [answer.interval for answer in task.answers(np.array([9.0, 99.0]))]
    assert ends == [
        pytest.approx((10 * np.exp(-0.5) - 1, 10 * np.exp(0.5) - 1)),
        pytest.approx((100 * np.exp(-0.5) - 1, 100 * np.exp(0.5) - 1)),
    ]


def test_without_an_interval_in_the_contract_there_is_none_in_the_answers() -> None:
    rule = LOG.learn_rule(*noisy(100, 0))
    assert rule == AnswerRule()
    assert LOG.ruled_by(rule).answers(np.array([3.0]))[0].interval is None
    assert "interval_coverage" not in LOG.metrics(*noisy(100, 0))


def test_the_plot_is_of_the_values() -> None:
    figures = task_of(prices(log=True, unit="USD")).plots(*noisy(100, 0))
    assert set(figures) == {"predicted_against_true.png"}


# The rule to beat


def rows(*values: tuple[object, ...]) -> np.ndarray:
    table = np.empty((len(values), len(values[0])), dtype=object)
    table[:] = values
    return table


TRAIN = rows(*[("shoes", "acme")] * 3, *[("shoes", "bolt")] * 2, *[("hats", None)] * 4, ("bags", "acme"))
TARGET = np.array([10.0, 20.0, 90.0, 40.0, 60.0, 1.0, 2.0, 3.0, 8.0, 500.0])


def test_it_is_the_median_of_the_rows_alike_in_all_columns() -> None:
    rule = UsualByGroup().fit(TRAIN, TARGET)
    assert rule.predict(rows(("shoes", "acme"), ("hats", None))).tolist() == [20, 2.5]


@pytest.mark.parametrize(
    ("row", "usual"),
    [
        (("shoes", "bolt"), 40.0),  # two rows are too few: the median of all shoes
        (("shoes", None), 40.0),
        (("shoes", "unheard"), 40.0),
        (("bags", "acme"), float(np.median(TARGET))),  # a single bag: the median of all
        (("gloves", "acme"), float(np.median(TARGET))),
        ((None, None), float(np.median(TARGET))),
    ],
)
def test_where_too_few_are_alike_it_backs_off_to_coarser_groups(row: tuple[object, ...], usual: float) -> None:
    assert UsualByGroup().fit(TRAIN, TARGET).predict(rows(row)).tolist() == [usual]


def test_a_missing_number_backs_off_too() -> None:
    table = rows(*[(1.0, "a")] * 3, *[(float("nan"), "a")] * 3)
    rule = UsualByGroup().fit(table, np.array([1.0, 2.0, 3.0, 10.0, 20.0, 30.0]))
    assert rule.predict(rows((float("nan"), "a"), (1.0, "a"))).tolist() == [6.5, 2.0]


def test_of_classes_it_gives_the_shares_in_the_group() -> None:
    classes = np.array([0, 0, 2, 1, 1, 2, 2, 2, 2, 0])
    rule = UsualByGroup(classes=True).fit(TRAIN, classes)
    assert rule.classes_.tolist() == [0, 1, 2]
    np.testing.assert_allclose(
        rule.predict_proba(rows(("shoes", "acme"), ("shoes", "bolt"), ("gloves", "acme"))),
        [[2 / 3, 0, 1 / 3], [0.4, 0.4, 0.2], [0.3, 0.2, 0.5]],
    )


def test_the_rule_stands_among_the_baselines_where_the_contract_names_columns() -> None:
    columns = {"brand": {"type": "category"}, "x": {"type": "number"}}
    ruled = problem("regression", metric="mae", columns=columns, baseline_by=["brand", "x"])
    assert list(task_of(ruled).baselines(0)) == ["mean", "rule", "tree"]
    assert task_of(ruled).baselines(0)["rule"].reads == ("brand", "x")
    assert list(PLAIN.baselines(0)) == ["mean", "tree"]
    classes = problem("binary", "no", "yes", columns=columns, baseline_by=["brand"])
    assert list(task_of(classes).baselines(0)) == ["majority", "rule", "tree"]


def test_a_rule_for_classes_that_never_met_one_of_them_gives_it_no_probability() -> None:
    task = task_of(
        problem("multiclass", "low", "middle", "high", columns={"b": {"type": "category"}}, baseline_by=["b"])
    )
    rule = task.baselines(0)["rule"].estimator.fit(rows(*[("x",)] * 4), task.encode(pd.Series(["low", "high"] * 2)))
    assert task.estimated(rule, rows(("x",))).tolist() == [[0.5, 0, 0.5]]
