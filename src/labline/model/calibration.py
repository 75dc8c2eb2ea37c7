"""Calibration: how far the confidence of answers can be believed."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

BINS = 10


@dataclass(frozen=True)
class Reliability:
    """Some answers of like confidence: the mean confidence, the share that was right, and how many they are."""

    confidence: float
    right: float
    answers: int


@dataclass(frozen=True)
class Calibration:
    """The reliability curve, the least confident answers first, and how far it is from the diagonal.

    Attributes:
        points: ten, of as many answers each.
        error: the expected calibration error: the mean distance of a point from the diagonal, by answers
            (Naeini, Cooper and Hauskrecht 2015).
    """

    points: tuple[Reliability, ...]
    error: float


def calibration(confidence: NDArray[np.float64], right: NDArray[np.bool_]) -> Calibration:
    """The reliability curve of answers: how sure each was, and whether it was right, both of shape (answers,)."""
    order = np.argsort(confidence, kind="stable")
    points = tuple(
        Reliability(float(confidence[group].mean()), float(right[group].mean()), len(group))
        for group in np.array_split(order, min(BINS, len(order)))
    )
    missed = sum(point.answers * abs(point.confidence - point.right) for point in points)
    return Calibration(points, missed / max(len(order), 1))
