"""Rows of a database, by a query of the contract."""

from __future__ import annotations

import os
from collections.abc import Iterator
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from labline.contract.source import SqlQuery
from labline.data.sources.delimited import header
from labline.data.sources.tables import frame_of
from labline.errors import DataError

if TYPE_CHECKING:
    import pandas as pd
    from sqlalchemy import URL, Connection

ROWS = 100_000
EXAMPLE = "e.g. postgresql+psycopg://user:password@host/name or sqlite:///file.db"


def query_chunks(query: SqlQuery, rows: int = ROWS) -> Iterator[pd.DataFrame]:
    """Frames of at most `rows` rows, in the types the database gives; decimal numbers as float64.

    The rows are fetched bit by bit, and nothing is ever committed.

    Raises:
        DataError: the variable is not set or no address, the database does not answer, the query is wrong or gives no
            rows. No password is shown.
    """
    from sqlalchemy import create_engine
    from sqlalchemy.exc import SQLAlchemyError
    from sqlalchemy.pool import NullPool

    url = _url(query)
    where = f"{query.url_variable} ({url.render_as_string(hide_password=True)})"
    try:
        engine = create_engine(url, poolclass=NullPool)
        with engine.connect() as connection:
            yield from _fetched(connection, query.query, rows, where)
    except ImportError as error:
        raise DataError(f"its driver {error.name!r} is not installed", where=where, mend="install it") from error
    except SQLAlchemyError as error:
        said = " ".join(str(getattr(error, "orig", None) or error).split())
        if url.password:
            said = said.replace(str(url.password), "***")
        # not chained: a driver's text may hold the whole address
        raise DataError(
            f"the query fails: {said}", where=where, mend="see that the database answers, and try the query there"
        ) from None


def _url(query: SqlQuery) -> URL:
    from sqlalchemy.engine import make_url
    from sqlalchemy.exc import ArgumentError

    given = os.environ.get(query.url_variable)
    if not given:
        raise DataError(
            "this environment variable, which holds the database's address, is not set",
            where=query.url_variable,
            mend=f"set it, {EXAMPLE}",
        )
    try:
        return make_url(given)
    except (ArgumentError, ValueError):  # not chained: it may hold the password
        raise DataError("not the address of a database", where=query.url_variable, mend=EXAMPLE) from None


def _fetched(connection: Connection, statement: str, rows: int, where: str) -> Iterator[pd.DataFrame]:
    # as it is written: neither a colon nor a per cent sign in it stands for a parameter
    options = {"stream_results": True, "no_parameters": True}
    result = connection.execution_options(**options).exec_driver_sql(statement)
    if not result.returns_rows:
        raise DataError("the query gives no rows", where=where, mend="write a SELECT")
    try:
        names = header(list(result.keys()))
    except DataError as error:
        raise DataError(error.what, where=where, mend="name each once in the query, with AS") from error
    some = False
    while part := result.fetchmany(rows):
        some = True
        yield frame_of([[_plain(value) for value in row] for row in part], names)
    if not some:
        raise DataError("the query finds no rows", where=where, mend="see that there are some")


def _plain(value: Any) -> Any:
    return float(value) if isinstance(value, Decimal) else value
