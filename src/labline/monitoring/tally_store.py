"""Where tallies are kept: one of every hour of the log, and one of every day that is over, added up from its hours.

A window of any size costs the number of its days and of the hours at its ends, not of its rows.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from sqlalchemy import Column, ColumnElement, Connection, Table, and_, delete, func, select

from labline.contract import Columns, Problem
from labline.database import insert_of_dialect
from labline.monitoring.log_rows import LogRows
from labline.monitoring.profile import Profile
from labline.monitoring.tables import DAY_TALLIES, TALLIES, utc
from labline.monitoring.tally import Tally, tally

HOUR = timedelta(hours=1)
DAY = timedelta(days=1)
HOURS, DAYS = TALLIES.c.hour, DAY_TALLIES.c.day


@dataclass(frozen=True)
class Counting:
    """What rows are counted against.

    Attributes:
        problem: the contract in the bundle.
        version: whose answers are counted.
        profile: of that version's bundle.
        digest: of the bundle; tallies made with another are made again.
    """

    problem: Problem
    version: int
    profile: Profile
    digest: str

    def tally(self, rows: LogRows, columns: Columns | None = None) -> Tally:
        """What is counted of some rows; their columns may be given where they are at hand."""
        problem = self.problem
        return tally(
            self.profile,
            problem,
            rows.columns(problem) if columns is None else columns,
            rows.decisions(problem),
            scores=rows.scores(problem),
            given=rows.given(problem),
        )

    def of(self, table: Table) -> ColumnElement[bool]:
        """Which rows of a table are this version's."""
        return and_(table.c.problem == self.problem.name, table.c.version == self.version)


def read_tally(
    connection: Connection, counting: Counting, since: datetime | None = None, until: datetime | None = None
) -> Tally:
    """The tally of all hours that begin from `since` on and before `until`."""
    first, end = since and _next_day(since), _summed_until(connection, counting)
    if end is not None and until is not None:
        end = min(end, _day(until))
    if end is None or (first is not None and first >= end):
        return Tally.total(counting.profile, _dumps(connection, counting, HOURS, since, until))
    before = [] if first is None else _dumps(connection, counting, HOURS, since, first)
    days = _dumps(connection, counting, DAYS, first, end)
    return Tally.total(counting.profile, [*before, *days, *_dumps(connection, counting, HOURS, end, until)])


def rows_by_hour(
    connection: Connection, counting: Counting, since: datetime | None = None, until: datetime | None = None
) -> dict[datetime, int]:
    """How many rows each hour has, the first of them first, without reading the tallies."""
    query = select(HOURS, TALLIES.c.rows).where(counting.of(TALLIES), *_between(HOURS, since, until)).order_by(HOURS)
    return {utc(hour): rows for hour, rows in connection.execute(query).all()}


def stale_hours(connection: Connection, counting: Counting) -> list[datetime]:
    """Hours of which rows were erased since they were counted."""
    query = select(HOURS).where(counting.of(TALLIES), TALLIES.c.stale)
    return [utc(hour) for hour in connection.execute(query).scalars()]


def add_to_hours(connection: Connection, counting: Counting, parts: Mapping[datetime, Tally]) -> None:
    """Add what was counted to the hours it belongs to; in a transaction beside which no other counts."""
    for hour, part in parts.items():
        found = connection.execute(select(TALLIES.c.tally).where(_at(counting, HOURS, hour))).scalar_one_or_none()
        _write(connection, counting, HOURS, hour, part if found is None else Tally.load(found) + part)
    _add_up_days(connection, counting, parts)


def replace_hour(connection: Connection, counting: Counting, hour: datetime, whole: Tally | None) -> None:
    """Put another tally in the place of the hour's; None: nothing is left of it."""
    if whole is None:
        connection.execute(delete(TALLIES).where(_at(counting, HOURS, hour)))
    else:
        _write(connection, counting, HOURS, hour, whole)
    _add_up_days(connection, counting, [hour])


def drop_tallies(connection: Connection, counting: Counting) -> None:
    """Remove all of this version."""
    for table in (TALLIES, DAY_TALLIES):
        connection.execute(delete(table).where(counting.of(table)))


def _add_up_days(connection: Connection, counting: Counting, changed: Iterable[datetime]) -> None:
    """Add up the days that are over, and once more those whose hours changed.

    After this every day with hours in it, up to the last one that is there, is there.
    """
    until = _summed_until(connection, counting)
    days = {_day(hour) for hour in changed if until is not None and hour < until}
    later = {_day(hour) for hour in rows_by_hour(connection, counting, until)}
    days |= later - {max(later, default=None)}  # of the last one hours are still to come
    for day in sorted(days):
        dumps = _dumps(connection, counting, HOURS, day, day + DAY)
        if dumps:
            _write(connection, counting, DAYS, day, Tally.total(counting.profile, dumps))
        else:
            connection.execute(delete(DAY_TALLIES).where(_at(counting, DAYS, day)))


def _summed_until(connection: Connection, counting: Counting) -> datetime | None:
    """The end of the last day that was added up; None where there is none."""
    last = connection.execute(select(func.max(DAYS)).where(counting.of(DAY_TALLIES))).scalar_one()
    return None if last is None else utc(last) + DAY


def _dumps(
    connection: Connection,
    counting: Counting,
    begins: Column[datetime],
    since: datetime | None,
    until: datetime | None,
) -> Sequence[bytes]:
    query = select(begins.table.c.tally).where(counting.of(begins.table), *_between(begins, since, until))
    return connection.execute(query).scalars().all()


def _write(connection: Connection, counting: Counting, begins: Column[datetime], begin: datetime, whole: Tally) -> None:
    key = {"problem": counting.problem.name, "version": counting.version, begins.name: begin}
    values = {"tally": whole.dump()} | ({"rows": whole.rows, "stale": False} if begins is HOURS else {})
    insert = insert_of_dialect(connection, begins.table).values(**key, **values)
    connection.execute(insert.on_conflict_do_update(index_elements=list(key), set_=values))


def _at(counting: Counting, begins: Column[datetime], begin: datetime) -> ColumnElement[bool]:
    return and_(counting.of(begins.table), begins == begin)


def _between(begins: Column[datetime], since: datetime | None, until: datetime | None) -> Iterator[ColumnElement[bool]]:
    if since is not None:
        yield begins >= since.astimezone(UTC)
    if until is not None:
        yield begins < until.astimezone(UTC)


def _day(at: datetime) -> datetime:
    return at.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)


def _next_day(at: datetime) -> datetime:
    """The first day that begins at a moment or after it."""
    return _day(at) if _day(at) == at else _day(at) + DAY
