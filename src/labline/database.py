"""Opens the database that the prediction log and the promotion ledger share: SQLite embedded, PostgreSQL in Compose."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache
from importlib import import_module
from pathlib import Path
from typing import Any

from pydantic_core import to_json
from sqlalchemy import URL, Connection, Engine, Table, create_engine, event, text
from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError, SQLAlchemyError

from labline.errors import ConfigError, DatabaseError, first_line

BUSY_SECONDS = 30
CONNECT_SECONDS = 3
SILENCE_SECONDS = 10


@lru_cache(maxsize=16)
def open_database(url: str) -> Engine:
    """An engine for the database, one for each process; a SQLite file and its folder are made where missing.

    Raises:
        ConfigError: the address is not a database's.
    """
    try:
        parsed = make_url(url)
        if parsed.get_backend_name() != "sqlite":
            limits = _time_limits(parsed)
            return create_engine(
                parsed, hide_parameters=True, json_serializer=_as_json, pool_pre_ping=True, connect_args=limits
            )
    except ArgumentError as error:
        raise ConfigError(
            "not the address of a database", where="storage.database_url", mend="e.g. sqlite:///models/labline.db"
        ) from error
    except ImportError as error:
        raise ConfigError(
            f"its driver {error.name!r} is not installed",
            where="storage.database_url",
            mend="install it, or name another, e.g. postgresql+psycopg://…",
        ) from error
    if parsed.database:
        Path(parsed.database).parent.mkdir(parents=True, exist_ok=True)
    # hidden: parameters are what people have told, and have no place in an error's text
    engine = create_engine(
        parsed, hide_parameters=True, json_serializer=_as_json, connect_args={"timeout": BUSY_SECONDS}
    )
    event.listen(engine, "connect", tune_sqlite)
    return engine


def _as_json(value: Any) -> str:
    """As the standard library does, and sooner: every answer that is logged has three such values."""
    return to_json(value, ensure_ascii=True).decode()


def _time_limits(url: URL) -> dict[str, int]:
    """How long a server that says nothing is waited for; libpq's own limits are minutes. The address may say others."""
    if not url.get_driver_name().startswith("psycopg"):
        return {}
    limits = {"connect_timeout": CONNECT_SECONDS, "tcp_user_timeout": SILENCE_SECONDS * 1000}
    return {name: value for name, value in limits.items() if name not in url.query}


def tune_sqlite(connection: Any, _record: Any) -> None:
    """Write-ahead log: readers and one writer do not wait for each other; a commit is on disk when it returns."""
    cursor = connection.cursor()
    cursor.execute("PRAGMA journal_mode=WAL")
    cursor.execute("PRAGMA synchronous=FULL")
    cursor.close()


def is_embedded(engine: Engine) -> bool:
    """Whether the database is a file of this workspace, and not a server that others use too."""
    return engine.dialect.name == "sqlite"


def insert_of_dialect(connection: Connection, table: Table) -> Any:
    """An insert that can be told what to do on a conflict: each dialect has its own."""
    # by name: to load PostgreSQL's takes as long as a tenth of the server's start
    dialect = import_module(f"sqlalchemy.dialects.{connection.dialect.name}")
    return dialect.insert(table)


def address(engine: Engine) -> str:
    """Where the database is; without options, which may hold a password like the user's part."""
    return engine.url.set(query={}).render_as_string(hide_password=True)


@contextmanager
def reaching(engine: Engine) -> Iterator[None]:
    """Turn what the driver raises inside into an error with place and mend.

    Raises:
        DatabaseError: the database does not answer, or refuses what was asked.
    """
    try:
        yield
    except SQLAlchemyError as error:
        original = getattr(error, "orig", None)  # the text of SQLAlchemy's own has the statement in it
        reason = first_line(original) if original is not None else type(error).__name__
        raise DatabaseError(
            f"the database cannot be used: {reason}",
            where=address(engine),
            mend="see that it is there and can be written to, or correct storage.database_url",
        ) from error


@contextmanager
def alone(engine: Engine, lock: int) -> Iterator[Connection]:
    """A transaction beside which no other runs that was begun with the same lock; on SQLite, none that writes.

    Raises:
        DatabaseError: as `reaching`.
    """
    with reaching(engine), engine.begin() as connection:
        if is_embedded(engine):
            connection.exec_driver_sql("BEGIN IMMEDIATE")
        else:
            connection.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": lock})
        yield connection
