"""The bootstrap: rows drawn with replacement, and the interval that figures of the draws give."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from labline.model.tasks.drawn import Weights

RESAMPLES = 500
LEVEL = 0.95
CELLS = 2_000_000  # of one part of the draws, so that many rows do not fill the memory


@dataclass(frozen=True)
class Interval:
    """A figure and its 95 % percentile bootstrap interval (Efron and Tibshirani 1993)."""

    value: float
    low: float
    high: float

    def __str__(self) -> str:
        return f"{self.value:.4f} [{self.low:.4f}, {self.high:.4f}]"


def draws(rows: int, seed: int, resamples: int = RESAMPLES) -> Iterator[Weights]:
    """How often each row is drawn, in parts of shape (draws, rows); the same for the same seed."""
    random = np.random.default_rng(seed)
    part = max(1, min(resamples, CELLS // max(rows, 1)))
    for start in range(0, resamples, part):
        count = min(part, resamples - start)
        drawn = random.integers(0, rows, (count, rows)) + rows * np.arange(count)[:, None]
        times = np.bincount(drawn.ravel(), minlength=count * rows)
        yield times.reshape(count, rows).astype(np.float64)


def interval(value: float, drawn: NDArray[np.float64]) -> Interval:
    """The figure with its interval, from the figures of the draws.

    Of a rare class a draw may hold no row, and then has no ROC AUC; the others give the interval.
    """
    known = drawn[~np.isnan(drawn)]
    if not len(known):
        return Interval(float(value), float("nan"), float("nan"))
    low, high = np.quantile(known, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    return Interval(float(value), float(low), float(high))
