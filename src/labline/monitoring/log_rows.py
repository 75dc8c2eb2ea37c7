"""Reads rows of the prediction log for monitoring: fast, as columns, each with the label that is known by now."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property
from operator import itemgetter
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic_core import from_json
from sqlalchemy import ColumnElement, Connection, Row, Select, Text, and_, cast, func, select

from labline.contract import Columns, Problem, apply_policies, as_given
from labline.model.tasks import Task
from labline.monitoring.outcomes import Labelled
from labline.monitoring.prediction_log import PREDICTIONS
from labline.monitoring.tables import LABELS

MOMENT = "datetime64[us]"


@dataclass(frozen=True)
class LogRows:
    """Rows of the log in the order of their arrival.

    Attributes:
        sequences: shape (rows,).
        ids: of the predictions, shape (rows,), objects of str.
        at: when they were answered, UTC, shape (rows,).
        inputs: what was asked, by column name; a column that is not logged is not there.
        predictions: as they were answered.
        probabilities: by class; empty for values.
        labels: as they were told; None where none is known.
        labelled_at: since when they are known, UTC; not a time where none is.
    """

    sequences: NDArray[np.int64]
    ids: NDArray[np.object_]
    at: NDArray[np.datetime64]
    inputs: list[dict[str, Any]]
    predictions: list[Any]
    probabilities: list[dict[str, float]]
    labels: list[Any]
    labelled_at: NDArray[np.datetime64]

    def __len__(self) -> int:
        return len(self.sequences)

    @property
    def first(self) -> datetime | None:
        """When the earliest was answered; None where there are none."""
        return None if not len(self) else self.at.min().astype(datetime).replace(tzinfo=UTC)

    @property
    def last(self) -> datetime | None:
        """When the latest was answered; None where there are none."""
        return None if not len(self) else self.at.max().astype(datetime).replace(tzinfo=UTC)

    def take(self, rows: NDArray[np.intp]) -> LogRows:
        """Some of the rows, by position."""
        return LogRows(
            sequences=self.sequences[rows],
            ids=self.ids[rows],
            at=self.at[rows],
            inputs=[self.inputs[row] for row in rows],
            predictions=[self.predictions[row] for row in rows],
            probabilities=[self.probabilities[row] for row in rows],
            labels=[self.labels[row] for row in rows],
            labelled_at=self.labelled_at[rows],
        )

    def given(self, problem: Problem) -> Columns:
        """The columns as they were asked, before any policy; one that the contract keeps out of the log is absent."""
        logged = logged_part(problem)
        names = tuple(logged.columns)
        if names not in self._given:
            self._given[names] = as_given(logged, {name: [row.get(name) for row in self.inputs] for name in names})
        return self._given[names]

    @cached_property
    def _given(self) -> dict[tuple[str, ...], Columns]:
        """What `given` has made."""
        return {}

    def columns(self, problem: Problem) -> Columns:
        """The columns under the contract's policies; one that the contract keeps out of the log is absent."""
        return apply_policies(logged_part(problem), self.given(problem))

    def decisions(self, problem: Problem) -> NDArray[Any]:
        """What was answered: classes, values, or tuples of labels, shape (rows,)."""
        found = np.empty(len(self), dtype=object if problem.classes else float)
        found[:] = [tuple(one) if isinstance(one, list) else one for one in self.predictions]
        return found

    def scores(self, problem: Problem) -> NDArray[np.float64]:
        """What was answered: probabilities of shape (rows, classes), or values of shape (rows,)."""
        if not problem.classes:
            return np.array(self.predictions, dtype=np.float64)
        none = dict.fromkeys(problem.classes, 0.0)  # an answer of several labels may name those alone that it gives
        ordered = itemgetter(*problem.classes)
        scores = np.array([ordered({**none, **row}) for row in self.probabilities], dtype=np.float64)
        return scores.reshape(len(self), len(problem.classes))

    def labelled(self, problem: Problem, task: Task) -> Labelled:
        """Those whose labels are known, to be measured."""
        known = self.take(np.flatnonzero([label is not None for label in self.labels]))
        return measurable(problem, task, known, known.labels)


