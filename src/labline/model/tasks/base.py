"""What every task says of itself: target, strata, objective, metrics, baselines, tables, plots, the answer's shape."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from labline.features import Encoding

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure
    from sklearn.base import BaseEstimator

Scores = NDArray[np.float64]
"""What members predict: probabilities of shape (rows, classes), or values of shape (rows,)."""
Target = NDArray[Any]
"""The encoded target, shape (rows,): class indices, or float64."""

LOWER_IS_BETTER = frozenset({"log_loss", "rmse", "mae"})


@dataclass(frozen=True)
class Answer:
    """One prediction as a person reads it; `probabilities` by class, empty for regression."""

    prediction: str | float
    probabilities: dict[str, float]


@dataclass(frozen=True)
class Baseline:
    """A simple model that every candidate stands beside, and the encoding it wants."""

    estimator: BaseEstimator
    encoding: Encoding


@dataclass(frozen=True)
class ClassFigures:
    """One row of the per-class table."""

    name: str
    precision: float
    recall: float
    f1: float
    rows: int


@dataclass(frozen=True)
class Tables:
    """The per-class table, and the confusion matrix, true × predicted, in the order of the classes."""

    per_class: tuple[ClassFigures, ...] = ()
    confusion: NDArray[np.intp] = field(default_factory=lambda: np.zeros((0, 0), dtype=np.intp))


def greater_is_better(metric: str) -> bool:
    """Whether a larger value of the metric is the better one."""
    return metric not in LOWER_IS_BETTER


class Task(ABC):
    """What training, evaluation, serving and monitoring must know of a task.

    Attributes:
        classes: names of the classes that scores have a column for, in that order; none for regression.
    """

    classes: tuple[str, ...] = ()

    @abstractmethod
    def encode(self, target: pd.Series[Any]) -> Target:
        """The target as members learn it."""

    @abstractmethod
    def strata(self, target: Target) -> NDArray[np.intp]:
        """The stratum of each row, for splits: its class, or its band of the target."""

    @abstractmethod
    def lightgbm(self) -> dict[str, Any]:
        """LightGBM's objective and validation metric."""

    @abstractmethod
    def scores(self, raw: NDArray[np.float64]) -> Scores:
        """A booster's raw output in the shape of `Scores`."""

    @abstractmethod
    def estimated(self, estimator: Any, matrix: NDArray[np.float64]) -> Scores:
        """A fitted scikit-learn estimator's scores."""

    @abstractmethod
    def baselines(self, seed: int) -> dict[str, Baseline]:
        """Baselines by name, the simplest first."""

    @abstractmethod
    def _metrics(self, target: Target, scores: Scores) -> dict[str, Callable[[], float]]:
        """Every metric of the task, by the contract's name, to be computed when called."""

    def metrics(self, target: Target, scores: Scores) -> dict[str, float]:
        """All metrics of the task, by the contract's names."""
        return {name: float(metric()) for name, metric in self._metrics(target, scores).items()}

    def metric(self, name: str, target: Target, scores: Scores) -> float:
        """One metric of the task."""
        return float(self._metrics(target, scores)[name]())

    @abstractmethod
    def answers(self, scores: Scores) -> list[Answer]:
        """One answer a row."""

    @abstractmethod
    def decisions(self, scores: Scores) -> NDArray[Any]:
        """The predicted class name or value of each row, shape (rows,)."""

    @abstractmethod
    def tables(self, target: Target, scores: Scores) -> Tables:
        """The per-class table and the confusion matrix; empty where there are no classes."""

    @abstractmethod
    def plots(self, target: Target, scores: Scores) -> dict[str, Figure]:
        """Plots of held-out rows that belong to a run, by file name."""
