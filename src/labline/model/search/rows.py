"""The rows that training may learn from: the problem's own, and extra ones that weigh otherwise."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from labline.contract import Columns
from labline.features import DerivedFeatures
from labline.model.tasks import Target


@dataclass(frozen=True)
class TrainingRows:
    """Columns, target and weights; the problem's own rows first. No held-out row is among them.

    Attributes:
        columns: plain columns; derived ones too, once `derive` has added them.
        target: as the task encodes it, shape (rows,) or (rows, labels).
        own: how many rows are the problem's own; the extra ones, after them, are learned from and never measured on.
        weights: shape (rows,); None: all alike.
    """

    columns: Columns
    target: Target
    own: int
    weights: NDArray[np.float64] | None = None

    @classmethod
    def of(cls, columns: Columns, target: Target) -> TrainingRows:
        """The problem's own alone."""
        return cls(columns, target, len(target))

    def with_extra(self, columns: Columns, target: Target, weight: float) -> TrainingRows:
        """The same with extra rows after them, each of which counts as `weight` rows."""
        together = {name: np.concatenate([values, columns[name]]) for name, values in self.columns.items()}
        before = np.ones(len(self.target)) if self.weights is None else self.weights
        weights = np.concatenate([before, np.full(len(target), weight)])
        return TrainingRows(together, np.concatenate([self.target, target]), self.own, weights)

    def derive(self, derived: DerivedFeatures) -> TrainingRows:
        """The same with the derived columns added."""
        return replace(self, columns=derived(self.columns))

    def take(self, rows: NDArray[np.intp]) -> Columns:
        """Columns of some rows."""
        return {name: values[rows] for name, values in self.columns.items()}

    def weights_of(self, rows: NDArray[np.intp]) -> NDArray[np.float64] | None:
        """Weights of some rows."""
        return None if self.weights is None else self.weights[rows]

    @property
    def own_target(self) -> Target:
        """The target of the problem's own rows."""
        return self.target[: self.own]
