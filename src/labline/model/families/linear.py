"""Linear models: multinomial and logistic regression, ridge regression; the first choice for many sparse features."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from os import cpu_count
from pathlib import Path
from typing import Any, ClassVar, Self

import numpy as np
from numpy.typing import NDArray
from scipy import sparse, special

from labline.features import Encoding, Matrix
from labline.model.families.base import Family, Fit, Member
from labline.model.tasks import Link, Target, Task

DENSE_MAX = 500  # features up to which Newton's steps, of cubic cost, are the cheaper way
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

    def predict(self, matrix: Matrix) -> NDArray[np.float64]:
        """Sums through the link; one output gives shape (rows,) unless it is the only label."""
        sums = _rowwise(matrix, self.coefficients) + self.intercepts
        links = {"softmax": partial(special.softmax, axis=1), "sigmoid": special.expit, "identity": np.asarray}
        found: NDArray[np.float64] = np.asarray(links[self.link](sums), dtype=np.float64)
        return found

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

    def fit(self, fit: Fit) -> LinearMember:
        """A fitted member; rounds, validation and deadline do not concern it."""
        from threadpoolctl import threadpool_limits

        # matrices this small gain nothing from more threads, and lose much where cores are shared
        with threadpool_limits(1):
            return self._fitted(*_drawn(fit.matrix, fit.target, fit.seed), fit.task)

    def _fitted(self, matrix: Matrix, target: Target, task: Task) -> LinearMember:
        link = task.link
        if link == "identity":
            found = [self._ridge(matrix, target)]
        elif target.ndim == 2:
            with ThreadPoolExecutor(min(4, cpu_count() or 1)) as threads:  # the solver lets go of Python's lock
                found = list(threads.map(lambda label: self._logistic(matrix, label), target.T))
        else:
            found = [self._logistic(matrix, target, len(task.classes))]
        coefficients = np.concatenate([weights for weights, _ in found], axis=0).T
        intercepts = np.concatenate([intercept for _, intercept in found])
        if target.ndim == 1 and link != "softmax":  # a single output is a vector, as a booster's is
            coefficients, intercepts = coefficients[:, 0], intercepts[0]
        return LinearMember(coefficients.astype(np.float32), intercepts.astype(np.float32), link)

    def _ridge(self, matrix: Matrix, target: Target) -> tuple[NDArray[Any], NDArray[Any]]:
        from sklearn.linear_model import Ridge

        model = Ridge(alpha=self.defaults["alpha"]).fit(matrix, target)
        return model.coef_[None, :], np.atleast_1d(model.intercept_)

    def _logistic(self, matrix: Matrix, target: Target, classes: int = 2) -> tuple[NDArray[Any], NDArray[Any]]:
        """Weights of shape (outputs, features) and intercepts; a class that no row has gets none, and never wins."""
        from sklearn.linear_model import LogisticRegression

        met = np.unique(target)
        outputs = 1 if classes == 2 else classes
        if len(met) < 2:  # nothing to tell apart: always, or never
            always = met == 1 if outputs == 1 else np.isin(np.arange(outputs), met)
            return np.zeros((outputs, matrix.shape[1])), np.where(always, NEVER, -NEVER)
        wide = sparse.issparse(matrix) or matrix.shape[1] > DENSE_MAX
        if not wide:
            model = LogisticRegression(C=self.defaults["C"], solver="newton-cholesky", max_iter=50, tol=1e-3)
        elif len(met) == 2:
            model = LogisticRegression(C=self.defaults["C_sparse"], solver="liblinear", tol=1e-2, random_state=0)
        else:
            model = LogisticRegression(C=self.defaults["C_sparse"], solver="lbfgs", max_iter=100, tol=1e-3)
        model.fit(matrix, target)
        if outputs == 1:
            return model.coef_, model.intercept_
        weights, intercepts = np.zeros((outputs, matrix.shape[1])), np.full(outputs, -NEVER)
        if len(met) == 2:  # scikit-learn gives one output for two classes
            weights[met[1]], intercepts[met[1]], intercepts[met[0]] = model.coef_[0], model.intercept_[0], 0.0
        else:
            weights[met], intercepts[met] = model.coef_, model.intercept_
        return weights, intercepts


NEVER = 30.0  # log odds


def _rowwise(matrix: Matrix, coefficients: NDArray[np.float32]) -> NDArray[Any]:
    """The product, a row at a time: BLAS sums many rows in another order, and a row alone must get the same bits."""
    if sparse.issparse(matrix):
        return np.asarray(matrix @ coefficients)
    return np.asarray((np.ascontiguousarray(matrix)[:, None, :] @ coefficients)[:, 0])


def _drawn(matrix: Matrix, target: Target, seed: int) -> tuple[Matrix, Target]:
    if len(target) <= ROWS_MAX:
        return matrix, target
    rows = np.sort(np.random.default_rng(seed).choice(len(target), ROWS_MAX, replace=False))
    return matrix[rows], target[rows]
