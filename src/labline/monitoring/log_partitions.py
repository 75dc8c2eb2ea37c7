"""The months of the prediction log on PostgreSQL: each a table of its own, dropped in an instant when it is old."""

from __future__ import annotations

import re
from datetime import UTC, datetime

from sqlalchemy import Connection, text

LOCK = 0x6C6162_6D6F_6E74_68  # "labmonth"; of several processes one makes a month's table
OTHER = "predictions_other"  # rows of months that had no table when they came
NAME = re.compile(r"predictions_(\d{4})_(\d{2})")


def make_partitions(connection: Connection, now: datetime) -> None:
    """See that this month and the next have their tables; on other databases than PostgreSQL there is nothing to do."""
    if connection.dialect.name != "postgresql":
        return
    connection.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": LOCK})
    first = _month(now)
    for start in (first, _next(first)):
        until = _next(start)
        between = f"'{start.isoformat()}' AND at < '{until.isoformat()}'"
        taken = connection.execute(text(f"SELECT EXISTS (SELECT FROM {OTHER} WHERE at >= {between})")).scalar_one()  # noqa: S608
        if not taken:  # else they stay where they are: moving them would hold up those that come
            connection.execute(
                text(
                    f"CREATE TABLE IF NOT EXISTS predictions_{start:%Y_%m} PARTITION OF predictions "
                    f"FOR VALUES FROM ('{start.isoformat()}') TO ('{until.isoformat()}')"
                )
            )


def drop_before(connection: Connection, moment: datetime) -> None:
    """Drop the tables of months that had ended by then; on another database than PostgreSQL there are none."""
    if connection.dialect.name != "postgresql":
        return
    query = "SELECT inhrelid::regclass::text FROM pg_inherits WHERE inhparent = 'predictions'::regclass"
    for name in connection.execute(text(query)).scalars().all():
        found = NAME.fullmatch(name.rpartition(".")[2])
        if found and _next(datetime(int(found[1]), int(found[2]), 1, tzinfo=UTC)) <= moment:
            connection.execute(text(f"DROP TABLE {name}"))


def _month(moment: datetime) -> datetime:
    return moment.astimezone(UTC).replace(day=1, hour=0, minute=0, second=0, microsecond=0)


def _next(month: datetime) -> datetime:
    return month.replace(year=month.year + 1, month=1) if month.month == 12 else month.replace(month=month.month + 1)
