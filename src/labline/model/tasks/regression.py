"""Regression."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from labline.features import Encoding
from labline.model.tasks.base import Answer, Baseline, Scores, Tables, Target, Task

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure

STRATA = 10


class Regression(Task):
    """Scores are the predicted values."""

    def encode(self, target: pd.Series[Any]) -> Target:
        """The values, float64."""
        return target.to_numpy(dtype=np.float64)

    def strata(self, target: Target) -> NDArray[np.intp]:
        """Tenths of the target's distribution."""
        limits = np.unique(np.quantile(target, np.linspace(0, 1, STRATA + 1)[1:-1]))
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

    def tables(self, target: Target, scores: Scores) -> Tables:
        """None: there are no classes."""
        del target, scores
        return Tables()

    def plots(self, target: Target, scores: Scores) -> dict[str, Figure]:
        """Predicted against true values."""
        from labline.model.plots import regression_plot

        return {"predicted_against_true.png": regression_plot(target, scores)}
