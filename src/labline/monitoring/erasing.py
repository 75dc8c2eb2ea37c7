"""What else goes when predictions are removed from the log: their labels, and their part in the hourly tallies."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime

from sqlalchemy import ColumnElement, Connection, and_, delete, exists, select, update

from labline.monitoring.tables import LABELS, TALLIES


def forget(connection: Connection, problem: str, prediction_ids: Sequence[str], moments: Iterable[datetime]) -> None:
    """Remove labels, and have the hours counted again; in the transaction that erases the predictions.

    The outcomes stay: sums, in which no single prediction can be told from another.

    Args:
        connection: of that transaction.
        problem: whose predictions.
        prediction_ids: of those erased.
        moments: when they were answered.
    """
    those = and_(LABELS.c.problem == problem, LABELS.c.prediction_id.in_(prediction_ids))
    connection.execute(delete(LABELS).where(those))
    for hour in sorted({at.astimezone(UTC).replace(minute=0, second=0, microsecond=0) for at in moments}):
        here = and_(TALLIES.c.problem == problem, TALLIES.c.hour == hour)
        connection.execute(update(TALLIES).where(here).values(stale=True))


def forget_labels_before(connection: Connection, before: datetime, ids: ColumnElement[str]) -> None:
    """Remove labels received earlier whose predictions are no more among the ids of the log.

    Tallies and outcomes stay, for the history.
    """
    gone = ~exists(select(ids).where(ids == LABELS.c.prediction_id))
    connection.execute(delete(LABELS).where(LABELS.c.received_at < before.astimezone(UTC), gone))
