"""Evaluation: a figure with its interval, the paired difference of two models, and the tables by class."""

from __future__ import annotations

import warnings

import numpy as np
import pytest

from labline.model.evaluation import Interval, Judged, difference, evaluate, increase
from labline.model.tasks import Scores, Target, Task, task_of
from tests.model.test_tasks import BINARY, MULTICLASS, MULTILABEL, PRICE, REGRESSION, problem

SEED = 7


def votes(chosen: list[int], classes: int = 3) -> Scores:
    """Scores that leave no doubt about the chosen classes."""
    return np.eye(classes)[chosen] * 0.9 + 0.1 / classes


def judged(rows: int, right: float, seed: int = 0) -> tuple[Target, Scores]:
    """Rows of three classes, and scores that are right on the given share of them."""
    random = np.random.default_rng(seed)
    target = random.integers(0, 3, rows)
    wrong = np.arange(rows) >= right * rows
    return target, votes(((target + random.permutation(wrong)) % 3).tolist())


def gap_of(task: Task, metric: str, target: Target, ours: Scores, theirs: Scores) -> Interval:
    """The difference of two models of one task, in pairs."""
    return difference(metric, Judged(task, target, ours), Judged(task, target, theirs), SEED)


def test_the_interval_contains_the_figure_and_neither_end_is_it() -> None:
    headline = evaluate(MULTICLASS, "accuracy", *judged(400, 0.8), SEED).headline
    assert headline.value == 0.8
    assert headline.low < headline.value < headline.high


def test_the_interval_is_as_wide_as_theory_says_for_a_share() -> None:
    headline = evaluate(MULTICLASS, "accuracy", *judged(900, 0.8), SEED).headline
    expected = 2 * 1.96 * (0.8 * 0.2 / 900) ** 0.5
    assert headline.high - headline.low == pytest.approx(expected, rel=0.15)


def test_more_rows_make_the_interval_narrower() -> None:
    few, many = (evaluate(MULTICLASS, "accuracy", *judged(rows, 0.8), SEED).headline for rows in (200, 3200))
    assert many.high - many.low < 0.4 * (few.high - few.low)  # a quarter, in theory


def test_the_same_seed_gives_the_same_interval() -> None:
    target = np.arange(100.0)
    first, second, other = (
        evaluate(REGRESSION, "rmse", target, target**1.1, seed).headline for seed in (SEED, SEED, SEED + 1)
    )
    assert first == second
    assert (first.low, first.high) != (other.low, other.high)


def test_the_headline_is_the_metric_that_was_asked_for() -> None:
    target, scores = judged(300, 0.8)
    evaluation = evaluate(MULTICLASS, "log_loss", target, scores, SEED)
    assert evaluation.headline.value == evaluation.metrics["log_loss"]
    assert evaluation.headline.low < evaluation.metrics["log_loss"] < evaluation.headline.high


def test_an_interval_reads_as_figure_and_ends() -> None:
    headline = evaluate(MULTICLASS, "accuracy", *judged(400, 1.0), SEED).headline
    assert str(headline) == "1.0000 [1.0000, 1.0000]"


def test_resamples_that_hold_no_row_of_a_rare_class_do_not_spoil_the_interval() -> None:
    random = np.random.default_rng(3)
    target = np.array([1] * 3 + [0] * 97)  # a resample has none of the three in one case of twenty
    scores = BINARY.scores(np.clip(0.3 * target + random.uniform(0, 0.7, 100), 0, 1))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        headline = evaluate(BINARY, "roc_auc", target, scores, SEED).headline
    assert headline.low < headline.value < headline.high <= 1


def test_a_model_differs_from_itself_by_exactly_nothing() -> None:
    target, scores = judged(300, 0.8)
    gap = gap_of(MULTICLASS, "accuracy", target, scores, scores)
    assert (gap.value, gap.low, gap.high) == (0, 0, 0)
    values = np.random.default_rng(0).normal(size=300)
    gap = gap_of(REGRESSION, "rmse", values, values + 0.1, values + 0.1)
    assert (gap.value, gap.low, gap.high) == (0, 0, 0)


