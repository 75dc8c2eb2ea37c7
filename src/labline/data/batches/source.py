"""An open file that is read as blocks, in order, from any place on."""

from __future__ import annotations

import gzip
import io
import zipfile
from abc import ABC, abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import IO, Any

import pandas as pd

from labline.contract import Problem
from labline.data.batches.columnar import Batch
from labline.data.sources.delimited import Reading


@dataclass(frozen=True)
class Block:
    """Some rows as the file holds them.

    Attributes:
        content: of them.
        end: the place where the next block begins.
        lines: of JSON: how many it has.
    """

    content: Any
    end: int
    lines: int = 0


@dataclass(frozen=True)
class Source(ABC):
    """An open file.

    Attributes:
        stream: its bytes, unpacked.
        kind: by its name's ending.
        problem: says what its columns hold.
        reading: how text is read.
    """

    stream: IO[bytes]
    kind: str
    problem: Problem
    reading: Reading

    @cached_property
    @abstractmethod
    def has_id(self) -> bool:
        """Whether it has the contract's id column."""

    @cached_property
    def size(self) -> int | None:
        """The end of the last block; None where that is not known."""
        return _size(self.stream)

    @abstractmethod
    def blocks(self, start: int) -> Iterator[Block]:
        """The blocks from a place on: 0, or the end of another block."""

    @abstractmethod
    def batch(self, block: Block) -> Batch | None:
        """The block's rows, read fast; None where that will not do."""

    @abstractmethod
    def frame(self, block: Block, before: int) -> pd.DataFrame:
        """The block's rows as a frame of what is written.

        Args:
            block: read by this source.
            before: rows, of JSON lines, before it; for messages.

        Raises:
            DataError: it cannot be read.
        """


def _size(stream: IO[bytes]) -> int | None:
    """Of a plain stream; how long a packed one is, only reading it would tell."""
    if isinstance(stream, gzip.GzipFile | zipfile.ZipExtFile):
        return None
    return stream.seek(0, io.SEEK_END)
