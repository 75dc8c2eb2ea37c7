"""Text files with a separator between fields: every value exactly as it is written, row by row."""

from __future__ import annotations

import csv
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import chain, islice
from typing import IO, TYPE_CHECKING

from labline.contract.source import Dialect
from labline.data.sources.opening import as_text
from labline.errors import DataError

if TYPE_CHECKING:
    import pandas as pd
    import pyarrow as pa

# What pandas takes for missing by default, as its documentation of read_csv lists it.
MISSING = frozenset(
    (
        *("", "#N/A", "#N/A N/A", "#NA", "-1.#IND", "-1.#QNAN", "-NaN", "-nan", "1.#IND", "1.#QNAN", "<NA>"),
        *("N/A", "NA", "NULL", "NaN", "None", "n/a", "nan", "null"),
    )
)
SEPARATORS = ",;\t|"
# So few rows are Python strings at a time: they are a multiple of the file's size, and the collector looks at each.
BLOCK = 500
CELLS = 10_000_000  # of a frame, at most: a file of thousands of columns comes in frames of fewer rows
FIELD_LIMIT = 2**24  # characters; longer is a quote that is never closed
END = "\0"  # a line of its own after the last: in a quote that is still open, it is no row


@dataclass(frozen=True)
class Reading:
    """How to read a file, whatever its kind.

    Attributes:
        dialect: how it writes what it holds.
        rows: of a frame, at most.
        listed: by column, names that count as such and not as missing.
        wanted: columns that should be there; where the separator finds none of them, another one is tried.
        before: rows (of JSON: lines) before these, where a file is read in pieces; for messages.
    """

    dialect: Dialect
    rows: int
    listed: Mapping[str, Collection[str]] = field(default_factory=dict)
    wanted: Collection[str] = ()
    before: int = 0

    def missing(self, name: str) -> list[str]:
        """What counts as missing in the column."""
        return sorted((MISSING | set(self.dialect.missing)) - set(self.listed.get(name, ())))


def frames(stream: IO[bytes], kind: str, reading: Reading) -> Iterator[pd.DataFrame]:
    """The rows in frames of `str`, missing as NaN.

    Raises:
        DataError: no header, a name that two columns have, rows with more or fewer fields, another encoding.
    """
    try:
        yield from _frames(as_text(stream, reading.dialect.encoding), kind, reading)
    except csv.Error as error:
        raise DataError(f"cannot be read: {error}", mend="see whether a quote is opened and never closed") from error


def _frames(lines: Iterator[str], kind: str, reading: Reading) -> Iterator[pd.DataFrame]:
    first = next((line for line in lines if line.strip()), None)
    if first is None:
        raise DataError("it is empty", mend="take a file with a header and rows")
    separator = separator_of(first, reading.dialect.separator or ("\t" if kind == ".tsv" else ","), reading.wanted)
    csv.field_size_limit(FIELD_LIMIT)
    fields = csv.reader(chain([first], lines, [END]), delimiter=separator)
    names = header(next(fields, []))
    blocks = _blocks(fields, names, reading.before)
    per_frame = max(1, min(reading.rows, CELLS // len(names)))
    while block := list(islice(blocks, -(-per_frame // BLOCK))):
        yield from _cut(block, names, reading, per_frame)


def separator_of(line: str, usual: str, wanted: Collection[str]) -> str:
    """The usual one, or the one that finds most of the names that are wanted, where the usual finds none."""

    def found(separator: str) -> int:
        return len(set(wanted).intersection(next(csv.reader([line], delimiter=separator))))

    return usual if found(usual) else max(usual + SEPARATORS, key=found)


def header(names: list[str]) -> list[str]:
    """The names of the columns; one without gets one.

    Raises:
        DataError: two have the same.
    """
    named = [name or f"Unnamed: {place}" for place, name in enumerate(names)]
    repeated = sorted({name for name in named if named.count(name) > 1}) if len(set(named)) < len(named) else []
    if repeated:
        raise DataError(f"two columns have the name {' and '.join(map(repr, repeated))}", mend="rename one of them")
    return named


def _blocks(fields: Iterator[list[str]], names: list[str], before: int) -> Iterator[pa.RecordBatch]:
    import pyarrow as pa

    schema = pa.schema([(str(place), pa.large_string()) for place in range(len(names))])
    closed = False
    while not closed:
        rows = list(islice(fields, BLOCK))
        if not rows:
            raise DataError("a quote is opened and never closed", mend="close it, or double it if it is meant")
        if closed := rows[-1] == [END]:
            rows.pop()
        if [] in rows:
            rows = [row for row in rows if row]
        _need_even(rows, len(names), before)
        before += len(rows)
        if rows:
            yield pa.record_batch([pa.array(values, pa.large_string()) for values in zip(*rows, strict=True)], schema)


def _need_even(rows: list[list[str]], wanted: int, before: int) -> None:
    """Refuse a row with more or fewer fields than the header; empty ones at its end are cut off."""
    if set(map(len, rows)) <= {wanted}:
        return
    for number, row in enumerate(rows, before + 1):
        if len(row) > wanted and not any(row[wanted:]):
            del row[wanted:]
        if len(row) != wanted:
            raise DataError(
                f"row {number} has {len(row)} fields, the header has {wanted}",
                mend="quote what holds the separator, complete the row, or say the separator in the source's dialect",
            )


def _cut(blocks: list[pa.RecordBatch], names: list[str], reading: Reading, rows: int) -> Iterator[pd.DataFrame]:
    import pyarrow as pa

    table = pa.Table.from_batches(blocks).combine_chunks()
    columns = [_known(column, reading.missing(name)) for name, column in zip(names, table.columns, strict=True)]
    table = pa.table(dict(zip(map(str, range(len(names))), columns, strict=True)))
    for start in range(0, len(table), rows):
        frame = table.slice(start, rows).to_pandas()
        frame.columns = names
        yield frame


def _known(values: pa.ChunkedArray, missing: list[str]) -> pa.ChunkedArray:
    import pyarrow as pa
    import pyarrow.compute as pc

    gone = pc.or_(pc.is_in(values, value_set=pa.array(missing, pa.large_string())), pc.utf8_is_space(values))
    return pc.if_else(gone, None, values) if pc.any(gone).as_py() else values


Reader = Callable[[IO[bytes], str, Reading], "Iterator[pd.DataFrame]"]
