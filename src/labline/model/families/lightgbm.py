"""LightGBM (Ke et al. 2017): gradient-boosted trees with native categories and early stopping."""

from __future__ import annotations

import time
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Self

import numpy as np
from numpy.typing import NDArray

from labline.features import Encoding, Matrix
from labline.model.families.base import PATIENCE, ROUNDS_MAX, Family, Fit, Member
from labline.model.families.lightgbm_trees import margins_of
from labline.model.families.margins import Margins
from labline.model.families.outputs import Sums
from labline.model.tasks import Link, Task

if TYPE_CHECKING:
    import lightgbm
    from optuna.trial import BaseTrial

LABEL_SECONDS_MIN = 0.5
LEAVES_MIN = 10  # a tree of fewer rows than this many least leaves could hardly split
ROWS_PER_THREAD = 2000  # fewer, and waking a second thread costs more than it saves
FIT_ROWS_PER_THREAD = 10_000  # likewise; every round wakes it several times
LINKS: dict[str, Link] = {"multiclass": "softmax", "binary": "sigmoid", "regression": "identity"}


@dataclass(frozen=True)
class LightGBMMember(Member):
    """A fitted booster, or one a label; its native format is LightGBM's text file.

    One that was read back looks its leaves up in tables, which takes a part of the time that the library needs; to make
    them takes longer than what a fit among many is asked for.
    """

    boosters: tuple[lightgbm.Booster, ...]
    by_label: bool = False
    read_back: bool = False
    threads: int | None = None  # None: as many as pay
    file_name: ClassVar[str] = "lightgbm.txt"
    label_file_name: ClassVar[str] = "lightgbm-{label:04d}.txt"

    @property
    def rounds(self) -> int:
        """Of the booster that has most."""
        return max(booster.current_iteration() for booster in self.boosters)

    def sums(self, matrix: Matrix) -> Sums:
        """Of the booster, or of each label's."""
        tables = self._margins if self.read_back and isinstance(matrix, np.ndarray) else (None,) * len(self.boosters)
        rows = np.asarray(matrix, dtype=np.float64) if any(tables) else matrix
        sums = [
            self._by_library(booster, matrix) if margins is None else margins(rows)
            for booster, margins in zip(self.boosters, tables, strict=True)
        ]
        return Sums(self._link, np.column_stack(sums) if self.by_label else sums[0])

    def raw(self, given: NDArray[np.float64]) -> NDArray[np.float64]:
        """A vector where there is one output, unless it is the only label."""
        return given if given.shape[1] > 1 or self.by_label else given[:, 0]

    def _by_library(self, booster: lightgbm.Booster, matrix: Matrix) -> NDArray[np.float64]:
        threads = self.threads or (1 if matrix.shape[0] < ROWS_PER_THREAD else 0)
        return np.asarray(booster.predict(matrix, raw_score=True, num_threads=threads)).reshape(matrix.shape[0], -1)

    @cached_property
    def _margins(self) -> tuple[Margins | None, ...]:
        return tuple(margins_of(booster.model_to_string()) for booster in self.boosters)

    @cached_property
    def _link(self) -> Link:
        return LINKS[self.boosters[0].params["objective"]]

    def on_one_thread(self) -> Self:
        """The same boosters."""
        return replace(self, threads=1)

    def importances(self) -> NDArray[np.float64]:
        """Total gain of each feature's splits, shape (features,)."""
        gains = [np.asarray(booster.feature_importance("gain"), dtype=np.float64) for booster in self.boosters]
        return np.asarray(np.sum(gains, axis=0))

    def save(self, folder: Path) -> None:
        """Write the boosters into the folder."""
        for label, booster in enumerate(self.boosters):
            name = self.label_file_name.format(label=label) if self.by_label else self.file_name
            (folder / name).write_text(booster.model_to_string(), encoding="utf-8")

    @classmethod
    def load(cls, folder: Path) -> Self:
        """The boosters that were saved in the folder; they give the same answers to the last bit."""
        import lightgbm

        by_label = not (folder / cls.file_name).is_file()
        files = sorted(folder.glob("lightgbm-*.txt")) if by_label else [folder / cls.file_name]
        boosters = tuple(lightgbm.Booster(model_str=file.read_text(encoding="utf-8")) for file in files)
        return cls(boosters, by_label, read_back=True)


