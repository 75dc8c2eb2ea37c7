"""Brings the database's tables to what this version of Labline needs, by Alembic's migrations in `versions/`."""

from __future__ import annotations

from pathlib import Path

from loguru import logger
from sqlalchemy import Connection, Engine, inspect, text
from sqlalchemy.exc import OperationalError, ProgrammingError

from labline.database import address, is_embedded, reaching
from labline.errors import DatabaseError

# The newest file of versions/. Said here too, so that a database that is up to date is known without loading Alembic.
# Revisions are numbers of four digits: what sorts after it was made by a newer Labline.
REVISION = "0005"
# MLflow keeps its own revision in Alembic's usual table, and both may live in one database.
VERSION_TABLE = "labline_revision"
LOCK = 0x6C61626C696E65  # "labline"; any number no one else takes as an advisory lock


def need_tables(engine: Engine) -> None:
    """See that the tables are there and as this version needs them; an embedded database is brought to it.

    Raises:
        DatabaseError: the database is away, or newer; or it is a server's and was not migrated yet.
    """
    if is_embedded(engine):
        migrate(engine)
        return
    with reaching(engine), engine.connect() as connection:
        found = _revision_fast(connection)
    _refuse_newer(engine, found)
    if found != REVISION:
        raise DatabaseError(
            "the database is not migrated yet: "
            + (f"it is at revision {found}, {REVISION} is needed" if found else "it has no tables"),
            where=address(engine),
            mend="run labline migrate",
        )


def migrate(engine: Engine) -> str | None:
    """Bring the tables up to date; of several processes that start at once one does it, and the others wait.

    Returns:
        The revision they were at; None when they were never migrated.

    Raises:
        DatabaseError: the database is away, or newer than this version of Labline.
    """
    with reaching(engine), engine.connect() as connection:
        found = _revision_fast(connection)
        if found == REVISION:
            return found
        _refuse_newer(engine, found)
        connection.rollback()
        _lock(connection)
        found = _revision(connection)  # another process may have been faster
        _refuse_newer(engine, found)
        if found != REVISION:
            _upgrade(connection)
            connection.commit()
            logger.info("{}: migrated from revision {} to {}", address(engine), found or "none", REVISION)
    return found


def _revision_fast(connection: Connection) -> str | None:
    """The revision, outside of a transaction; asking first whether there is a table takes the most of the time."""
    try:
        return connection.execute(text(f"SELECT version_num FROM {VERSION_TABLE}")).scalar_one_or_none()  # noqa: S608
    except (OperationalError, ProgrammingError):  # there is no table; whatever else it is comes again
        connection.rollback()
        return _revision(connection)


def _revision(connection: Connection) -> str | None:
    if not inspect(connection).has_table(VERSION_TABLE):
        return None
    return connection.execute(text(f"SELECT version_num FROM {VERSION_TABLE}")).scalar_one_or_none()  # noqa: S608


def _refuse_newer(engine: Engine, found: str | None) -> None:
    if found is not None and found > REVISION:
        raise DatabaseError(
            f"the database was migrated by a newer Labline: it is at revision {found}, this one knows {REVISION}",
            where=address(engine),
            mend="use the newer Labline",
        )


def _lock(connection: Connection) -> None:
    """Begin a transaction in which no other process migrates."""
    if connection.dialect.name == "sqlite":
        connection.exec_driver_sql("BEGIN IMMEDIATE")
    elif connection.dialect.name == "postgresql":
        connection.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": LOCK})


def _upgrade(connection: Connection) -> None:
    from alembic import command
    from alembic.config import Config

    config = Config(attributes={"connection": connection})
    config.set_main_option("script_location", str(Path(__file__).parent).replace("%", "%%"))
    command.upgrade(config, REVISION)
