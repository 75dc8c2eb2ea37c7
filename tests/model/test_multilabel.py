"""Multilabel: how lists become zeros and ones, what is measured, from when on a label is given."""

from __future__ import annotations

from math import log

import numpy as np
import pandas as pd
import pytest
from sklearn import metrics
from sklearn.tree import DecisionTreeRegressor

from labline.contract import as_list
from labline.model.tasks import Answer, AnswerRule, Task, task_of
from labline.model.tasks.multilabel import POSITIVES_MIN, THRESHOLDS
from tests.model.test_tasks import problem

COLOURS = task_of(problem("multilabel", "red", "green", "blue", metric="f1_weighted"))
TARGET = np.array([[1, 0, 1], [0, 1, 0], [0, 0, 0], [1, 1, 1]], dtype=np.int8)
SCORES = np.array([[0.9, 0.2, 0.6], [0.1, 0.8, 0.7], [0.3, 0.1, 0.2], [0.4, 0.9, 0.5]])


def metric_task(metric: str, *classes: str) -> Task:
    return task_of(problem("multilabel", *(classes or ("red", "green", "blue")), metric=metric))


def drawn(rows: int, labels: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Labels of differing frequency, and probabilities that know something of them."""
    random = np.random.default_rng(seed)
    target = (random.random((rows, labels)) < np.linspace(0.02, 0.5, labels)).astype(np.int8)
    return target, np.clip(0.5 * target + random.uniform(0, 0.5, target.shape) + random.normal(0, 0.1), 0, 1)


# The target


@pytest.mark.parametrize(
    "written",
    [
        [["blue", "red"], ["green"], [], ["red", "green", "blue"]],
        ['["blue", "red"]', '["green"]', "[]", '["red", "green", "blue"]'],
        ["blue,red", "green", "", "red, green ,blue"],
        ["<blue><red>", "<green>", "", "<red><green><blue>"],
        [as_list(("blue", "red")), as_list(("green",)), as_list(()), as_list(("red", "green", "blue"))],
    ],
)
def test_lists_become_a_zero_or_one_a_label_in_the_contracts_order_however_they_are_written(
    written: list[object],
) -> None:
    encoded = COLOURS.encode(pd.Series(written, dtype=object))
    assert encoded.tolist() == TARGET.tolist()
    assert encoded.dtype == np.int8


def test_the_contracts_separator_stands_between_labels() -> None:
    spaced = task_of(problem("multilabel", "c#", "node.js", metric="jaccard", separator=" "))
    assert spaced.encode(pd.Series(["node.js c#", "c# java"])).tolist() == [[1, 1], [1, 0]]


def test_a_label_that_is_no_class_is_left_out() -> None:
    target = pd.Series(["red,pink", "pink"])
    assert COLOURS.encode(target).tolist() == [[1, 0, 0], [0, 0, 0]]
    assert COLOURS.truth(target).tolist() == [("red",), ()]


def test_the_truth_has_the_shape_of_decisions() -> None:
    target = pd.Series(["blue,red", "", "green"])
    assert COLOURS.truth(target).tolist() == [("red", "blue"), (), ("green",)]
    assert COLOURS.truth(target).shape == COLOURS.decisions(SCORES[:3]).shape == (3,)


def test_a_rows_stratum_is_its_rarest_label_and_rows_without_any_have_their_own() -> None:
    target = np.array([[1, 1, 0]] * 5 + [[1, 0, 0]] * 3 + [[0, 0, 1]] * 2 + [[1, 0, 1]] + [[0, 0, 0]] * 4)
    assert COLOURS.strata(target).tolist() == [2] * 5 + [1] * 3 + [3] * 3 + [0] * 4


def test_strata_of_labels_keep_rare_ones_on_both_sides_of_a_split() -> None:
    from sklearn.model_selection import StratifiedKFold

    target, _ = drawn(400, 10)
    rarest = target[:, int(target.sum(axis=0).argmin())]
    strata = COLOURS.strata(target)
    for train, test in StratifiedKFold(3, shuffle=True, random_state=0).split(strata, strata):
        assert rarest[train].any()
        assert rarest[test].any()


# What is measured


@pytest.mark.parametrize("seed", range(3))
def test_metrics_are_those_of_scikit_learn(seed: int) -> None:
    target, scores = drawn(300, 8, seed)
    target[:, 3] = 0  # a label that no row has
    scores[:, 5] = 0.1  # and one that is never given
    task = metric_task("jaccard", *"abcdefgh")
    given = scores >= 0.5
    found = task.metrics(target, scores)

    assert found == pytest.approx(
        {
            "f1_weighted": metrics.f1_score(target, given, average="weighted", zero_division=0.0),
            "f1_micro": metrics.f1_score(target, given, average="micro", zero_division=0.0),
            "f1_macro": metrics.f1_score(target, given, average="macro", zero_division=0.0),
            "jaccard": metrics.jaccard_score(target, given, average="samples", zero_division=1.0),
            "log_loss": np.mean([metrics.log_loss(target[:, n], scores[:, n], labels=[0, 1]) for n in range(8)]),
        },
        abs=1e-12,
    )
    assert {name: task.metric(name, target, scores) for name in found} == found


def test_metrics_are_those_worked_out_by_hand() -> None:
    found = COLOURS.metrics(TARGET, SCORES)
    # given: red, blue; green, blue; nothing; green, blue. Of seven true or given ones five are both
    f1 = {"red": 2 * 1 / (1 + 2), "green": 2 * 2 / (2 + 2), "blue": 2 * 2 / (3 + 2)}
    assert found["f1_macro"] == pytest.approx(sum(f1.values()) / 3)
    assert found["f1_weighted"] == pytest.approx((2 * f1["red"] + 2 * f1["green"] + 2 * f1["blue"]) / 6)
    assert found["f1_micro"] == pytest.approx(2 * 5 / (6 + 6))
    assert found["jaccard"] == pytest.approx((1 + 1 / 2 + 1 + 2 / 3) / 4)  # nothing given where nothing is: right


def test_probabilities_of_zero_and_one_have_a_finite_loss() -> None:
    sure = COLOURS.metric("log_loss", TARGET, TARGET.astype(float))
    wrong = COLOURS.metric("log_loss", TARGET, 1 - TARGET.astype(float))
    assert sure == pytest.approx(0, abs=1e-12)
    assert 30 < wrong < 40
    half = COLOURS.metric("log_loss", TARGET, np.full(TARGET.shape, 0.5))
    assert half == pytest.approx(log(2))


# From when on a label is given


def test_before_anything_is_learned_a_label_is_given_from_one_half_on() -> None:
    assert COLOURS.rule == AnswerRule()
    assert COLOURS.decisions(SCORES).tolist() == [("red", "blue"), ("green", "blue"), (), ("green", "blue")]
    assert COLOURS.decisions(np.array([[0.5, 0.4999, 0]])).tolist() == [("red",)]


def test_of_each_common_label_the_threshold_is_learned_that_serves_it_best() -> None:
    truth = np.tile([0, 0, 1, 1], 30)
    scores = np.column_stack([np.where(truth, low + 0.1, low) for low in (0.1, 0.4, 0.7)])
    rule = COLOURS.learn_rule(np.column_stack([truth] * 3).astype(np.int8), scores)

    assert len(rule.thresholds) == 3
    for threshold, low in zip(rule.thresholds, (0.1, 0.4, 0.7), strict=True):
        assert low < threshold <= low + 0.1
        assert threshold in THRESHOLDS
    assert COLOURS.ruled_by(rule).metric("f1_macro", truth[:, None].repeat(3, axis=1), scores) == 1


def test_a_rare_label_takes_the_threshold_that_is_best_for_all() -> None:
    often = np.tile([0, 1], 100)
    rare = np.zeros(200, dtype=int)
    rare[: POSITIVES_MIN - 1] = 1
    scores = np.column_stack([np.where(often, 0.3, 0.1), np.where(rare, 0.9, 0.6)])
    task = metric_task("f1_weighted", "often", "rare")
    first, second = task.learn_rule(np.column_stack([often, rare]).astype(np.int8), scores).thresholds
    assert 0.1 < first <= 0.3
    assert second == first

    rare[POSITIVES_MIN - 1] = 1
    scores[POSITIVES_MIN - 1, 1] = 0.9
    _, second = task.learn_rule(np.column_stack([often, rare]).astype(np.int8), scores).thresholds
    assert 0.6 < second <= 0.9


@pytest.mark.parametrize("metric", ["f1_micro", "jaccard"])
def test_metrics_over_all_decisions_get_one_threshold_the_best_there_is(metric: str) -> None:
    target, scores = drawn(300, 6)
    task = metric_task(metric, *"abcdef")
    rule = task.learn_rule(target, 0.3 * scores)
    reached = task.ruled_by(rule).metric(metric, target, 0.3 * scores)

    assert len(set(rule.thresholds)) == 1
    every = [task.ruled_by(AnswerRule(thresholds=(t,) * 6)).metric(metric, target, 0.3 * scores) for t in THRESHOLDS]
    assert reached == max(every) > task.metric(metric, target, 0.3 * scores)


@pytest.mark.parametrize("metric", ["f1_weighted", "f1_macro"])
def test_no_single_threshold_beats_those_learned_label_by_label(metric: str) -> None:
    target, scores = drawn(2000, 6)
    task = metric_task(metric, *"abcdef")
    reached = task.ruled_by(task.learn_rule(target, scores)).metric(metric, target, scores)
    every = [task.ruled_by(AnswerRule(thresholds=(t,) * 6)).metric(metric, target, scores) for t in THRESHOLDS]
    assert reached >= max(every)


def test_where_probabilities_are_what_counts_no_threshold_is_learned() -> None:
    target, scores = drawn(300, 3)
    assert metric_task("log_loss").learn_rule(target, scores).thresholds == (0.5, 0.5, 0.5)


def test_a_task_under_another_rule_is_another_one_and_leaves_the_first_as_it_is() -> None:
    strict = COLOURS.ruled_by(AnswerRule(thresholds=(0.95, 0.95, 0.95)))
    assert not any(strict.decisions(SCORES))
    assert any(COLOURS.decisions(SCORES))


def test_a_rule_goes_through_json_to_the_last_bit() -> None:
    rule = AnswerRule(thresholds=(0.1 + 0.2, 1 / 3), offsets=(-0.1, 1e-300))
    assert AnswerRule.model_validate_json(rule.model_dump_json()) == rule


# Answers


def test_an_answer_is_the_labels_given_the_most_probable_first_and_every_labels_probability() -> None:
    ruled = COLOURS.ruled_by(AnswerRule(thresholds=(0.3, 0.3, 0.5)))
    assert ruled.answers(SCORES) == [
        Answer(["red", "blue"], {"red": 0.9, "green": 0.2, "blue": 0.6}),
        Answer(["green", "blue"], {"red": 0.1, "green": 0.8, "blue": 0.7}),
        Answer(["red"], {"red": 0.3, "green": 0.1, "blue": 0.2}),
        Answer(["green", "blue", "red"], {"red": 0.4, "green": 0.9, "blue": 0.5}),
    ]


def test_labels_as_probable_as_each_other_are_given_in_the_contracts_order() -> None:
    assert COLOURS.decisions(np.full((1, 3), 0.7)).tolist() == [("red", "green", "blue")]


def test_rows_with_as_many_labels_each_are_still_lists_and_no_table() -> None:
    decisions = COLOURS.decisions(np.array([[0.9, 0.8, 0], [0, 0.8, 0.9]]))
    assert (decisions.shape, decisions.tolist()) == ((2,), [("red", "green"), ("blue", "green")])


def test_the_table_has_a_row_a_label_and_there_is_no_confusion_matrix() -> None:
    red, green, blue = COLOURS.tables(TARGET, SCORES).per_class
    assert (red.name, red.precision, red.recall, red.rows) == ("red", 1, 1 / 2, 2)
    assert (green.precision, green.recall, green.f1) == (1, 1, 1)
    assert (blue.precision, blue.recall, blue.rows) == (pytest.approx(2 / 3), 1, 2)
    assert COLOURS.tables(TARGET, SCORES).confusion.size == 0


def test_plots_are_of_the_labels_and_of_what_their_probabilities_are_worth() -> None:
    target, scores = drawn(200, 3)
    plots = COLOURS.plots(target, scores)
    assert set(plots) == {"labels.png", "calibration.png"}
    assert all(figure.axes for figure in plots.values())


# Baselines


@pytest.mark.parametrize("task", [COLOURS, metric_task("jaccard", "only")], ids=["three labels", "one label"])
def test_baselines_give_every_labels_share(task: Task) -> None:
    labels = len(task.classes)
    target = np.tile(TARGET[:, :labels], (20, 1))
    x = np.arange(len(target))[:, None] % 4
    baselines = task.baselines(seed=0)
    majority, tree = (baselines[name].estimator.fit(x, target) for name in ("majority", "tree"))

    assert isinstance(tree, DecisionTreeRegressor)
    np.testing.assert_allclose(task.estimated(majority, x), np.tile(target.mean(axis=0), (80, 1)))
    np.testing.assert_allclose(task.estimated(tree, x)[:4], TARGET[:, :labels])
