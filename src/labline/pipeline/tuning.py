"""Tune: help a search that runs elsewhere, by trying parameters for its study."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from labline.config import Config
from labline.contract import Problem
from labline.errors import DataError, RegistryError
from labline.features import FEATURES_FILE, read_features
from labline.model.registry import Registry
from labline.model.search import Candidate, Folds, Tried
from labline.model.search.studies import Studies
from labline.model.search.tuning import CLOSED, Tuning
from labline.model.tasks import task_of
from labline.pipeline.divided import ready_rows

if TYPE_CHECKING:
    from numpy.typing import NDArray


def tune(
    config: Config,
    problem: Problem,
    name: str | None = None,
    *,
    trials: int | None = None,
    told: Callable[[str], None] = lambda _text: None,
) -> int:
    """Try parameters for a study until its search needs no more; returns how many trials were judged here.

    Args:
        config: the same data, contract and settings as those of the search.
        problem: the contract.
        name: of the study; the newest open one of the problem when None.
        trials: stop after so many.
        told: of each trial.

    Raises:
        RegistryError: there is no such study, or it is closed.
        DataError: the rows, the contract or the settings here are not those of the study.
    """
    from labline.model.tracking import TrainingRun

    studies = Studies(config.storage.studies_url.get_secret_value())
    study = studies.join(name or _newest(studies, problem))
    about = study.user_attrs
    if about.get(CLOSED, True):
        raise RegistryError(
            f"study {study.study_name!r} is closed: its search has ended",
            where=studies.address,
            mend=f"labline train {problem.name} begins another",
        )
    ready = ready_rows(config, problem, accept_leaks=True)
    if ready.key != about["key"]:
        raise DataError(
            f"study {study.study_name!r} is about other rows, another contract or other settings than those here",
            where=str(config.settings.root),
            mend="bring the same data/ and problems/ along, and the same labline.yaml",
        )
    derived = read_features(config.settings.problems / problem.name / FEATURES_FILE, problem)
    rows = ready.rows.training.derive(derived)
    settings = config.training
    task = task_of(problem)
    folds = Folds(problem, task, rows, derived.names, folds=settings.folds, seed=settings.seed, device=settings.device)
    run = TrainingRun(
        Registry(config.storage, problem.name), ready.snapshot.kind, ready.snapshot.sha256, about["run_id"]
    )
    run.join()
    count = 0

    def record(tried: Tried, _raw: NDArray[Any]) -> None:
        nonlocal count
        count += 1
        run.tried(tried)
        told(f"{study.study_name}: {task.loss} {tried.mean(task.loss):.4f}")

    candidate = Candidate(
        family=about["family"], feature_set=about["feature_set"], columns=tuple(about["columns"]), stage="tuned"
    )
    tuning = Tuning(study, folds, candidate, lambda _key: None, record)
    tuning.run(float("inf"), trials, own=True)
    return count


def _newest(studies: Studies, problem: Problem) -> str:
    names = [name for name in studies.names() if name.startswith(f"{problem.name}-") and not name.endswith("-columns")]
    for name in reversed(names):
        if not studies.join(name).user_attrs.get(CLOSED, True):
            return name
    raise RegistryError(
        f"no study of {problem.name!r} is open", where=studies.address, mend=f"labline train {problem.name} begins them"
    )
