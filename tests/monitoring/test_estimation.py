"""Performance without labels: estimates beside the true figures of the same rows."""

from __future__ import annotations

import numpy as np
import pytest
from pydantic import TypeAdapter

from labline.contract import Problem
from labline.model.tasks import Scores, Target, task_of
from labline.monitoring.estimation import Estimate, Estimator, fit_estimator
from tests.monitoring.test_tally import PROBLEM

BINARY = PROBLEM
MULTICLASS = Problem.model_validate(
    PROBLEM.model_dump(mode="json", exclude_unset=True) | {"task": "multiclass", "classes": ["a", "b", "c"]}
)
MULTILABEL = Problem.model_validate(
    PROBLEM.model_dump(mode="json", exclude_unset=True)
    | {"task": "multilabel", "classes": ["a", "b", "rare"], "metric": "f1_micro"}
)
REGRESSION = Problem.model_validate(
    PROBLEM.model_dump(mode="json", exclude_unset=True)
    | {"task": "regression", "classes": [], "metric": "mae", "value": {"minimum": 0}}
)


def drawn(problem: Problem, rows: int, seed: int, shift: float = 0.0) -> tuple[Target, Scores]:
    """True targets, and scores of a model that is far too sure of itself; `shift` makes inputs easier."""
    random = np.random.default_rng(seed)
    if problem.task == "regression":
        scores = random.uniform(1, 10, rows) + shift
        return scores + random.normal(size=rows) * scores / 10, scores
    count = len(problem.classes)
    logits = random.normal(size=(rows, count)) * (1 + shift)
    if problem.task == "multilabel":
        logits -= [0.0, 0.5, 4.0]
        true = 1 / (1 + np.exp(-logits))
        return (random.random((rows, count)) < true).astype(np.int8), 1 / (1 + np.exp(-3 * logits))
    true = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    target = (true.cumsum(axis=1) < random.random((rows, 1))).sum(axis=1)
    sure = np.exp(3 * logits)
    return target, sure / sure.sum(axis=1, keepdims=True)


def estimated(problem: Problem, estimator: Estimator, scores: Scores) -> dict[str, Estimate]:
    return estimator.estimates(estimator.sums(scores, task_of(problem).decisions(scores)))


@pytest.mark.parametrize("shift", [0.0, 1.0], ids=["alike", "easier inputs"])
@pytest.mark.parametrize("problem", [BINARY, MULTICLASS, MULTILABEL, REGRESSION], ids=lambda problem: problem.task)
def test_estimates_are_near_the_true_metrics_though_the_model_is_far_too_sure(problem: Problem, shift: float) -> None:
    task = task_of(problem)
    estimator = fit_estimator(problem, task, *drawn(problem, 6000, 0))
    estimator = TypeAdapter(Estimator).validate_json(TypeAdapter(Estimator).dump_json(estimator))
    target, scores = drawn(problem, 20_000, 1, shift if problem.task != "regression" else 0.0)
    found = estimated(problem, estimator, scores)
    true = task.metrics(target, scores)
    wanted = {"regression": 3, "multilabel": 4, "multiclass": 4, "binary": 6}
    assert len(found) >= wanted[problem.task]
    for name, figure in found.items():
        assert figure.value == pytest.approx(true[name], abs=0.03, rel=0.1 if "log_loss" in name else 0.03), name
    if problem.task in ("binary", "multiclass"):
        believed = scores.max(axis=1).mean()
        assert abs(found["accuracy"].value - true["accuracy"]) < 0.2 * abs(believed - true["accuracy"])


def test_the_interval_of_the_accuracy_holds_in_nineteen_windows_of_twenty() -> None:
    task = task_of(MULTICLASS)
    estimator = fit_estimator(MULTICLASS, task, *drawn(MULTICLASS, 6000, 0))
    inside, gaps = [], []
    for seed in range(1, 101):
        target, scores = drawn(MULTICLASS, 500, seed)
        found = estimated(MULTICLASS, estimator, scores)["accuracy"]
        true = task.metric("accuracy", target, scores)
        assert found.low is not None
        assert found.high is not None
        inside.append(found.low <= true <= found.high)
        gaps.append(found.value - true)
    assert np.mean(inside) >= 0.9
    assert np.abs(gaps).mean() < 0.025  # of 500 answers of which half are right, chance alone makes 0.018


def test_sums_of_parts_add_up_to_those_of_the_whole() -> None:
    for problem in (BINARY, MULTICLASS, MULTILABEL, REGRESSION):
        task = task_of(problem)
        estimator = fit_estimator(problem, task, *drawn(problem, 2000, 0))
        _, scores = drawn(problem, 300, 1)
        answers = task.decisions(scores)
        whole = estimator.sums(scores, answers)
        parts = [estimator.sums(scores[part], answers[part]) for part in (slice(0, 1), slice(1, 300))]
        assert whole.shape == (estimator.width,)
        np.testing.assert_allclose(parts[0] + parts[1], whole)


def test_a_relation_that_changed_cannot_be_seen_without_labels() -> None:
    task = task_of(BINARY)
    estimator = fit_estimator(BINARY, task, *drawn(BINARY, 6000, 0))
    target, scores = drawn(BINARY, 5000, 1)
    found = estimated(BINARY, estimator, scores)["accuracy"]
    flipped = task.metric("accuracy", 1 - target, scores)
    assert found.value - flipped > 0.2  # this is what `valid while inputs drift` warns of
