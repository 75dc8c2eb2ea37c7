"""A decision tree (Breiman et al. 1984) and a random forest (Breiman 2001), by scikit-learn; no pickle."""

from __future__ import annotations

import json
from abc import abstractmethod
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Self

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from labline.errors import BundleError
from labline.features import Encoding, Matrix
from labline.model.families.base import Family, Fit, Member

if TYPE_CHECKING:
    from optuna.trial import BaseTrial

ALLOWED = ("sklearn.tree._tree.Tree",)  # what a file may hold besides what skops trusts by itself
GROWN_AT_ONCE = 10  # trees of a forest, between two looks at the clock
ROWS_MAX = 100_000  # of more rows these are drawn: a forest of full trees on millions would fill the memory


@dataclass(frozen=True)
class TreesMember(Member):
    """A fitted estimator of scikit-learn.

    Attributes:
        estimator: of values, of labels as zeros and ones, or of classes.
        classes: of a classifier: how many the task has; 0 for the others.
        vector: the task wants one number a row.
    """

    estimator: Any
    classes: int
    vector: bool
    file_name: ClassVar[str] = "trees.skops"
    about_name: ClassVar[str] = "trees.json"

    @property
    def rounds(self) -> int:
        """None: trees are not boosted."""
        return 0

    def predict(self, matrix: Matrix) -> NDArray[np.float64]:
        """Shares of the rows in the leaves, or their means."""
        rows = _float32(matrix)
        if not self.classes:
            means = np.asarray(self.estimator.predict(rows), dtype=np.float64)
            return means if self.vector else means.reshape(rows.shape[0], -1)
        shares = np.zeros((rows.shape[0], self.classes))
        shares[:, self.estimator.classes_.astype(int)] = self.estimator.predict_proba(rows)
        if hasattr(self.estimator, "tree_"):
            # a leaf where a class was not met does not rule it out: Laplace's correction (Provost and Domingos 2003)
            met = self.estimator.tree_.weighted_n_node_samples[self.estimator.apply(rows)][:, None]
            shares = (met * shares + 1) / (met + self.classes)
        return shares[:, 1] if self.vector else shares

    def importances(self) -> NDArray[np.float64]:
        """How much each feature's splits lessen the impurity, shape (features,)."""
        return np.asarray(self.estimator.feature_importances_, dtype=np.float64)

    def save(self, folder: Path) -> None:
        """Write the estimator into the folder."""
        from skops import io

        io.dump(self.estimator, folder / self.file_name)
        about = {"classes": self.classes, "vector": self.vector}
        (folder / self.about_name).write_text(json.dumps(about), encoding="utf-8")

    @classmethod
    def load(cls, folder: Path) -> Self:
        """The estimator that was saved in the folder.

        Raises:
            BundleError: the file holds a class that is not on the list of those allowed.
        """
        from skops import io

        file = folder / cls.file_name
        strange = sorted(set(io.get_untrusted_types(file=file)) - set(ALLOWED))
        if strange:
            raise BundleError(
                f"it holds {', '.join(strange)}, which no model of ours is made of",
                where=str(file),
                mend="do not use it; fetch the bundle again, or train",
            )
        about = json.loads((folder / cls.about_name).read_text(encoding="utf-8"))
        return cls(io.load(file, trusted=list(ALLOWED)), about["classes"], about["vector"])


class _Trees(Family):
    """What both have: they take no gaps, so numbers are scaled and a missing one is the mean."""

    encoding: ClassVar[Encoding] = Encoding(categories="onehot", scale=True, words=300)
    member: ClassVar[type[Member]] = TreesMember

    @abstractmethod
    def _estimator(self, parameters: dict[str, Any], fit: Fit, *, of_classes: bool) -> Any:
        """Of scikit-learn, not fitted yet."""

    @abstractmethod
    def _grow(self, estimator: Any, fit: Fit, rows: tuple[Matrix, NDArray[Any], NDArray[np.float64] | None]) -> Any:
        """The estimator, fitted to matrix, target and weights."""

    def fit(self, fit: Fit) -> TreesMember:
        """A fitted member; rounds and validation do not concern it."""
        # of labels, squared error on zeros and ones: the means of leaves are the labels' shares
        of_classes = fit.target.ndim == 1 and fit.task.link != "identity"
        estimator = self._estimator(self.defaults | dict(fit.parameters), fit, of_classes=of_classes)
        matrix, target, weights = _float32(fit.matrix), fit.target, fit.weights
        if target.ndim == 2 and target.shape[1] == 1:
            target = target[:, 0]
        if matrix.shape[0] > ROWS_MAX:
            drawn = np.sort(np.random.default_rng(fit.seed).choice(matrix.shape[0], ROWS_MAX, replace=False))
            matrix, target = matrix[drawn], target[drawn]
            weights = None if weights is None else weights[drawn]
        self._grow(estimator, fit, (matrix, target, weights))
        vector = fit.target.ndim == 1 and fit.task.link != "softmax"
        return TreesMember(estimator, len(fit.task.classes) if of_classes else 0, vector)