class LightGBM(Family):
    """Boosted trees; one booster a label where there are several."""

    name: ClassVar[str] = "lightgbm"
    encoding: ClassVar[Encoding] = Encoding(categories="codes", words=1500)
    # Small trees on a part of the features each: on survey-sized tables these beat LightGBM's own defaults.
    defaults: ClassVar[dict[str, Any]] = {
        "learning_rate": 0.08,
        "num_leaves": 12,
        "min_child_samples": 20,
        "feature_fraction": 0.4,
        "bagging_fraction": 0.8,
        "bagging_freq": 1,
        "lambda_l1": 0.3,
        "lambda_l2": 0.3,
        "max_cat_to_onehot": 8,
    }
    member: ClassVar[type[Member]] = LightGBMMember
    quick: ClassVar[dict[str, Any]] = {"learning_rate": 0.2}
    keeps_deadlines: ClassVar[bool] = True

    def affordable(self, seconds: float, labels: int) -> bool:
        """A booster a label takes its time; with next to none, it would be boosting in name only."""
        return labels == 1 or seconds / labels >= LABEL_SECONDS_MIN

    def space(self, trial: BaseTrial) -> dict[str, Any]:
        """Size of the trees, pace, and what holds it back."""
        return {
            "learning_rate": trial.suggest_float("learning_rate", 0.05, 0.2, log=True),
            "num_leaves": trial.suggest_int("num_leaves", 4, 64, log=True),
            "min_child_samples": trial.suggest_int("min_child_samples", 4, 100, log=True),
            "feature_fraction": trial.suggest_float("feature_fraction", 0.2, 1.0),
            "bagging_fraction": trial.suggest_float("bagging_fraction", 0.5, 1.0),
            "bagging_freq": 1,
            "lambda_l1": trial.suggest_float("lambda_l1", 0.0001, 10, log=True),
            "lambda_l2": trial.suggest_float("lambda_l2", 0.0001, 10, log=True),
            "max_cat_to_onehot": 8,
        }

    def fit(self, fit: Fit) -> LightGBMMember:
        """A fitted member; it keeps the best round where there are rows to stop early on."""
        import lightgbm

        rows = fit.matrix.shape[0]
        parameters = self.defaults | dict(fit.parameters)
        parameters |= {
            "min_child_samples": min(parameters["min_child_samples"], max(1, rows // LEAVES_MIN)),
            **_objective(fit.task, of_labels=fit.target.ndim == 2),
            "seed": fit.seed,
            "deterministic": True,
            "force_row_wise": True,
            # deterministic: the result is the same with any number
            "num_threads": fit.threads or (1 if rows < FIT_ROWS_PER_THREAD else 0),
            "verbosity": -1,
        }
        targets = list(fit.target.T) if fit.target.ndim == 2 else [fit.target]
        data = lightgbm.Dataset(
            fit.matrix, weight=fit.weights, categorical_feature=list(fit.categorical), free_raw_data=False
        )
        valid = lightgbm.Dataset(fit.validation[0], reference=data, free_raw_data=False) if fit.validation else None
        boosters = []
        for index, target in enumerate(targets):  # the bins are made once for all of them
            data.set_label(target)
            if valid is not None and fit.validation is not None:
                unseen = fit.validation[1]
                valid.set_label(unseen[:, index] if unseen.ndim == 2 else unseen)
            deadline = None if fit.deadline is None else _share(fit.deadline, len(targets) - index)
            boosters.append(_boosted(parameters, data, valid, fit.rounds or ROUNDS_MAX, deadline))
        return LightGBMMember(tuple(boosters), fit.target.ndim == 2)


def _objective(task: Task, *, of_labels: bool) -> dict[str, Any]:
    """Log loss, of labels one at a time; squared error of values."""
    if task.link == "identity":
        return {"objective": "regression", "metric": "rmse"}
    if of_labels or task.link == "sigmoid":
        return {"objective": "binary", "metric": "binary_logloss"}
    return {"objective": "multiclass", "num_class": len(task.classes), "metric": "multi_logloss"}


def _share(deadline: float, parts: int) -> float:
    """The first of so many even parts of the time that is left."""
    now = time.monotonic()
    return now + (deadline - now) / parts


def _boosted(
    parameters: dict[str, Any],
    data: lightgbm.Dataset,
    valid: lightgbm.Dataset | None,
    rounds: int,
    deadline: float | None,
) -> lightgbm.Booster:
    import lightgbm

    callbacks: list[Any] = []
    if valid is not None:
        callbacks.append(lightgbm.early_stopping(PATIENCE, verbose=False))
    if deadline is not None:
        callbacks.append(_stop_at(deadline))
    valid_sets = [] if valid is None else [valid]
    booster = lightgbm.train(parameters, data, rounds, valid_sets=valid_sets, callbacks=callbacks)
    best = booster.best_iteration
    return lightgbm.Booster(model_str=booster.model_to_string(num_iteration=best if best > 0 else None))


def _stop_at(deadline: float) -> Any:
    """A callback that ends boosting when the time is over."""
    import lightgbm

    def stop(environment: Any) -> None:
        if time.monotonic() > deadline:
            raise lightgbm.callback.EarlyStopException(environment.iteration, environment.evaluation_result_list or [])

    stop.order = 40  # type: ignore[attr-defined]  # after early stopping, which must see the round first
    return stop
