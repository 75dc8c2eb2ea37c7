"""The prediction log: every answered prediction with its id, model version, input and answer."""

from __future__ import annotations

import queue
import threading
import time
import uuid
from collections.abc import Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from loguru import logger
from sqlalchemy import JSON, BigInteger, Column, DateTime, Engine, Index, Integer, MetaData, String, Table, func, select
from sqlalchemy.exc import SQLAlchemyError

from labline.database import is_embedded, reaching
from labline.errors import DatabaseError
from labline.migrations import need_tables

METADATA = MetaData()
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
)
Index("predictions_by_problem", PREDICTIONS.c.problem, PREDICTIONS.c.sequence)

BATCH_MAX = 1000
CLOSE_SECONDS = 10.0
PROBE_SECONDS = 2.0  # how often a database that failed is tried
IDLE_SECONDS = 10.0  # how often a server is, while there is nothing to write
ANSWER_SECONDS = 10.0  # after which a commit that neither succeeds nor fails counts as failed


@dataclass(frozen=True)
class Logged:
    """One answered prediction."""

    prediction_id: str
    at: datetime
    problem: str
    version: int
    input: dict[str, Any]
    prediction: str | float | list[str]
    probabilities: dict[str, float]


def new_prediction_id() -> str:
    """A random UUID (RFC 9562, version 4)."""
    return str(uuid.uuid4())


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

    def add(self, rows: Sequence[Logged]) -> None:
        """Write the rows, all or none; they are on disk when this returns."""
        values = [vars(row) | {"at": row.at.astimezone(UTC)} for row in rows]  # SQLite keeps no time zone
        with self._engine.begin() as connection:
            connection.execute(PREDICTIONS.insert(), values)

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
        return [_logged(dict(row)) for row in reversed(found)]

    def count(self, problem: str) -> int:
        """How many predictions of the problem are in the log."""
        query = select(func.count()).select_from(PREDICTIONS).where(PREDICTIONS.c.problem == problem)
        with self._engine.connect() as connection:
            return int(connection.execute(query).scalar_one())


def _logged(row: dict[str, Any]) -> Logged:
    del row["sequence"]
    if row["at"].tzinfo is None:
        row["at"] = row["at"].replace(tzinfo=UTC)
    return Logged(**row)


class LogWriter:
    """Writes for a server: one thread commits what many requests hand in, each told when its rows are on disk.

    The database may be away when this is made, and later: while it is, the thread looks for it.

    Args:
        engine: of the database, from `open_database`; connected to here, which may take seconds where it is away.
    """

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._log: PredictionLog | None = None  # opened again after every failure: its tables may have gone
        self._queue: queue.SimpleQueue[tuple[Sequence[Logged], Future[None]] | None] = queue.SimpleQueue()
        self._reason: str | None = None
        self._began: float | None = None  # when what the database has not answered yet was asked of it
        self._probe()
        self._thread = threading.Thread(target=self._run, name="prediction-log", daemon=True)
        self._thread.start()

    @property
    def failure(self) -> str | None:
        """Why rows cannot be written now, in a sentence; None when they can, as far as is known."""
        began = self._began
        if self._reason is None and began is not None and time.monotonic() - began > ANSWER_SECONDS:
            return f"the database has not answered for {ANSWER_SECONDS:.0f} s"
        return self._reason

    def submit(self, rows: Sequence[Logged]) -> Future[None]:
        """Hand rows in; the future is done when they are on disk, or holds the error."""
        done: Future[None] = Future()
        self._queue.put((rows, done))
        return done

    def close(self) -> None:
        """Write what was handed in, then stop."""
        self._queue.put(None)
        self._thread.join(CLOSE_SECONDS)

    def _run(self) -> None:
        open_ = True
        while open_:
            try:
                batch = [self._queue.get(timeout=self._patience())]
            except queue.Empty:
                self._probe()
                continue
            # everything that came in during the last commit shares the next one
            while not self._queue.empty() and len(batch) < BATCH_MAX:
                batch.append(self._queue.get())
            open_ = None not in batch
            self._write([item for item in batch if item is not None])

    def _patience(self) -> float | None:
        """How long to wait for rows before the database is looked for."""
        if self._reason is not None:
            return PROBE_SECONDS
        return None if is_embedded(self._engine) else IDLE_SECONDS  # a file does not go away by itself

    def _write(self, batch: list[tuple[Sequence[Logged], Future[None]]]) -> None:
        if not batch:
            return
        for _, done in batch:
            done.set_running_or_notify_cancel()  # from here on no one can cancel it; what was handed in is written
        self._began = time.monotonic()
        try:
            self._open().add([row for rows, _ in batch for row in rows])
        except (SQLAlchemyError, DatabaseError) as error:
            # of the driver's the kind alone: the text holds the statement, and its parameters are what people have told
            self._fail(error.said if isinstance(error, DatabaseError) else f"rows are refused: {type(error).__name__}")
            logger.error("{} predictions could not be logged: {}", sum(len(rows) for rows, _ in batch), self.failure)
            _refuse(batch, error)
        # whatever it is, the next rows must find the thread at work
        except Exception as error:  # noqa: BLE001  # pylint: disable=broad-exception-caught
            self._fail(f"rows cannot be written: {type(error).__name__}")
            logger.error("{} predictions could not be logged: {}", sum(len(rows) for rows, _ in batch), self.failure)
            _refuse(batch, error)
        else:
            self._reason = None
            for _, done in batch:
                if not done.cancelled():
                    done.set_result(None)
        finally:
            self._began = None

    def _probe(self) -> None:
        """Whether rows can be written now: a server that is sent no requests must find out by itself."""
        self._began = time.monotonic()
        try:
            self._open().try_writing()
        except DatabaseError as error:
            if self._reason is None:
                logger.warning("prediction log: {}", error)
            self._fail(error.said)
        else:
            if self._reason is not None:
                logger.info("the prediction log can be written to again")
            self._reason = None
        finally:
            self._began = None

    def _open(self) -> PredictionLog:
        if self._log is None:
            self._log = PredictionLog(self._engine)
        return self._log

    def _fail(self, reason: str) -> None:
        self._reason = reason
        self._log = None


def _refuse(batch: list[tuple[Sequence[Logged], Future[None]]], error: Exception) -> None:
    for _, done in batch:
        if not done.cancelled():
            done.set_exception(error)
