"""One promotion of a problem at a time: a lock in the database, which is free again when its holder dies."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from loguru import logger
from sqlalchemy import Connection, Engine, NullPool, create_engine, text
from sqlalchemy.exc import OperationalError

from labline.database import address, is_embedded, reaching
from labline.errors import RegistryError

WAIT_SECONDS = 300  # another's promotion takes seconds, on many rows a minute


@dataclass(frozen=True)
class Held:
    """The lock, as long as its connection lives."""

    engine: Engine
    connection: Connection

    def check(self) -> None:
        """See that it is still held: with the connection to a server, the lock is gone too.

        Raises:
            DatabaseError: it was lost.
        """
        with reaching(self.engine):
            self.connection.execute(text("SELECT 1"))


@contextmanager
def promotion_lock(engine: Engine, problem: str, wait_seconds: float = WAIT_SECONDS) -> Iterator[Held]:
    """Hold the problem's lock; another's is waited for.

    On PostgreSQL it is an advisory lock, which holds for all machines. An embedded database has a second file for it:
    a lock on the database itself would stop the prediction log for as long as the comparison takes.

    Raises:
        RegistryError: another promotion has not ended in time.
        DatabaseError: the database is away.
    """
    take = _take_embedded if is_embedded(engine) else _take_advisory
    with _connection(engine, problem) as connection:
        with reaching(engine):
            taken = take(connection, problem, 0)
            if not taken:
                logger.info("{}: another promotion or rollback is going on; waiting for it", problem)
                taken = take(connection, problem, wait_seconds)
        if not taken:
            raise RegistryError(
                f"another promotion or rollback of {problem!r} has not ended after {wait_seconds:g} s",
                where=address(engine),
                mend="wait for it, or end that process",
            )
        yield Held(engine, connection)


@contextmanager
def _connection(engine: Engine, problem: str) -> Iterator[Connection]:
    """A connection of its own for the lock; what it holds is free when it is closed."""
    database = engine.url.database
    if is_embedded(engine) and database:
        engine = create_engine(engine.url.set(database=f"{database}.{problem}.lock"), poolclass=NullPool)
    with reaching(engine):
        connection = engine.connect()
    try:
        yield connection
    finally:
        connection.close()


def _take_embedded(connection: Connection, _problem: str, seconds: float) -> bool:
    connection.exec_driver_sql(f"PRAGMA busy_timeout = {int(1000 * seconds)}")
    try:
        connection.exec_driver_sql("BEGIN EXCLUSIVE")
    except OperationalError as error:
        if "locked" not in str(error.orig):
            raise
        return False
    return True


def _take_advisory(connection: Connection, problem: str, seconds: float) -> bool:
    if connection.dialect.name != "postgresql":
        return True  # no other server is promised to work
    digest = hashlib.sha256(f"labline promotion {problem}".encode()).digest()
    key = {"key": int.from_bytes(digest[:8], "big", signed=True)}
    # nothing is asked of this connection while the two are compared
    connection.execute(text("SET LOCAL idle_in_transaction_session_timeout = 0"))
    if not seconds:
        return bool(connection.execute(text("SELECT pg_try_advisory_xact_lock(:key)"), key).scalar_one())
    connection.execute(text(f"SET LOCAL lock_timeout = {int(1000 * seconds)}"))
    try:
        connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), key)
    except OperationalError as error:
        if getattr(error.orig, "sqlstate", "") != "55P03":  # lock_not_available
            raise
        return False
    return True
