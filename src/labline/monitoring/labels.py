"""Labels: the truth about predictions, told later by their id; the last one told of a prediction counts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, AwareDatetime, BaseModel, ConfigDict, Field, TypeAdapter, create_model
from sqlalchemy import Connection, Engine, select

from labline.contract import Problem
from labline.database import insert_of_dialect, reaching
from labline.monitoring.prediction_log import PREDICTIONS
from labline.monitoring.tables import LABELS, utc

Label = str | float | list[str]

LABELS_MAX = 10_000  # in one request
LIST_MAX = 1000  # names in one label of multilabel
AHEAD = timedelta(days=1)  # a clock may be wrong; a label dated years ahead could never be corrected
AT_ONCE = 500  # ids in one query; SQLite takes some thousands of parameters


@dataclass(frozen=True)
class Told:
    """A label, and since when it is known."""

    prediction_id: str
    label: Label
    at: datetime


class Feedback(BaseModel):
    """What became of the labels that were handed in.

    Attributes:
        kept: labels of predictions that had none.
        changed: labels that took the place of an earlier one.
        repeated: labels that changed nothing: told before, or older than the one that is known.
        unknown: ids of no prediction in the log; their labels wait for it.
    """

    model_config = ConfigDict(frozen=True)

    kept: int
    changed: int
    repeated: int
    unknown: list[str]


def feedback_type(problem: Problem) -> TypeAdapter[list[Any]]:
    """The body of POST /feedback: a list of `{prediction_id, label, at}`, the label as the contract has it."""
    item = create_model(
        "FeedbackItem",
        __config__=ConfigDict(extra="forbid", frozen=True),
        prediction_id=(str, Field(min_length=1, max_length=36, description="As /predict answered it.")),
        label=(_label_type(problem), Field(description=f"The true {problem.target}.")),
        at=(
            Annotated[AwareDatetime, AfterValidator(_not_ahead)] | None,
            Field(default=None, description="Since when it is known, with a time zone; now if none."),
        ),
    )
    return TypeAdapter(Annotated[list[item], Field(min_length=1, max_length=LABELS_MAX)])


def told(items: Sequence[Any], now: datetime) -> list[Told]:
    """Items that `feedback_type` has accepted; without a time of their own they are known since now."""
    return [Told(item.prediction_id, item.label, (item.at or now).astimezone(UTC)) for item in items]


def keep(engine: Engine, problem: str, labels: Sequence[Told], now: datetime) -> Feedback:
    """Keep labels; of several for one prediction the one with the latest `at` counts, of two as late the first.

    A label may come before its prediction is in the log, so those of unknown ids are kept too.

    Raises:
        DatabaseError: the database is away.
    """
    latest: dict[str, Told] = {}
    for one in labels:
        if one.prediction_id not in latest or one.at > latest[one.prediction_id].at:
            latest[one.prediction_id] = one
    ids = sorted(latest)  # in one order, so that two that write at once do not wait for each other
    with reaching(engine), engine.begin() as connection:
        before = _known(connection, problem, ids)
        known = _logged(connection, problem, ids)
        newer = [latest[name] for name in ids if name not in before or before[name] < latest[name].at]
        _write(connection, problem, newer, now)
    changed = sum(one.prediction_id in before for one in newer)
    kept = len(newer) - changed
    unknown = [name for name in ids if name not in known]
    return Feedback(kept=kept, changed=changed, repeated=len(labels) - len(newer), unknown=unknown)


def _write(connection: Connection, problem: str, labels: Sequence[Told], now: datetime) -> None:
    rows = [{"problem": problem, "received_at": now.astimezone(UTC), "pending": True, **vars(one)} for one in labels]
    if not rows:
        return
    insert = insert_of_dialect(connection, LABELS)
    taken = {name: insert.excluded[name] for name in ("label", "at", "received_at", "pending")}
    statement = insert.on_conflict_do_update(
        index_elements=[LABELS.c.problem, LABELS.c.prediction_id],
        set_=taken,
        where=insert.excluded["at"] > LABELS.c.at,  # another writer may have been faster
    )
    connection.execute(statement, rows)


def _known(connection: Connection, problem: str, ids: Sequence[str]) -> dict[str, datetime]:
    """Since when the labels that are kept already are known, by id."""
    found: dict[str, datetime] = {}
    for start in range(0, len(ids), AT_ONCE):
        some = ids[start : start + AT_ONCE]
        query = select(LABELS.c.prediction_id, LABELS.c.at)
        query = query.where(LABELS.c.problem == problem, LABELS.c.prediction_id.in_(some))
        found |= {name: utc(at) for name, at in connection.execute(query)}
    return found


def _logged(connection: Connection, problem: str, ids: Sequence[str]) -> set[str]:
    """Which of the ids are in the prediction log."""
    found: set[str] = set()
    for start in range(0, len(ids), AT_ONCE):
        some = ids[start : start + AT_ONCE]
        query = select(PREDICTIONS.c.prediction_id)
        query = query.where(PREDICTIONS.c.problem == problem, PREDICTIONS.c.prediction_id.in_(some))
        found.update(connection.scalars(query))
    return found


def _not_ahead(at: datetime) -> datetime:
    if at > datetime.now(UTC) + AHEAD:
        raise ValueError("is in the future")
    return at


def _label_type(problem: Problem) -> Any:
    """The type of one label, by the contract."""
    if problem.task == "regression":
        low, high = problem.value.minimum, problem.value.maximum
        return Annotated[float, Field(strict=True, allow_inf_nan=False, ge=low, le=high)]
    one: Any = Literal[problem.classes]
    if problem.task != "multilabel":
        return one
    if problem.unlisted == "ignore":
        one = Annotated[str, Field(max_length=1000)]
    names = frozenset(problem.classes)
    listed = AfterValidator(lambda given: sorted({name for name in given if name in names}))
    return Annotated[list[one], Field(max_length=LIST_MAX), listed]
