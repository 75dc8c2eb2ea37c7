"""Whether to train again: the rule of `monitoring.yaml`, and what is known of earlier retrainings."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from math import hypot, sqrt

from sqlalchemy import Connection, Engine, delete, select, update

from labline.config.monitoring import Monitoring
from labline.database import alone, reaching
from labline.errors import LablineError
from labline.model.tasks import greater_is_better
from labline.monitoring.estimation import Estimate
from labline.monitoring.tables import RETRAININGS, utc

LOCK = 0x6C6162726574  # "labret"
HOUR = timedelta(hours=1)


@dataclass(frozen=True)
class Past:
    """The last retraining: when it began, and how many labels there were; a version once it was done."""

    entry: int
    at: datetime
    labels: int
    version: int | None


@dataclass(frozen=True)
class Measured:
    """What is known of the champion's performance in production.

    Attributes:
        metric: the contract's, or the next one that has an interval.
        labelled: how many labelled rows the figure is made of.
        figure: of these.
        holdout: the same metric on the hold-out.
        holdout_rows: how many rows that had.
    """

    metric: str
    labelled: int
    figure: Estimate
    holdout: float
    holdout_rows: int


@dataclass(frozen=True)
class Decision:
    """Whether the rule asks for a retraining, and why or why not, in a sentence."""

    due: bool
    reason: str


def decide(settings: Monitoring, past: Past | None, measured: Measured | None, labels: int, now: datetime) -> Decision:
    """The rule: labelled performance below the hold-out's by more than chance explains, or enough new labels.

    Args:
        settings: the rule's numbers.
        past: the last retraining; None: there was none.
        measured: performance in production; None where too few labels are known.
        labels: how many labelled rows there are.
        now: for the cool-down.
    """
    pause = timedelta(hours=settings.retrain_cooldown_hours)
    if past is not None and now - past.at < pause:
        ago = (now - past.at) / HOUR
        return Decision(False, f"the last retraining began {ago:.1f} hours ago; {pause / HOUR:g} are to be between two")
    if measured is not None and _fell(measured):
        return Decision(
            True,
            f"{measured.metric} of {measured.labelled:,} labelled rows is {measured.figure.value:.4f}, on the hold-out "
            f"{measured.holdout:.4f}: more than chance explains",
        )
    new = labels - (past.labels if past is not None else 0)
    if settings.retrain_new_labels is not None and new >= settings.retrain_new_labels:
        return Decision(True, f"{new:,} new labels; {settings.retrain_new_labels:,} are enough")
    return Decision(False, f"{_standing(settings, measured)}; {_waiting(settings, new)}")


def choose(
    metric: str, loss: str, figures: Mapping[str, Estimate], holdout: Mapping[str, float], labelled: int, rows: int
) -> Measured | None:
    """The contract's metric, or else the loss, whichever has an interval and a figure of the hold-out."""
    for name in (metric, loss, "jaccard", "mae"):
        figure = figures.get(name)
        if figure is not None and figure.low is not None and name in holdout:
            return Measured(name, labelled, figure, holdout[name], rows)
    return None


def _fell(measured: Measured) -> bool:
    """Whether the gap is larger than both figures' noise together; the hold-out's goes with the root of its rows."""
    figure, greater = measured.figure, greater_is_better(measured.metric)
    better_end = figure.high if greater else figure.low
    if better_end is None:
        return False
    noise = abs(better_end - figure.value)
    gap = measured.holdout - figure.value if greater else figure.value - measured.holdout
    return gap > hypot(noise, noise * sqrt(measured.labelled / max(measured.holdout_rows, 1)))


def _standing(settings: Monitoring, measured: Measured | None) -> str:
    if measured is None:
        return f"fewer than {settings.retrain_labels_min:,} labelled rows to measure the champion on"
    return f"{measured.metric} of labelled rows is {measured.figure.value:.4f}, on the hold-out {measured.holdout:.4f}"


def _waiting(settings: Monitoring, new: int) -> str:
    if settings.retrain_new_labels is None:
        return "the number of new labels does not count"
    return f"{new:,} new labels of {settings.retrain_new_labels:,}"


def last_retraining(connection: Connection, problem: str) -> Past | None:
    """The last one, be it done or not."""
    query = select(RETRAININGS).where(RETRAININGS.c.problem == problem).order_by(RETRAININGS.c.entry.desc()).limit(1)
    found = connection.execute(query).first()
    return None if found is None else Past(found.entry, utc(found.at), found.labels, found.version)


def claim(engine: Engine, problem: str, past: Past | None, reason: str, labels: int, now: datetime) -> int:
    """Write down that a retraining begins, before another can.

    Returns:
        Its entry.

    Raises:
        LablineError: another has begun since `past` was read.
    """
    with alone(engine, LOCK) as connection:
        if last_retraining(connection, problem) != past:
            raise LablineError("another retraining has begun meanwhile", where=problem, mend="wait for it")
        values = {"problem": problem, "at": now.astimezone(UTC), "reason": reason, "labels": labels}
        return int(connection.execute(RETRAININGS.insert().values(values).returning(RETRAININGS.c.entry)).scalar_one())


def finish(engine: Engine, entry: int, version: int) -> None:
    """Write down which version it made."""
    with reaching(engine), engine.begin() as connection:
        connection.execute(update(RETRAININGS).where(RETRAININGS.c.entry == entry).values(version=version))


def give_up(engine: Engine, entry: int) -> None:
    """It failed: it is as if it had not begun, so that the next one need not wait."""
    with reaching(engine), engine.begin() as connection:
        connection.execute(delete(RETRAININGS).where(RETRAININGS.c.entry == entry))
