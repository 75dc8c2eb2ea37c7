"""Opens the database that the prediction log and the promotion ledger share: SQLite embedded, PostgreSQL in Compose."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path
from typing import Any

from sqlalchemy import Engine, MetaData, create_engine, event
from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError, SQLAlchemyError

from labline.errors import ConfigError

BUSY_SECONDS = 30


@lru_cache(maxsize=16)
def open_database(url: str) -> Engine:
    """An engine for the database, one for each process; a SQLite file and its folder are made where missing.

    Raises:
        ConfigError: the address is not a database's.
    """
    try:
        parsed = make_url(url)
        if parsed.get_backend_name() != "sqlite":
            return create_engine(parsed, hide_parameters=True, pool_pre_ping=True)
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
    engine = create_engine(parsed, hide_parameters=True, connect_args={"timeout": BUSY_SECONDS})
    event.listen(engine, "connect", _tune_sqlite)
    return engine


def _tune_sqlite(connection: Any, _record: Any) -> None:
    """Write-ahead log: readers and one writer do not wait for each other; a commit is on disk when it returns."""
    cursor = connection.cursor()
    cursor.execute("PRAGMA journal_mode=WAL")
    cursor.execute("PRAGMA synchronous=FULL")
    cursor.close()


def make_tables(engine: Engine, tables: MetaData) -> None:
    """Make the tables that are missing.

    Raises:
        ConfigError: the database does not answer, or cannot be written to.
    """
    try:
        tables.create_all(engine)
    except SQLAlchemyError as error:
        reason = str(getattr(error, "orig", None) or type(error).__name__).splitlines()[0]
        raise ConfigError(
            f"the database cannot be used: {reason}",
            where=engine.url.render_as_string(hide_password=True),
            mend="see that it is there and can be written to, or correct storage.database_url",
        ) from error
