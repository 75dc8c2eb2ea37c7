"""Text files as blocks of whole rows, by their bytes: CSV and TSV, JSON lines."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property

import pandas as pd
import pyarrow as pa
from pyarrow import csv as arrow_csv
from pyarrow import json as arrow_json

from labline.contract import BooleanColumn, NumberColumn, Problem
from labline.data.batches.columnar import Batch, batch_of
from labline.data.batches.cutting import cuts, skip, utf8
from labline.data.batches.source import Block, Source
from labline.data.sources import delimited, tables
from labline.errors import DataError

SIZE = 2**21  # bytes of a block: some ten thousand rows


@dataclass(frozen=True)
class Delimited(Source):
    """CSV and TSV."""

    header: tuple[str, ...] = field(init=False)
    separator: str = field(init=False)
    begins: int = field(init=False)

    def __post_init__(self) -> None:
        text = utf8(self.stream, self.reading.dialect.encoding)
        first = next(cuts(text, 0, SIZE), None)
        if first is None or not first.content.strip():
            raise DataError("it is empty", mend="take a file with a header and rows")
        lines = _Counted(io.TextIOWrapper(io.BytesIO(first.content), encoding="utf-8", newline=""))
        line = next(line for line in lines if line.strip())
        usual = self.reading.dialect.separator or ("\t" if self.kind == ".tsv" else ",")
        separator = delimited.separator_of(line, usual, self.reading.wanted)
        lines.again = line
        names = delimited.header(next(csv.reader(lines, delimiter=separator)))
        for name, value in {"header": tuple(names), "separator": separator, "begins": lines.size}.items():
            object.__setattr__(self, name, value)

    @cached_property
    def has_id(self) -> bool:
        """Whether the header names it."""
        return self.problem.id in self.header

    def blocks(self, start: int) -> Iterator[Block]:
        """By bytes."""
        self.stream.seek(0)
        text = utf8(self.stream, self.reading.dialect.encoding)
        place = max(start, self.begins)
        skip(text, place)
        for cut in cuts(text, place, SIZE, self.separator):
            if not cut.content.isspace() or cut.content.strip(b"\r\n"):
                yield Block(cut.content, cut.end)

    def batch(self, block: Block) -> Batch | None:
        """By Arrow's parser, numbers at once and all else as a dictionary of what is written."""
        dialect = self.reading.dialect
        if dialect.thousands is not None:
            return None
        quotes = b'"' in block.content
        try:
            table = arrow_csv.read_csv(
                pa.py_buffer(block.content),
                arrow_csv.ReadOptions(
                    column_names=self.header, use_threads=False, block_size=max(len(block.content), 1)
                ),
                # to look for quotes where there are none takes a quarter of the time
                arrow_csv.ParseOptions(delimiter=self.separator, quote_char=quotes and '"', newlines_in_values=quotes),
                self._convert,
            )
        except (pa.ArrowInvalid, pa.ArrowKeyError):
            return None
        return batch_of(table, self.problem, self._missing)

    @cached_property
    def _missing(self) -> Mapping[str, Collection[str]]:
        return {name: frozenset(self.reading.missing(name)) for name in self.problem.columns}

    @cached_property
    def _convert(self) -> arrow_csv.ConvertOptions:
        wanted = [name for name in self.header if name in self.problem.columns]
        kinds = {name: _kind(self.problem, name) for name in wanted}
        if self.has_id:
            kinds[str(self.problem.id)] = pa.string()
        return arrow_csv.ConvertOptions(
            column_types=kinds,
            include_columns=list(kinds),
            null_values=sorted(delimited.MISSING | set(self.reading.dialect.missing)),
            strings_can_be_null=False,
            decimal_point=self.reading.dialect.decimal,
        )

    def frame(self, block: Block, before: int) -> pd.DataFrame:
        """By Python's csv module, every value exactly as it is written."""
        header = io.StringIO()
        csv.writer(header, delimiter=self.separator, lineterminator="\n").writerow(self.header)
        stream = io.BytesIO(header.getvalue().encode() + block.content)
        plain = self.reading.dialect.model_copy(update={"encoding": "utf-8", "separator": self.separator})
        reading = replace(self.reading, dialect=plain, rows=delimited.CELLS, before=before)
        return _joined(delimited.frames(stream, self.kind, reading))


class _Counted:
    """Lines, and how many bytes were read of them."""

    def __init__(self, lines: Iterator[str]) -> None:
        self._lines = lines
        self.size = 0
        self.again: str | None = None

    def __iter__(self) -> _Counted:
        return self

    def __next__(self) -> str:
        if self.again is not None:
            line, self.again = self.again, None
            return line
        line = next(self._lines)
        self.size += len(line.encode())
        return line


@dataclass(frozen=True)
class JsonLines(Source):
    """One JSON object a line."""

    @cached_property
    def has_id(self) -> bool:
        """Whether the first object has it."""
        if self.problem.id is None:
            return False
        self.stream.seek(0)
        text = utf8(self.stream, self.reading.dialect.encoding)
        first = next((block for block in cuts(text, 0, SIZE) if block.content.strip()), None)
        if first is None:
            raise DataError("it is empty", mend="take a file with data in it")
        try:
            record = json.loads(first.content.lstrip().splitlines()[0])
        except ValueError:
            return False  # whoever reads the block says what is wrong with it
        return isinstance(record, dict) and self.problem.id in record

    def blocks(self, start: int) -> Iterator[Block]:
        """By bytes."""
        self.stream.seek(0)
        text = utf8(self.stream, self.reading.dialect.encoding)
        skip(text, start)
        for cut in cuts(text, start, SIZE):
            if not cut.content.isspace():
                yield Block(cut.content, cut.end, cut.content.count(b"\n"))

    def batch(self, block: Block) -> Batch | None:
        """By Arrow's parser; an id is a whole number, or text."""
        columns = [(name, _kind(self.problem, name, repeats=False)) for name in self.problem.columns]
        for kind in (pa.int64(), pa.string()) if self.problem.id is not None else (None,):
            schema = pa.schema([*columns, *([] if kind is None else [(self.problem.id, kind)])])
            try:
                table = arrow_json.read_json(
                    pa.py_buffer(block.content),
                    arrow_json.ReadOptions(use_threads=False, block_size=len(block.content) + 1),
                    arrow_json.ParseOptions(explicit_schema=schema, unexpected_field_behavior="ignore"),
                )
            except (pa.ArrowInvalid, pa.ArrowNotImplementedError):
                continue
            return batch_of(table, self.problem, {})
        return None

    def frame(self, block: Block, before: int) -> pd.DataFrame:
        """By Python's json module."""
        plain = self.reading.dialect.model_copy(update={"encoding": "utf-8"})
        reading = replace(self.reading, dialect=plain, rows=delimited.CELLS, before=before)
        return _joined(tables.json_lines(io.BytesIO(block.content), self.kind, reading))


def _kind(problem: Problem, name: str, *, repeats: bool = True) -> pa.DataType:
    """What Arrow reads a column of text files as; where names repeat, it can tell in CSV alone."""
    column = problem.columns[name]
    if isinstance(column, NumberColumn):
        return pa.float64()
    if isinstance(column, BooleanColumn) and not repeats:
        return pa.bool_()
    return pa.dictionary(pa.int32(), pa.string()) if repeats else pa.string()


def _joined(frames: Iterator[pd.DataFrame]) -> pd.DataFrame:
    return pd.concat(list(frames), ignore_index=True)
