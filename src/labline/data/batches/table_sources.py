"""Tables as blocks of so many rows: Parquet, and workbooks."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property

import pandas as pd
import pyarrow as pa
from pyarrow.parquet import ParquetFile

from labline.contract import NumberColumn
from labline.data.batches.columnar import Batch, batch_of
from labline.data.batches.source import Block, Source
from labline.data.sources import delimited, raw
from labline.errors import DataError


@dataclass(frozen=True)
class Parquet(Source):
    """Parquet, in its own types."""

    file: ParquetFile = field(init=False)

    def __post_init__(self) -> None:
        try:
            file = ParquetFile(self.stream, read_dictionary=self._names)
        except (pa.ArrowInvalid, OSError) as error:
            raise DataError(f"cannot be read: not a whole Parquet file ({error})", mend="write it again") from error
        object.__setattr__(self, "file", file)
        delimited.header(file.schema_arrow.names)

    @property
    def _names(self) -> list[str]:
        return [name for name, column in self.problem.columns.items() if not isinstance(column, NumberColumn)]

    @cached_property
    def has_id(self) -> bool:
        """Whether the schema has it."""
        return self.problem.id in self.file.schema_arrow.names

    @cached_property
    def size(self) -> int | None:
        """Rows."""
        return int(self.file.metadata.num_rows)

    def blocks(self, start: int) -> Iterator[Block]:
        """By rows, within groups of rows; groups that are done with are not read."""
        wanted = [*self.problem.columns, self.problem.id]
        names = [name for name in self.file.schema_arrow.names if name in wanted]
        first = 0
        for group in range(self.file.num_row_groups):
            after = first + self.file.metadata.row_group(group).num_rows
            if after > start:
                for part in self.file.iter_batches(self.reading.rows, [group], names):
                    first += len(part)
                    if first > start:
                        yield Block(part.slice(max(0, len(part) - (first - start))), first)
            first = after

    def batch(self, block: Block) -> Batch | None:
        """In the file's own types, where they are the contract's."""
        return batch_of(pa.Table.from_batches([block.content]), self.problem, {})

    def frame(self, block: Block, before: int) -> pd.DataFrame:
        """As pandas has it."""
        del before
        plain = [
            pa.Array.cast(column, column.type.value_type) if pa.types.is_dictionary(column.type) else column
            for column in block.content.columns
        ]
        frame: pd.DataFrame = pa.table(plain, names=block.content.schema.names).to_pandas()
        return frame


@dataclass(frozen=True)
class Frames(Source):
    """Workbooks, which only their own reader knows; they are small."""

    @cached_property
    def has_id(self) -> bool:
        """Whether the first sheet has it."""
        first = next(self.blocks(0), None)
        return first is not None and self.problem.id in first.content

    @cached_property
    def size(self) -> int | None:
        """Not known before it was read."""
        return None

    def blocks(self, start: int) -> Iterator[Block]:
        """By rows."""
        self.stream.seek(0)
        end = 0
        for frame in raw.READERS[self.kind](self.stream, self.kind, self.reading):
            end += len(frame)
            if end > start:
                yield Block(frame, end)

    def batch(self, block: Block) -> Batch | None:  # pylint: disable=useless-return
        """Always the long way."""
        del block
        return None

    def frame(self, block: Block, before: int) -> pd.DataFrame:
        """As it was read."""
        del before
        frame: pd.DataFrame = block.content
        return frame
