"""Evaluation on held-out rows: metrics, the task's tables, and bootstrap intervals, of one model or of two in pairs."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from labline.model.tasks import Scores, Tables, Target, Task

RESAMPLES = 500
LEVEL = 0.95


@dataclass(frozen=True)
class Interval:
    """A figure and its 95 % percentile bootstrap interval (Efron and Tibshirani 1993)."""

    value: float
    low: float
    high: float

    def __str__(self) -> str:
        return f"{self.value:.4f} [{self.low:.4f}, {self.high:.4f}]"


@dataclass(frozen=True)
class Evaluation:
    """How a model does on held-out rows."""

    rows: int
    metrics: dict[str, float]
    headline: Interval
    tables: Tables


def evaluate(task: Task, metric: str, target: Target, scores: Scores, seed: int) -> Evaluation:
    """Figures of the scores against the target; `metric` is the one that gets an interval."""
    figures = task.metrics(target, scores)
    interval = _interval(
        lambda rows: task.metric(metric, target[rows], scores[rows]), figures[metric], len(target), seed
    )
    return Evaluation(len(target), figures, interval, task.tables(target, scores))


@dataclass(frozen=True)
class Judged:
    """What one model says of some rows, under its own task: its order of classes, and its rule for answers."""

    task: Task
    target: Target
    scores: Scores

    def metric(self, name: str, rows: NDArray[np.intp] | slice = slice(None)) -> float:
        """The metric over all rows, or those at the given positions."""
        return self.task.metric(name, self.target[rows], self.scores[rows])


def difference(metric: str, ours: Judged, theirs: Judged, seed: int) -> Interval:
    """`ours` minus `theirs` in the metric, resampled in pairs: the same rows for both."""

    def gap(rows: NDArray[np.intp]) -> float:
        return ours.metric(metric, rows) - theirs.metric(metric, rows)

    return _interval(gap, gap(np.arange(len(ours.target))), len(ours.target), seed)


def _interval(figure: Callable[[NDArray[np.intp]], float], value: float, rows: int, seed: int) -> Interval:
    from sklearn.exceptions import UndefinedMetricWarning

    random = np.random.default_rng(seed)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UndefinedMetricWarning)
        drawn = [figure(random.integers(0, rows, rows)) for _ in range(RESAMPLES)]
    # of a rare class a resample may hold no row, and then has no ROC AUC; the others give the interval
    low, high = np.nanquantile(drawn, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    return Interval(float(value), float(low), float(high))
