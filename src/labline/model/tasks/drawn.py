"""Metrics of many bootstrap draws at once: sums over rows, each row counted as often as it was drawn."""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from scipy.sparse import csr_array

Weights = NDArray[np.float64]
"""How often each row was drawn, shape (draws, rows); as many in every draw as there are rows."""
Metric = Callable[[Weights | None], NDArray[np.float64]]
"""The metric of every draw, shape (draws,); given None that of the rows themselves, shape (1,)."""


def mean(values: NDArray[Any], weights: Weights | None) -> NDArray[np.float64]:
    """The mean over the rows of every draw, shape (draws,), of values of shape (rows,)."""
    if weights is None:
        return np.atleast_1d(np.asarray(values.mean(), dtype=np.float64))
    return np.asarray(weights @ values.astype(np.float64) / len(values))


def r_squared(target: NDArray[np.float64], scores: NDArray[np.float64], weights: Weights | None) -> NDArray[np.float64]:
    """The share of the target's variance that is explained; of a target that never changes 1 or 0, as scikit-learn."""
    centred = target - target.mean()  # so that the difference of squares below loses no digits
    missed = mean((target - scores) ** 2, weights)
    variance = mean(centred**2, weights) - mean(centred, weights) ** 2
    share = 1 - missed / np.where(variance > 0, variance, 1)
    return np.where(variance > 0, share, np.where(missed > 0, 0.0, 1.0))


class MeanOf:
    """The mean of a value that each row has.

    Args:
        of_each: makes the values, shape (rows,), when they are first asked for.
    """

    def __init__(self, of_each: Callable[[], NDArray[Any]]) -> None:
        self._of_each = of_each

    @cached_property
    def _values(self) -> NDArray[Any]:
        return self._of_each()

    def __call__(self, weights: Weights | None) -> NDArray[np.float64]:
        """The mean of every draw, shape (draws,)."""
        return mean(self._values, weights)


class Answered:
    """Which classes are true of each row and which are given, as sparse zeros and ones.

    Args:
        matrices: makes both, each of shape (rows, classes), when they are first asked for.
    """

    def __init__(self, matrices: Callable[[], tuple[csr_array, csr_array]]) -> None:
        self._make = matrices

    @cached_property
    def _matrices(self) -> tuple[csr_array, csr_array, csr_array]:
        """What is right, given and true."""
        true, given = self._make()
        return true.multiply(given).tocsr(), given, true

    def f1(self, average: str, weights: Weights | None) -> NDArray[np.float64]:
        """F1 of every draw, `micro`, `macro` or `weighted`; a class that is neither true nor given has 0."""
        right, given, true = (_counts(matrix, weights) for matrix in self._matrices)
        if average == "micro":
            right, given, true = (counts.sum(axis=1, keepdims=True) for counts in (right, given, true))
        by_class = 2 * right / np.maximum(given + true, 1)
        if average != "weighted":
            return np.asarray(by_class.mean(axis=1))
        return np.asarray((by_class * true).sum(axis=1) / np.maximum(true.sum(axis=1), 1))


def indicators(classes: NDArray[np.intp], count: int) -> csr_array:
    """Class indices of shape (rows,) as ones in a sparse matrix of shape (rows, count)."""
    from scipy.sparse import csr_array

    return csr_array((np.ones(len(classes)), classes, np.arange(len(classes) + 1)), shape=(len(classes), count))


def _counts(matrix: csr_array, weights: Weights | None) -> NDArray[np.float64]:
    """How many rows of every draw have each class, shape (draws, classes)."""
    if weights is None:
        return np.asarray(matrix.sum(axis=0), dtype=np.float64).reshape(1, -1)
    return np.asarray((matrix.T @ weights.T).T)


class Ranked:
    """Rows in the order of a score, the highest first, for metrics that look at the order alone.

    Args:
        positive: which rows are of the positive class, shape (rows,).
        scores: shape (rows,).
    """

    def __init__(self, positive: NDArray[np.bool_], scores: NDArray[np.float64]) -> None:
        self._positive = positive
        self._scores = scores

    @cached_property
    def _order(self) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
        """The order, and where in it each run of equal scores begins."""
        order = np.argsort(-self._scores, kind="stable")
        ranked = self._scores[order]
        starts = np.flatnonzero(np.concatenate([[True], ranked[1:] != ranked[:-1]]))
        return order, starts

    def _found(self, weights: Weights | None) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Positive and negative rows in each run of equal scores, shape (draws, runs)."""
        order, starts = self._order
        drawn = np.ones((1, len(order))) if weights is None else weights[:, order]
        positive = self._positive[order]
        return np.add.reduceat(drawn * positive, starts, axis=1), np.add.reduceat(drawn * ~positive, starts, axis=1)

    def roc_auc(self, weights: Weights | None) -> NDArray[np.float64]:
        """The share of pairs of both classes in the right order, ties half (Mann and Whitney 1947).

        Not a number where a draw has rows of one class alone.
        """
        positive, negative = self._found(weights)
        above = positive.cumsum(axis=1) - 0.5 * positive
        pairs = positive.sum(axis=1) * negative.sum(axis=1)
        return np.where(pairs > 0, (above * negative).sum(axis=1) / np.maximum(pairs, 1), np.nan)

    def average_precision(self, weights: Weights | None) -> NDArray[np.float64]:
        """Precision at each score, weighted by what it adds to recall; 0 where a draw has no positive row."""
        positive, negative = self._found(weights)
        found = positive.cumsum(axis=1)
        precision = found / np.maximum(found + negative.cumsum(axis=1), 1)
        return np.asarray((precision * positive).sum(axis=1) / np.maximum(positive.sum(axis=1), 1))
