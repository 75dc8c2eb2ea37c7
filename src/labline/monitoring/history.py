"""The history of judgements: one a window, of windows that share no row, kept where all processes see it."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta

from pydantic import BaseModel, ConfigDict
from sqlalchemy import Connection, RowMapping, delete, func, select

from labline.monitoring.prediction_log import PREDICTIONS
from labline.monitoring.tables import JUDGEMENTS, utc


class Judgement(BaseModel):
    """What was said of one window.

    Attributes:
        version: whose answers were judged.
        sequence: of the window's last row in the log.
        at: when it was judged.
        since: of the window's first row.
        until: of its last.
    """

    model_config = ConfigDict(frozen=True)

    version: int
    sequence: int
    at: datetime
    since: datetime
    until: datetime
    rows: int
    status: str
    reasons: list[str]


def last_judgements(connection: Connection, problem: str, version: int, count: int) -> list[Judgement]:
    """The last judgements of a version, the newest first."""
    query = select(JUDGEMENTS).where(JUDGEMENTS.c.problem == problem, JUDGEMENTS.c.version == version)
    return _judgements(connection.execute(query.order_by(JUDGEMENTS.c.entry.desc()).limit(count)).mappings().all())


def judgements_between(connection: Connection, problem: str, since: datetime, until: datetime) -> list[Judgement]:
    """All versions' judgements of windows that ended in between, the oldest first."""
    query = select(JUDGEMENTS).where(JUDGEMENTS.c.problem == problem)
    query = query.where(JUDGEMENTS.c.until >= since.astimezone(UTC), JUDGEMENTS.c.until < until.astimezone(UTC))
    return _judgements(connection.execute(query.order_by(JUDGEMENTS.c.entry)).mappings().all())


def add_judgement(connection: Connection, problem: str, judgement: Judgement, keep: timedelta) -> None:
    """Keep a judgement, and forget those that are older than `keep`."""
    connection.execute(JUDGEMENTS.insert(), {"problem": problem, **judgement.model_dump()})
    before = judgement.at - keep
    connection.execute(delete(JUDGEMENTS).where(JUDGEMENTS.c.problem == problem, JUDGEMENTS.c.at < before))


def rows_since(connection: Connection, problem: str, version: int, sequence: int, enough: int) -> int:
    """How many rows of a version came after one; counted to `enough` and no further."""
    log = PREDICTIONS.c
    query = select(log.sequence).where(log.problem == problem, log.version == version, log.sequence > sequence)
    return int(connection.execute(select(func.count()).select_from(query.limit(enough).subquery())).scalar_one())


def _judgements(found: Iterable[RowMapping]) -> list[Judgement]:
    times = ("at", "since", "until")
    return [Judgement.model_validate({**row, **{name: utc(row[name]) for name in times}}) for row in found]
