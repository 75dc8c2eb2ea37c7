"""CSV and Parquet files, on disk or at an fsspec address, read the way the contract wants its columns."""

from __future__ import annotations

import warnings
import zipfile
import zlib
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pandas as pd

from labline.contract import BooleanColumn, CategoryColumn, Problem
from labline.contract.column import BOOLEANS
from labline.errors import DataError

# What pandas takes for missing by default, as its documentation of read_csv lists it.
MISSING = frozenset(
    (
        *("", "#N/A", "#N/A N/A", "#NA", "-1.#IND", "-1.#QNAN", "-NaN", "-nan", "1.#IND", "1.#QNAN", "<NA>"),
        *("N/A", "NA", "NULL", "NaN", "None", "n/a", "nan", "null"),
    )
)
# What reading raises when a file is cut off, is not what its name says, or holds what its kind does not know.
DAMAGE = (pd.errors.ParserError, OSError, ValueError, ImportError, EOFError, zipfile.BadZipFile, zlib.error)


def read_frame(address: str, problem: Problem, object_store: Mapping[str, Any] | None = None) -> pd.DataFrame:
    """The rows of a `.csv` or `.parquet` file; numbers float64, names str, what cannot be a number left as written.

    Args:
        address: a path, or an address that fsspec knows (`s3://…`).
        problem: says which columns hold numbers and which names.
        object_store: fsspec options, for addresses.

    Raises:
        DataError: the file is not there, not readable, empty, or of another kind.
    """
    options: dict[str, Any] = {"storage_options": dict(object_store)} if "://" in address and object_store else {}
    try:
        if address.lower().endswith((".parquet", ".pq")):
            frame = pd.read_parquet(address, **options)
        elif address.lower().endswith((".csv", ".csv.gz", ".csv.zip")):
            frame = _read_csv(address, problem, options)
        else:
            raise DataError("neither .csv nor .parquet", where=address, mend="convert it, or rename it to what it is")
    except FileNotFoundError as error:
        raise DataError("there is no such file", where=address, mend="correct the path") from error
    except UnicodeDecodeError as error:
        raise DataError(f"not UTF-8: {error.reason}", where=address, mend="save it as UTF-8") from error
    except pd.errors.ParserWarning as error:
        raise DataError("rows have more fields than the header", where=address, mend="name every column") from error
    except DAMAGE as error:
        raise DataError(
            f"cannot be read: {str(error).strip()}", where=address, mend="see that the file is whole"
        ) from error
    if frame.empty:
        raise DataError("it has no rows", where=address, mend="take a file with data in it")
    return _typed(frame, problem)


def _read_csv(address: str, problem: Problem, options: dict[str, Any]) -> pd.DataFrame:
    names = {name: column for name, column in problem.columns.items() if isinstance(column, CategoryColumn)}
    as_text: set[str] = {*names} | ({problem.target} if problem.classes else set())
    # "NA" or "None" may be a name of the contract; only what it does not list counts as missing there.
    listed = {name: set(column.values) for name, column in names.items()} | {problem.target: set(problem.classes)}
    as_written = {"encoding": "utf-8-sig", "keep_default_na": False, "index_col": False, **options}
    header = pd.read_csv(address, header=None, nrows=1, dtype="str", **as_written).iloc[0].tolist()
    _refuse_repeated(header, problem, address)
    with warnings.catch_warnings():
        warnings.simplefilter("error", pd.errors.ParserWarning)  # it drops the fields that have no name
        frame: pd.DataFrame = pd.read_csv(
            address,
            dtype=dict.fromkeys(as_text, "str"),
            na_values={name: sorted(MISSING - listed.get(name, set())) for name in header},
            float_precision="round_trip",  # the default parser is off by a bit now and then, and JSON's is not
            low_memory=False,  # piece by piece, one column may become numbers here and names there
            **as_written,
        )
    return frame


def _refuse_repeated(header: list[str], problem: Problem, address: str) -> None:
    """Refuse a name of the contract that two columns have: pandas would rename the second and say nothing."""
    counts = Counter(header)
    for name in (*problem.columns, problem.target):
        if counts[name] > 1:
            raise DataError(f"two columns have the name {name!r}", where=address, mend="rename one of them")


def _typed(frame: pd.DataFrame, problem: Problem) -> pd.DataFrame:
    """Whole columns of integers become float64, of yes and no booleans; nothing else is changed."""
    for name, column in problem.columns.items():
        if name not in frame:
            continue
        values = frame[name]
        if isinstance(column, BooleanColumn):
            known = values.dropna().astype("str").str.lower().isin(BOOLEANS.keys())
            if known.all():
                frame[name] = values.map(lambda value: BOOLEANS.get(str(value).lower()))
        elif isinstance(column, CategoryColumn):
            if not isinstance(values.dtype, pd.StringDtype):
                frame[name] = values.map(str, na_action="ignore").astype("str")
        elif pd.api.types.is_numeric_dtype(values):
            frame[name] = values.astype("float64")
    if problem.classes and problem.target in frame:
        frame[problem.target] = frame[problem.target].map(str, na_action="ignore").astype("str")
    return frame


def write_frame(frame: pd.DataFrame, path: Path) -> None:
    """Write the rows as CSV or Parquet, by the name's ending; an existing file is replaced only when all is written.

    Raises:
        DataError: the ending is neither, or the file cannot be written.
    """
    kind = path.suffix.lower()
    if kind not in {".csv", ".parquet", ".pq"}:
        raise DataError("neither .csv nor .parquet", where=str(path), mend="end the name in one of them")
    unfinished = path.with_name(f".{path.name}.part")
    try:
        if kind == ".csv":
            frame.to_csv(unfinished, index=False)
        else:
            frame.to_parquet(unfinished, index=False)
        unfinished.replace(path)
    except OSError as error:
        unfinished.unlink(missing_ok=True)
        raise DataError(f"cannot be written: {error}", where=str(path), mend="see that the folder is there") from error
    except (ValueError, TypeError) as error:  # pyarrow's, of a column that holds numbers and names
        unfinished.unlink(missing_ok=True)
        raise DataError(f"cannot be written: {error}", where=str(path), mend="give each column one type") from error