def measurable(problem: Problem, task: Task, rows: LogRows, labels: Sequence[Any]) -> Labelled:
    """Rows with labels, as the task measures them."""
    delays = (rows.labelled_at - rows.at) / np.timedelta64(1, "s")
    answers: NDArray[Any] = np.zeros((0, 0))
    if problem.task == "multilabel":
        answers = task.encode(rows.predictions)  # type: ignore[arg-type]  # any sequence of names will do
    return Labelled(encoded(task, labels), rows.scores(problem), answers, np.maximum(delays, 0.0))


def encoded(task: Task, labels: Sequence[Any]) -> NDArray[Any]:
    """Labels as the task encodes its target; without pandas, which a server does not load."""
    if not task.classes:
        return np.array(labels, dtype=np.float64)
    return task.encode(labels)  # type: ignore[arg-type]  # any sequence of names will do


def logged_part(problem: Problem) -> Problem:
    """The contract with those columns alone that the log holds."""
    if all(column.logged for column in problem.columns.values()):
        return problem
    kept = {name: column for name, column in problem.columns.items() if column.logged}
    return problem.model_copy(update={"columns": kept})


def read_rows(
    connection: Connection,
    problem: str,
    version: int | None,
    *where: ColumnElement[bool],
    limit: int | None = None,
    order: Literal["first", "last", "latest"] = "first",
    labels: bool = True,
) -> LogRows:
    """Rows that one version, or any, answered.

    Args:
        connection: to the database.
        problem: its name.
        version: None: all versions.
        where: conditions on the log, or on the labels beside it.
        limit: at most so many rows.
        order: which ones where there are more: those that arrived first or last, or those answered latest, for which
            conditions on the time are fast.
        labels: whether labels are looked for.
    """
    query = _query(connection.dialect.name, labels=labels).where(PREDICTIONS.c.problem == problem, *where)
    if version is not None:
        query = query.where(PREDICTIONS.c.version == version)
    log = PREDICTIONS.c
    orders = {"first": log.sequence, "last": log.sequence.desc(), "latest": log.at.desc()}
    query = query.order_by(orders[order]).limit(limit)
    found = connection.execute(query).all()
    return _rows(found if order == "first" else found[::-1])


def _query(dialect: str, *, labels: bool) -> Select[Any]:
    log = PREDICTIONS.c
    # as texts: NumPy and the JSON parser read all rows at once, which takes a tenth of the time
    texts = [cast(column, Text) for column in (log.input, log.prediction, log.probabilities)]
    columns = [log.sequence, log.prediction_id, _as_text(log.at, dialect), *texts]
    if not labels:
        return select(*columns)
    beside = and_(LABELS.c.problem == log.problem, LABELS.c.prediction_id == log.prediction_id)
    columns += [cast(LABELS.c.label, Text), _as_text(LABELS.c.at, dialect)]
    return select(*columns).select_from(PREDICTIONS.outerjoin(LABELS, beside))


def _as_text(at: ColumnElement[datetime], dialect: str) -> ColumnElement[str]:
    """A moment in UTC, as SQLite keeps it; a cast would write it in the style that the server is set to."""
    if dialect == "postgresql":
        return func.to_char(func.timezone("UTC", at), "YYYY-MM-DD HH24:MI:SS.US")
    return cast(at, Text)


def _rows(found: Sequence[Row[Any]]) -> LogRows:
    columns = list(zip(*found, strict=True)) or [()] * 8
    if len(columns) < 8:
        columns += [(None,) * len(found)] * 2
    sequences, ids, at, inputs, predictions, probabilities, labels, labelled_at = columns
    names = np.empty(len(ids), dtype=object)
    names[:] = ids
    return LogRows(
        np.array(sequences, dtype=np.int64),
        names,
        _moments(at),
        _parsed(inputs),
        _parsed(predictions),
        _parsed(probabilities),
        _parsed(["null" if one is None else one for one in labels]),
        _moments(labelled_at),
    )


def _parsed(texts: Sequence[str]) -> list[Any]:
    return from_json(f"[{','.join(texts)}]", cache_strings="all")  # type: ignore[no-any-return]


def _moments(texts: Sequence[str | None]) -> NDArray[np.datetime64]:
    """Times as NumPy has them; None is not a time."""
    if not any(texts):  # most rows have no label
        return np.full(len(texts), np.datetime64("NaT"), dtype=MOMENT)
    return np.array([text or "NaT" for text in texts], dtype=MOMENT)
