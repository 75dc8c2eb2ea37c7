"""Blending: members averaged with weights that out-of-fold predictions speak for."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from labline.model.evaluation import Judged, difference
from labline.model.search.folds import Folds
from labline.model.tasks import Target, Task, greater_is_better

CELLS_MAX = 200_000  # rows × outputs that are looked at: enough to find a handful of weights on
WEIGHT_MIN = 0.05  # of a member that is worth its time


def weights_of(task: Task, target: Target, raws: Sequence[NDArray[np.float64]], seed: int) -> NDArray[np.float64]:
    """Weights of least loss that are not negative and add up to one (stacking after Breiman 1996), shape (members,).

    Args:
        task: gives the loss.
        target: encoded, shape (rows, …).
        raws: raw out-of-fold predictions of each member, shape (rows, …) each.
        seed: of the rows that are drawn where there are very many.
    """
    from scipy.optimize import minimize

    enough = max(1000, CELLS_MAX * len(target) // raws[0].size)
    rows = np.random.default_rng(seed).permutation(len(target))[:enough]
    goal, stacked = target[rows], np.stack([raw[rows] for raw in raws])

    def loss(weights: NDArray[np.float64]) -> float:
        return task.metric(task.loss, goal, task.scores(np.tensordot(weights / weights.sum(), stacked, axes=1)))

    count = len(raws)
    whole = {"type": "eq", "fun": lambda weights: weights.sum() - 1}
    found = minimize(
        loss, np.full(count, 1 / count), method="SLSQP", bounds=[(0, 1)] * count, constraints=whole, tol=1e-6
    )
    weights = np.where(found.x < WEIGHT_MIN, 0.0, found.x)
    total = weights.sum()
    return np.asarray(weights / total) if total else np.full(count, 1 / count)


def mixed(raws: Sequence[NDArray[np.float64]], weights: Sequence[float]) -> NDArray[np.float64]:
    """The weighted mean."""
    total = raws[0] * weights[0]
    for raw, weight in zip(raws[1:], weights[1:], strict=True):
        total = total + raw * weight
    return total


def cross_fitted(folds: Folds, raws: Sequence[NDArray[np.float64]]) -> NDArray[np.float64]:
    """The blend's raw predictions, each fold's with weights that were found on the other folds."""
    target = folds.rows.own_target
    parts = []
    for train, test in folds.parts:
        others = train[train < folds.rows.own]
        weights = weights_of(folds.task, target[others], [raw[others] for raw in raws], folds.seed)
        parts.append(mixed([raw[test] for raw in raws], weights.tolist()))
    return folds.joined(parts)


def is_better(folds: Folds, blend: NDArray[np.float64], best: NDArray[np.float64], metric: str) -> tuple[bool, str]:
    """Whether a blend beats the best member by more than noise in the loss, and is no worse in the metric; and why.

    Both by paired bootstrap over the out-of-fold rows.
    """
    task, target = folds.task, folds.rows.own_target
    ours, theirs = (
        Judged(task.ruled_by(task.learn_rule(target, task.scores(raw))), target, task.scores(raw))
        for raw in (blend, best)
    )
    loss = difference(task.loss, ours, theirs, folds.seed)
    said = f"{task.loss} {loss.value:+.4f} [{loss.low:+.4f}, {loss.high:+.4f}]"
    if loss.high >= 0:
        return False, f"the blend is not better than its best member by more than noise: {said}"
    if metric != task.loss:
        gap = difference(metric, ours, theirs, folds.seed)
        said += f", {metric} {gap.value:+.4f} [{gap.low:+.4f}, {gap.high:+.4f}]"
        if (gap.high if greater_is_better(metric) else -gap.low) < 0:
            return False, f"the blend is worse than its best member in the metric: {said}"
    return True, f"the blend is better than its best member: {said}"
