"""What numbers say by the interval they lie in: a table has a line for each interval of each feature.

Trees compare with a few thresholds of each feature, often the same ones. How a number stands to all of them is one
interval, and what that means in all trees is one line: a row costs a line a feature, however many trees there are.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

FEW_ROWS = 8  # of which all lines are looked at in one go, and not feature after feature


@dataclass(frozen=True)
class Intervals:
    """Between which thresholds of its features a row's numbers lie.

    Attributes:
        features: that are looked at, shape (asked,).
        borders: thresholds of each feature, ascending, with infinity behind them; shape (borders,).
        compared: the feature of each border, shape (borders,).
        starts: of each feature among the borders, shape (asked,).
        missing: the line of each feature where it is missing, which is its last, shape (asked,).
    """

    features: NDArray[np.intp]
    borders: NDArray[Any]
    compared: NDArray[np.intp]
    starts: NDArray[np.intp]
    missing: NDArray[np.intp]

    @classmethod
    def of(cls, thresholds: Mapping[int, NDArray[Any]]) -> Intervals:
        """From each feature's thresholds, ascending; of one feature at least."""
        counts = np.array([len(own) for own in thresholds.values()]) + 1
        features = np.array(list(thresholds), dtype=np.intp)
        return cls(
            features=features,
            borders=np.concatenate([np.append(own, own.dtype.type(np.inf)) for own in thresholds.values()]),
            compared=np.repeat(features, counts),
            starts=np.cumsum(counts) - counts,
            missing=np.cumsum(counts + 1) - 1,
        )

    @property
    def line_count(self) -> int:
        """Lines of all features."""
        return int(self.missing[-1]) + 1

    @property
    def places(self) -> list[slice]:
        """The lines of each feature: an interval after the other from the lowest up, then that of the missing."""
        ends = self.missing + 1
        return [slice(start, end) for start, end in zip([0, *ends[:-1].tolist()], ends.tolist(), strict=True)]

    def lines(self, rows: NDArray[Any]) -> NDArray[np.intp]:
        """The lines of rows of shape (rows, features), shape (rows, asked).

        NaN is missing; else numbers are compared in the rows' precision, and one at a threshold lies below it.
        """
        below = rows.take(self.compared, axis=1) <= self.borders  # of which NaN has none, and all else infinity
        return np.asarray(self.missing - np.add.reduceat(below, self.starts, axis=1, dtype=np.intp))


def combined(table: NDArray[Any], lines: NDArray[np.intp], operation: np.ufunc) -> NDArray[Any]:
    """What the operation makes of a row's lines, for lines of shape (rows, asked); shape (rows, the table's width)."""
    if len(lines) < FEW_ROWS:
        return np.asarray(operation.reduce(table.take(lines, axis=0), axis=1))
    found = table.take(lines[:, 0], axis=0)
    for of_feature in lines.T[1:]:
        operation(found, table.take(of_feature, axis=0), out=found)
    return found
