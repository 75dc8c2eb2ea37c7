"""Files that hold types of their own: JSON lines, Parquet and Excel."""

from __future__ import annotations

import json
import zipfile
from collections.abc import Iterator, Sequence
from itertools import islice
from typing import IO, TYPE_CHECKING, Any

from labline.data.sources.delimited import Reading, header
from labline.data.sources.opening import as_text
from labline.errors import DataError

if TYPE_CHECKING:
    import pandas as pd


def frame_of(rows: Sequence[Sequence[Any]], names: Sequence[str]) -> pd.DataFrame:
    """A frame of Python values; whole numbers stay so where some are missing."""
    import pandas as pd

    columns = zip(*rows, strict=True) if rows else ([] for _ in names)
    return pd.DataFrame({name: _series(list(values)) for name, values in zip(names, columns, strict=True)})


def _series(values: list[Any]) -> pd.Series[Any]:
    import pandas as pd

    if {type(value) for value in values} == {int, type(None)} and max(map(_size, values)) < 2**63:
        return pd.Series(values, dtype="Int64")
    return (
        pd.Series(values, dtype=object)
        if any(isinstance(value, list | dict) for value in values)
        else pd.Series(values)
    )


def _size(value: int | None) -> int:
    return abs(value or 0)


def json_lines(stream: IO[bytes], kind: str, reading: Reading) -> Iterator[pd.DataFrame]:
    """One JSON object a line; a name that an object lacks is missing there."""
    del kind
    lines = enumerate(as_text(stream, reading.dialect.encoding), reading.before + 1)
    records = (_record(line, number) for number, line in lines if line.strip())
    while part := list(islice(records, reading.rows)):
        names = list(dict.fromkeys(name for record in part for name in record))
        yield frame_of([[record.get(name) for name in names] for record in part], names)


def _record(line: str, number: int) -> dict[str, Any]:
    try:
        record = json.loads(line)
    except ValueError as error:
        raise DataError(f"line {number} is no JSON: {error}", mend="write one JSON object a line") from error
    if not isinstance(record, dict):
        raise DataError(f"line {number} is no JSON object", mend="write one JSON object a line: {name: value, …}")
    return record


def parquet(stream: IO[bytes], kind: str, reading: Reading) -> Iterator[pd.DataFrame]:
    """Parquet, in its own types."""
    del kind
    import pyarrow as pa
    from pyarrow.parquet import ParquetFile

    try:
        file = ParquetFile(stream)
        header(file.schema_arrow.names)
        for batch in file.iter_batches(batch_size=reading.rows):
            yield batch.to_pandas()
    except (pa.ArrowInvalid, OSError) as error:
        raise DataError(f"cannot be read: not a whole Parquet file ({error})", mend="write it again") from error


def excel(stream: IO[bytes], kind: str, reading: Reading) -> Iterator[pd.DataFrame]:
    """The first sheet of a workbook, the first row with anything in it taken for the header."""
    del kind
    from openpyxl import load_workbook
    from openpyxl.utils.exceptions import InvalidFileException

    try:
        book = load_workbook(stream, read_only=True, data_only=True)
    except (zipfile.BadZipFile, InvalidFileException, KeyError, ValueError, OSError) as error:
        raise DataError(
            "cannot be read: not an Excel workbook (.xlsx)", mend="save it as .xlsx, or name it by what it is"
        ) from error
    rows = (row for row in book.worksheets[0].iter_rows(values_only=True) if any(cell is not None for cell in row))
    titles = ["" if cell is None else str(cell) for cell in next(rows, ())]
    while titles and not titles[-1]:
        titles.pop()
    if not titles:
        raise DataError("it is empty", mend="take a file with a header and rows")
    names = header(titles)
    missing = [set(reading.missing(name)) for name in names]
    numbered = (_sheet_row(row, number, missing) for number, row in enumerate(rows, 1))
    while part := list(islice(numbered, reading.rows)):
        yield frame_of(part, names)


def _sheet_row(row: Sequence[Any], number: int, missing: list[set[str]]) -> list[Any]:
    if any(cell is not None for cell in row[len(missing) :]):
        raise DataError(f"row {number} has a value where the header has no name", mend="name every column")
    cells = [*row[: len(missing)], *[None] * (len(missing) - len(row))]
    return [_cell(cell, gone) for cell, gone in zip(cells, missing, strict=True)]


def _cell(cell: Any, missing: set[str]) -> Any:
    return None if isinstance(cell, str) and (cell in missing or not cell.strip()) else cell
