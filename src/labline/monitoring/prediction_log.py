"""The prediction log: every answered prediction with its id, model version, input and answer."""

from __future__ import annotations

import secrets
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import (
    JSON,
    BigInteger,
    Column,
    Connection,
    DateTime,
    Engine,
    Index,
    Integer,
    MetaData,
    RowMapping,
    Select,
    String,
    Table,
    delete,
    func,
    insert,
    select,
    text,
)

from labline.database import insert_of_dialect, is_embedded, reaching
from labline.migrations import need_tables
from labline.monitoring.erasing import forget, forget_labels_before
from labline.monitoring.log_partitions import drop_before, make_partitions
from labline.monitoring.tables import utc

METADATA = MetaData()
# PostgreSQL keeps the log by month of `at` (see the migrations), and there every unique constraint has `at` in it.
PREDICTIONS = Table(
    "predictions",
    METADATA,
    # the order of arrival; SQLite counts only an INTEGER by itself
    Column("sequence", BigInteger().with_variant(Integer, "sqlite"), primary_key=True, autoincrement=True),
    Column("prediction_id", String(36), nullable=False, unique=True),
    Column("at", DateTime(timezone=True), nullable=False),
    Column("problem", String(64), nullable=False),
    Column("version", Integer, nullable=False),
    Column("input", JSON, nullable=False),
    Column("prediction", JSON, nullable=False),
    Column("probabilities", JSON, nullable=False),
    Column("row_id", String(1000), nullable=True),  # the caller's own, where the contract has an id column
)
Index("predictions_by_version", PREDICTIONS.c.problem, PREDICTIONS.c.version, PREDICTIONS.c.sequence)
Index("predictions_by_time", PREDICTIONS.c.problem, PREDICTIONS.c.at)
# on PostgreSQL too, see the migrations: to say it here would load its dialect at the start of every process
Index(
    "predictions_by_row",
    PREDICTIONS.c.problem,
    PREDICTIONS.c.row_id,
    sqlite_where=PREDICTIONS.c.row_id.is_not(None),
)
SHADOWS = Table(
    "shadows",
    METADATA,
    Column("prediction_id", String(36), primary_key=True),  # of the answer that was sent
    Column("version", Integer, primary_key=True),  # that would have said this
    Column("at", DateTime(timezone=True), nullable=False),
    Column("problem", String(64), nullable=False),
    Column("prediction", JSON, nullable=False),
    Column("probabilities", JSON, nullable=False),
)
Index("shadows_by_version", SHADOWS.c.problem, SHADOWS.c.version, SHADOWS.c.at)
# Held, shared, by whoever adds rows on a server: who has it alone knows that all rows of smaller sequences are there.
COMMIT_LOCK = 0x6C6F67  # "log"; with the table, for there may be other logs in the database

PROBE_SECONDS = 2.0  # how often a database that failed is tried
PAGE = 5000  # rows read at once


@dataclass(frozen=True)
class Logged:
    """One answered prediction; `row_id` is the caller's own name for the row, where the contract has an id column."""

    prediction_id: str
    at: datetime
    problem: str
    version: int
    input: dict[str, Any]
    prediction: str | float | list[str]
    probabilities: dict[str, float]
    row_id: str | None = None


@dataclass(frozen=True)
class Shadow:
    """What another version would have answered; nobody was told."""

    prediction_id: str
    version: int
    at: datetime
    problem: str
    prediction: str | float | list[str]
    probabilities: dict[str, float]


Entry = Logged | Shadow


def new_prediction_id() -> str:
    """A UUID (RFC 9562, version 7): its first 48 bits are the time in milliseconds, so that ids sort by it."""
    milliseconds = time.time_ns() // 1_000_000
    number = (milliseconds & (1 << 48) - 1) << 80 | secrets.randbits(74)
    low = number & (1 << 62) - 1
    high = number >> 62 & (1 << 12) - 1
    digits = f"{milliseconds << 80 | 7 << 76 | high << 64 | 0b10 << 62 | low:032x}"
    return f"{digits[:8]}-{digits[8:12]}-{digits[12:16]}-{digits[16:20]}-{digits[20:]}"


