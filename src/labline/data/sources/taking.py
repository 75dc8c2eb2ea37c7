"""Takes a problem's rows from the source that is asked for, or from the best one there is."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from loguru import logger

from labline.config import Config
from labline.contract import Problem, Source
from labline.contract.source import Dialect, SqlQuery
from labline.data.sources import kaggle
from labline.data.sources.files import frame_of_chunks, read_frame
from labline.data.sources.opening import shown
from labline.data.sources.raw import query_chunks
from labline.data.sources.sample import generate, generates
from labline.errors import DataError
from labline.progress import Progress, silent

if TYPE_CHECKING:
    import pandas as pd

Role = Literal["train", "current", "extra", "labelled"]  # the last are from the prediction log
Kind = Literal["kaggle", "file", "sample"]
Choice = Literal["auto", "kaggle", "sample"]


@dataclass(frozen=True)
class Taken:
    """Rows, and where they are from."""

    frame: pd.DataFrame
    kind: Kind
    origin: str


def take(
    problem: Problem,
    role: Role,
    choice: Choice,
    config: Config,
    file: str | None = None,
    progress: Progress = silent,
) -> Taken | None:
    """The rows for a role; None where neither a file, nor the contract, nor a sample has any but those to train on.

    Args:
        problem: the contract.
        role: `train`, `current` or `extra`.
        choice: `kaggle`, `sample`, or `auto`: the contract's own file or query, Kaggle where there are credentials,
            else the sample.
        config: folders, seed, patience with Kaggle.
        file: a path or fsspec address that goes before all of these.
        progress: told how many rows were read, where there are many.

    Raises:
        DataError: the source cannot be read; `auto` never hides that by taking another one.
    """
    source: Source | None = getattr(problem.sources, role)
    dialect = source.dialect if source is not None else problem.sources.train.dialect
    if file is not None:
        return _from_file(file, problem, dialect, config, progress)
    folder = config.settings.problems / problem.name
    named = source or problem.sources.train  # a sample may have current rows where the contract names no source of them
    own = named.address or named.sql
    sampled = choice == "sample" or (choice == "auto" and not own and not kaggle.has_credentials())
    if source is None and not (sampled and generates(folder, role)):
        return None
    source = named
    if sampled:
        if choice == "auto":
            logger.warning(
                "{} {}: no Kaggle credentials found, so these rows are GENERATED SAMPLE DATA, not the real thing "
                "(real data: set KAGGLE_USERNAME and KAGGLE_KEY and repeat, or give files)",
                problem.name,
                role,
            )
        return _generated(problem, role, folder, config.training.seed)
    if choice == "auto" and source.sql:
        return _from_database(source.sql, problem, dialect, progress)
    if choice == "auto" and source.address:
        address = source.address if "://" in source.address else str(folder / source.address)
        return _from_file(address, problem, dialect, config, progress)
    if source.kaggle is None:
        raise DataError(
            f"the contract names no Kaggle file for {role!r}",
            where=f"{problem.name}: sources.{role}",
            mend="use --source auto, or add kaggle: {…} there",
        )
    place = (source.kaggle.competition or source.kaggle.dataset or "").replace("/", "--")
    path = kaggle.fetch(source.kaggle, config.settings.data / "raw" / "kaggle" / place, config.kaggle)
    return Taken(read_frame(str(path), problem, dialect=dialect, progress=progress), "kaggle", str(source.kaggle))


def _generated(problem: Problem, role: Role, folder: Path, seed: int) -> Taken:
    frame = frame_of_chunks([generate(folder, role, seed)], problem, Dialect())
    return Taken(frame, "sample", f"sample:{problem.name}/{role}?seed={seed}")


def _from_file(address: str, problem: Problem, dialect: Dialect, config: Config, progress: Progress) -> Taken:
    frame = read_frame(address, problem, config.storage.object_store, dialect, progress)
    return Taken(frame, "file", shown(address) if "://" in address else f"file:{Path(address).resolve()}")


def _from_database(query: SqlQuery, problem: Problem, dialect: Dialect, progress: Progress) -> Taken:
    frame = frame_of_chunks(query_chunks(query), problem, dialect, progress)
    return Taken(frame, "file", f"sql:{query.url_variable}")
