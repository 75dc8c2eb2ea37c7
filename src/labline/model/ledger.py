"""The ledger: every promotion, refusal and rollback, who and when and why; the database refuses to change a row."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Literal

from pydantic import BaseModel, ConfigDict
from sqlalchemy import Column, DateTime, Engine, Integer, MetaData, String, Table, Text, func, select

from labline.migrations import need_tables

# kept: the challenger was refused; refused: the version was, and there was no champion; found: the registry had a
# champion of which nothing stood here
Action = Literal["promoted", "kept", "refused", "rolled back", "found"]

METADATA = MetaData()
CHANNEL = "labline_promotions"  # on PostgreSQL, what servers listen to
LEDGER = Table(
    "promotion_ledger",
    METADATA,
    Column("entry", Integer, primary_key=True, autoincrement=True),
    Column("at", DateTime(timezone=True), nullable=False),
    Column("problem", String(64), nullable=False, index=True),
    Column("action", String(16), nullable=False),
    Column("version", Integer, nullable=False),  # champion after this entry; of refused, what was
    Column("other", Integer, nullable=True),  # champion before it, or the candidate that was refused
    Column("reason", Text, nullable=False),
    Column("who", String(128), nullable=False),
)


class Entry(BaseModel):
    """One line of the ledger."""

    model_config = ConfigDict(frozen=True)

    problem: str
    action: Action
    version: int
    other: int | None
    reason: str
    who: str
    at: datetime

    def is_about(self, version: int) -> bool:
        """Whether the version was what was promoted, refused or brought back, or what it took the place of."""
        return self.other == version or (self.version == version and self.action != "kept")


class Ledger:
    """The ledger of all problems, in the database.

    Args:
        engine: from `open_database`.

    Raises:
        DatabaseError: the database is away, or not migrated.
    """

    def __init__(self, engine: Engine) -> None:
        self.engine = engine
        need_tables(engine)

    def add(self, entry: Entry) -> None:
        """Write an entry; on PostgreSQL, servers that listen are told of it."""
        with self.engine.begin() as connection:
            connection.execute(LEDGER.insert().values(**entry.model_dump()))
            if connection.dialect.name == "postgresql":
                connection.execute(select(func.pg_notify(CHANNEL, entry.problem)))

    def entries(self, problem: str) -> list[Entry]:
        """The problem's entries, the newest first."""
        query = select(LEDGER).where(LEDGER.c.problem == problem).order_by(LEDGER.c.entry.desc())
        with self.engine.connect() as connection:
            rows = [dict(row) for row in connection.execute(query).mappings()]
        for row in rows:
            del row["entry"]
            row["at"] = row["at"].replace(tzinfo=UTC) if row["at"].tzinfo is None else row["at"]
        return [Entry(**row) for row in rows]

    def champion(self, problem: str) -> int | None:
        """The champion as the ledger has it; None when it never had one."""
        return next((entry.version for entry in self.entries(problem) if entry.action != "refused"), None)

    def previous_champion(self, problem: str, current: int) -> int | None:
        """The champion before the current one; going back twice goes further back, not to and fro.

        Args:
            problem: whose.
            current: the champion as the registry has it: what an interrupted promotion left unwritten is taken from
                there.
        """
        reigns: list[int] = []
        for entry in reversed(self.entries(problem)):
            if entry.action == "rolled back" or (entry.action == "found" and entry.version in reigns):
                while reigns and reigns[-1] != entry.version:
                    reigns.pop()
            elif entry.action in {"promoted", "found"}:
                reigns.append(entry.version)
        if current in reigns:
            while reigns[-1] != current:
                reigns.pop()
        else:
            reigns.append(current)
        return reigns[-2] if len(reigns) > 1 else None
