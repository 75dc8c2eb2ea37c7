"""Performance without labels: what calibrated probabilities, or usual errors, say of answers whose truth is not known.

Confidence-based performance estimation (NannyML's CBPE) for classes and labels; for values the errors that are usual
for predictions of that size. It holds while inputs drift; where the relation of input and target changes, nothing in a
window without labels can tell.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field

from labline.contract import Problem
from labline.model.tasks import Scores, Target, Task

RANKS = 100  # of the positive class's probability, from which what looks at the order alone is estimated
BANDS = 20  # of predicted values, of as many out-of-fold rows each
POSITIVES_MIN = 50  # a label with fewer is calibrated with all others together
EPSILON = float(np.finfo(np.float64).eps)
Z = 1.959964  # two-sided, 95 %


class Estimate(BaseModel):
    """A metric with its 95 % interval; without ends where none is known."""

    model_config = ConfigDict(frozen=True)

    value: float
    low: float | None = None
    high: float | None = None


class Isotonic(BaseModel):
    """A calibrator: the share that turned out true, by what was predicted; linear between its knots."""

    model_config = ConfigDict(frozen=True)

    predicted: tuple[float, ...]
    true: tuple[float, ...]

    def __call__(self, values: NDArray[np.float64]) -> NDArray[np.float64]:
        """Calibrated probabilities, in the shape of the values."""
        return np.interp(values, self.predicted, self.true)


class ClassEstimator(BaseModel):
    """Of binary and multiclass answers.

    Attributes:
        right: by the probability of the class that was chosen, how often it is the true one.
        classes: by the probability of each class, how often it is.
        rows: out-of-fold rows that these were fitted on.
    """

    model_config = ConfigDict(frozen=True)

    kind: Literal["classes"] = "classes"
    right: Isotonic
    classes: tuple[Isotonic, ...]
    rows: int

    @property
    def width(self) -> int:
        """How many sums there are."""
        return 4 + 3 * len(self.classes) + (2 * RANKS if len(self.classes) == 2 else 0)

    def sums(self, scores: Scores, answers: NDArray[Any]) -> NDArray[np.float64]:
        """Over rows: of probabilities to be right, of their variance, of losses; by class: true, right and chosen."""
        del answers  # the most probable class is the answer
        chosen, count = scores.argmax(axis=1), len(self.classes)
        right = self.right(scores.max(axis=1))
        true = np.column_stack([curve(scores[:, at]) for at, curve in enumerate(self.classes)])
        true /= np.maximum(true.sum(axis=1, keepdims=True), EPSILON)
        losses = -(true * np.log(np.clip(scores, EPSILON, 1.0))).sum()
        parts = [
            [len(scores), right.sum(), (right * (1 - right)).sum(), losses],
            true.sum(axis=0),
            np.bincount(chosen, weights=right, minlength=count),
            np.bincount(chosen, minlength=count),
        ]
        if count == 2:
            ranks = np.minimum((scores[:, 1] * RANKS).astype(int), RANKS - 1)
            parts += [np.bincount(ranks, weights=true[:, at], minlength=RANKS) for at in (0, 1)]
        return np.concatenate(parts)

    def estimates(self, sums: NDArray[np.float64]) -> dict[str, Estimate]:
        """Metrics by the contract's names; the interval says what the sample and the calibrator leave open."""
        rows, right, variance, losses = sums[:4]
        true, hit, chosen = sums[4 : 4 + 3 * len(self.classes)].reshape(3, -1)
        f1 = 2 * hit / np.maximum(true + chosen, EPSILON)
        share = right / rows
        spread = Z * float(np.sqrt(variance / rows**2 + share * (1 - share) / self.rows))
        found = {
            "accuracy": Estimate(value=share, low=max(0.0, share - spread), high=min(1.0, share + spread)),
            "f1_weighted": Estimate(value=float((f1 * true).sum() / true.sum())),
            "f1_macro": Estimate(value=float(f1[(true + chosen) > 0].mean())),
            "log_loss": Estimate(value=losses / rows),
        }
        if len(self.classes) == 2:
            negative, positive = sums[-2 * RANKS :].reshape(2, RANKS)
            found |= _of_order(negative[::-1], positive[::-1])
        return found


class LabelEstimator(BaseModel):
    """Of multilabel answers: by the probability of each label, how often a row has it."""

    model_config = ConfigDict(frozen=True)

    kind: Literal["labels"] = "labels"
    names: tuple[str, ...]
    classes: tuple[Isotonic, ...]
    rows: int

    @property
    def width(self) -> int:
        """How many sums there are."""
        return 2 + 3 * len(self.classes)

    def sums(self, scores: Scores, answers: NDArray[Any]) -> NDArray[np.float64]:
        """Over rows: of losses; by label: true, right and given."""
        places = {name: at for at, name in enumerate(self.names)}
        given = np.zeros(scores.shape, dtype=bool)
        for row, names in enumerate(answers):
            given[row, [places[name] for name in names or ()]] = True
        true = np.column_stack([curve(scores[:, at]) for at, curve in enumerate(self.classes)])
        bounded = np.clip(scores, EPSILON, 1 - EPSILON)
        losses = -(true * np.log(bounded) + (1 - true) * np.log1p(-bounded)).mean(axis=1).sum()
        return np.concatenate([[len(scores), losses], true.sum(axis=0), (true * given).sum(axis=0), given.sum(axis=0)])

    def estimates(self, sums: NDArray[np.float64]) -> dict[str, Estimate]:
        """Metrics by the contract's names."""
        true, hit, given = sums[2:].reshape(3, len(self.classes))
        f1 = 2 * hit / np.maximum(true + given, EPSILON)
        return {
            "f1_weighted": Estimate(value=float((f1 * true).sum() / max(true.sum(), EPSILON))),
            "f1_micro": Estimate(value=float(2 * hit.sum() / max(true.sum() + given.sum(), EPSILON))),
            "f1_macro": Estimate(value=float(f1.mean())),
            "log_loss": Estimate(value=sums[1] / sums[0]),
        }


