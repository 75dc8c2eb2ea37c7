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
from labline.model.families.catboost_trees import SymmetricTrees
from labline.model.families.outputs import Outputs, Sums
from labline.model.tasks import Link, Target

if TYPE_CHECKING:
    from optuna.trial import BaseTrial

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
    def _trees(self) -> SymmetricTrees:
        return SymmetricTrees.of(self.model, len(self.outputs.given))

    def sums(self, matrix: Matrix) -> Sums:
        """Of the leaves."""
        rows = matrix.shape[0]
        if not self.outputs.given:
            return Sums("identity", np.zeros((rows, 0)))
        step = self._trees.rows_at_once
        parts = [matrix] if rows <= step else [matrix[at : at + step] for at in range(0, rows, step)]
        found = [self._trees.sums(np.asarray(dense(part), dtype=np.float32)) for part in parts]
        return Sums(self.link, found[0] if len(found) == 1 else np.concatenate(found))

    def raw(self, given: NDArray[np.float64]) -> NDArray[np.float64]:
        """With the outputs that do not vary."""
        return self.outputs.widened(given, vector=self.vector)

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