class DecisionTree(_Trees):
    """One tree: what can be had from a model that fits on a page."""

    name: ClassVar[str] = "decision_tree"
    defaults: ClassVar[dict[str, Any]] = {"max_depth": 12, "min_samples_leaf": 20, "ccp_alpha": 0.0}

    def space(self, trial: BaseTrial) -> dict[str, Any]:
        """How far it grows."""
        return {
            "max_depth": trial.suggest_int("max_depth", 2, 24),
            "min_samples_leaf": trial.suggest_int("min_samples_leaf", 1, 100, log=True),
            "ccp_alpha": trial.suggest_float("ccp_alpha", 0.0, 0.01),
        }

    def _estimator(self, parameters: dict[str, Any], fit: Fit, *, of_classes: bool) -> Any:
        from sklearn.tree import DecisionTreeClassifier, DecisionTreeRegressor

        return (DecisionTreeClassifier if of_classes else DecisionTreeRegressor)(**parameters, random_state=fit.seed)

    def _grow(self, estimator: Any, fit: Fit, rows: tuple[Matrix, NDArray[Any], NDArray[np.float64] | None]) -> Any:
        matrix, target, weights = rows
        return estimator.fit(matrix, target, sample_weight=weights)


class RandomForest(_Trees):
    """Trees on resampled rows, a few at a time until all are there or the time is over."""

    name: ClassVar[str] = "random_forest"
    defaults: ClassVar[dict[str, Any]] = {
        "n_estimators": 200,
        "max_features": 0.4,
        "min_samples_leaf": 2,
        "max_samples": 0.9,
    }
    quick: ClassVar[dict[str, Any]] = {"n_estimators": 30}
    keeps_deadlines: ClassVar[bool] = True

    def space(self, trial: BaseTrial) -> dict[str, Any]:
        """What each tree sees, and how far it grows; more trees are never worse."""
        return {
            "n_estimators": self.defaults["n_estimators"],
            "max_features": trial.suggest_float("max_features", 0.1, 1.0),
            "min_samples_leaf": trial.suggest_int("min_samples_leaf", 1, 20, log=True),
            "max_samples": trial.suggest_float("max_samples", 0.4, 1.0),
        }

    def _estimator(self, parameters: dict[str, Any], fit: Fit, *, of_classes: bool) -> Any:
        from sklearn.ensemble import RandomForestClassifier, RandomForestRegressor

        kind = RandomForestClassifier if of_classes else RandomForestRegressor
        more = {"n_estimators": 0, "warm_start": True, "random_state": fit.seed, "n_jobs": fit.threads or 1}
        return kind(**parameters | more)

    def _grow(self, estimator: Any, fit: Fit, rows: tuple[Matrix, NDArray[Any], NDArray[np.float64] | None]) -> Any:
        matrix, target, weights = rows
        wanted = int((self.defaults | dict(fit.parameters))["n_estimators"])
        while estimator.n_estimators < wanted and not (estimator.n_estimators and fit.is_over):
            estimator.n_estimators = min(wanted, estimator.n_estimators + GROWN_AT_ONCE)
            estimator.fit(matrix, target, sample_weight=weights)
        estimator.n_jobs = 1  # trees added up in one order: a row gets the same bits alone and among others
        return estimator


def _float32(matrix: Matrix) -> Matrix:
    """As the trees compare: converted once, not once a tree."""
    return sparse.csr_matrix(matrix, dtype=np.float32) if sparse.issparse(matrix) else matrix.astype(np.float32)
