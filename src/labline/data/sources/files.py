"""Files of rows, read the way the contract wants its columns, and written."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import pandas as pd

from labline.contract import CategoryColumn, LabelsColumn, Problem
from labline.contract.source import Dialect
from labline.contract.written import as_list
from labline.data.sources import raw
from labline.data.sources.typed import all_missing, inferred, joined, typed
from labline.errors import DataError
from labline.progress import Progress, silent

ENDINGS = (".csv", ".tsv", ".jsonl", ".parquet", ".pq")


def read_frame(
    address: str,
    problem: Problem,
    object_store: Mapping[str, Any] | None = None,
    dialect: Dialect | None = None,
    progress: Progress = silent,
) -> pd.DataFrame:
    """The rows of a file, each column in the contract's type; what cannot be read is left as written, for the check.

    Args:
        address: a path, or an address that fsspec knows (`s3://…`).
        problem: says what the columns hold.
        object_store: fsspec options, for addresses.
        dialect: how a text file writes what it holds; by default as the contract says of the training rows.
        progress: told how many rows were read, where there are many.

    Raises:
        DataError: the file is not there, not readable, empty, ragged, or of another kind.
    """
    dialect = dialect or problem.sources.train.dialect
    listed = listed_names(problem)
    wanted = {*problem.columns, problem.target}
    chunks = raw.chunks(address, dialect, object_store, listed=listed, wanted=wanted)
    return frame_of_chunks(chunks, problem, dialect, progress)


def listed_names(problem: Problem) -> dict[str, set[str]]:
    """By column, its names: "NA" or "None" may be one, and only what is not listed counts as missing there."""
    return {
        name: set(column.values)
        for name, column in problem.columns.items()
        if isinstance(column, CategoryColumn | LabelsColumn)
    } | {problem.target: set(problem.classes)}


def frame_of_chunks(
    chunks: Iterable[pd.DataFrame], problem: Problem, dialect: Dialect, progress: Progress = silent
) -> pd.DataFrame:
    """One frame of raw ones, each typed by the contract before the next is read.

    A column that may be missing is there though the chunks lack it, with nothing known.
    """
    lengths, parts = [], []
    for chunk in chunks:
        lengths.append(len(chunk))
        parts.append(typed(chunk, problem, dialect))
        if len(lengths) > 1:
            progress(f"read {sum(lengths):,} rows")
    optional = [name for name, column in problem.columns.items() if column.missing == "allow"]
    names = dict.fromkeys([*(name for part in parts for name in part), *optional])
    columns = {name: _column(name, parts, lengths, problem) for name in names}
    return pd.DataFrame(columns, copy=False)


def _column(name: str, parts: list[dict[str, pd.Series[Any]]], lengths: list[int], problem: Problem) -> pd.Series[Any]:
    """The column whole; its parts are let go."""
    known = problem.columns.get(name)
    found = [
        part.pop(name) if name in part else all_missing(known, length)
        for part, length in zip(parts, lengths, strict=True)
    ]
    whole = joined(found)
    return whole if known or name == problem.target else inferred(whole)


def write_frame(frame: pd.DataFrame, path: Path) -> None:
    """Write the rows, in the kind that the name's ending says; an existing file is replaced only when all is written.

    In text files, lists are written as JSON.

    Raises:
        DataError: the ending is none of `ENDINGS`, or the file cannot be written.
    """
    kind = path.suffix.lower()
    if kind not in ENDINGS:
        raise DataError(
            f"its name ends in none of {', '.join(ENDINGS)}", where=str(path), mend="end the name in one of them"
        )
    unfinished = path.with_name(f".{path.name}.part")
    try:
        if kind in {".csv", ".tsv"}:
            _lists_as_json(frame).to_csv(unfinished, index=False, sep="\t" if kind == ".tsv" else ",")
        elif kind == ".jsonl":
            frame.to_json(unfinished, orient="records", lines=True, force_ascii=False, double_precision=15)
        else:
            frame.to_parquet(unfinished, index=False)
        unfinished.replace(path)
    except OSError as error:
        unfinished.unlink(missing_ok=True)
        raise DataError(f"cannot be written: {error}", where=str(path), mend="see that the folder is there") from error
    except (ValueError, TypeError) as error:  # pyarrow's, of a column that holds numbers and names
        unfinished.unlink(missing_ok=True)
        raise DataError(f"cannot be written: {error}", where=str(path), mend="give each column one type") from error


def _lists_as_json(frame: pd.DataFrame) -> pd.DataFrame:
    lists = [name for name in frame if frame[name].dtype == object]
    return frame.assign(**{str(name): frame[name].map(_as_json) for name in lists})


def _as_json(value: Any) -> Any:
    return as_list(value) if isinstance(value, tuple | list) else value
