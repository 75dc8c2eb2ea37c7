"""XGBoost (Chen and Guestrin 2016): gradient-boosted trees on histograms, with early stopping."""

from __future__ import annotations

import time
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Self, cast

import numpy as np
from numpy.typing import NDArray

from labline.features import Encoding, Matrix
from labline.model.families.base import PATIENCE, ROUNDS_MAX, Family, Fit, Member
from labline.model.families.leaf_masks import LeafMasks
from labline.model.families.margins import Margins
from labline.model.families.outputs import Outputs, Sums
from labline.model.families.xgboost_trees import as_compared, margins_of
from labline.model.tasks import Link, Target

if TYPE_CHECKING:
    import xgboost
    from optuna.trial import BaseTrial

FEW_ROWS = 64  # whose leaves are looked up sooner than the library answers
WALKED_CELLS_MAX = 2**15  # rows × trees; with more of them the library is quicker than a walk
OBJECTIVES: dict[Link, tuple[str, str]] = {
    "softmax": ("multi:softprob", "mlogloss"),
    "sigmoid": ("binary:logistic", "logloss"),
    "identity": ("reg:squarederror", "rmse"),
}


@dataclass(frozen=True)
class XGBoostMember(Member):
    """A fitted booster; its native format is XGBoost's UBJSON file.

    Zeros of sparse rows are missing to it, in fitting and in predicting alike.
    """

    booster: xgboost.Booster | None
    vector: bool
    outputs: Outputs
    features: int
    file_name: ClassVar[str] = "xgboost.ubj"

    @property
    def rounds(self) -> int:
        """Of the booster."""
        return 0 if self.booster is None else int(self.booster.num_boosted_rounds())

    def sums(self, matrix: Matrix) -> Sums:
        """The booster's, which it computes in float32."""
        if self.booster is None:
            return Sums("identity", np.zeros((matrix.shape[0], 0)))
        return Sums(self._link, self._sums(matrix).astype(np.float64))

    def raw(self, given: NDArray[np.float64]) -> NDArray[np.float64]:
        """With the outputs that do not vary."""
        return self.outputs.widened(given[:, : len(self.outputs.given)], vector=self.vector)

    def _sums(self, matrix: Matrix) -> NDArray[np.float32]:
        assert self.booster is not None
        if self._are_few(matrix.shape[0]):
            return self._margins(as_compared(matrix))
        sums = np.asarray(self.booster.inplace_predict(matrix, predict_type="margin"))
        return sums.reshape(matrix.shape[0], -1)

    def _are_few(self, rows: int) -> bool:
        """Whether they are not worth a call of the library; its trees are read only where they may be."""
        return rows <= self._walked_rows or (rows <= FEW_ROWS and isinstance(self._margins.trees, LeafMasks))

    @cached_property
    def _walked_rows(self) -> int:
        return WALKED_CELLS_MAX // max(1, self.rounds * len(self.outputs.given))

    @cached_property
    def _margins(self) -> Margins:
        assert self.booster is not None
        return margins_of(self.booster)

    @cached_property
    def _link(self) -> Link:
        assert self.booster is not None
        return cast("Link", self.booster.attr("labline_link"))

    def importances(self) -> NDArray[np.float64]:
        """Total gain of each feature's splits, shape (features,)."""
        found = np.zeros(self.features)
        if self.booster is not None:
            for name, gain in self.booster.get_score(importance_type="total_gain").items():
                found[int(name.removeprefix("f"))] = np.sum(gain)
        return found

    def save(self, folder: Path) -> None:
        """Write the booster into the folder; there is none where no output varies."""
        self.outputs.save(folder)
        np.save(folder / "shape.npy", np.array([self.features, int(self.vector)]), allow_pickle=False)
        if self.booster is not None:
            self.booster.save_model(folder / self.file_name)

    @classmethod
    def load(cls, folder: Path) -> Self:
        """The booster that was saved in the folder."""
        features, vector = np.load(folder / "shape.npy", allow_pickle=False).tolist()
        file = folder / cls.file_name
        booster = _read(file.read_bytes()) if file.is_file() else None
        member = cls(booster, bool(vector), Outputs.load(folder), features)
        member.predict(np.zeros((1, features)))  # reads the trees, which the first request would wait for
        return member


def _read(content: bytes) -> xgboost.Booster:
    import xgboost

    booster = xgboost.Booster({"nthread": 1})
    booster.load_model(bytearray(content))
    booster.set_param({"nthread": 1, "device": "cpu"})
    return booster