class PredictionLog:
    """The log in the database.

    Args:
        engine: from `open_database`.

    Raises:
        DatabaseError: the database is away, or not migrated.
    """

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        need_tables(engine)

    def add(self, entries: Sequence[Entry], *, again: bool = False) -> None:
        """Write the entries, all or none; they are on disk when this returns.

        Args:
            entries: answers, and what others would have said.
            again: some of them may be there already, and are left as they are.
        """
        answers = [_values(entry) for entry in entries if isinstance(entry, Logged)]
        shadows = [_values(entry) for entry in entries if isinstance(entry, Shadow)]
        with self._engine.begin() as connection:
            if not is_embedded(self._engine):
                lock_commits(connection, shared=True)
            for table, values in ((PREDICTIONS, answers), (SHADOWS, shadows)):
                if values:
                    connection.execute(_insert(table, connection, again=again), values)

    def prepare(self, now: datetime) -> None:
        """Make the tables of the months to come."""
        with reaching(self._engine), self._engine.begin() as connection:
            make_partitions(connection, now)

    def try_writing(self) -> None:
        """Write a row and take it back.

        Raises:
            DatabaseError: it cannot be written, or the database is away.
        """
        row = Logged(new_prediction_id(), datetime.now(UTC), "", 0, {}, "", {})
        with reaching(self._engine), self._engine.connect() as connection:
            connection.execute(PREDICTIONS.insert(), vars(row))
            connection.rollback()

    def last(self, problem: str, rows: int, version: int | None = None) -> list[Logged]:
        """The problem's last predictions, of all versions or of one, the oldest of them first."""
        query = select(PREDICTIONS).where(PREDICTIONS.c.problem == problem)
        if version is not None:
            query = query.where(PREDICTIONS.c.version == version)
        query = query.order_by(PREDICTIONS.c.sequence.desc()).limit(rows)
        with reaching(self._engine), self._engine.connect() as connection:
            found = connection.execute(query).mappings().all()
        return [_logged(row) for row in reversed(found)]

    def pages(
        self, problem: str, *, since: datetime | None = None, until: datetime | None = None, version: int | None = None
    ) -> Iterator[list[Logged]]:
        """The problem's predictions in the order they arrived, some thousands at a time, however many there are."""
        query = select(PREDICTIONS).where(PREDICTIONS.c.problem == problem)
        if version is not None:
            query = query.where(PREDICTIONS.c.version == version)
        if since is not None:
            query = query.where(PREDICTIONS.c.at >= since.astimezone(UTC))
        if until is not None:
            query = query.where(PREDICTIONS.c.at < until.astimezone(UTC))
        after = 0
        while page := self._page(query.where(PREDICTIONS.c.sequence > after)):
            after = page[-1]["sequence"]
            yield [_logged(row) for row in page]

    def count(self, problem: str) -> int:
        """How many predictions of the problem are in the log."""
        query = select(func.count()).select_from(PREDICTIONS).where(PREDICTIONS.c.problem == problem)
        with reaching(self._engine), self._engine.connect() as connection:
            return int(connection.execute(query).scalar_one())

    def ids_of_row(self, problem: str, row_id: str) -> list[str]:
        """Ids of all predictions for the caller's own row id."""
        found = select(PREDICTIONS.c.prediction_id).where(
            PREDICTIONS.c.problem == problem, PREDICTIONS.c.row_id == row_id
        )
        with reaching(self._engine), self._engine.connect() as connection:
            return list(connection.execute(found).scalars())

    def erase(self, problem: str, prediction_ids: Sequence[str]) -> int:
        """Remove predictions, their labels, and what others would have said, for good; gives how many there were."""
        with reaching(self._engine), self._engine.begin() as connection:
            erased = 0
            there = (PREDICTIONS.c.problem == problem, PREDICTIONS.c.prediction_id.in_(prediction_ids))
            moments = connection.execute(select(PREDICTIONS.c.at).where(*there)).scalars().all()
            forget(connection, problem, prediction_ids, [utc(at) for at in moments])
            for table in (SHADOWS, PREDICTIONS):
                those = delete(table).where(table.c.problem == problem, table.c.prediction_id.in_(prediction_ids))
                erased = connection.execute(those).rowcount
            return erased

    def prune(self, before: datetime) -> None:
        """Remove everything older, of all problems."""
        moment = before.astimezone(UTC)
        with reaching(self._engine), self._engine.begin() as connection:
            drop_before(connection, moment)
            for table in (SHADOWS, PREDICTIONS):
                connection.execute(delete(table).where(table.c.at < moment))
            forget_labels_before(connection, moment, PREDICTIONS.c.prediction_id)

    def _page(self, query: Select[Any]) -> Sequence[RowMapping]:
        with reaching(self._engine), self._engine.connect() as connection:
            return connection.execute(query.order_by(PREDICTIONS.c.sequence).limit(PAGE)).mappings().all()


def lock_commits(connection: Connection, *, shared: bool) -> None:
    """Hold the lock of those who add rows to a server's log until the transaction ends: with others, or alone."""
    lock = "pg_advisory_xact_lock_shared" if shared else "pg_advisory_xact_lock"
    connection.execute(text(f"SELECT {lock}(:lock, 'predictions'::regclass::oid::integer)"), {"lock": COMMIT_LOCK})


def _values(entry: Entry) -> dict[str, Any]:
    return vars(entry) | {"at": entry.at.astimezone(UTC)}  # SQLite keeps no time zone


def _insert(table: Table, connection: Connection, *, again: bool) -> Any:
    if not again:
        return insert(table)
    return insert_of_dialect(connection, table).on_conflict_do_nothing()


def _logged(row: RowMapping) -> Logged:
    values = dict(row)
    del values["sequence"]
    if values["at"].tzinfo is None:
        values["at"] = values["at"].replace(tzinfo=UTC)
    return Logged(**values)
