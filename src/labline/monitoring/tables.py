"""Monitoring's tables: labels, hourly buckets and how far they reach, judgements, notices, retrainings."""

from __future__ import annotations

from datetime import UTC, datetime

from sqlalchemy import (
    JSON,
    BigInteger,
    Boolean,
    Column,
    DateTime,
    Float,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    Text,
    text,
)

METADATA = MetaData()

# The indexes of some rows are so on PostgreSQL too, see the migrations: to say it here would load its dialect at the
# start of every process.

LABELS = Table(
    "labels",
    METADATA,
    Column("problem", String(64), primary_key=True),
    Column("prediction_id", String(36), primary_key=True),
    Column("label", JSON, nullable=False),
    Column("at", DateTime(timezone=True), nullable=False),  # since when the label is known, as its sender says
    Column("received_at", DateTime(timezone=True), nullable=False),
    Column("counted", JSON(none_as_null=True)),  # the label that is in the outcomes; none yet where NULL
    Column("counted_at", DateTime(timezone=True)),
    Column("pending", Boolean, nullable=False),  # whether the outcomes do not hold `label` yet
)
Index("labels_pending", LABELS.c.problem, LABELS.c.received_at, sqlite_where=text("pending"))

# What was counted of the rows of one hour (UTC), by the version that answered them.
TALLIES = Table(
    "tallies",
    METADATA,
    Column("problem", String(64), primary_key=True),
    Column("version", Integer, primary_key=True),
    Column("hour", DateTime(timezone=True), primary_key=True),
    Column("rows", Integer, nullable=False),
    Column("tally", LargeBinary, nullable=False),
    Column("stale", Boolean, nullable=False),  # rows of it were erased: to be counted again
)
Index("tallies_rows", TALLIES.c.problem, TALLIES.c.version, TALLIES.c.hour, TALLIES.c.rows)  # without the tallies
Index("tallies_stale", TALLIES.c.problem, TALLIES.c.version, sqlite_where=text("stale"))
# What the hours of one day (UTC) that is over add up to.
DAY_TALLIES = Table(
    "day_tallies",
    METADATA,
    Column("problem", String(64), primary_key=True),
    Column("version", Integer, primary_key=True),
    Column("day", DateTime(timezone=True), primary_key=True),
    Column("tally", LargeBinary, nullable=False),
)
# Through which row of the log the tallies have counted, and against which profile.
CURSORS = Table(
    "tally_cursors",
    METADATA,
    Column("problem", String(64), primary_key=True),
    Column("version", Integer, primary_key=True),
    Column("profile", String(64), nullable=False),
    Column("sequence", BigInteger, nullable=False),
)
# How labelled predictions of one hour came out; by the prediction's hour, whenever the label came.
OUTCOMES = Table(
    "outcomes",
    METADATA,
    Column("problem", String(64), primary_key=True),
    Column("version", Integer, primary_key=True),
    Column("hour", DateTime(timezone=True), primary_key=True),
    Column("outcomes", JSON, nullable=False),
)

JUDGEMENTS = Table(
    "judgements",
    METADATA,
    Column("entry", Integer, primary_key=True, autoincrement=True),
    Column("problem", String(64), nullable=False),
    Column("version", Integer, nullable=False),
    Column("sequence", BigInteger, nullable=False),  # of the window's last row
    Column("at", DateTime(timezone=True), nullable=False),
    Column("since", DateTime(timezone=True), nullable=False),
    Column("until", DateTime(timezone=True), nullable=False),
    Column("rows", Integer, nullable=False),
    Column("status", String(32), nullable=False),
    Column("reasons", JSON, nullable=False),
)
Index("judgements_by_problem", JUDGEMENTS.c.problem, JUDGEMENTS.c.entry)

NOTICES = Table(
    "notices",
    METADATA,
    Column("entry", Integer, primary_key=True, autoincrement=True),
    Column("problem", String(64), nullable=False),
    Column("status", String(32), nullable=False),
    Column("body", Text, nullable=False),  # JSON, byte for byte as it is signed and sent
    Column("tries", Integer, nullable=False),
    Column("next_at", Float),  # seconds since 1970; NULL once it was sent or given up
    Column("sent_at", DateTime(timezone=True)),
)
Index("notices_by_problem", NOTICES.c.problem, NOTICES.c.entry)

RETRAININGS = Table(
    "retrainings",
    METADATA,
    Column("entry", Integer, primary_key=True, autoincrement=True),
    Column("problem", String(64), nullable=False),
    Column("at", DateTime(timezone=True), nullable=False),
    Column("reason", Text, nullable=False),
    Column("labels", Integer, nullable=False),  # how many labelled rows there were
    Column("version", Integer),  # of the challenger; NULL while it trains, and where that failed
)
Index("retrainings_by_problem", RETRAININGS.c.problem, RETRAININGS.c.entry)


def utc(at: datetime) -> datetime:
    """A time that was read, in UTC: SQLite keeps no time zone, and a server gives its own."""
    return at.replace(tzinfo=UTC) if at.tzinfo is None else at.astimezone(UTC)
