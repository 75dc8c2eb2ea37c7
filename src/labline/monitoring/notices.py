"""Notices: when the status has changed and stayed so, one is written down, to be sent once by whichever process can."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from sqlalchemy import Connection, Engine, select, update

from labline.database import reaching
from labline.monitoring.history import Judgement
from labline.monitoring.tables import NOTICES

PAUSE_SECONDS = 30.0  # before a second try; doubled each time
FIRST_STATUS = "ok"  # what receivers take for granted before they were told anything
TYPE = "labline.monitoring.status_changed"


@dataclass(frozen=True)
class Notice:
    """One that is to be sent now.

    Attributes:
        entry: its number, the same at every try.
        problem: whose status has changed.
        body: JSON, as it is signed.
        tries: this one included.
    """

    entry: int
    problem: str
    body: str
    tries: int


def note_change(connection: Connection, problem: str, judgements: Sequence[Judgement], windows: int) -> bool:
    """Write a notice if the last windows agree on a status that is not the one last told.

    Args:
        connection: of the transaction in which the last judgement was added, so that one process does both.
        problem: its name.
        judgements: the newest first.
        windows: how many must agree.

    Returns:
        Whether there is something to send.
    """
    told = connection.execute(
        select(NOTICES.c.status).where(NOTICES.c.problem == problem).order_by(NOTICES.c.entry.desc()).limit(1)
    ).scalar_one_or_none()
    last = judgements[:windows]
    if len(last) < windows or len({one.status for one in last}) > 1 or last[0].status == (told or FIRST_STATUS):
        return False
    newest = last[0]
    data = {
        "problem": problem,
        "model_version": newest.version,
        "status": newest.status,
        "previous": told or FIRST_STATUS,
        "windows": windows,
        **newest.model_dump(mode="json", include={"reasons", "rows", "since", "until"}),
    }
    body = json.dumps({"type": TYPE, "timestamp": newest.at.isoformat(), "data": data}, ensure_ascii=False)
    connection.execute(
        NOTICES.insert(),
        {"problem": problem, "status": newest.status, "body": body, "tries": 0, "next_at": newest.at.timestamp()},
    )
    return True


def take_due(engine: Engine, problem: str, now: float, patience: float) -> Notice | None:
    """The oldest notice whose time has come; it is this process's until it is answered, or patience has run out.

    Args:
        engine: of the database.
        problem: whose.
        now: seconds since 1970.
        patience: seconds a try may take, after which another process may take it up.
    """
    due = select(NOTICES).where(NOTICES.c.problem == problem, NOTICES.c.next_at <= now).order_by(NOTICES.c.entry)
    with reaching(engine), engine.begin() as connection:
        found = connection.execute(due.limit(1)).first()
        if found is None:
            return None
        mine = update(NOTICES).where(NOTICES.c.entry == found.entry, NOTICES.c.tries == found.tries)
        mine = mine.values(tries=found.tries + 1, next_at=now + patience)
        if connection.execute(mine).rowcount != 1:
            return None  # another process was faster
    return Notice(found.entry, problem, found.body, found.tries + 1)


def settle_notice(engine: Engine, notice: Notice, *, sent: bool, now: float, tries_max: int) -> bool:
    """Say what became of a try; one that failed is tried again later, until there were `tries_max`.

    Returns:
        Whether it will be tried again.
    """
    again = not sent and notice.tries < tries_max
    values = {
        "next_at": now + PAUSE_SECONDS * 2 ** (notice.tries - 1) if again else None,
        "sent_at": datetime.fromtimestamp(now, UTC) if sent else None,
    }
    with reaching(engine), engine.begin() as connection:
        mine = update(NOTICES).where(NOTICES.c.entry == notice.entry, NOTICES.c.tries == notice.tries)
        connection.execute(mine.values(values))
    return again
