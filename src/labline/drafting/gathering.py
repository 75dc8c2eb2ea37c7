"""Reads a source once, in chunks: the facts of every column, and a sample of the rows from all over it."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from labline.drafting.facts import DISTINCT_MAX, Facts
from labline.drafting.numbers import Style

CELLS_KEPT = 1_000_000
ROWS_KEPT = (1000, 20_000)  # at least and at most
TARGETS_COUNTED = 100_000


@dataclass(frozen=True)
class Gathered:
    """What a source holds.

    Attributes:
        rows: all there are.
        facts: of each column, in the file's order.
        sample: some rows, in the file's order, as the source gives them.
    """

    rows: int
    facts: dict[str, Facts]
    sample: pd.DataFrame

    def missing(self, name: str) -> int:
        """How many rows lack the column's value."""
        return self.rows - self.facts[name].known


def gather(
    frames: Iterable[pd.DataFrame],
    style: Style,
    target: str | None,
    seed: int,
    told: Callable[[int], None] = lambda rows: None,
) -> Gathered:
    """The facts of all rows, and a sample of them.

    Args:
        frames: the source's rows.
        style: how numbers are written.
        target: the column to predict, of which more names are counted.
        seed: decides which rows are in the sample.
        told: hears how many rows were read.
    """
    facts: dict[str, Facts] = {}
    rows, kept = 0, None
    random = np.random.default_rng(seed)
    for read in frames:
        frame = read.set_axis([str(name) for name in read.columns], axis=1)  # Parquet may have numbers for names
        for name, values in frame.items():
            if name not in facts:
                most = TARGETS_COUNTED if name == target else DISTINCT_MAX
                facts[str(name)] = Facts(str(name), style, most)
            facts[str(name)].take(values)
        kept = kept or Reservoir(min(max(CELLS_KEPT // max(1, frame.shape[1]), ROWS_KEPT[0]), ROWS_KEPT[1]), random)
        kept.take(frame)
        rows += len(frame)
        told(rows)
    return Gathered(rows, facts, kept.rows() if kept else pd.DataFrame())


class Reservoir:
    """Keeps so many rows of all it is given, each as likely as any other.

    Every row draws a number; those with the smallest stay (Vitter 1985 has the problem, this is its simplest answer).
    """

    def __init__(self, size: int, random: np.random.Generator) -> None:
        self._size, self._random = size, random
        self._frames: list[pd.DataFrame] = []
        self._drawn: list[NDArray[np.float64]] = []
        self._limit = 1.0

    @property
    def held(self) -> int:
        """How many rows are in memory."""
        return sum(map(len, self._drawn))

    def take(self, frame: pd.DataFrame) -> None:
        """Draw for more rows."""
        drawn = self._random.random(len(frame))
        stays = drawn < self._limit
        self._frames.append(frame[stays])
        self._drawn.append(drawn[stays])
        if self.held > 2 * self._size:
            self._trim()

    def rows(self) -> pd.DataFrame:
        """The rows that stay, in the order they came."""
        self._trim()
        return self._frames[0]

    def _trim(self) -> None:
        drawn = np.concatenate(self._drawn)
        frame: Any = pd.concat(self._frames, ignore_index=True) if len(self._frames) > 1 else self._frames[0]
        if len(drawn) > self._size:
            self._limit = float(np.partition(drawn, self._size)[self._size])
            frame, drawn = frame[drawn < self._limit], drawn[drawn < self._limit]
        self._frames, self._drawn = [frame.reset_index(drop=True)], [drawn]
