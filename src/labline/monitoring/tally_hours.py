"""Keeps a tally of every hour of the log, as it grows: a window of any size costs the number of hours, not of rows."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import numpy as np
from sqlalchemy import ColumnElement, Connection, Engine, Table, and_, delete, func, select, update
from sqlalchemy.dialects import postgresql, sqlite

from labline.contract import Columns, Problem
from labline.database import alone, is_embedded, reaching
from labline.monitoring.log_rows import LogRows, read_rows
from labline.monitoring.prediction_log import PREDICTIONS, lock_commits
from labline.monitoring.profile import Profile
from labline.monitoring.tables import CURSORS, TALLIES, utc
from labline.monitoring.tally import Tally, tally

LOCK = 0x6C616274616C  # "labtal"
ROWS_AT_ONCE = 20_000
HOUR = timedelta(hours=1)


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


def count_rows(engine: Engine, counting: Counting) -> int:
    """Count the rows that came since; of several processes at once each row is counted by one.

    Returns:
        How many were counted here.

    Raises:
        DatabaseError: the database is away.
    """
    _begin(engine, counting)
    counted = 0
    while (more := _count_some(engine, counting)) is not None:
        counted += more
    _recount(engine, counting)
    return counted


def read_tally(
    connection: Connection, counting: Counting, since: datetime | None = None, until: datetime | None = None
) -> Tally:
    """The tally of all hours that begin from `since` on and before `until`."""
    query = select(TALLIES.c.tally).where(_of(TALLIES, counting), *_between(since, until))
    return Tally.total_of(counting.profile, connection.execute(query).scalars().all())


def rows_by_hour(
    connection: Connection, counting: Counting, since: datetime | None = None, until: datetime | None = None
) -> dict[datetime, int]:
    """How many rows each hour has, the first of them first, without reading the tallies."""
    query = select(TALLIES.c.hour, TALLIES.c.rows).where(_of(TALLIES, counting), *_between(since, until))
    query = query.order_by(TALLIES.c.hour)
    return {utc(hour): rows for hour, rows in connection.execute(query).all()}


def _between(since: datetime | None, until: datetime | None) -> Iterator[ColumnElement[bool]]:
    if since is not None:
        yield TALLIES.c.hour >= since.astimezone(UTC)
    if until is not None:
        yield TALLIES.c.hour < until.astimezone(UTC)


def _of(table: Table, counting: Counting) -> ColumnElement[bool]:
    return and_(table.c.problem == counting.problem.name, table.c.version == counting.version)


def _begin(engine: Engine, counting: Counting) -> None:
    """See that there is a cursor for this bundle; tallies against another's profile are dropped."""
    query = select(CURSORS.c.profile).where(_of(CURSORS, counting))
    with reaching(engine), engine.connect() as connection:
        if connection.execute(query).scalar_one_or_none() == counting.digest:
            return
    with alone(engine, LOCK) as connection:
        if connection.execute(query).scalar_one_or_none() == counting.digest:
            return  # another process was faster
        for table in (TALLIES, CURSORS):
            connection.execute(delete(table).where(_of(table, counting)))
        key = {"problem": counting.problem.name, "version": counting.version}
        connection.execute(CURSORS.insert(), {**key, "profile": counting.digest, "sequence": 0})


def _count_some(engine: Engine, counting: Counting) -> int | None:
    """Count the next rows, and move the cursor with them; None where there are no more, or not now."""
    with reaching(engine), engine.connect() as connection:
        after = _cursor(connection, counting)
    through = _committed_through(engine, counting)
    if after is None or through <= after:
        return None
    log = PREDICTIONS.c.sequence
    with reaching(engine), engine.connect() as connection:
        rows = read_rows(
            connection,
            counting.problem.name,
            counting.version,
            log > after,
            log <= through,
            limit=ROWS_AT_ONCE,
            labels=False,
        )
    parts = _by_hour(rows, counting)
    last = int(rows.sequences[-1]) if len(rows) else through  # all between were erased meanwhile
    with alone(engine, LOCK) as connection:
        if _cursor(connection, counting) != after:
            return 0  # another process was faster; look again what there is to do
        for hour, part in parts.items():
            _add(connection, counting, hour, part)
        connection.execute(update(CURSORS).where(_of(CURSORS, counting)).values(sequence=last))
    return len(rows)


