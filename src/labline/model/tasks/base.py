"""What every task says of itself: target, strata, objective, metrics, baselines, tables, plots, the answer's shape."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Sequence
from copy import copy
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal, Self

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict

from labline.features import Encoding
from labline.model.tasks.drawn import Metric, Weights

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure
    from sklearn.base import BaseEstimator

Scores = NDArray[np.float64]
"""What members predict: probabilities of shape (rows, classes), or values of shape (rows,)."""
Target = NDArray[Any]
"""The encoded target: class indices or float64, shape (rows,); for multilabel 0 or 1, shape (rows, classes)."""
Prediction = str | float | list[str]
"""A class, a value, or labels, as JSON has it."""

LOWER_IS_BETTER = frozenset({"log_loss", "rmse", "mae", "rmsle"})
Link = Literal["softmax", "sigmoid", "identity"]


class AnswerRule(BaseModel):
    """How scores become answers, learned from predictions for rows that a model had not seen; kept in the bundle.

    Attributes:
        thresholds: of multilabel: from which probability on each label is given.
        offsets: of regression: what is added to a prediction for both ends of its interval, on the scale learned.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    thresholds: tuple[float, ...] = ()
    offsets: tuple[float, float] | None = None


@dataclass(frozen=True)
class Answer:
    """One prediction as a person reads it.

    Attributes:
        prediction: the class, the value, or the labels.
        probabilities: by class; empty for a value.
        interval: of a value, where the contract wants one.
    """

    prediction: Prediction
    probabilities: dict[str, float] = field(default_factory=dict)
    interval: tuple[float, float] | None = None


@dataclass(frozen=True)
class Baseline:
    """A simple model that every candidate stands beside.

    Attributes:
        estimator: a scikit-learn estimator.
        encoding: of the matrix it is fitted to; None: it gets the names and numbers of `reads` as they are.
        reads: columns it gets where there is no encoding.
    """

    estimator: BaseEstimator
    encoding: Encoding | None
    reads: tuple[str, ...] = ()


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


def class_figures(
    classes: Sequence[str], right: NDArray[Any], given: NDArray[Any], true: NDArray[Any]
) -> tuple[ClassFigures, ...]:
    """The per-class table, from how many answers were right, given and true by class; what cannot be divided is 0."""
    precision, recall = right / np.maximum(given, 1), right / np.maximum(true, 1)
    columns = (precision, recall, 2 * right / np.maximum(given + true, 1), true)
    return tuple(
        ClassFigures(name, float(precision), float(recall), float(f1), int(rows))
        for name, precision, recall, f1, rows in zip(classes, *columns, strict=True)
    )


def greater_is_better(metric: str) -> bool:
    """Whether a larger value of the metric is the better one."""
    return metric not in LOWER_IS_BETTER


class Task(ABC):
    """What training, evaluation, serving and monitoring must know of a task.

    Attributes:
        classes: names of the classes that scores have a column for, in that order; none for regression.
        link: from a linear model's sums to scores.
        loss: the metric that members are compared, tuned and blended by, and segments compared in.
        rule: how scores become answers; the untaught one until `taught` has made another.
    """

    # pylint: disable=no-self-use  # what most tasks leave as it is here, others do with what they are

    classes: tuple[str, ...] = ()
    link: Link
    loss: str = "log_loss"
    rule: AnswerRule = AnswerRule()

    @abstractmethod
    def encode(self, target: pd.Series[Any]) -> Target:
        """The target as it is measured against."""

    def truth(self, target: pd.Series[Any]) -> NDArray[Any]:
        """The target in the shape of `decisions`, shape (rows,)."""
        return target.to_numpy()

    def to_fit(self, target: Target) -> Target:
        """The target as members learn it."""
        return target

    @abstractmethod
    def strata(self, target: Target) -> NDArray[np.intp]:
        """The stratum of each row, for splits, shape (rows,): its class, or its band of the target."""

    @abstractmethod
    def scores(self, raw: NDArray[np.float64]) -> Scores:
        """A member's raw output in the shape of `Scores`."""

    @abstractmethod
    def estimated(self, estimator: Any, matrix: Any) -> Scores:
        """A fitted scikit-learn estimator's scores."""

    @abstractmethod
    def baselines(self, seed: int) -> dict[str, Baseline]:
        """Baselines by name, the simplest first."""

    def learn_rule(self, target: Target, scores: Scores) -> AnswerRule:
        """The rule for answers, from scores of rows that the scoring model had not seen; most tasks need none."""
        del target, scores
        return AnswerRule()

    def ruled_by(self, rule: AnswerRule) -> Self:
        """The same task with another rule."""
        other = copy(self)
        other.rule = rule
        return other

    @abstractmethod
    def _metrics(self, target: Target, scores: Scores) -> dict[str, Metric]:
        """Every metric of the task, by the contract's name, to be computed when called."""

    def metrics(self, target: Target, scores: Scores) -> dict[str, float]:
        """All metrics of the task, by the contract's names."""
        return {name: float(metric(None)[0]) for name, metric in self._metrics(target, scores).items()}

    def metric(self, name: str, target: Target, scores: Scores) -> float:
        """One metric of the task."""
        return float(self._metrics(target, scores)[name](None)[0])

    def resampled(
        self, names: Iterable[str], target: Target, scores: Scores, draws: Iterable[Weights]
    ) -> dict[str, NDArray[np.float64]]:
        """Metrics of rows drawn with replacement, by name, each of shape (draws,).

        Args:
            names: which.
            target: of the rows.
            scores: of the rows.
            draws: parts of shape (draws, rows), one after the other: how often each row was drawn.
        """
        metrics = self._metrics(target, scores)
        found = [{name: metrics[name](weights) for name in names} for weights in draws]
        return {name: np.concatenate([part[name] for part in found]) for name in names}

    def believed(self, target: Target, scores: Scores) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
        """How sure each answer was, and whether it was right, both of shape (answers,); empty where none says so."""
        del target, scores
        return np.empty(0), np.empty(0, dtype=bool)

    def intervals(self, scores: Scores) -> NDArray[np.float64] | None:  # pylint: disable=useless-return
        """Both ends of each answer's interval, shape (rows, 2); None where answers have none."""
        del scores
        return None  # mypy wants it said

    @abstractmethod
    def answers(self, scores: Scores) -> list[Answer]:
        """One answer a row."""

    @abstractmethod
    def decisions(self, scores: Scores) -> NDArray[Any]:
        """The predicted class name, value, or tuple of labels of each row, shape (rows,)."""

    @abstractmethod
    def tables(self, target: Target, scores: Scores) -> Tables:
        """The per-class table and the confusion matrix; empty where there are no classes."""

    @abstractmethod
    def plots(self, target: Target, scores: Scores) -> dict[str, Figure]:
        """Plots of held-out rows that belong to a run, by file name."""
