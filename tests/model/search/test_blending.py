"""Blending: weights that the rows speak for, and a blend only where it is better by more than noise."""

from __future__ import annotations

import numpy as np
import pytest

from labline.model.search import Folds
from labline.model.search.blending import cross_fitted, is_better, mixed, weights_of
from labline.model.tasks import task_of
from tests.model.test_tasks import MULTILABEL, REGRESSION

RANDOM = np.random.default_rng(1)


def unsure(target: np.ndarray, noise: float, seed: int) -> np.ndarray:
    """Probabilities of three classes that know the target but for some noise of their own."""
    random = np.random.default_rng(seed)
    logits = 2 * np.eye(3)[target] + random.normal(0, noise, (len(target), 3))
    return np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)


def test_members_that_err_differently_share_the_weight_and_a_useless_one_gets_none(folds: Folds) -> None:
    target = folds.rows.own_target
    raws = [unsure(target, 1.5, 1), unsure(target, 1.5, 2), np.full((len(target), 3), 1 / 3)]
    weights = weights_of(folds.task, target, raws, 7)
    assert weights.sum() == pytest.approx(1)
    assert weights[2] == 0
    assert abs(weights[0] - weights[1]) < 0.2
    losses = [folds.task.metric("log_loss", target, raw) for raw in (*raws, mixed(raws, weights.tolist()))]
    assert losses[-1] < min(losses[:-1])


def test_a_blend_is_kept_where_it_helps_and_refused_where_it_is_noise(folds: Folds) -> None:
    target = folds.rows.own_target
    first, second = unsure(target, 1.5, 1), unsure(target, 1.5, 2)
    helps, said = is_better(folds, cross_fitted(folds, [first, second]), first, "accuracy")
    assert helps
    assert "log_loss -" in said
    twin = np.clip(first + RANDOM.normal(0, 1e-4, first.shape), 1e-6, 1)
    twin /= twin.sum(axis=1, keepdims=True)
    helps, said = is_better(folds, cross_fitted(folds, [first, twin]), first, "accuracy")
    assert not helps
    assert "not better than its best member by more than noise" in said


@pytest.mark.parametrize("task", [REGRESSION, MULTILABEL], ids=["regression", "multilabel"])
def test_values_and_labels_are_blended_too(task) -> None:
    if task is REGRESSION:
        target = RANDOM.normal(10, 3, 500)
        raws = [target + RANDOM.normal(0, 1, 500), target + RANDOM.normal(0, 2, 500)]
    else:
        target = (RANDOM.random((500, len(MULTILABEL.classes))) < 0.3).astype(np.int8)
        noise = [RANDOM.normal(0, scale, target.shape) for scale in (0.3, 0.35)]
        raws = [np.clip(0.35 + 0.3 * target + one, 0.02, 0.98) for one in noise]
    weights = weights_of(task, target, raws, 7)
    assert weights[0] > weights[1] > 0
    losses = [task.metric(task.loss, target, task.scores(raw)) for raw in (*raws, mixed(raws, weights.tolist()))]
    assert losses[2] < min(losses[:2])


def test_each_folds_weights_come_from_the_others(folds: Folds) -> None:
    target = folds.rows.own_target.copy()
    good, bad = unsure(target, 0.5, 1), unsure((target + 1) % 3, 0.5, 2)
    first = folds.parts[0][1]
    one, other = good.copy(), bad.copy()
    one[first], other[first] = (
        bad[first],
        good[first],
    )  # right everywhere but in the first fold, and the other way round
    found = cross_fitted(folds, [one, other])
    np.testing.assert_allclose(found[first], bad[first])  # so it is wrong there, as it has to be
    task = task_of(folds.problem)
    assert task.metric("accuracy", target[first], found[first]) < 0.2
