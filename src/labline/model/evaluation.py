"""Evaluation on held-out rows: metrics with intervals, tables, segments, calibration; of one model or two in pairs."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from labline.model.calibration import Calibration, calibration
from labline.model.resampling import LEVEL, RESAMPLES, Interval, draws, interval
from labline.model.tasks import Scores, Tables, Target, Task

__all__ = [
    "LEVEL",
    "RESAMPLES",
    "SEGMENT_ROWS_MIN",
    "Evaluation",
    "Interval",
    "Judged",
    "SegmentFigures",
    "difference",
    "evaluate",
    "increase",
]

SEGMENT_ROWS_MIN = 30  # figures of fewer rows say nothing
LOSS_MIN = 1e-9  # a loss below it counts as this when it is divided by


@dataclass(frozen=True)
class SegmentFigures:
    """How a model does on the held-out rows of one segment.

    Attributes:
        name: the column and what its values have in common.
        rows: how many there are.
        headline: the problem's metric with its interval; None where there are too few rows.
        loss: the task's loss, likewise.
    """

    name: str
    rows: int
    headline: Interval | None
    loss: Interval | None


@dataclass(frozen=True)
class Evaluation:
    """How a model does on held-out rows.

    Attributes:
        rows: how many.
        metrics: all of the task's.
        headline: the problem's metric with its interval.
        tables: by class.
        intervals: every metric with its interval, from the same draws.
        segments: the metric and the loss of the rows of each segment.
        calibration: how far confidence can be believed; None where answers have no probability.
    """

    rows: int
    metrics: dict[str, float]
    headline: Interval
    tables: Tables
    intervals: dict[str, Interval] = field(default_factory=dict)
    segments: tuple[SegmentFigures, ...] = ()
    calibration: Calibration | None = None


def evaluate(
    task: Task,
    metric: str,
    target: Target,
    scores: Scores,
    seed: int,
    segments: Mapping[str, NDArray[np.bool_]] | None = None,
) -> Evaluation:
    """Figures of the scores against the target.

    Args:
        task: under the rule for answers that is in force.
        metric: the problem's.
        target: encoded.
        scores: of the same rows.
        seed: of the bootstrap.
        segments: which rows are in each, from `segments_of`.
    """
    judged = Judged(task, target, scores)
    intervals = judged.intervals(seed)
    confidence, right = task.believed(target, scores)
    return Evaluation(
        rows=len(target),
        metrics={name: found.value for name, found in intervals.items()},
        headline=intervals[metric],
        tables=task.tables(target, scores),
        intervals=intervals,
        segments=tuple(
            _segment(name, metric, judged.of(np.flatnonzero(rows)), seed) for name, rows in (segments or {}).items()
        ),
        calibration=calibration(confidence, right) if len(confidence) else None,
    )


@dataclass(frozen=True)
class Judged:
    """What one model says of some rows, under its own task: its order of classes, and its rule for answers."""

    task: Task
    target: Target
    scores: Scores

    def metric(self, name: str) -> float:
        """The metric over all rows."""
        return self.task.metric(name, self.target, self.scores)

    def of(self, rows: NDArray[np.intp]) -> Judged:
        """The same of the rows at the given positions."""
        return Judged(self.task, self.target[rows], self.scores[rows])

    def drawn(self, name: str, seed: int, resamples: int = RESAMPLES) -> NDArray[np.float64]:
        """The metric of rows drawn with replacement, shape (resamples,); the same rows for the same seed."""
        drawn = draws(len(self.target), seed, resamples)
        return self.task.resampled([name], self.target, self.scores, drawn)[name]

    def intervals(self, seed: int, names: Collection[str] | None = None) -> dict[str, Interval]:
        """All metrics, or those named, with their intervals, from the same draws."""
        values = self.task.metrics(self.target, self.scores)
        wanted = values if names is None else {name: values[name] for name in names}
        found = self.task.resampled(list(wanted), self.target, self.scores, draws(len(self.target), seed))
        return {name: interval(value, found[name]) for name, value in wanted.items()}


def difference(metric: str, ours: Judged, theirs: Judged, seed: int, resamples: int = RESAMPLES) -> Interval:
    """`ours` minus `theirs` in the metric, resampled in pairs: the same rows for both."""
    gap = ours.metric(metric) - theirs.metric(metric)
    return interval(gap, ours.drawn(metric, seed, resamples) - theirs.drawn(metric, seed, resamples))


def increase(loss: str, ours: Judged, theirs: Judged, seed: int, resamples: int = RESAMPLES) -> Interval:
    """By what share of `theirs` the loss of `ours` is larger, resampled in pairs."""

    def share(mine: NDArray[np.float64], other: NDArray[np.float64]) -> NDArray[np.float64]:
        return (mine - other) / np.maximum(other, LOSS_MIN)

    value = share(np.array(ours.metric(loss)), np.array(theirs.metric(loss)))
    return interval(float(value), share(ours.drawn(loss, seed, resamples), theirs.drawn(loss, seed, resamples)))


def _segment(name: str, metric: str, judged: Judged, seed: int) -> SegmentFigures:
    rows = len(judged.target)
    if rows < SEGMENT_ROWS_MIN:
        return SegmentFigures(name, rows, None, None)
    figures = judged.intervals(seed, {metric, judged.task.loss})
    return SegmentFigures(name, rows, figures[metric], figures[judged.task.loss])
