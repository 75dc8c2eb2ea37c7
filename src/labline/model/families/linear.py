"""Linear models: multinomial and logistic regression, ridge regression; the first choice for many sparse features."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from os import cpu_count
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Self

import numpy as np
from numpy.typing import NDArray

from labline.features import Encoding, Matrix
from labline.model.families.base import Family, Fit, Member
from labline.model.families.outputs import Sums
from labline.model.tasks import Link, Target

if TYPE_CHECKING:
    from optuna.trial import BaseTrial

DENSE_MAX = 500  # features up to which Newton's steps, of cubic cost, are the cheaper way
BLOCK_ROWS = 4096  # at a time, so that they stay in the processor's cache
ROWS_MAX = 200_000  # more tell a linear model little; these are drawn from them


@dataclass(frozen=True)
class LinearMember(Member):
    """Coefficients of shape (features, outputs) and intercepts of shape (outputs,), float32; NumPy's npz is its format.

    Predicting needs no scikit-learn.
    """

    coefficients: NDArray[np.float32]
    intercepts: NDArray[np.float32]
    link: Link
    file_name: ClassVar[str] = "linear.npz"

    @property
    def rounds(self) -> int:
        """None."""
        return 0

    def sums(self, matrix: Matrix) -> Sums:
        """Linear ones, shape (rows, outputs); of one output (rows,), unless it is the only label."""
        return Sums(self.link, _rowwise(matrix, self.coefficients) + self.intercepts)

    def raw(self, given: NDArray[np.float64]) -> NDArray[np.float64]:
        """As it is, in float64."""
        return np.asarray(given, dtype=np.float64)

    def importances(self) -> NDArray[np.float64]:
        """Largest absolute coefficient of each feature over the outputs."""
        return np.asarray(np.abs(np.atleast_2d(self.coefficients.T)).max(axis=0), dtype=np.float64)

    def save(self, folder: Path) -> None:
        """Write the arrays into the folder."""
        np.savez_compressed(
            folder / self.file_name,
            coefficients=self.coefficients,
            intercepts=self.intercepts,
            link=np.array(self.link),
        )

    @classmethod
    def load(cls, folder: Path) -> Self:
        """The arrays that were saved in the folder."""
        with np.load(folder / cls.file_name, allow_pickle=False) as arrays:
            return cls(arrays["coefficients"], arrays["intercepts"], arrays["link"].item())


class Linear(Family):
    """Logistic or ridge regression, with L2 penalty; a label at a time where there are several."""

    name: ClassVar[str] = "linear"
    encoding: ClassVar[Encoding] = Encoding(
        categories="onehot", bands=True, log=True, scale=True, words=100_000, characters=60_000
    )
    # C as in scikit-learn: the inverse of the penalty. Rows of texts have length one, and want less of it.
    defaults: ClassVar[dict[str, Any]] = {"C": 1.0, "C_sparse": 2.0, "alpha": 1.0}
    member: ClassVar[type[Member]] = LinearMember

    def space(self, trial: BaseTrial) -> dict[str, Any]:
        """How strong the penalty is."""
        return {
            "C": trial.suggest_float("C", 0.001, 100, log=True),
            "C_sparse": trial.suggest_float("C_sparse", 0.1, 20, log=True),
            "alpha": trial.suggest_float("alpha", 0.001, 1000, log=True),
        }

    def fit(self, fit: Fit) -> LinearMember:
        """A fitted member; rounds, validation and deadline do not concern it."""
        from threadpoolctl import threadpool_limits

        rows = fit.matrix.shape[0]
        drawn = slice(None) if rows <= ROWS_MAX else _drawn(rows, fit.seed)
        penalties = self.defaults | dict(fit.parameters)
        weights = None if fit.weights is None else fit.weights[drawn]
        # matrices this small gain nothing from more threads, and lose much where cores are shared
        with threadpool_limits(1):
            return _fitted(_Regression(penalties, fit.matrix[drawn], weights), fit.target[drawn], fit)


def _fitted(regression: _Regression, target: Target, fit: Fit) -> LinearMember:
    link = fit.task.link
    if link == "identity":
        found = [regression.ridge(target)]
    elif target.ndim == 2:
        with ThreadPoolExecutor(fit.threads or min(4, cpu_count() or 1)) as threads:  # the solver lets go of the lock
            found = list(threads.map(regression.logistic, target.T))
    else:
        found = [regression.logistic(target, len(fit.task.classes))]
    coefficients = np.concatenate([weights for weights, _ in found], axis=0).T
    intercepts = np.concatenate([intercept for _, intercept in found])
    if target.ndim == 1 and link != "softmax":  # a single output is a vector, as a booster's is
        coefficients, intercepts = coefficients[:, 0], intercepts[0]
    return LinearMember(coefficients.astype(np.float32), intercepts.astype(np.float32), link)


@dataclass(frozen=True)
class _Regression:
    """The rows that scikit-learn's models are fitted to, and their penalties."""

    penalties: dict[str, Any]
    matrix: Matrix
    weights: NDArray[np.float64] | None

    def ridge(self, target: Target) -> tuple[NDArray[Any], NDArray[Any]]:
        """Weights of shape (1, features) and the intercept."""
        from sklearn.linear_model import Ridge

        model = Ridge(alpha=self.penalties["alpha"]).fit(self.matrix, target, sample_weight=self.weights)
        return model.coef_[None, :], np.atleast_1d(model.intercept_)

    def logistic(self, target: Target, classes: int = 2) -> tuple[NDArray[Any], NDArray[Any]]:
        """Weights of shape (outputs, features) and intercepts; a class that no row has gets none, and never wins."""
        from sklearn.linear_model import LogisticRegression

        met = np.unique(target)
        outputs = 1 if classes == 2 else classes
        if len(met) < 2:  # nothing to tell apart: always, or never
            always = met == 1 if outputs == 1 else np.isin(np.arange(outputs), met)
            return np.zeros((outputs, self.matrix.shape[1])), np.where(always, NEVER, -NEVER)
        wide = not isinstance(self.matrix, np.ndarray) or self.matrix.shape[1] > DENSE_MAX
        if not wide:
            model = LogisticRegression(C=self.penalties["C"], solver="newton-cholesky", max_iter=50, tol=1e-3)
        elif len(met) == 2:
            model = LogisticRegression(C=self.penalties["C_sparse"], solver="liblinear", tol=1e-2, random_state=0)
        else:
            model = LogisticRegression(C=self.penalties["C_sparse"], solver="lbfgs", max_iter=100, tol=1e-3)
        model.fit(self.matrix, target, sample_weight=self.weights)
        if outputs == 1:
            return model.coef_, model.intercept_
        weights, intercepts = np.zeros((outputs, self.matrix.shape[1])), np.full(outputs, -NEVER)
        if len(met) == 2:  # scikit-learn gives one output for two classes
            weights[met[1]], intercepts[met[1]], intercepts[met[0]] = model.coef_[0], model.intercept_[0], 0.0
        else:
            weights[met], intercepts[met] = model.coef_, model.intercept_
        return weights, intercepts


NEVER = 30.0  # log odds


def _rowwise(matrix: Matrix, coefficients: NDArray[np.float32]) -> NDArray[Any]:
    """The product, a row at a time: BLAS sums many rows in another order, and a row alone must get the same bits."""
    if not isinstance(matrix, np.ndarray):
        return np.asarray(matrix @ coefficients)
    sums = np.empty((matrix.shape[0], *coefficients.shape[1:]))
    for at in range(0, len(sums), BLOCK_ROWS):
        rows = np.ascontiguousarray(matrix[at : at + BLOCK_ROWS])
        sums[at : at + BLOCK_ROWS] = (rows[:, None, :] @ coefficients)[:, 0]
    return sums


def _drawn(rows: int, seed: int) -> NDArray[np.intp]:
    return np.sort(np.random.default_rng(seed).choice(rows, ROWS_MAX, replace=False))
