"""Opens the database that the prediction log and the promotion ledger share: SQLite embedded, PostgreSQL in Compose."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from sqlalchemy import Engine, create_engine, event
from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError

from labline.errors import ConfigError

BUSY_SECONDS = 30


def open_database(url: str) -> Engine:
    """An engine for the database; a SQLite file and its folder are made where they are missing.

    Raises:
        ConfigError: the address is not a database's.
    """
    try:
        parsed = make_url(url)
        if parsed.get_backend_name() != "sqlite":
            return create_engine(parsed, pool_pre_ping=True)
    except (ArgumentError, ImportError) as error:
        raise ConfigError(
            "not the address of a database", where="storage.database_url", mend="e.g. sqlite:///models/labline.db"
        ) from error
    if parsed.database:
        Path(parsed.database).parent.mkdir(parents=True, exist_ok=True)
    engine = create_engine(parsed, connect_args={"timeout": BUSY_SECONDS})
    event.listen(engine, "connect", _tune_sqlite)
    return engine


def _tune_sqlite(connection: Any, _record: Any) -> None:
    """Write-ahead log: readers and one writer do not wait for each other; a commit is on disk when it returns."""
    cursor = connection.cursor()
    cursor.execute("PRAGMA journal_mode=WAL")
    cursor.execute("PRAGMA synchronous=FULL")
    cursor.close()
