"""The main job: data if there is none, a champion if there is none."""

from __future__ import annotations

from typing import TYPE_CHECKING

from loguru import logger

from labline.config import Config
from labline.contract import Problem
from labline.database import open_database
from labline.errors import RegistryError
from labline.migrations import migrate
from labline.model.mlflow_store import MlflowStore
from labline.model.registry import Registry
from labline.pipeline.champion import champion, served
from labline.pipeline.data import prepare
from labline.pipeline.promotion import promote
from labline.pipeline.training import train
from labline.progress import Progress, silent
from labline.store import data_folder

if TYPE_CHECKING:
    from labline.data.sources.taking import Choice


FIRST_SECONDS = 40.0  # for a first champion; labline train takes the time to do better


def bring_up(
    config: Config,
    problem: Problem,
    *,
    source: Choice = "auto",
    accept_leaks: bool = False,
    thorough: bool = False,
    progress: Progress = silent,
) -> None:
    """Leave the workspace with tables, data and a champion; what is there already is kept as it is.

    A first champion is the best of every family with its defaults, or a blend of them. With `thorough`, the whole
    budget is spent on it: columns are selected and parameters tuned, as `labline train` does.

    Raises:
        LablineError: as the steps do: `migrate`, `prepare`, `train`, `promote`.
    """
    from labline.data import Snapshots

    migrate(open_database(config.storage.database_url.get_secret_value()))
    if MlflowStore(config.storage).is_embedded and served(config, problem.name) is not None:
        return  # this machine served it before; to ask its own registry would only cost the start a few seconds
    if Snapshots(data_folder(config), problem).in_use("train") is None:
        prepare(config, problem, source=source, progress=lambda text, done=0.0: progress(text, 0.1 * done))
    try:
        found = champion(config, problem.name)
        logger.info("{} version {} is the champion", problem.name, found.version)
    except RegistryError:
        registry = Registry(config.storage, problem.name)
        if not registry.versions():  # out of reach is told here, and an empty registry is what training is for
            train(
                config if thorough else _soon(config),
                problem,
                accept_leaks=accept_leaks,
                progress=lambda text, done=0.0: progress(text, 0.1 + 0.85 * done),
            )
        progress("promote", 0.97)
        outcome = promote(config, problem)
        if outcome.champion is None:
            raise RegistryError(
                f"the first version is not promoted: {outcome.reason}",
                where=registry.store.address,
                mend=f"raise the limits of promotion.*, or labline promote {problem.name} --force",
            ) from None


def _soon(config: Config) -> Config:
    """Settings for a champion that is there within a minute, start and all."""
    seconds = min(FIRST_SECONDS, config.training.budget_seconds)
    brief = {"budget_seconds": seconds, "trials": 0, "selection": "none"}
    return config.model_copy(update={"training": config.training.model_copy(update=brief)})
