"""The tasks: what a score means, what is measured with it, and how rows are grouped for splits."""

from __future__ import annotations

from math import log
from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn import metrics
from sklearn.dummy import DummyClassifier

from labline.contract import Problem
from labline.model.tasks import Answer, greater_is_better, task_of


def problem(task: str, *classes: str, metric: str = "accuracy", **parts: Any) -> Problem:
    return Problem.model_validate(
        {
            "name": "small",
            "title": "Small",
            "task": task,
            "target": "y",
            "classes": classes,
            "metric": metric,
            "sources": {"train": {"csv": "train.csv"}},
            "columns": {"x": {"type": "number"}},
        }
        | parts
    )


MULTICLASS = task_of(problem("multiclass", "low", "middle", "high"))
BINARY = task_of(problem("binary", "no", "yes"))
REGRESSION = task_of(problem("regression", metric="rmse"))
MULTILABEL = task_of(problem("multilabel", "blue", "red", metric="f1_weighted"))
PRICE = task_of(problem("regression", metric="rmsle", value={"minimum": 0}))

TARGET = np.array([0, 1, 2, 1])
SCORES = np.array([[0.7, 0.2, 0.1], [0.2, 0.5, 0.3], [0.3, 0.3, 0.4], [0.6, 0.3, 0.1]])  # the last row is wrong
LABELS = np.array([[1, 0], [0, 1], [1, 1], [0, 0]], dtype=np.int8)


def test_classes_are_encoded_in_the_contracts_order_and_not_by_the_alphabet() -> None:
    assert MULTICLASS.encode(pd.Series(["high", "low", "middle"])).tolist() == [2, 0, 1]


def test_a_multiclass_answer_is_the_most_probable_class_with_every_classs_probability() -> None:
    answers = MULTICLASS.answers(SCORES[[1, 3]])
    assert answers[0] == Answer("middle", {"low": 0.2, "middle": 0.5, "high": 0.3})
    assert answers[1] == Answer("low", {"low": 0.6, "middle": 0.3, "high": 0.1})
    assert MULTICLASS.decisions(SCORES).tolist() == ["low", "middle", "high", "low"]


def test_of_two_classes_as_probable_the_first_of_the_contract_is_the_answer() -> None:
    assert MULTICLASS.answers(np.array([[0.2, 0.4, 0.4]]))[0].prediction == "middle"


def test_multiclass_metrics_are_those_worked_out_by_hand() -> None:
    found = MULTICLASS.metrics(TARGET, SCORES)
    # F1: low 2/3 (one row right, one too many), middle 2/3 (one of two found), high 1
    assert found == pytest.approx(
        {
            "accuracy": 3 / 4,
            "f1_macro": (2 / 3 + 2 / 3 + 1) / 3,
            "f1_weighted": (1 * 2 / 3 + 2 * 2 / 3 + 1 * 1) / 4,
            "log_loss": -(log(0.7) + log(0.5) + log(0.4) + log(0.3)) / 4,
        }
    )


def test_one_metric_alone_is_the_same_as_among_all() -> None:
    every = MULTICLASS.metrics(TARGET, SCORES)
    assert {name: MULTICLASS.metric(name, TARGET, SCORES) for name in every} == every


def test_a_class_that_never_occurs_in_the_rows_counts_with_an_f1_of_zero_and_breaks_nothing() -> None:
    target, scores = np.array([0, 1, 0]), SCORES[[0, 1, 3]]  # nobody is "high", and nobody is called so; all right
    found = MULTICLASS.metrics(target, scores)
    assert found["accuracy"] == 1
    assert found["f1_macro"] == pytest.approx(2 / 3)
    assert found["f1_weighted"] == 1
    assert found["log_loss"] == pytest.approx(-(log(0.7) + log(0.5) + log(0.6)) / 3)


def test_a_class_that_an_estimator_never_saw_gets_probability_zero_in_its_own_column() -> None:
    estimator = DummyClassifier(strategy="prior").fit(np.zeros((4, 1)), [0, 2, 2, 2])
    assert MULTICLASS.estimated(estimator, np.zeros((2, 1))).tolist() == [[0.25, 0, 0.75]] * 2


