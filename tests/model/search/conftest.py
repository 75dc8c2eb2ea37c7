"""A small problem of three classes that two of its columns tell, and what a search needs to work on it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from labline.config import Config, load
from labline.config.training import Training
from labline.contract import Columns, Problem
from labline.features import DerivedFeatures
from labline.model.search import Clock, Fitted, Folds, Journal, Search, TrainingRows, Watcher
from labline.model.search.studies import Studies
from labline.model.tasks import task_of
from labline.progress import silent

NOISE = 8
SETTINGS: dict[str, Any] = {
    "budget_seconds": 60.0,
    "families": ("linear", "lightgbm"),
    "folds": 3,
    "selection": "none",
    "trials": 0,
    "blend": False,
    "seeds": 1,
}


@pytest.fixture(scope="module")
def problem() -> Problem:
    names = ["signal", "other", *(f"noise_{at}" for at in range(NOISE))]
    return Problem.model_validate(
        {
            "name": "told",
            "title": "Told",
            "task": "multiclass",
            "target": "y",
            "classes": ["a", "b", "c"],
            "metric": "accuracy",
            "sources": {"train": {"csv": "train.csv"}},
            "columns": {name: {"type": "number"} for name in names},
        }
    )


def columns(problem: Problem, rows: int, seed: int = 0) -> tuple[Columns, np.ndarray]:
    """Rows and their classes: bands of a sum of two columns, with noise."""
    random = np.random.default_rng(seed)
    found = {name: random.normal(size=rows) for name in problem.columns}
    told = found["signal"] + found["other"] + random.normal(0, 0.3, rows)
    return found, np.digitize(told, [-0.7, 0.7])


@pytest.fixture(scope="module")
def rows(problem: Problem) -> TrainingRows:
    return TrainingRows.of(*columns(problem, 400))


@pytest.fixture
def config(workspace: Path) -> Config:
    return load(workspace)


@pytest.fixture
def settings(config: Config) -> Training:
    return config.training.model_copy(update=SETTINGS)


@pytest.fixture
def studies(config: Config) -> Studies:
    return Studies(config.storage.studies_url.get_secret_value())


@pytest.fixture
def folds(problem: Problem, rows: TrainingRows) -> Folds:
    return Folds(problem, task_of(problem), rows, (), folds=3, seed=7)


Searching = Callable[..., Fitted]


@pytest.fixture
def searching(problem: Problem, rows: TrainingRows, settings: Training, config: Config, tmp_path: Path) -> Searching:
    """Runs a search under other settings, in the journal of a folder."""

    def run(
        folder: str = "journal", watcher: Watcher | None = None, over: TrainingRows = rows, **changed: Any
    ) -> Fitted:
        training = settings.model_copy(update=changed)
        search = Search(
            problem,
            task_of(problem),
            DerivedFeatures(),
            over,
            training,
            clock=Clock.starting(training.budget_seconds),
            journal=Journal(tmp_path / folder),
            studies=lambda: Studies(config.storage.studies_url.get_secret_value()),
        )
        return search.run(watcher or Watcher(silent))

    return run
