"""The long way of a block: as a frame, checked in words, rows that break the contract set aside if that is wanted."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd

from labline.contract import Problem
from labline.data.check import CheckReport
from labline.data.sources.files import frame_of_chunks
from labline.data.sources.typed import retyped
from labline.data.violations import Violation, violations

REJECTED_HEAD = ("row", "column", "value", "what", "mend")


@dataclass(frozen=True)
class Rejection:
    """A value that breaks the contract; rows are counted from the block's first, 0."""

    row: int
    column: str
    value: Any
    what: str
    mend: str


@dataclass(frozen=True)
class Judged:
    """A block's rows after the check.

    Attributes:
        kept: those that break nothing.
        rejections: of the others.
        broken: what was found, where rows are not to be set aside, or cannot be.
    """

    kept: pd.DataFrame
    rejections: tuple[Rejection, ...] = ()
    broken: tuple[Violation, ...] = ()

    def need_whole(self, before: int, where: str) -> None:
        """Refuse the block if something was found in it.

        Args:
            before: rows of the file before it.
            where: the file.

        Raises:
            DataError: names rows by their place in the file, columns, values and mends.
        """
        found = [
            replace(violation.finding, rows=tuple(row + before for row in violation.finding.rows))
            for violation in self.broken
        ]
        CheckReport(len(self.kept), tuple(found)).need_ok(where)


def judged(raw: pd.DataFrame, problem: Problem, *, skip: bool) -> Judged:
    """The rows in the contract's types, and what is wrong with them; `skip` sets aside those with an error."""
    frame = frame_of_chunks([raw], problem, problem.sources.train.dialect)
    rejections: list[Rejection] = []
    numbers = np.arange(len(frame))
    while broken := tuple(violations(frame, problem, with_target=False)):
        if not skip or not all(len(violation.positions) for violation in broken):
            return Judged(frame, broken=broken)
        for violation in broken:
            values = frame[violation.finding.column].iloc[violation.positions]
            said = (violation.finding.what, violation.finding.mend)
            rows = numbers[violation.positions].tolist()
            rejections += [
                Rejection(row, violation.finding.column, None if pd.isna(value) else value, *said)
                for row, value in zip(rows, values, strict=True)
            ]
        stays = np.ones(len(frame), dtype=bool)
        stays[np.concatenate([violation.positions for violation in broken])] = False
        # with a value out that was no number, the rest is numbers, and held to its range
        frame, numbers = retyped(frame[stays].reset_index(drop=True), problem), numbers[stays]
    return Judged(frame, tuple(rejections))


def rejected_lines(rejections: Sequence[Rejection], before: int) -> bytes:
    """One CSV line a rejection, rows counted from the file's first, 1."""
    out = io.StringIO()
    csv.writer(out, lineterminator="\n").writerows(
        (one.row + before + 1, one.column, one.value, one.what, one.mend)
        for one in sorted(rejections, key=lambda one: one.row)
    )
    return out.getvalue().encode()


def rejected_head() -> bytes:
    """The header of those lines."""
    return (",".join(REJECTED_HEAD) + "\n").encode()
