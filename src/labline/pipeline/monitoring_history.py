"""History: what windows were judged to be, and how labelled predictions came out over time."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Literal

from pydantic import BaseModel, ConfigDict

from labline.config import Config
from labline.database import open_database, reaching
from labline.monitoring.estimation import Estimate
from labline.monitoring.history import Judgement, judgements_between
from labline.monitoring.outcome_hours import read_outcomes
from labline.monitoring.outcomes import Outcomes, figures_of
from labline.monitoring.tally_store import Counting, rows_by_hour
from labline.pipeline.champion import Served
from labline.pipeline.monitoring import count, open_bundle

Step = Literal["hour", "day"]
DAYS = 30  # if nothing else is asked for
STEPS_MAX = 400


class Period(BaseModel):
    """One hour or day of the champion's answers.

    Attributes:
        begin: UTC.
        rows: answered in it.
        labelled: of them, with a label by now, whenever that came.
        delay_seconds: from prediction to label, the mean.
        metrics: of those labelled, with their intervals.
    """

    model_config = ConfigDict(frozen=True)

    begin: datetime
    rows: int
    labelled: int
    delay_seconds: float | None
    metrics: dict[str, Estimate]


class History(BaseModel):
    """What GET /monitor/history answers; the oldest first."""

    model_config = ConfigDict(frozen=True)

    problem: str
    model_version: int
    since: datetime
    until: datetime
    by: Step
    metric: str
    holdout: dict[str, float]
    judgements: list[Judgement]
    periods: list[Period]


def monitor_history(
    config: Config, served: Served, *, since: datetime | None = None, until: datetime | None = None, by: Step = "day"
) -> History:
    """The judgements that were kept, of all versions, and the champion's performance by hour or day.

    Args:
        config: where things are.
        served: the champion.
        since: 30 days before `until` if none, or as many steps as are shown at most.
        until: now if none.
        by: the step; at most 400, the newest, are given.

    Raises:
        DatabaseError: the database is away.
    """
    step = timedelta(days=1) if by == "day" else timedelta(hours=1)
    until = (until or datetime.now(UTC)).astimezone(UTC)
    since = (since or until - timedelta(days=DAYS)).astimezone(UTC)
    since = max(since, until - STEPS_MAX * step)
    bundle, profile = open_bundle(served)
    problem = bundle.problem
    counting = Counting(problem, served.version, profile, bundle.digest)
    engine = open_database(config.storage.database_url.get_secret_value())
    count(engine, counting, bundle)
    begin = _floor(since, by)
    with reaching(engine), engine.connect() as connection:
        judgements = judgements_between(connection, problem.name, since, until)
        rows = rows_by_hour(connection, counting, begin, until)
        outcomes = read_outcomes(connection, problem.name, served.version, begin, until)
    counts: dict[datetime, int] = {}
    sums: dict[datetime, Outcomes] = {}
    for hour, number in rows.items():
        counts[_floor(hour, by)] = counts.get(_floor(hour, by), 0) + number
    for hour, found in outcomes.items():
        sums[_floor(hour, by)] = sums.get(_floor(hour, by), Outcomes()) + found
    return History(
        problem=problem.name,
        model_version=served.version,
        since=since,
        until=until,
        by=by,
        metric=problem.metric,
        holdout=profile.holdout,
        judgements=judgements,
        periods=[
            Period(
                begin=at,
                rows=counts.get(at, 0),
                labelled=(of := sums.get(at, Outcomes())).rows,
                delay_seconds=of.delay_seconds / of.rows if of.rows else None,
                metrics=figures_of(problem, of),
            )
            for at in sorted(counts.keys() | sums.keys())
        ],
    )


def _floor(at: datetime, by: Step) -> datetime:
    return at.replace(hour=at.hour if by == "hour" else 0, minute=0, second=0, microsecond=0)
