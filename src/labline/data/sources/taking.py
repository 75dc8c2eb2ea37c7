"""Takes a problem's rows from the source that is asked for, or from the best one there is."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from loguru import logger

from labline.config import Config
from labline.contract import Problem, Source
from labline.data.sources import kaggle
from labline.data.sources.files import read_frame
from labline.data.sources.sample import generate
from labline.errors import DataError

if TYPE_CHECKING:
    import pandas as pd

Role = Literal["train", "current"]
Kind = Literal["kaggle", "file", "sample"]
Choice = Literal["auto", "kaggle", "sample"]


@dataclass(frozen=True)
class Taken:
    """Rows, and where they are from."""

    frame: pd.DataFrame
    kind: Kind
    origin: str


def take(problem: Problem, role: Role, choice: Choice, config: Config, file: str | None = None) -> Taken | None:
    """The rows for a role; None when the contract names no source of `current` rows and no file is given.

    Args:
        problem: the contract.
        role: `train` or `current`.
        choice: `kaggle`, `sample`, or `auto`: the contract's own file, Kaggle where there are credentials, else the
            sample.
        config: folders, seed, patience with Kaggle.
        file: a path or fsspec address that goes before all of these.

    Raises:
        DataError: the source cannot be read; `auto` never hides that by taking another one.
    """
    if file is not None:
        return _from_file(file, problem, config)
    source: Source | None = getattr(problem.sources, role)
    if source is None and role == "current":
        return None
    assert source is not None
    own_file = source.csv or source.parquet
    if choice == "sample" or (choice == "auto" and not own_file and not kaggle.has_credentials()):
        if choice == "auto":
            logger.warning(
                "{} {}: no Kaggle credentials found, so these rows are GENERATED SAMPLE DATA, not the real thing "
                "(real data: set KAGGLE_USERNAME and KAGGLE_KEY and repeat, or give files)",
                problem.name,
                role,
            )
        frame = generate(config.settings.problems / problem.name, role, config.training.seed)
        return Taken(frame, "sample", f"sample:{problem.name}/{role}?seed={config.training.seed}")
    if own_file and choice == "auto":
        at = own_file if "://" in own_file else str(config.settings.problems / problem.name / own_file)
        return _from_file(at, problem, config)
    if source.kaggle is None:
        raise DataError(
            f"the contract names no Kaggle file for {role!r}",
            where=f"{problem.name}: sources.{role}",
            mend="use --source auto, or add kaggle: {…} there",
        )
    place = (source.kaggle.competition or source.kaggle.dataset or "").replace("/", "--")
    path = kaggle.fetch(source.kaggle, config.settings.data / "raw" / "kaggle" / place, config.kaggle)
    return Taken(read_frame(str(path), problem), "kaggle", str(source.kaggle))


def _from_file(address: str, problem: Problem, config: Config) -> Taken:
    frame = read_frame(address, problem, config.storage.object_store)
    return Taken(frame, "file", address if "://" in address else f"file:{Path(address).resolve()}")
