"""Regression."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from labline.contract import Problem
from labline.features import Encoding
from labline.model.tasks.base import Answer, AnswerRule, Baseline, Link, Scores, Tables, Target, Task
from labline.model.tasks.drawn import Metric, Weights, mean, r_squared

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure

STRATA = 10


class Regression(Task):
    """Scores are the predicted values, in the target's unit; learned on a log scale where the contract says so."""

    link: Link = "identity"

    def __init__(self, problem: Problem) -> None:
        self._value = problem.value
        self._baseline_by = problem.baseline_by
        low = self._value.minimum
        self._never_negative = low is not None and low >= 0
        self.loss = "rmsle" if self._value.log else "rmse"

    def encode(self, target: pd.Series[Any]) -> Target:
        """The values, float64."""
        return target.to_numpy(dtype=np.float64)

    def to_fit(self, target: Target) -> Target:
        """log(1 + target) where the contract wants it."""
        return np.log1p(target) if self._value.log else target

    def strata(self, target: Target) -> NDArray[np.intp]:
        """Tenths of the target's distribution."""
        limits = np.unique(np.quantile(target, np.linspace(0, 1, STRATA + 1)[1:-1]))
        return np.searchsorted(limits, target, side="right")

    def scores(self, raw: NDArray[np.float64]) -> Scores:
        """In the target's unit; of a target that is never negative, nothing below zero."""
        values = np.expm1(raw) if self._value.log else raw
        return np.maximum(values, 0.0) if self._never_negative else values

    def estimated(self, estimator: Any, matrix: Any) -> Scores:
        """The estimator's predictions."""
        return self.scores(np.asarray(estimator.predict(matrix), dtype=np.float64))

    def baselines(self, seed: int) -> dict[str, Baseline]:
        """The median, the contract's own rule, and a single tree."""
        from sklearn.dummy import DummyRegressor
        from sklearn.tree import DecisionTreeRegressor

        from labline.model.tasks.by_group import UsualByGroup

        tree = DecisionTreeRegressor(min_samples_leaf=20, random_state=seed)
        rule = {"rule": Baseline(UsualByGroup(), None, self._baseline_by)} if self._baseline_by else {}
        return {
            "mean": Baseline(DummyRegressor(), Encoding()),
            **rule,
            "tree": Baseline(tree, Encoding(categories="onehot", scale=True, words=300)),
        }

    def learn_rule(self, target: Target, scores: Scores) -> AnswerRule:
        """Quantiles of what the predictions miss, on the scale learned: a split-conformal interval (Papadopoulos 2002).

        Each end leaves out half of what the interval may miss, corrected for the number of rows.
        """
        if self._value.interval is None:
            return AnswerRule()
        missed = np.sort(self.to_fit(target) - self.to_fit(scores))
        outside = (1 - self._value.interval) / 2
        rank = int(np.floor(outside * (len(missed) + 1)))  # of the first one inside, counted from 1
        low, high = missed[max(rank - 1, 0)], missed[min(len(missed) - rank, len(missed) - 1)]
        return AnswerRule(offsets=(float(low), float(high)))

    def intervals(self, scores: Scores) -> NDArray[np.float64] | None:
        """Both ends, shape (rows, 2), where the contract wants an interval."""
        if self.rule.offsets is None:
            return None
        return np.column_stack([self.scores(self.to_fit(scores) + offset) for offset in self.rule.offsets])

    def _metrics(self, target: Target, scores: Scores) -> dict[str, Metric]:
        """Root mean squared and mean absolute error in the target's unit, R²; the first also of log(1 + target).

        Where answers have an interval: the share of rows inside it.
        """
        found: dict[str, Metric] = {
            "rmse": partial(_root_mean, (target - scores) ** 2),
            "mae": partial(mean, np.abs(target - scores)),
            "r2": partial(r_squared, target, scores),
        }
        if self._never_negative:
            found["rmsle"] = partial(_root_mean, (np.log1p(target) - np.log1p(scores)) ** 2)
        intervals = self.intervals(scores)
        if intervals is not None:
            low, high = intervals.T
            found["interval_coverage"] = partial(mean, (target >= low) & (target <= high))
        return found

    def answers(self, scores: Scores) -> list[Answer]:
        """The value, and its interval where the contract wants one."""
        intervals = self.intervals(scores)
        if intervals is None:
            return [Answer(value) for value in scores.tolist()]
        ends = zip(*intervals.T.tolist(), strict=True)
        return [Answer(value, interval=pair) for value, pair in zip(scores.tolist(), ends, strict=True)]

    def decisions(self, scores: Scores) -> NDArray[Any]:
        """The values."""
        return scores

    def tables(self, target: Target, scores: Scores) -> Tables:
        """None: there are no classes."""
        del target, scores
        return Tables()

    def plots(self, target: Target, scores: Scores) -> dict[str, Figure]:
        """Predicted against true values."""
        from labline.model.plots import regression_plot

        unit = f" [{self._value.unit}]" if self._value.unit else ""
        return {"predicted_against_true.png": regression_plot(target, scores, unit=unit, log=self._value.log)}


def _root_mean(squares: NDArray[np.float64], weights: Weights | None) -> NDArray[np.float64]:
    return np.sqrt(mean(squares, weights))
