"""Predict: score a file with the champion."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from labline.config import Config
from labline.contract import Problem
from labline.errors import DataError
from labline.model.bundle import Bundle
from labline.pipeline.champion import load_champion
from labline.progress import Progress, silent

if TYPE_CHECKING:
    import pandas as pd

CHUNK = 100_000  # rows; between them progress can be told


def predict(config: Config, problem: Problem, source: str, target: Path, progress: Progress = silent) -> int:
    """Score every row of a file with the champion into another; gives the number of rows.

    The output has the id column, where the input has it, then `prediction` and a probability for each class. Rows
    keep their order.

    Raises:
        DataError: the file cannot be read or written, or a row breaks the contract: then nothing is written.
        RegistryError: there is no champion.
    """
    from labline.data import check_frame, read_frame, write_frame

    if target.exists() and Path(source).exists() and target.samefile(source):
        raise DataError("source and target are one file", where=str(target), mend="name another file to write to")
    progress("read", 0.0)
    frame = read_frame(source, problem, config.storage.object_store)
    progress("check", 0.1)
    check_frame(frame, problem, with_target=False).need_ok(where=source)
    progress("load the champion", 0.2)
    _, bundle = load_champion(config, problem.name)
    write_frame(score(bundle, frame, progress), target)
    return len(frame)


def score(bundle: Bundle, frame: pd.DataFrame, progress: Progress = silent) -> pd.DataFrame:
    """Predictions for a checked frame, with its id column where it has one; same rows, same order."""
    import pandas as pd

    from labline.model.pyfunc import predictions_frame, score_frame

    parts = []
    for start in range(0, len(frame), CHUNK):
        progress(f"score {len(frame):,} rows", 0.3 + 0.6 * start / len(frame))
        part = frame.iloc[start : start + CHUNK]
        parts.append(predictions_frame(bundle, score_frame(bundle, part), part.index))
    scored = pd.concat(parts)
    if bundle.problem.id is not None and bundle.problem.id in frame:
        scored.insert(0, bundle.problem.id, frame[bundle.problem.id])
    return scored