def test_a_binary_boosters_one_column_becomes_two_that_sum_to_one_with_the_positive_class_last() -> None:
    scores = BINARY.scores(np.array([0.25, 0.5, 0.9]))
    assert scores == pytest.approx(np.array([[0.75, 0.25], [0.5, 0.5], [0.1, 0.9]]))
    assert [answer.prediction for answer in BINARY.answers(scores)] == ["no", "no", "yes"]
    assert BINARY.answers(scores)[2].probabilities == pytest.approx({"no": 0.1, "yes": 0.9})


def test_binary_metrics_are_those_worked_out_by_hand() -> None:
    target, scores = np.array([0, 0, 1, 1]), BINARY.scores(np.array([0.1, 0.6, 0.4, 0.8]))
    found = BINARY.metrics(target, scores)
    assert found["accuracy"] == 0.5
    assert found["roc_auc"] == 3 / 4  # of four pairs of a "yes" and a "no", one stands the wrong way round
    assert found["average_precision"] == pytest.approx(0.5 * 1 + 0.5 * 2 / 3)  # at recall 1/2 and at recall 1
    assert found["log_loss"] == pytest.approx(-(log(0.9) + log(0.4) + log(0.4) + log(0.8)) / 4)


def test_ranking_metrics_are_for_two_classes_only() -> None:
    assert {"roc_auc", "average_precision"} <= BINARY.metrics(TARGET[:2], BINARY.scores(SCORES[:2, 0])).keys()
    assert not {"roc_auc", "average_precision"} & MULTICLASS.metrics(TARGET, SCORES).keys()


def test_regression_scores_are_the_values_and_its_metrics_those_worked_out_by_hand() -> None:
    target, scores = np.array([1.0, 2.0, 3.0, 6.0]), np.array([1.0, 3.0, 3.0, 4.0])
    assert REGRESSION.scores(scores) is scores
    assert REGRESSION.decisions(scores).tolist() == scores.tolist()
    assert REGRESSION.answers(scores)[1] == Answer(3.0, {})
    assert REGRESSION.metrics(target, scores) == pytest.approx(
        {"rmse": (5 / 4) ** 0.5, "mae": 3 / 4, "r2": 1 - 5 / (4 + 1 + 0 + 9)}
    )


def test_a_regressions_target_stays_as_it_is() -> None:
    assert REGRESSION.encode(pd.Series([1, 2.5])).tolist() == [1.0, 2.5]


@pytest.mark.parametrize("metric", ["log_loss", "rmse", "mae"])
def test_of_losses_the_smaller_is_better(metric: str) -> None:
    assert not greater_is_better(metric)


@pytest.mark.parametrize("metric", ["accuracy", "f1_macro", "f1_weighted", "roc_auc", "average_precision", "r2"])
def test_of_all_other_metrics_the_greater_is_better(metric: str) -> None:
    assert greater_is_better(metric)


def test_every_metric_a_contract_may_name_is_computed() -> None:
    from labline.contract.problem import METRICS

    assert MULTICLASS.metrics(TARGET, SCORES).keys() == set(METRICS["multiclass"])
    assert BINARY.metrics(TARGET[:2], BINARY.scores(SCORES[:2, 0])).keys() == set(METRICS["binary"])
    assert PRICE.metrics(TARGET.astype(float), TARGET + 0.5).keys() == set(METRICS["regression"])
    assert MULTILABEL.metrics(LABELS, LABELS * 0.8 + 0.1).keys() == set(METRICS["multilabel"])


def test_a_target_that_may_be_negative_has_no_logarithmic_error() -> None:
    assert "rmsle" not in REGRESSION.metrics(TARGET - 1.0, TARGET + 0.5)


def test_the_strata_of_a_classification_are_its_classes() -> None:
    assert MULTICLASS.strata(TARGET).tolist() == TARGET.tolist()