class XGBoost(Family):
    """Boosted trees on one-hot categories; one tree a label and round where there are several."""

    name: ClassVar[str] = "xgboost"
    encoding: ClassVar[Encoding] = Encoding(categories="onehot", words=1500)
    defaults: ClassVar[dict[str, Any]] = {
        "learning_rate": 0.1,
        "max_depth": 4,
        "min_child_weight": 2.0,
        "subsample": 0.8,
        "colsample_bynode": 0.5,
        "reg_lambda": 1.0,
        "reg_alpha": 0.01,
        "gamma": 0.01,
    }
    member: ClassVar[type[Member]] = XGBoostMember
    quick: ClassVar[dict[str, Any]] = {"learning_rate": 0.25}
    keeps_deadlines: ClassVar[bool] = True

    def affordable(self, seconds: float, labels: int) -> bool:
        """A tree a label and round takes its time."""
        return labels == 1 or seconds >= labels / 5

    def finds_gpu(self) -> bool:
        """Its library was built for GPUs, which `xgboost-cpu` is not, and CatBoost's sees one."""
        import xgboost
        from catboost.utils import get_gpu_device_count

        return bool(xgboost.build_info().get("USE_CUDA")) and bool(get_gpu_device_count())

    def space(self, trial: BaseTrial) -> dict[str, Any]:
        """Depth, pace, and what holds it back."""
        return {
            "learning_rate": trial.suggest_float("learning_rate", 0.05, 0.25, log=True),
            "max_depth": trial.suggest_int("max_depth", 2, 9),
            "min_child_weight": trial.suggest_float("min_child_weight", 0.5, 20, log=True),
            "subsample": trial.suggest_float("subsample", 0.5, 1.0),
            "colsample_bynode": trial.suggest_float("colsample_bynode", 0.2, 1.0),
            "reg_lambda": trial.suggest_float("reg_lambda", 0.01, 20, log=True),
            "reg_alpha": trial.suggest_float("reg_alpha", 0.001, 10, log=True),
            "gamma": trial.suggest_float("gamma", 0.001, 1.0, log=True),
        }

    def fit(self, fit: Fit) -> XGBoostMember:
        """A fitted member; it keeps the best round where there are rows to stop early on."""
        outputs = Outputs.of(fit.task, fit.target)
        vector = fit.target.ndim == 1 and fit.task.link != "softmax"
        booster = _boosted(fit, self.defaults | dict(fit.parameters), outputs) if outputs.given else None
        return XGBoostMember(booster, vector, outputs, fit.matrix.shape[1])


def _boosted(fit: Fit, parameters: dict[str, Any], outputs: Outputs) -> xgboost.Booster:
    import xgboost

    objective, metric = OBJECTIVES[fit.task.link]
    parameters |= {
        "objective": objective,
        "eval_metric": metric,
        "tree_method": "hist",
        "seed": fit.seed,
        "nthread": fit.threads or 0,
        "device": "cuda" if fit.device == "gpu" else "cpu",
        "verbosity": 0,
    }
    if fit.task.link == "softmax":
        parameters["num_class"] = max(2, len(outputs.given))
    data = xgboost.QuantileDMatrix(fit.matrix, _narrow(outputs, fit.target, fit), weight=fit.weights)
    callbacks: list[Any] = []
    evals = []
    if fit.validation is not None:
        unseen, target = fit.validation
        known = np.isin(target, outputs.given) if fit.task.link == "softmax" else np.ones(len(target), dtype=bool)
        evals = [(xgboost.QuantileDMatrix(unseen[known], _narrow(outputs, target[known], fit), ref=data), "validation")]
        callbacks.append(xgboost.callback.EarlyStopping(rounds=PATIENCE))
    if fit.deadline is not None:
        callbacks.append(_stop_at(fit.deadline))
    booster = xgboost.train(
        parameters, data, fit.rounds or ROUNDS_MAX, evals=evals, callbacks=callbacks, verbose_eval=False
    )
    if evals and booster.best_iteration + 1 < booster.num_boosted_rounds():
        booster = booster[: booster.best_iteration + 1]
    booster.set_attr(labline_link=fit.task.link, best_iteration=None, best_score=None)
    # what is measured is what was read back, as a server would
    return _read(bytes(booster.save_raw("ubj")))


def _narrow(outputs: Outputs, target: Target, fit: Fit) -> Target:
    return outputs.narrowed(target, fit.task)


def _stop_at(deadline: float) -> Any:
    """A callback that ends boosting when the time is over."""
    import xgboost

    class StopAt(xgboost.callback.TrainingCallback):
        """Ends boosting when the time is over."""

        def after_iteration(self, model: Any, epoch: int, evals_log: Any) -> bool:
            """Whether to stop."""
            del model, epoch, evals_log
            return time.monotonic() > deadline

    return StopAt()