class ValueEstimator(BaseModel):
    """Of predicted values: the errors that out-of-fold predictions of that size had.

    Attributes:
        limits: between bands of predicted values.
        absolute: mean absolute error in each band.
        squared: mean squared error.
        log_squared: mean squared error of log(1 + value); empty where values may be negative.
    """

    model_config = ConfigDict(frozen=True)

    kind: Literal["values"] = "values"
    limits: tuple[float, ...]
    absolute: tuple[float, ...]
    squared: tuple[float, ...]
    log_squared: tuple[float, ...] = ()

    @property
    def width(self) -> int:
        """How many sums there are: rows in each band."""
        return len(self.absolute)

    def sums(self, scores: Scores, answers: NDArray[Any]) -> NDArray[np.float64]:
        """Rows in each band."""
        del answers
        bands = np.searchsorted(self.limits, scores, side="right")
        return np.bincount(bands, minlength=self.width).astype(np.float64)

    def estimates(self, sums: NDArray[np.float64]) -> dict[str, Estimate]:
        """Metrics by the contract's names."""
        shares, rows = sums / sums.sum(), sums.sum()
        error, squared = float(shares @ self.absolute), float(shares @ self.squared)
        spread = Z * float(np.sqrt(max(squared - error**2, 0.0) / rows))
        found = {
            "mae": Estimate(value=error, low=max(0.0, error - spread), high=error + spread),
            "rmse": Estimate(value=float(np.sqrt(squared))),
        }
        if self.log_squared:
            found["rmsle"] = Estimate(value=float(np.sqrt(shares @ self.log_squared)))
        return found


Estimator = Annotated[ClassEstimator | LabelEstimator | ValueEstimator, Field(discriminator="kind")]


def fit_estimator(problem: Problem, task: Task, target: Target, scores: Scores) -> Estimator:
    """The estimator for a model whose out-of-fold scores of training rows are given.

    Args:
        problem: the contract.
        task: its task.
        target: encoded, of the problem's own training rows.
        scores: of models that had not seen the row they are for.
    """
    if problem.task == "regression":
        never_negative = problem.value.minimum is not None and problem.value.minimum >= 0
        return _value_estimator(target, scores, logs=never_negative)
    if problem.task == "multilabel":
        pooled = _isotonic(scores.ravel(), target.ravel() == 1)
        often = target.sum(axis=0) >= POSITIVES_MIN
        curves = (
            _isotonic(scores[:, at], target[:, at] == 1) if often[at] else pooled for at in range(len(problem.classes))
        )
        return LabelEstimator(names=problem.classes, classes=tuple(curves), rows=len(target))
    confidence, right = task.believed(target, scores)
    return ClassEstimator(
        right=_isotonic(confidence, right),
        classes=tuple(_isotonic(scores[:, at], target == at) for at in range(len(problem.classes))),
        rows=len(target),
    )


def _isotonic(predicted: NDArray[np.float64], true: NDArray[np.bool_]) -> Isotonic:
    """Isotonic regression (Zadrozny and Elkan 2002)."""
    from sklearn.isotonic import IsotonicRegression

    fitted = IsotonicRegression(y_min=0.0, y_max=1.0, out_of_bounds="clip").fit(predicted, true.astype(np.float64))
    return Isotonic(predicted=tuple(fitted.X_thresholds_.tolist()), true=tuple(fitted.y_thresholds_.tolist()))


def _value_estimator(target: Target, scores: Scores, *, logs: bool) -> ValueEstimator:
    limits = np.unique(np.quantile(scores, np.linspace(0, 1, BANDS + 1)[1:-1]))
    bands = np.searchsorted(limits, scores, side="right")
    rows = np.bincount(bands, minlength=len(limits) + 1)

    def means(errors: NDArray[np.float64]) -> tuple[float, ...]:
        # a band may be empty where many predictions are equal: the mean of all stands for it
        total = np.bincount(bands, weights=errors, minlength=len(rows))
        return tuple(np.where(rows > 0, total / np.maximum(rows, 1), errors.mean()).tolist())

    return ValueEstimator(
        limits=tuple(limits.tolist()),
        absolute=means(np.abs(target - scores)),
        squared=means((target - scores) ** 2),
        log_squared=means((np.log1p(target) - np.log1p(scores)) ** 2) if logs else (),
    )


def _of_order(negative: NDArray[np.float64], positive: NDArray[np.float64]) -> dict[str, Estimate]:
    """ROC AUC and average precision of expected counts by rank, the most probable first; ties count half."""
    false, true = negative.sum(), positive.sum()
    if not false or not true:
        return {}
    before = np.cumsum(positive) - positive
    auc = (negative * (before + positive / 2)).sum() / (false * true)
    precision = np.cumsum(positive) / np.maximum(np.cumsum(positive) + np.cumsum(negative), EPSILON)
    return {
        "roc_auc": Estimate(value=float(auc)),
        "average_precision": Estimate(value=float((precision * positive).sum() / true)),
    }