def test_a_better_model_has_a_positive_difference_and_a_worse_one_its_mirror_image() -> None:
    target, worse = judged(400, 0.6)
    better = np.where((np.arange(400) < 60)[:, None], votes(target.tolist()), worse)  # mends some of its errors
    gap = gap_of(MULTICLASS, "accuracy", target, better, worse)
    back = gap_of(MULTICLASS, "accuracy", target, worse, better)
    assert 0 < gap.low < gap.value < gap.high
    assert (back.value, back.low, back.high) == pytest.approx((-gap.value, -gap.high, -gap.low))


def test_in_a_loss_the_better_model_has_a_negative_difference() -> None:
    target = np.arange(50.0)
    gap = gap_of(REGRESSION, "rmse", target, target + 0.5, target + np.tile([1.0, 2.0], 25))
    assert gap.high < 0


def test_the_difference_is_resampled_in_pairs_and_so_far_narrower_than_the_models_own_intervals() -> None:
    target, scores = judged(400, 0.7)
    other = scores.copy()
    other[:4] = votes(target[:4].tolist())  # two models that disagree on four rows at most
    gap = gap_of(MULTICLASS, "accuracy", target, other, scores)
    own = evaluate(MULTICLASS, "accuracy", target, scores, SEED).headline
    assert gap.high - gap.low < 0.4 * (own.high - own.low)


def test_the_tables_by_class_hold_the_counts_made_by_hand() -> None:
    target = np.array([0, 0, 0, 0, 1, 1, 2, 2, 2, 2])
    chosen = [0, 0, 0, 1, 1, 2, 2, 2, 0, 0]
    evaluation = evaluate(MULTICLASS, "accuracy", target, votes(chosen), SEED)
    assert evaluation.rows == 10
    assert evaluation.tables.confusion.tolist() == [[3, 1, 0], [0, 1, 1], [2, 0, 2]]  # true × predicted
    low, middle, high = evaluation.tables.per_class
    assert (low.name, low.precision, low.recall, low.rows) == ("low", pytest.approx(3 / 5), pytest.approx(3 / 4), 4)
    assert (middle.name, middle.precision, middle.recall, middle.rows) == ("middle", 1 / 2, 1 / 2, 2)
    assert (high.name, high.precision, high.recall, high.rows) == ("high", pytest.approx(2 / 3), 1 / 2, 4)
    assert low.f1 == pytest.approx(2 * 3 / 9)
    assert evaluation.metrics["f1_macro"] == pytest.approx(np.mean([row.f1 for row in evaluation.tables.per_class]))


def test_a_class_without_rows_keeps_its_place_in_the_tables() -> None:
    evaluation = evaluate(MULTICLASS, "accuracy", np.array([0, 2, 2]), votes([0, 2, 2]), SEED)
    assert evaluation.tables.confusion.shape == (3, 3)
    assert [(row.name, row.rows, row.f1) for row in evaluation.tables.per_class] == [
        ("low", 1, 1),
        ("middle", 0, 0),
        ("high", 2, 1),
    ]


def test_a_regression_has_an_interval_and_no_tables_by_class() -> None:
    target = np.arange(100.0)
    evaluation = evaluate(REGRESSION, "mae", target, target + np.tile([1.0, -3.0], 50), SEED)
    assert evaluation.metrics["mae"] == 2
    assert evaluation.headline.low < 2 < evaluation.headline.high
    assert evaluation.tables.per_class == ()
    assert evaluation.tables.confusion.size == 0


def test_the_order_of_classes_in_the_tables_is_the_contracts() -> None:
    task = task_of(problem("multiclass", "zebra", "ape"))
    names = [row.name for row in evaluate(task, "accuracy", np.array([0, 1]), votes([0, 1], 2), SEED).tables.per_class]
    assert names == ["zebra", "ape"]


def test_every_metric_has_an_interval_and_the_headline_is_one_of_them() -> None:
    evaluation = evaluate(MULTICLASS, "f1_macro", *judged(400, 0.8), SEED)
    assert evaluation.intervals.keys() == evaluation.metrics.keys()
    assert {name: found.value for name, found in evaluation.intervals.items()} == evaluation.metrics
    assert evaluation.headline == evaluation.intervals["f1_macro"]
    assert all(found.low < found.value < found.high for found in evaluation.intervals.values())


def test_the_intervals_are_those_of_a_bootstrap_written_out() -> None:
    target, scores = judged(200, 0.7)
    random = np.random.default_rng(1)
    by_hand = []
    for _ in range(2000):
        rows = random.integers(0, 200, 200)
        by_hand.append(MULTICLASS.metrics(target[rows], scores[rows]))
    for name, found in evaluate(MULTICLASS, "accuracy", target, scores, SEED).intervals.items():
        low, high = np.quantile([figures[name] for figures in by_hand], [0.025, 0.975])
        assert (found.low, found.high) == pytest.approx((low, high), abs=0.15 * (high - low))