def _cursor(connection: Connection, counting: Counting) -> int | None:
    """Through which row is counted; None where another bundle has taken the place of this one."""
    query = select(CURSORS.c.sequence).where(_of(CURSORS, counting), CURSORS.c.profile == counting.digest)
    return connection.execute(query).scalar_one_or_none()


def _committed_through(engine: Engine, counting: Counting) -> int:
    """The last row before which none can appear any more.

    On a server rows get their sequence before they are committed. Who writes holds the lock until then, shared; who
    gets it alone for a moment knows that no row with a smaller sequence is still to come.
    """
    last = select(func.max(PREDICTIONS.c.sequence))
    last = last.where(PREDICTIONS.c.problem == counting.problem.name, PREDICTIONS.c.version == counting.version)
    with reaching(engine), engine.begin() as connection:
        if not is_embedded(engine):
            lock_commits(connection, shared=False)
        return connection.execute(last).scalar_one() or 0


def _by_hour(rows: LogRows, counting: Counting) -> dict[datetime, Tally]:
    hours = rows.at.astype("datetime64[h]")
    return {
        hour.astype(datetime).replace(tzinfo=UTC): counting.tally(rows.take(np.flatnonzero(hours == hour)))
        for hour in np.unique(hours)
    }


def _add(connection: Connection, counting: Counting, hour: datetime, part: Tally) -> None:
    here = and_(_of(TALLIES, counting), TALLIES.c.hour == hour)
    found = connection.execute(select(TALLIES.c.tally).where(here)).scalar_one_or_none()
    _write(connection, counting, hour, part if found is None else Tally.load(found) + part)


def _write(connection: Connection, counting: Counting, hour: datetime, whole: Tally) -> None:
    key = {"problem": counting.problem.name, "version": counting.version, "hour": hour}
    values = {"rows": whole.rows, "tally": whole.dump()}
    insert = (sqlite if connection.dialect.name == "sqlite" else postgresql).insert(TALLIES)
    insert = insert.values(**key, **values, stale=False)
    connection.execute(insert.on_conflict_do_update(index_elements=list(key), set_=values))


def _recount(engine: Engine, counting: Counting) -> None:
    """Count again the hours of which rows were erased; one that has none left is dropped."""
    stale = select(TALLIES.c.hour).where(_of(TALLIES, counting), TALLIES.c.stale)
    with reaching(engine), engine.connect() as connection:
        hours = connection.execute(stale).scalars().all()
    for hour in hours:
        begin = utc(hour)
        with alone(engine, LOCK) as connection:
            here = and_(_of(TALLIES, counting), TALLIES.c.hour == begin)
            # first of all: who erases more of this hour from now on waits, and then marks it again
            connection.execute(update(TALLIES).where(here).values(stale=False))
            whole = _tally_of_hour(connection, counting, begin)
            if whole is None:
                connection.execute(delete(TALLIES).where(here))
            else:
                _write(connection, counting, begin, whole)


def _tally_of_hour(connection: Connection, counting: Counting, begin: datetime) -> Tally | None:
    """The tally of the rows that were counted before and are still there, read a minute at a time."""
    through = _cursor(connection, counting) or 0
    log, whole = PREDICTIONS.c, None
    for minute in range(60):
        start = begin + timedelta(minutes=minute)
        here = (log.at >= start, log.at < start + timedelta(minutes=1), log.sequence <= through)
        name, version = counting.problem.name, counting.version
        rows = read_rows(connection, name, version, *here, order="latest", labels=False)
        if len(rows):
            part = counting.tally(rows)
            whole = part if whole is None else whole + part
    return whole
