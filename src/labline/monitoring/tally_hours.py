"""Counts the rows of the log as it grows, each once, into the tally of its hour."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import numpy as np
from sqlalchemy import Connection, Engine, delete, func, select, update

from labline.database import alone, is_embedded, reaching
from labline.monitoring.log_rows import LogRows, read_rows
from labline.monitoring.prediction_log import PREDICTIONS, lock_commits
from labline.monitoring.tables import CURSORS, TALLIES
from labline.monitoring.tally import Tally
from labline.monitoring.tally_store import Counting, add_to_hours, drop_tallies, replace_hour, stale_hours

LOCK = 0x6C616274616C  # "labtal"
ROWS_AT_ONCE = 20_000


def count_rows(engine: Engine, counting: Counting) -> int:
    """Count the rows that came since; of several processes at once each row is counted by one.

    Returns:
        How many were counted here.

    Raises:
        DatabaseError: the database is away.
    """
    with reaching(engine), engine.connect() as connection:
        after, stale = _cursor(connection, counting), stale_hours(connection, counting)
        if after is not None and not stale and _last(connection, counting) <= after:
            return 0  # as most times: found out without a lock
    counted, after = 0, _begin(engine, counting)
    while after is not None and (through := _committed_through(engine, counting)) > after:
        more, after = _count_some(engine, counting, after, through)
        counted += more
    for hour in stale:
        _recount(engine, counting, hour)
    return counted


def _begin(engine: Engine, counting: Counting) -> int:
    """Through which row is counted; what was counted against another bundle's profile is dropped."""
    with alone(engine, LOCK) as connection:
        found = _cursor(connection, counting)
        if found is not None:
            return found
        drop_tallies(connection, counting)
        connection.execute(delete(CURSORS).where(counting.of(CURSORS)))
        key = {"problem": counting.problem.name, "version": counting.version}
        connection.execute(CURSORS.insert(), {**key, "profile": counting.digest, "sequence": 0})
        return 0


def _count_some(engine: Engine, counting: Counting, after: int, through: int) -> tuple[int, int | None]:
    """Count the next rows, and move the cursor with them.

    Returns:
        How many were counted, and where the cursor is; None where another bundle has taken the place of this one.
    """
    log = PREDICTIONS.c.sequence
    name, version, between = counting.problem.name, counting.version, (log > after, log <= through)
    with reaching(engine), engine.connect() as connection:
        rows = read_rows(connection, name, version, *between, limit=ROWS_AT_ONCE, labels=False)
    parts = _by_hour(rows, counting)
    last = int(rows.sequences[-1]) if len(rows) else through  # all between were erased meanwhile
    with alone(engine, LOCK) as connection:
        now = _cursor(connection, counting)
        if now != after:
            return 0, now  # another process was faster; look again what there is to do
        add_to_hours(connection, counting, parts)
        connection.execute(update(CURSORS).where(counting.of(CURSORS)).values(sequence=last))
    return len(rows), last


def _cursor(connection: Connection, counting: Counting) -> int | None:
    """Through which row is counted; None where another bundle has taken the place of this one."""
    query = select(CURSORS.c.sequence).where(counting.of(CURSORS), CURSORS.c.profile == counting.digest)
    return connection.execute(query).scalar_one_or_none()


def _committed_through(engine: Engine, counting: Counting) -> int:
    """The last row before which none can appear any more.

    On a server rows get their sequence before they are committed. Who writes holds the lock until then, shared; who
    gets it alone for a moment knows that no row with a smaller sequence is still to come.
    """
    with reaching(engine), engine.begin() as connection:
        if not is_embedded(engine):
            lock_commits(connection, shared=False)
        return _last(connection, counting)


def _last(connection: Connection, counting: Counting) -> int:
    """The last row that is in the log."""
    last = select(func.max(PREDICTIONS.c.sequence))
    last = last.where(PREDICTIONS.c.problem == counting.problem.name, PREDICTIONS.c.version == counting.version)
    return connection.execute(last).scalar_one() or 0


def _by_hour(rows: LogRows, counting: Counting) -> dict[datetime, Tally]:
    hours = rows.at.astype("datetime64[h]")
    return {
        hour.astype(datetime).replace(tzinfo=UTC): counting.tally(rows.take(np.flatnonzero(hours == hour)))
        for hour in np.unique(hours)
    }


def _recount(engine: Engine, counting: Counting, hour: datetime) -> None:
    """Count an hour again of which rows were erased; one that has none left is dropped."""
    with alone(engine, LOCK) as connection:
        # first of all: who erases more of this hour from now on waits, and then marks it again
        connection.execute(update(TALLIES).where(counting.of(TALLIES), TALLIES.c.hour == hour).values(stale=False))
        replace_hour(connection, counting, hour, _tally_of_hour(connection, counting, hour))


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
