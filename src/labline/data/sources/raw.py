"""Rows as a source has them, in frames that memory has room for; what they mean is for the contract to say."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from typing import TYPE_CHECKING, Any

from labline.contract.source import Dialect
from labline.data.sources import delimited, tables
from labline.data.sources.delimited import MISSING, Reader, Reading
from labline.data.sources.opening import explained, opened
from labline.data.sources.query import query_chunks
from labline.errors import DataError

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["MISSING", "ROWS", "chunks", "query_chunks"]

ROWS = 100_000
READERS: dict[str, Reader] = {
    ".csv": delimited.frames,
    ".tsv": delimited.frames,
    ".txt": delimited.frames,
    ".jsonl": tables.json_lines,
    ".ndjson": tables.json_lines,
    ".parquet": tables.parquet,
    ".pq": tables.parquet,
    ".xlsx": tables.excel,
}


def chunks(
    address: str,
    dialect: Dialect,
    object_store: Mapping[str, Any] | None = None,
    rows: int = ROWS,
    *,
    listed: Mapping[str, Collection[str]] | None = None,
    wanted: Collection[str] = (),
) -> Iterator[pd.DataFrame]:
    """Frames of at most `rows` rows, the columns in the file's order.

    Text files give every value as `str`, exactly as written, and NaN for what is missing; other kinds give their own
    types.

    Args:
        address: a path, or an address that fsspec knows (`s3://…`).
        dialect: how a text file writes what it holds.
        object_store: fsspec options, for addresses.
        rows: of a frame, at most; of files with thousands of columns it has fewer.
        listed: by column, names that count as such though they usually stand for missing, as "NA" does.
        wanted: columns that should be there; where the separator finds none of them, the usual ones are tried.

    Raises:
        DataError: the file is not there, not readable, empty, of another kind or encoding; rows have not as many
            fields as the header; two columns have one name.
    """
    reading = Reading(dialect, rows, listed or {}, wanted)
    some = False
    with explained(address), opened(address, object_store) as file:
        for frame in READERS[file.kind](file.stream, file.kind, reading):
            some = some or len(frame) > 0
            yield frame
        if not some:
            raise DataError("it has no rows", mend="take a file with data in it")
