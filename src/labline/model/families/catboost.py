"""CatBoost (Prokhorenkova et al. 2018): boosted symmetric trees. Fitting needs its library, predicting does not."""

from __future__ import annotations

import json
import tempfile
import time
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Self

import numpy as np
from numpy.typing import NDArray

from labline.features import Encoding, Matrix, dense
from labline.model.families.base import PATIENCE, ROUNDS_MAX, Family, Fit, Member
from labline.model.families.outputs import Outputs, added_up, apply_link
from labline.model.tasks import Link, Target

if TYPE_CHECKING:
    from optuna.trial import BaseTrial

CELLS = 2**21  # rows × trees × outputs looked at in one go
BYTE_BITS = 8
FEW_ROWS = 64  # up to which a step a tree costs more than its sums
OBJECTIVES: dict[Link, str] = {"softmax": "MultiClass", "sigmoid": "Logloss", "identity": "RMSE"}


@dataclass(frozen=True)
class CatBoostMember(Member):
    """Symmetric trees, as CatBoost's own JSON file says them.

    The library that made them is 290 MB, so an answer is worked out here: every level of a tree asks one question of
    the row, and the answers together are the number of its leaf. Features are compared as float32, as there.
    """

    model: dict[str, Any]
    link: Link
    vector: bool
    outputs: Outputs
    file_name: ClassVar[str] = "catboost.json"

    @property
    def rounds(self) -> int:
        """Trees."""
        return len(self.model.get("oblivious_trees", ()))

    @cached_property
    def _trees(self) -> tuple[NDArray[np.intp], NDArray[np.float32], NDArray[np.float64]]:
        """Features and borders of shape (trees, depth), leaves of shape (trees, 2^depth, outputs).

        A shallower tree asks questions that no row says yes to.
        """
        trees = self.model["oblivious_trees"]
        width = len(self.outputs.given)
        depth = max((len(tree["splits"] or ()) for tree in trees), default=0)
        features = np.zeros((len(trees), depth), dtype=np.intp)
        borders = np.full((len(trees), depth), np.inf, dtype=np.float32)
        leaves = np.zeros((len(trees), 2**depth, width))
        for at, tree in enumerate(trees):
            splits = tree["splits"] or ()
            features[at, : len(splits)] = [split["float_feature_index"] for split in splits]
            borders[at, : len(splits)] = [split["border"] for split in splits]
            leaves[at, : 2 ** len(splits)] = np.array(tree["leaf_values"]).reshape(-1, width)
        return features, borders, leaves

    def predict(self, matrix: Matrix) -> NDArray[np.float64]:
        """The sums of the leaves, through the link."""
        if not self.outputs.given:
            return self.outputs.widened(np.zeros((matrix.shape[0], 0)), vector=self.vector)
        scale, bias = self.model["scale_and_bias"]
        step = max(1, CELLS // max(1, self.rounds * len(self.outputs.given)))
        parts = [self._sums(matrix[at : at + step]) for at in range(0, matrix.shape[0], step)]
        sums = np.concatenate(parts) * scale + np.asarray(bias)
        return self.outputs.widened(apply_link(self.link, sums), vector=self.vector)

    def _sums(self, matrix: Matrix) -> NDArray[np.float64]:
        """Of some rows, shape (rows, outputs)."""
        features, borders, leaves = self._trees
        rows = np.asarray(dense(matrix), dtype=np.float32)
        # both ways add tree after tree, so that a row gets the same bits alone and among others
        if len(rows) <= FEW_ROWS:
            leaf = _leaf_numbers(rows.take(features, axis=1) > borders)
            starts = np.arange(len(leaves)) * leaves.shape[1]
            return added_up(leaves.reshape(-1, leaves.shape[2]).take((leaf + starts).T, axis=0))
        leaf = np.zeros((len(rows), len(features)), dtype=np.intp)
        for level in range(features.shape[1]):
            leaf |= (rows[:, features[:, level]] > borders[:, level]).astype(np.intp) << level
        sums = np.zeros((len(rows), leaves.shape[2]))
        for values, chosen in zip(leaves, leaf.T, strict=True):
            sums += values[chosen]
        return sums

    def importances(self) -> NDArray[np.float64]:
        """How much the leaves differ at each feature's splits, weighted by the rows in them; shape (features,)."""
        found = np.zeros(len(self.model["features_info"]["float_features"]) if self.model else 0)
        for tree in self.model.get("oblivious_trees", ()):
            splits = tree["splits"] or ()
            values = np.array(tree["leaf_values"]).reshape(2 ** len(splits), -1)
            rows = np.array(tree["leaf_weights"], dtype=np.float64)
            for level, split in enumerate(splits):
                no = np.flatnonzero((np.arange(len(values)) >> level) & 1 == 0)
                yes = no | 1 << level
                shared = rows[no] * rows[yes] / np.maximum(rows[no] + rows[yes], 1e-12)
                found[split["float_feature_index"]] += (shared[:, None] * (values[yes] - values[no]) ** 2).sum()
        return found

    def save(self, folder: Path) -> None:
        """Write the trees, and what is about them, into the folder."""
        said = self.model | {"labline": {"link": self.link, "vector": self.vector}}
        (folder / self.file_name).write_text(json.dumps(said), encoding="utf-8")
        self.outputs.save(folder)

    @classmethod
    def load(cls, folder: Path) -> Self:
        """The trees that were saved in the folder."""
        model = json.loads((folder / cls.file_name).read_text(encoding="utf-8"))
        about = model.pop("labline")
        return cls(model, about["link"], about["vector"], Outputs.load(folder))


def _leaf_numbers(answers: NDArray[np.bool_]) -> NDArray[np.intp]:
    """From the answers on the way to each leaf, shape (…, depth), the lowest bit first."""
    packed = np.packbits(answers, axis=-1, bitorder="little")
    found = np.zeros(answers.shape[:-1], dtype=np.intp)
    for place in range(packed.shape[-1]):
        found |= packed[..., place].astype(np.intp) << BYTE_BITS * place
    return found


class CatBoost(Family):
    """Boosted symmetric trees on one-hot categories; all labels at once where there are several."""

    name: ClassVar[str] = "catboost"
    encoding: ClassVar[Encoding] = Encoding(categories="onehot", words=300)
    defaults: ClassVar[dict[str, Any]] = {
        "learning_rate": 0.1,
        "depth": 6,
        "l2_leaf_reg": 3.0,
        "random_strength": 1.0,
        "rsm": 0.5,
        "border_count": 64,
    }
    member: ClassVar[type[Member]] = CatBoostMember
    quick: ClassVar[dict[str, Any]] = {"learning_rate": 0.3, "border_count": 32}
    keeps_deadlines: ClassVar[bool] = True

    def affordable(self, seconds: float, labels: int) -> bool:
        """All labels share the trees, yet each has its leaves."""
        return seconds >= labels / 10

    def finds_gpu(self) -> bool:
        """Its library sees one."""
        from catboost.utils import get_gpu_device_count

        return bool(get_gpu_device_count())

    def space(self, trial: BaseTrial) -> dict[str, Any]:
        """Depth, pace, and what holds it back."""
        return {
            "learning_rate": trial.suggest_float("learning_rate", 0.06, 0.3, log=True),
            "depth": trial.suggest_int("depth", 3, 8),
            "l2_leaf_reg": trial.suggest_float("l2_leaf_reg", 0.5, 20, log=True),
            "random_strength": trial.suggest_float("random_strength", 0.1, 5, log=True),
            "rsm": trial.suggest_float("rsm", 0.2, 1.0),
            "border_count": trial.suggest_categorical("border_count", [32, 64, 128, 254]),
        }

    def fit(self, fit: Fit) -> CatBoostMember:
        """A fitted member; it keeps the best round where there are rows to stop early on."""
        outputs = Outputs.of(fit.task, fit.target)
        vector = fit.target.ndim == 1 and fit.task.link != "softmax"
        if not outputs.given:
            return CatBoostMember({}, fit.task.link, vector, outputs)
        model = _fitted(fit, self.defaults | dict(fit.parameters), outputs)
        with tempfile.TemporaryDirectory() as scratch:
            file = Path(scratch) / CatBoostMember.file_name
            model.save_model(str(file), format="json")
            said = json.loads(file.read_text(encoding="utf-8"))
        kept = ("features_info", "oblivious_trees", "scale_and_bias")
        return CatBoostMember({key: said[key] for key in kept}, fit.task.link, vector, outputs)


def _fitted(fit: Fit, parameters: dict[str, Any], outputs: Outputs) -> Any:
    import catboost

    several = fit.target.ndim == 2 and len(outputs.given) > 1
    parameters |= {
        "loss_function": "MultiLogloss" if several else OBJECTIVES[fit.task.link],
        "iterations": fit.rounds or ROUNDS_MAX,
        "random_seed": fit.seed,
        "thread_count": fit.threads or -1,
        "task_type": fit.device.upper(),
        "allow_writing_files": False,
        "verbose": False,
    }
    if fit.task.link == "softmax" and len(outputs.given) == 2:
        parameters["loss_function"] = "MultiClass"
    if fit.device == "gpu":
        del parameters["rsm"]  # there for pairwise losses only
    model = catboost.CatBoost(parameters)
    more: dict[str, Any] = {}
    if fit.validation is not None:
        unseen, target = fit.validation
        known = np.isin(target, outputs.given) if fit.task.link == "softmax" else np.ones(len(target), dtype=bool)
        pool = _pool(catboost, unseen[known], _narrow(outputs, target[known], fit), None)
        more = {"eval_set": pool, "early_stopping_rounds": PATIENCE, "use_best_model": True}
    if fit.deadline is not None and fit.device == "cpu":  # on a GPU it calls nobody back
        more["callbacks"] = [_StopAt(fit.deadline)]
    model.fit(_pool(catboost, fit.matrix, _narrow(outputs, fit.target, fit), fit.weights), **more)
    return model


def _narrow(outputs: Outputs, target: Target, fit: Fit) -> Target:
    narrow = outputs.narrowed(target, fit.task)
    return narrow[:, 0] if narrow.ndim == 2 and narrow.shape[1] == 1 else narrow


def _pool(catboost: Any, matrix: Matrix, target: Target, weights: NDArray[np.float64] | None) -> Any:
    return catboost.Pool(matrix.astype(np.float32), target, weight=weights)


class _StopAt:
    """Ends boosting when the time is over."""

    def __init__(self, deadline: float) -> None:
        self._deadline = deadline

    def after_iteration(self, _info: Any) -> bool:
        """Whether to go on."""
        return time.monotonic() <= self._deadline
