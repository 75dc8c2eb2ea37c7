"""Files of any kind and place, opened to be read as blocks."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from typing import Any

from labline.contract import Problem
from labline.data.batches.source import Source
from labline.data.batches.table_sources import Frames, Parquet
from labline.data.batches.text_sources import Delimited, JsonLines
from labline.data.sources.delimited import Reading
from labline.data.sources.files import listed_names
from labline.data.sources.opening import explained, opened

ROWS = 50_000  # of a block, where rows are what is counted

SOURCES: dict[str, type[Source]] = {
    ".jsonl": JsonLines,
    ".ndjson": JsonLines,
    ".parquet": Parquet,
    ".pq": Parquet,
    ".xlsx": Frames,
}


@contextmanager
def open_source(address: str, problem: Problem, object_store: Mapping[str, Any] | None = None) -> Iterator[Source]:
    """The file at a path or fsspec address.

    Raises:
        DataError: it is not there, not readable, of no known kind, or has no rows.
    """
    dialect = problem.sources.train.dialect
    reading = Reading(dialect, ROWS, listed_names(problem), {*problem.columns, problem.target})
    with ExitStack() as until_read:
        with explained(address):
            file = until_read.enter_context(opened(address, object_store))
            source = SOURCES.get(file.kind, Delimited)(file.stream, file.kind, problem, reading)
            _ = source.has_id, source.size  # for which some seek: now, and never while blocks are read
        yield source