def test_the_strata_of_a_regression_are_tenths_of_its_distribution() -> None:
    target = np.random.default_rng(0).lognormal(size=1000)
    strata = REGRESSION.strata(target)
    assert np.bincount(strata).tolist() == [100] * 10
    assert all(target[strata == band].max() <= target[strata == band + 1].min() for band in range(9))


def test_a_value_that_fills_several_tenths_is_one_stratum() -> None:
    target = np.concatenate([np.zeros(500), np.arange(1.0, 501.0)])
    strata = REGRESSION.strata(target)
    assert len(set(strata[:500])) == 1
    assert len(set(strata)) == 6  # the zeros, and five tenths of the rest


def test_a_target_that_never_changes_is_one_stratum() -> None:
    assert len(set(REGRESSION.strata(np.full(20, 3.0)))) == 1


@pytest.mark.parametrize("seed", range(5))
def test_metrics_of_classes_are_those_of_scikit_learn(seed: int) -> None:
    random = np.random.default_rng(seed)
    target, scores = random.integers(0, 3, 200), random.dirichlet(np.ones(3), 200)
    scores[:5] = np.eye(3)[0]  # sure, and mostly wrong: the logarithm of nothing
    chosen, labels = scores.argmax(axis=1), [0, 1, 2]
    assert MULTICLASS.metrics(target, scores) == pytest.approx(
        {
            "accuracy": metrics.accuracy_score(target, chosen),
            "f1_weighted": metrics.f1_score(target, chosen, labels=labels, average="weighted"),
            "f1_macro": metrics.f1_score(target, chosen, labels=labels, average="macro"),
            "log_loss": metrics.log_loss(target, scores, labels=labels),
        },
        rel=0,
        abs=1e-12,
    )
    rows = MULTICLASS.tables(target, scores).per_class
    columns = [[row.precision for row in rows], [row.recall for row in rows], [row.f1 for row in rows]]
    wanted = metrics.precision_recall_fscore_support(target, chosen, labels=labels)
    assert np.array(columns) == pytest.approx(np.array(wanted[:3]), abs=1e-12)
    assert [row.rows for row in rows] == wanted[3].tolist()


@pytest.mark.parametrize("decimals", [1, 3, 15])
def test_ranking_metrics_are_those_of_scikit_learn_ties_and_all(decimals: int) -> None:
    random = np.random.default_rng(decimals)
    target, share = random.integers(0, 2, 300), random.random(300).round(decimals)
    found = BINARY.metrics(target, BINARY.scores(share))
    assert found["roc_auc"] == pytest.approx(metrics.roc_auc_score(target, share), abs=1e-12)
    assert found["average_precision"] == pytest.approx(metrics.average_precision_score(target, share), abs=1e-12)


def test_metrics_of_values_are_those_of_scikit_learn() -> None:
    random = np.random.default_rng(0)
    target = random.lognormal(size=300)
    scores = target * random.lognormal(sigma=0.3, size=300)
    assert PRICE.metrics(target, scores) == pytest.approx(
        {
            "rmse": metrics.root_mean_squared_error(target, scores),
            "mae": metrics.mean_absolute_error(target, scores),
            "r2": metrics.r2_score(target, scores),
            "rmsle": metrics.root_mean_squared_log_error(target, scores),
        },
        abs=1e-12,
    )
    same = np.full(4, 2.0)
    assert REGRESSION.metric("r2", same, same) == metrics.r2_score(same, same) == 1
    assert REGRESSION.metric("r2", same, same + 1) == metrics.r2_score(same, same + 1) == 0


def test_members_are_tuned_by_a_loss_on_the_scale_that_is_learned() -> None:
    assert MULTICLASS.loss == BINARY.loss == MULTILABEL.loss == "log_loss"
    assert (REGRESSION.loss, PRICE.loss) == ("rmse", "rmse")
    assert task_of(problem("regression", metric="rmse", value={"minimum": 0, "log": True})).loss == "rmsle"
