"""Windows of the log: which rows or hours are judged, read from it with what is known of their labels."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import accumulate
from typing import Literal

import numpy as np
from sqlalchemy import ColumnElement, Engine

from labline.contract import BooleanColumn, CategoryColumn, Columns, NumberColumn, Problem
from labline.database import reaching
from labline.errors import LablineError
from labline.model.segments import VALUES_MAX, Mask, segments_of
from labline.model.tasks import Task
from labline.monitoring.log_rows import LogRows, read_rows
from labline.monitoring.outcome_hours import read_outcomes
from labline.monitoring.outcomes import Outcomes, outcomes_of, total_of
from labline.monitoring.prediction_log import PREDICTIONS
from labline.monitoring.profile import Profile
from labline.monitoring.tally import Tally
from labline.monitoring.tally_store import HOUR, Counting, read_tally, rows_by_hour

ROWS_MAX = 20_000  # windows of more rows are made of whole hours
QUARTILES = (0.25, 0.5, 0.75)


@dataclass(frozen=True)
class Segment:
    """Rows alike in a column: `column: part`, named as in the model's card."""

    column: str
    part: str

    def __str__(self) -> str:
        return f"{self.column}: {self.part}"


@dataclass(frozen=True)
class Wanted:
    """Which window is asked for: the last rows, or all between two moments; of these, those in all segments.

    Attributes:
        last: how many rows; unused where `since` or `until` is given.
        since: the window begins here; None: with the first row.
        until: and ends before; None: with the last row.
        segments: which rows of it.
    """

    last: int
    since: datetime | None = None
    until: datetime | None = None
    segments: tuple[Segment, ...] = ()

    @property
    def by_time(self) -> bool:
        """Whether it is asked for by time."""
        return self.since is not None or self.until is not None


@dataclass(frozen=True)
class LogWindow:
    """What was found in the log.

    Attributes:
        tally: of its rows.
        outcomes: of those whose labels are known.
        rows: themselves, where the window has no more than `ROWS_MAX`.
        columns: of these, under the contract's policies.
        since: of its first row, or hour.
        until: of its last row, or the end of its last hour.
        notes: what is not as it was asked for.
    """

    tally: Tally
    outcomes: Outcomes
    rows: LogRows | None
    columns: Columns | None
    since: datetime | None
    until: datetime | None
    notes: tuple[str, ...] = ()


def parse_segment(problem: Problem, written: str) -> Segment:
    """The segment that is written like `COLUMN:NAME`.

    Raises:
        LablineError: it is not written so, or there is no such column that makes segments.
    """
    possible = [
        name
        for name, column in problem.columns.items()
        if isinstance(column, CategoryColumn | BooleanColumn | NumberColumn) and column.logged
    ]
    found = max((name for name in possible if written.startswith(f"{name}:")), key=len, default=None)
    part = written[len(found) + 1 :].strip() if found is not None else ""
    if found is None or not part:
        raise LablineError(
            f"{written!r} names no segment", where="segment", mend=f"write COLUMN:PART; columns: {', '.join(possible)}"
        )
    return Segment(found, part)


def read_window(engine: Engine, counting: Counting, task: Task, wanted: Wanted) -> LogWindow:
    """The window as it is in the log now; rows and labels that came since must have been counted before.

    Raises:
        DatabaseError: the database is away.
        LablineError: no such part of a column.
    """
    where: list[ColumnElement[bool]] = []
    if wanted.since is not None:
        where.append(PREDICTIONS.c.at >= wanted.since)
    if wanted.until is not None:
        where.append(PREDICTIONS.c.at < wanted.until)
    hours = _hours(engine, counting, wanted)
    if hours is not None and not wanted.segments:
        return _of_hours(engine, counting, *hours)
    limit = ROWS_MAX if wanted.by_time else min(wanted.last, ROWS_MAX)
    order: Literal["latest", "last"] = "latest" if wanted.by_time else "last"
    with reaching(engine), engine.connect() as connection:
        rows = read_rows(connection, counting.problem.name, counting.version, *where, limit=limit, order=order)
    notes = [f"the last {limit:,} rows of it alone: segments are looked for in rows"] if hours is not None else []
    if wanted.segments:
        notes.append("a segment is compared with all rows of the training data: what makes it one shows as drift")
        here = inside(counting.problem, counting.profile, rows.columns(counting.problem), wanted.segments)
        rows = rows.take(np.flatnonzero(here))
    columns = rows.columns(counting.problem)
    return LogWindow(
        counting.tally(rows, columns),
        outcomes_of(counting.problem, task, rows.labelled(counting.problem, task)),
        rows,
        columns,
        rows.first,
        rows.last,
        tuple(notes),
    )


def _hours(engine: Engine, counting: Counting, wanted: Wanted) -> tuple[datetime, datetime] | None:
    """The hours that a large window is made of, from when to when; None where it is small enough to read its rows."""
    if not wanted.by_time and wanted.last <= ROWS_MAX:
        return None
    since = None if wanted.since is None else _hour(wanted.since)
    with reaching(engine), engine.connect() as connection:
        counts = rows_by_hour(connection, counting, since, wanted.until)
    if sum(counts.values()) <= ROWS_MAX:
        return None
    begins = sorted(counts)
    if wanted.by_time:
        return begins[0], begins[-1] + HOUR
    covered = accumulate(counts[begin] for begin in reversed(begins))
    needed = next((hours for hours, rows in enumerate(covered, 1) if rows >= wanted.last), len(begins))
    return begins[-needed], begins[-1] + HOUR


def _of_hours(engine: Engine, counting: Counting, since: datetime, until: datetime) -> LogWindow:
    with reaching(engine), engine.connect() as connection:
        whole = read_tally(connection, counting, since, until)
        outcomes = read_outcomes(connection, counting.problem.name, counting.version, since, until)
    return LogWindow(whole, total_of(outcomes.values()), None, None, since, until, ("made of whole hours",))


def _hour(at: datetime) -> datetime:
    return at.replace(minute=0, second=0, microsecond=0)


def inside(problem: Problem, profile: Profile, columns: Columns, segments: Sequence[Segment]) -> Mask:
    """Which rows are in all of the segments, shape (rows,).

    A number without bands is cut at the quartiles of the training data, so that each window has the same segments.

    Raises:
        LablineError: no row has such a value, and the contract does not list it.
    """
    found = np.ones(len(next(iter(columns.values()))), dtype=bool)
    for segment in segments:
        column = problem.columns[segment.column]
        if isinstance(column, NumberColumn) and not column.bands:
            column = column.model_copy(update={"bands": _quartiles(profile, segment.column, column)})
        alone = problem.model_copy(update={"segments": (segment.column,), "columns": {segment.column: column}})
        parts = segments_of(alone, columns)
        if str(segment) in parts:
            found &= parts[str(segment)]
            continue
        if not (isinstance(column, CategoryColumn) and (column.is_open or segment.part in column.values)):
            names = ", ".join(name.removeprefix(f"{segment.column}: ") for name in parts)
            raise LablineError(f"no row is in {segment}", where="segment", mend=f"there are: {names}")
        found[:] = False
    return found


def _quartiles(profile: Profile, name: str, column: NumberColumn) -> tuple[float, ...]:
    """Of the training data; none for a whole number of few values, which has a segment for each."""
    reference = profile.numbers[name]
    if column.type == "integer" and len(reference.knots) <= VALUES_MAX:
        return ()
    at = np.searchsorted(reference.upto, QUARTILES).clip(max=max(len(reference.knots) - 1, 0))
    return tuple(sorted({float(f"{reference.knots[index]:.4g}") for index in at})) if reference.knots else ()
