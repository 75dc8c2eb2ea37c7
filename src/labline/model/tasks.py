"""All that depends on the task: target, strata, objective, metrics, baselines, the answer's shape. One class a task."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from labline.contract import Problem
from labline.features import Encoding

if TYPE_CHECKING:
    import pandas as pd
    from sklearn.base import BaseEstimator

Scores = NDArray[np.float64]
"""What members predict: probabilities of shape (rows, classes), or values of shape (rows,)."""
Target = NDArray[Any]
"""The encoded target, shape (rows,): class indices, or float64."""

LOWER_IS_BETTER = frozenset({"log_loss", "rmse", "mae"})
REGRESSION_STRATA = 10


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


def greater_is_better(metric: str) -> bool:
    """Whether a larger value of the metric is the better one."""
    return metric not in LOWER_IS_BETTER


class Task(ABC):
    """What training, evaluation and serving must know of a task."""

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


class Classification(Task):
    """Binary and multiclass: scores are one probability a class, in the contract's order."""

    def __init__(self, problem: Problem) -> None:
        self.classes = problem.classes
        self._names = np.array(problem.classes, dtype=object)

    def encode(self, target: pd.Series[Any]) -> Target:
        """Class indices, shape (rows,); every value must be one of the contract's classes."""
        indices = {name: index for index, name in enumerate(self.classes)}
        return np.array([indices[value] for value in target], dtype=np.intp)

    def strata(self, target: Target) -> NDArray[np.intp]:
        """The class itself."""
        return target

    def lightgbm(self) -> dict[str, Any]:
        """Multiclass log loss, or binary where there are two classes."""
        if len(self.classes) == 2:
            return {"objective": "binary", "metric": "binary_logloss"}
        return {"objective": "multiclass", "num_class": len(self.classes), "metric": "multi_logloss"}

    def scores(self, raw: NDArray[np.float64]) -> Scores:
        """Two columns where the booster gives the positive class alone."""
        return np.column_stack([1.0 - raw, raw]) if raw.ndim == 1 else raw

    def estimated(self, estimator: Any, matrix: NDArray[np.float64]) -> Scores:
        """Probabilities; zero for a class the estimator never saw."""
        scores = np.zeros((len(matrix), len(self.classes)))
        scores[:, estimator.classes_.astype(int)] = estimator.predict_proba(matrix)
        return scores

    def baselines(self, seed: int) -> dict[str, Baseline]:
        """The most frequent class, a single tree, and a linear model."""
        from sklearn.dummy import DummyClassifier
        from sklearn.linear_model import LogisticRegression
        from sklearn.tree import DecisionTreeClassifier

        linear = Encoding(categories="onehot", bands=True, log=True, scale=True)
        tree = DecisionTreeClassifier(min_samples_leaf=20, random_state=seed)
        return {
            "majority": Baseline(DummyClassifier(strategy="prior"), Encoding()),
            "tree": Baseline(tree, Encoding(categories="onehot")),
            "linear": Baseline(LogisticRegression(max_iter=200, tol=1e-3), linear),
        }

    def _metrics(self, target: Target, scores: Scores) -> dict[str, Callable[[], float]]:
        """Accuracy, weighted and macro F1, log loss (in nats); for binary also ROC AUC and average precision."""
        from sklearn import metrics

        labels = np.arange(len(self.classes))
        chosen = scores.argmax(axis=1)
        f1 = partial(metrics.f1_score, target, chosen, labels=labels, zero_division=0.0)
        found: dict[str, Callable[[], float]] = {
            "accuracy": partial(metrics.accuracy_score, target, chosen),
            "f1_weighted": partial(f1, average="weighted"),
            "f1_macro": partial(f1, average="macro"),
            "log_loss": partial(metrics.log_loss, target, scores, labels=labels),
        }
        if len(self.classes) == 2:
            found["roc_auc"] = partial(metrics.roc_auc_score, target, scores[:, 1])
            found["average_precision"] = partial(metrics.average_precision_score, target, scores[:, 1])
        return found

    def answers(self, scores: Scores) -> list[Answer]:
        """The most probable class, and every class's probability."""
        chosen = scores.argmax(axis=1)
        return [
            Answer(self.classes[index], dict(zip(self.classes, row, strict=True)))
            for index, row in zip(chosen, scores.tolist(), strict=True)
        ]

    def decisions(self, scores: Scores) -> NDArray[Any]:
        """The most probable class's name."""
        chosen: NDArray[Any] = self._names[scores.argmax(axis=1)]
        return chosen


class Regression(Task):
    """Scores are the predicted values."""

    def encode(self, target: pd.Series[Any]) -> Target:
        """The values, float64."""
        return target.to_numpy(dtype=np.float64)

    def strata(self, target: Target) -> NDArray[np.intp]:
        """Tenths of the target's distribution."""
        limits = np.unique(np.quantile(target, np.linspace(0, 1, REGRESSION_STRATA + 1)[1:-1]))
        return np.searchsorted(limits, target, side="right")

    def lightgbm(self) -> dict[str, Any]:
        """Squared error."""
        return {"objective": "regression", "metric": "rmse"}

    def scores(self, raw: NDArray[np.float64]) -> Scores:
        """As they are."""
        return raw

    def estimated(self, estimator: Any, matrix: NDArray[np.float64]) -> Scores:
        """The estimator's predictions."""
        return np.asarray(estimator.predict(matrix), dtype=np.float64)

    def baselines(self, seed: int) -> dict[str, Baseline]:
        """The mean, a single tree, and a linear model."""
        from sklearn.dummy import DummyRegressor
        from sklearn.linear_model import Ridge
        from sklearn.tree import DecisionTreeRegressor

        linear = Encoding(categories="onehot", bands=True, log=True, scale=True)
        tree = DecisionTreeRegressor(min_samples_leaf=20, random_state=seed)
        return {
            "mean": Baseline(DummyRegressor(), Encoding()),
            "tree": Baseline(tree, Encoding(categories="onehot")),
            "linear": Baseline(Ridge(), linear),
        }

    def _metrics(self, target: Target, scores: Scores) -> dict[str, Callable[[], float]]:
        """Root mean squared error and mean absolute error in the target's unit, and R²."""
        from sklearn import metrics

        return {
            "rmse": partial(metrics.root_mean_squared_error, target, scores),
            "mae": partial(metrics.mean_absolute_error, target, scores),
            "r2": partial(metrics.r2_score, target, scores),
        }

    def answers(self, scores: Scores) -> list[Answer]:
        """The value."""
        return [Answer(value, {}) for value in scores.tolist()]

    def decisions(self, scores: Scores) -> NDArray[Any]:
        """The values."""
        return scores


def task_of(problem: Problem) -> Task:
    """The task of a problem."""
    return Regression() if problem.task == "regression" else Classification(problem)
