"""Keeps the outcomes of labelled predictions by hour: each label is counted once, in its prediction's own hour."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
from loguru import logger
from sqlalchemy import Connection, Engine, Row, Text, and_, cast, delete, exists, or_, select, update

from labline.contract import Problem
from labline.database import alone, reaching
from labline.model.tasks import Task
from labline.monitoring.log_rows import MOMENT, LogRows, measurable, read_rows
from labline.monitoring.outcomes import Outcomes, outcomes_of
from labline.monitoring.prediction_log import PREDICTIONS
from labline.monitoring.tables import LABELS, OUTCOMES, utc

LOCK = 0x6C61626C6162  # "lablab"
AT_ONCE = 500
WAIT = timedelta(days=30)  # so long a label waits for its prediction, which may lie in a spool


def count_labels(engine: Engine, problem: Problem, task: Task, now: datetime) -> int:
    """Count the labels that came or changed since; of several processes at once each label is counted by one.

    Args:
        engine: of the database.
        problem: the contract.
        task: of the bundle that serves.
        now: labels that have waited too long for a prediction are given up.

    Returns:
        How many were counted.

    Raises:
        DatabaseError: the database is away.
    """
    any_pending = select(exists().where(LABELS.c.problem == problem.name, LABELS.c.pending))
    with reaching(engine), engine.connect() as connection:
        if not connection.execute(any_pending).scalar_one():
            return 0  # as most times: found out without a lock
    counted, after = 0, None
    while True:
        with alone(engine, LOCK) as connection:
            labels = _pending(connection, problem.name, after)
            if not labels:
                return counted
            there = _count(connection, problem, task, labels)
            counted += len(there)
            waiting = (label for label in labels if label.prediction_id not in there)
            _give_up(connection, problem.name, waiting, now - WAIT)
        after = labels[-1]


def read_outcomes(
    connection: Connection, problem: str, version: int, since: datetime | None = None, until: datetime | None = None
) -> dict[datetime, Outcomes]:
    """Outcomes by the hour of the prediction, for hours that begin from `since` on and before `until`."""
    query = select(OUTCOMES.c.hour, cast(OUTCOMES.c.outcomes, Text)).order_by(OUTCOMES.c.hour)
    query = query.where(OUTCOMES.c.problem == problem, OUTCOMES.c.version == version)
    if since is not None:
        query = query.where(OUTCOMES.c.hour >= since.astimezone(UTC))
    if until is not None:
        query = query.where(OUTCOMES.c.hour < until.astimezone(UTC))
    return {utc(hour): Outcomes.model_validate_json(found) for hour, found in connection.execute(query).all()}


@dataclass(frozen=True)
class _Key:
    """Whose outcomes, of which hour."""

    version: int
    hour: datetime


def _pending(connection: Connection, problem: str, after: Row[Any] | None) -> Sequence[Row[Any]]:
    """The next labels to count, in the order they came."""
    query = select(LABELS).where(LABELS.c.problem == problem, LABELS.c.pending)
    if after is not None:
        came = utc(after.received_at)
        later = and_(LABELS.c.received_at == came, LABELS.c.prediction_id > after.prediction_id)
        query = query.where(or_(LABELS.c.received_at > came, later))
    return connection.execute(query.order_by(LABELS.c.received_at, LABELS.c.prediction_id).limit(AT_ONCE)).all()


def _count(connection: Connection, problem: Problem, task: Task, labels: Sequence[Row[Any]]) -> set[str]:
    """Add the labels to the outcomes, and take away what was counted of the same predictions before.

    Returns:
        The ids of those whose predictions are in the log.
    """
    by_id = {label.prediction_id: label for label in labels}
    versions = select(PREDICTIONS.c.prediction_id, PREDICTIONS.c.version)
    here = and_(PREDICTIONS.c.problem == problem.name, PREDICTIONS.c.prediction_id.in_(list(by_id)))
    version_of = {row.prediction_id: row.version for row in connection.execute(versions.where(here))}
    rows = read_rows(connection, problem.name, None, PREDICTIONS.c.prediction_id.in_(list(by_id)), labels=False)
    hours = rows.at.astype("datetime64[h]")
    groups: dict[_Key, list[int]] = {}
    for row, name in enumerate(rows.ids):
        key = _Key(version_of[name], hours[row].astype(datetime).replace(tzinfo=UTC))
        groups.setdefault(key, []).append(row)
    for key, members in groups.items():
        part = rows.take(np.array(members, dtype=np.intp))
        known = [by_id[name] for name in part.ids]
        new = _outcomes(problem, task, part, [(one.label, one.at) for one in known])
        old = _outcomes(problem, task, part, [(one.counted, one.counted_at) for one in known])
        _add(connection, problem.name, key, new - old)
    for name in rows.ids:
        label = by_id[name]
        connection.execute(
            update(LABELS)
            .where(LABELS.c.problem == problem.name, LABELS.c.prediction_id == name)
            # one that was changed meanwhile stays to be counted
            .values(counted=label.label, counted_at=label.at, pending=LABELS.c.at != label.at)
        )
    return set(rows.ids)


def _outcomes(problem: Problem, task: Task, rows: LogRows, labels: Sequence[tuple[Any, Any]]) -> Outcomes:
    fitting = [row for row, (label, _) in enumerate(labels) if label is not None and _fits(problem, label)]
    some = rows.take(np.array(fitting, dtype=np.intp))
    told = np.array([utc(labels[row][1]).replace(tzinfo=None) for row in fitting], dtype=MOMENT)
    some = replace(some, labelled_at=told)
    return outcomes_of(problem, task, measurable(problem, task, some, [labels[row][0] for row in fitting]))


def _fits(problem: Problem, label: Any) -> bool:
    """Whether the contract still knows the label: it may have been told under an earlier one."""
    known = not problem.classes or problem.task == "multilabel" or label in problem.classes
    if not known:
        logger.warning("{}: a label is no class of the contract any more, and is not counted", problem.name)
    return known


def _add(connection: Connection, problem: str, key: _Key, more: Outcomes) -> None:
    here = and_(OUTCOMES.c.problem == problem, OUTCOMES.c.version == key.version, OUTCOMES.c.hour == key.hour)
    found = connection.execute(select(OUTCOMES.c.outcomes).where(here)).scalar_one_or_none()
    before = Outcomes() if found is None else Outcomes.model_validate(found)
    values = {"outcomes": (before + more).model_dump()}
    if found is None:
        connection.execute(OUTCOMES.insert(), {"problem": problem, **vars(key), **values})
    else:
        connection.execute(update(OUTCOMES).where(here).values(values))


def _give_up(connection: Connection, problem: str, labels: Iterable[Row[Any]], before: datetime) -> None:
    """Forget those of the labels, whose predictions are not there, that have waited since before a moment."""
    old = [label.prediction_id for label in labels if utc(label.received_at) < before]
    waiting = and_(LABELS.c.problem == problem, LABELS.c.prediction_id.in_(old), LABELS.c.pending)
    connection.execute(delete(LABELS).where(waiting))