def test_a_draw_of_rows_has_the_metrics_of_just_those_rows() -> None:
    random = np.random.default_rng(5)
    rows = random.integers(0, 60, 60)
    weights = np.bincount(rows, minlength=60).astype(float)[None]
    for task, target, scores in every_task(60):
        expected = task.metrics(target[rows], scores[rows])
        found = task.resampled(list(expected), target, scores, [weights])
        assert {name: values[0] for name, values in found.items()} == pytest.approx(expected, abs=1e-12)


def every_task(rows: int) -> list[tuple[Task, Target, Scores]]:
    """Rows of every task, with scores that have ties among them."""
    random = np.random.default_rng(0)
    classes = random.integers(0, 3, rows)
    labels = (random.random((rows, 2)) < 0.4).astype(np.int8)
    values = random.lognormal(size=rows)
    return [
        (MULTICLASS, classes, random.dirichlet(np.ones(3), rows)),
        (BINARY, classes % 2, BINARY.scores(random.random(rows).round(1))),
        (MULTILABEL, labels, random.random((rows, 2))),
        (PRICE, values, values + random.random(rows)),
    ]


def test_each_segment_has_its_own_figures_and_few_rows_have_none() -> None:
    target, scores = judged(400, 0.8)
    masks = {"first": np.arange(400) < 150, "few": np.arange(400) >= 371, "enough": np.arange(400) >= 370}
    first, few, enough = evaluate(MULTICLASS, "accuracy", target, scores, SEED, masks).segments
    assert (first.name, first.rows) == ("first", 150)
    right = float((scores[:150].argmax(axis=1) == target[:150]).mean())
    assert first.headline is not None
    assert first.headline.value == pytest.approx(right)
    assert first.headline.low < right < first.headline.high
    assert first.loss is not None
    assert first.loss.value == pytest.approx(MULTICLASS.metric("log_loss", target[:150], scores[:150]))
    assert (few.rows, few.headline, few.loss) == (29, None, None)
    assert enough.rows == 30
    assert enough.headline is not None


def test_answers_that_are_as_sure_as_they_are_right_have_no_calibration_error() -> None:
    random = np.random.default_rng(0)
    confidence = random.uniform(0.5, 1, 20_000)
    honest = (random.random(20_000) < confidence).astype(int)  # class 1 as often as it is said to come
    found = evaluate(BINARY, "accuracy", honest, BINARY.scores(confidence), SEED).calibration
    assert found is not None
    assert found.error < 0.02
    assert [point.answers for point in found.points] == [2000] * 10
    assert [point.confidence for point in found.points] == sorted(point.confidence for point in found.points)
    boastful = evaluate(BINARY, "accuracy", honest, BINARY.scores(np.minimum(confidence + 0.2, 1)), SEED).calibration
    assert boastful is not None
    assert boastful.error == pytest.approx(np.mean(np.minimum(confidence + 0.2, 1) - confidence), abs=0.03)


def test_values_have_no_calibration() -> None:
    target = np.arange(100.0)
    assert evaluate(REGRESSION, "rmse", target, target + 1, SEED).calibration is None


def test_the_increase_of_a_loss_is_a_share_of_theirs() -> None:
    target = np.arange(200.0)
    ours, theirs = (Judged(REGRESSION, target, target + np.tile([far, -far], 100)) for far in (3.0, 2.0))
    found = increase("rmse", ours, theirs, SEED)
    assert (found.value, found.low, found.high) == pytest.approx((0.5, 0.5, 0.5))
    assert increase("rmse", ours, ours, SEED) == Interval(0, 0, 0)
    perfect = Judged(REGRESSION, target, target)
    assert increase("rmse", ours, perfect, SEED).low > 1e6


def test_rows_without_an_answer_to_a_question_about_classes_have_a_figure_that_is_no_number() -> None:
    target, scores = np.zeros(40, dtype=int), BINARY.scores(np.linspace(0, 1, 40))
    headline = evaluate(BINARY, "roc_auc", target, scores, SEED).headline
    assert np.isnan([headline.value, headline.low, headline.high]).all()
