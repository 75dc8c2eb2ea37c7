"""A decision tree (Breiman et al. 1984) and a random forest (Breiman 2001): grown by scikit-learn, used without."""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Self
from zipfile import BadZipFile

import numpy as np
from numpy.typing import NDArray

from labline.errors import BundleError
from labline.features import Encoding, Matrix, dense
from labline.model.families.base import Family, Fit, Member
from labline.model.families.outputs import Sums, added_up
from labline.model.families.walking import Tree, Trees

if TYPE_CHECKING:
    from optuna.trial import BaseTrial

GROWN_AT_ONCE = 10  # trees of a forest, between two looks at the clock
ROWS_MAX = 100_000  # of more rows these are drawn: a forest of full trees on millions would fill the memory
BLOCK_ROWS = 2**12  # looked at together
BLOCK_CELLS = 2**22  # rows × features looked at together
SUMMED_CELLS = 2**14  # rows × trees whose leaves are added up together, which the processor's cache holds


@dataclass(frozen=True)
class TreesMember(Member):
    """Trees, and what is in their leaves; NumPy's npz is its format. Predicting needs no scikit-learn.

    Attributes:
        trees: as arrays.
        values: shares of the classes, or means, shape (leaves, outputs).
        gains: how much each feature's splits lessen the impurity, shape (features,).
        vector: the task wants one number a row.
    """

    trees: Trees
    values: NDArray[np.float64]
    gains: NDArray[np.float64]
    vector: bool
    file_name: ClassVar[str] = "trees.npz"

    @classmethod
    def of(cls, estimator: Any, classes: int, *, vector: bool) -> Self:
        """From a fitted tree or forest of scikit-learn.

        Args:
            estimator: of values, of labels as zeros and ones, or of classes.
            classes: of a classifier: how many the task has; 0 for the others.
            vector: the task wants one number a row.
        """
        alone = hasattr(estimator, "tree_")
        grown = [estimator.tree_] if alone else [one.tree_ for one in estimator.estimators_]
        trees, leaves = Trees.of(
            Tree(tree.children_left, tree.children_right, tree.feature, _rounded_down(tree.threshold)) for tree in grown
        )
        values = np.concatenate(
            [tree.value[own].reshape(len(own), -1) for tree, own in zip(grown, leaves, strict=True)]
        )
        if classes:
            shares = np.zeros((len(values), classes))
            shares[:, estimator.classes_.astype(np.intp)] = values
            values = shares
        if classes and alone:
            # a leaf where a class was not met does not rule it out: Laplace's correction (Provost and Domingos 2003)
            met = estimator.tree_.weighted_n_node_samples[leaves[0]][:, None]
            values = (met * values + 1) / (met + classes)
        return cls(trees, values, np.asarray(estimator.feature_importances_, dtype=np.float64), vector)

    @property
    def rounds(self) -> int:
        """None: trees are not boosted."""
        return 0

    def sums(self, matrix: Matrix) -> Sums:
        """Shares of the rows in the leaves, or their means; the mean of all trees, which needs no link."""
        rows, step = matrix.shape[0], max(1, min(BLOCK_ROWS, BLOCK_CELLS // max(1, matrix.shape[1])))
        parts = [matrix] if rows <= step else [matrix[at : at + step] for at in range(0, rows, step)]
        found = [self._sums(part) for part in parts]
        return Sums("identity", (found[0] if len(found) == 1 else np.concatenate(found)) / len(self.trees.roots))

    def raw(self, given: NDArray[np.float64]) -> NDArray[np.float64]:
        """The last output where the task wants one number a row."""
        return given[:, -1] if self.vector else given

    def _sums(self, matrix: Matrix) -> NDArray[np.float64]:
        """Of some rows, shape (rows, outputs)."""
        rows = np.ascontiguousarray(dense(matrix), dtype=np.float32)
        leaves = self.trees.leaves(rows)
        step = max(1, SUMMED_CELLS // max(1, len(rows)))
        sums = added_up(self.values.take(leaves[:step], axis=0))
        for at in range(step, len(leaves), step):
            found = self.values.take(leaves[at : at + step], axis=0)
            found[0] += sums
            sums = added_up(found)  # the bits of scikit-learn
        return sums

    def importances(self) -> NDArray[np.float64]:
        """How much each feature's splits lessen the impurity, shape (features,)."""
        return self.gains

    def save(self, folder: Path) -> None:
        """Write the arrays into the folder."""
        np.savez_compressed(
            folder / self.file_name,
            features=self.trees.features.astype(np.int32),
            thresholds=self.trees.thresholds,
            left=self.trees.left.astype(np.int32),
            roots=self.trees.roots,
            values=self.values,
            gains=self.gains,
            vector=np.array(self.vector),
        )

    @classmethod
    def load(cls, folder: Path) -> Self:
        """The arrays that were saved in the folder.

        Raises:
            BundleError: there is no file, or it holds anything but trees.
        """
        file = folder / cls.file_name
        try:
            with np.load(file, allow_pickle=False) as saved:
                features, left, roots = (saved[name].astype(np.intp) for name in ("features", "left", "roots"))
                trees = Trees(features, saved["thresholds"], left, roots)
                member = cls(trees, saved["values"], saved["gains"], bool(saved["vector"]))
        except (FileNotFoundError, ValueError, KeyError, BadZipFile) as error:
            raise _no_trees(file) from error
        if not trees.hold(len(member.gains), len(member.values)):
            raise _no_trees(file)
        return member


def _no_trees(file: Path) -> BundleError:
    return BundleError(
        "there are no trees in it", where=str(file), mend="do not use it; fetch the bundle again, or train"
    )


def _rounded_down(thresholds: NDArray[np.float64]) -> NDArray[np.float32]:
    """As float32: the same numbers, which are float32, are above them."""
    nearest = thresholds.astype(np.float32)
    return np.where(nearest > thresholds, np.nextafter(nearest, np.float32(-np.inf)), nearest)


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
        matrix, target, weights = fit.matrix.astype(np.float32), fit.target, fit.weights  # once, not once a tree
        if target.ndim == 2 and target.shape[1] == 1:
            target = target[:, 0]
        if matrix.shape[0] > ROWS_MAX:
            drawn = np.sort(np.random.default_rng(fit.seed).choice(matrix.shape[0], ROWS_MAX, replace=False))
            matrix, target = matrix[drawn], target[drawn]
            weights = None if weights is None else weights[drawn]
        self._grow(estimator, fit, (matrix, target, weights))
        vector = fit.target.ndim == 1 and fit.task.link != "softmax"
        return TreesMember.of(estimator, len(fit.task.classes) if of_classes else 0, vector=vector)


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
        return estimator
