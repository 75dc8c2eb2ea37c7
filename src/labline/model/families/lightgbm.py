"""LightGBM (Ke et al. 2017): gradient-boosted trees with native categories and early stopping."""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import lightgbm
import numpy as np
from numpy.typing import NDArray

from labline.features import Encoding, Matrix
from labline.model.tasks import Target, Task

ROUNDS_MAX = 2000
PATIENCE = 50
ROWS_PER_THREAD = 2000  # fewer, and waking a second thread costs more than it saves
FIT_ROWS_PER_THREAD = 10_000  # likewise; every round wakes it several times


@dataclass(frozen=True)
class LightGBMMember:
    """A fitted booster; its native format is LightGBM's text file."""

    booster: lightgbm.Booster
    rounds: int
    file_name: ClassVar[str] = "lightgbm.txt"

    def predict(self, matrix: Matrix) -> NDArray[np.float64]:
        """Raw output: probabilities of shape (rows, classes) or (rows,) for binary, or values of shape (rows,)."""
        threads = 1 if len(matrix) < ROWS_PER_THREAD else 0
        return np.asarray(self.booster.predict(matrix, num_iteration=self.rounds, num_threads=threads))

    def importances(self) -> NDArray[np.float64]:
        """Total gain of each feature's splits, shape (features,)."""
        return np.asarray(self.booster.feature_importance("gain"), dtype=np.float64)

    def save(self, folder: Path) -> None:
        """Write the booster into the folder."""
        text = self.booster.model_to_string(num_iteration=self.rounds)
        (folder / self.file_name).write_text(text, encoding="utf-8")

    @classmethod
    def load(cls, folder: Path) -> LightGBMMember:
        """The booster that was saved in the folder; it gives the same answers to the last bit."""
        booster = lightgbm.Booster(model_str=(folder / cls.file_name).read_text(encoding="utf-8"))
        return cls(booster, booster.current_iteration())


class LightGBM:
    """The family: what encoding it wants, its defaults, how it is fitted."""

    name: ClassVar[str] = "lightgbm"
    encoding: ClassVar[Encoding] = Encoding(categories="codes")
    # Small trees on a part of the features each: on survey-sized tables these beat LightGBM's own defaults.
    defaults: ClassVar[dict[str, Any]] = {
        "learning_rate": 0.08,
        "num_leaves": 12,
        "min_child_samples": 20,
        "feature_fraction": 0.4,
        "bagging_fraction": 0.8,
        "bagging_freq": 1,
        "max_cat_to_onehot": 8,
    }

    def fit(
        self,
        task: Task,
        matrix: Matrix,
        target: Target,
        *,
        categorical: tuple[int, ...],
        seed: int,
        validation: tuple[Matrix, Target] | None = None,
        rounds: int = ROUNDS_MAX,
        deadline: float | None = None,
    ) -> LightGBMMember:
        """A fitted member.

        Args:
            task: gives the objective.
            matrix: shape (rows, features).
            target: shape (rows,).
            categorical: positions of category codes in the matrix.
            seed: fixes sampling; with it the fit is the same on every run that no deadline cuts short.
            validation: rows to stop early on; without them all `rounds` are fitted.
            rounds: most boosting rounds.
            deadline: on the monotonic clock, in seconds; after it no round is added.
        """
        parameters = {
            **self.defaults,
            **task.lightgbm(),
            "seed": seed,
            "deterministic": True,
            "force_row_wise": True,
            "num_threads": 1 if len(matrix) < FIT_ROWS_PER_THREAD else 0,  # deterministic: the result is the same
            "verbosity": -1,
        }
        data = lightgbm.Dataset(matrix, target, categorical_feature=list(categorical))
        callbacks: list[Any] = []
        valid_sets = []
        if validation is not None:
            valid_sets.append(lightgbm.Dataset(*validation, reference=data))
            callbacks.append(lightgbm.early_stopping(PATIENCE, verbose=False))
        if deadline is not None:
            callbacks.append(_stop_at(deadline))
        booster = lightgbm.train(parameters, data, rounds, valid_sets=valid_sets, callbacks=callbacks)
        return LightGBMMember(booster, booster.best_iteration if booster.best_iteration > 0 else rounds)


def _stop_at(deadline: float) -> Any:
    """A callback that ends boosting when the time is over."""

    def stop(environment: Any) -> None:
        if time.monotonic() > deadline:
            raise lightgbm.callback.EarlyStopException(environment.iteration, environment.evaluation_result_list or [])

    stop.order = 40  # type: ignore[attr-defined]  # after early stopping, which must see the round first
    return stop
