"""Listens for promotions on PostgreSQL, so that a server need not wait for its next turn to ask the registry."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from loguru import logger
from sqlalchemy import Engine

from labline.model.ledger import CHANNEL

RETRY_SECONDS = 5.0


async def listen(database: Engine, problem: str, told: Callable[[], None]) -> None:
    """Call `told` on each promotion and rollback of the problem, until cancelled; returns on another database.

    While the database is away nothing is heard, and the registry is asked in turn as ever.
    """
    if database.dialect.name != "postgresql" or database.dialect.driver != "psycopg":
        return
    import psycopg

    address = database.url.set(drivername="postgresql").render_as_string(hide_password=False)
    while True:
        try:
            connection = await psycopg.AsyncConnection.connect(address, autocommit=True, connect_timeout=3)
            async with connection:
                await connection.execute(f"LISTEN {CHANNEL}".encode())
                told()  # of what happened while nobody listened
                async for note in connection.notifies():
                    if note.payload == problem:
                        told()
        except psycopg.Error as error:
            logger.debug("not listening for promotions: {}", type(error).__name__)
        await asyncio.sleep(RETRY_SECONDS)
