"""The rule to beat: the usual answer of rows that are alike in a few columns."""

from __future__ import annotations

from typing import Any, Self

import numpy as np
from numpy.typing import NDArray
from sklearn.base import BaseEstimator

ROWS_MIN = 3  # of a group, to be believed


class UsualByGroup(BaseEstimator):  # type: ignore[misc]  # scikit-learn has no types
    """The median target, or the classes' shares, of the training rows alike in all columns.

    Where they are fewer than three, those alike in all but the last column count, and so on, down to all rows.

    Learned attributes: `groups_`, by number of columns and values; `classes_`, empty for values.
    """

    def __init__(self, *, classes: bool = False) -> None:
        self.classes = classes

    # pylint: disable=attribute-defined-outside-init  # scikit-learn's way: what is learned ends in _

    def fit(self, rows: NDArray[Any], target: NDArray[Any]) -> Self:
        """Learn from rows of shape (rows, columns), names and numbers as they are, and a target of shape (rows,)."""
        self.classes_ = np.unique(target) if self.classes else np.zeros(0)
        self.groups_: dict[tuple[Any, ...], Any] = {}
        for depth in range(rows.shape[1] + 1):
            members: dict[tuple[Any, ...], list[int]] = {}
            for index, row in enumerate(rows[:, :depth]):
                members.setdefault(tuple(row), []).append(index)
            for key, group in members.items():
                if len(group) >= ROWS_MIN or not depth:
                    self.groups_[key] = self._usual(target[group])
        return self

    def _usual(self, target: NDArray[Any]) -> Any:
        if self.classes:
            return np.mean(target[:, None] == self.classes_, axis=0)
        return float(np.median(target))

    def predict(self, rows: NDArray[Any]) -> NDArray[Any]:
        """The medians, shape (rows,), or the shares, shape (rows, classes)."""
        return np.array([self._of(tuple(row)) for row in rows])

    predict_proba = predict

    def _of(self, key: tuple[Any, ...]) -> Any:
        while key not in self.groups_:
            key = key[:-1]
        return self.groups_[key]
