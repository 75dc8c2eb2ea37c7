"""The summary: is the champion still fit for what it meets? A window of traffic against the bundle's profile."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict

from labline.config.monitoring import Monitoring
from labline.contract import Columns, Problem
from labline.model.bundle import Bundle
from labline.model.resampling import Interval
from labline.model.tasks import Scores
from labline.monitoring.estimation import Estimate
from labline.monitoring.judging import ColumnSummary, judge_columns
from labline.monitoring.profile import ANSWER, Profile
from labline.monitoring.rules import Findings, Fired, Status, status_of
from labline.monitoring.tally import NameCounts, Tally, counts_of, estimates_of, tally
from labline.monitoring.together import Together, columns_together

__all__ = [
    "About",
    "ColumnSummary",
    "Labelling",
    "Status",
    "Summary",
    "Window",
    "WindowSource",
    "columns_together",
    "judge",
    "summarise",
]

WindowSource = Literal["log", "current"]


@dataclass(frozen=True)
class Window:
    """Rows to judge: plain columns, the predictions for them, and the labels where they are known.

    Attributes:
        source: the prediction log, or the "current" set.
        columns: the contract's columns, each of shape (rows,).
        predictions: shape (rows,): class names, values, or tuples of labels.
        scores: probabilities of shape (rows, classes), or values of shape (rows,); None where they are not known.
        given: the columns before the contract's policies clipped or dropped anything; None where that is not known.
        labels: shape (rows,), or None.
        performance: the task's metrics against the labels, or None.
        interval: of the contract's metric among them.
        since: time of the first row, where it has one.
        until: time of the last row.
    """

    source: WindowSource
    columns: Columns
    predictions: NDArray[Any]
    given: Columns | None = None
    scores: Scores | None = None
    labels: NDArray[Any] | None = None
    performance: dict[str, float] | None = None
    interval: Interval | None = None
    since: datetime | None = None
    until: datetime | None = None

    @property
    def rows(self) -> int:
        """How many rows there are."""
        return len(self.predictions)


class Labelling(BaseModel):
    """What labels say of a window.

    Attributes:
        rows: whose labels are known.
        metrics: of these, with 95 % intervals, by the contract's names.
        delay_seconds: from prediction to label, the mean; None where that is not known.
        drift: of the labels, against those of the training data; None where there are too few of them.
    """

    model_config = ConfigDict(frozen=True)

    rows: int = 0
    metrics: dict[str, Estimate] = {}
    delay_seconds: float | None = None
    drift: ColumnSummary | None = None


class Summary(BaseModel):
    """What GET /monitor answers.

    Attributes:
        status: in one word; `reasons` say why, and `rules` which rules of `monitoring.yaml` they come from.
        columns: those furthest from the reference first.
        together: whether columns go together as they did; None where the rows were not at hand.
        performance: the task's metrics against labels; None where there are none.
        estimated: what they probably are without labels. It holds while inputs drift, not where the relation of inputs
            and target changes.
        labelling: how many labels are known, metrics with intervals, and the labels' own drift.
        holdout: the task's metrics on the hold-out.
        notes: what should be known of how the window was made.
    """

    model_config = ConfigDict(frozen=True)

    problem: str
    model_version: int
    source: WindowSource
    status: Status
    reasons: list[str]
    rules: list[Fired] = []
    rows: int
    rows_wanted: int
    since: datetime | None
    until: datetime | None
    reference_rows: int
    prediction: ColumnSummary | None = None
    predictions: dict[str, int] = {}
    columns: list[ColumnSummary] = []
    together: Together | None = None
    performance: dict[str, float] | None = None
    estimated: dict[str, Estimate] = {}
    labelling: Labelling = Labelling()
    holdout: dict[str, float] = {}
    trained_on: str = ""
    notes: list[str] = []


@dataclass(frozen=True)
class About:
    """Which window is judged: from where, how many rows were asked for, and between which moments."""

    source: WindowSource
    wanted: int
    since: datetime | None = None
    until: datetime | None = None


def summarise(
    bundle: Bundle, version: int, profile: Profile, window: Window, wanted: int, settings: Monitoring
) -> Summary:
    """The summary of a window whose rows are at hand; below `rows_min` rows it says so and judges nothing."""
    problem = bundle.problem
    counted = tally(profile, problem, window.columns, window.predictions, scores=window.scores, given=window.given)
    return judge(
        bundle,
        version,
        profile,
        counted,
        About(window.source, wanted, window.since, window.until),
        settings,
        together=columns_together(profile, problem, window.columns, settings),
        labelling=None
        if window.performance is None
        else _measured(problem.metric, window.rows, window.performance, window.interval),
    )


def _measured(metric: str, rows: int, metrics: Mapping[str, float], interval: Interval | None) -> Labelling:
    found = {name: Estimate(value=value) for name, value in metrics.items()}
    if interval is not None:
        found[metric] = Estimate(value=interval.value, low=interval.low, high=interval.high)
    return Labelling(rows=rows, metrics=found)


def judge(
    bundle: Bundle,
    version: int,
    profile: Profile,
    counted: Tally,
    about: About,
    settings: Monitoring,
    *,
    together: Together | None = None,
    labelling: Labelling | None = None,
    notes: Sequence[str] = (),
) -> Summary:
    """The summary of a window that was counted, be it from its rows or from hours; below `rows_min` it judges nothing.

    Args:
        bundle: that answered.
        version: of it.
        profile: in it.
        counted: the window's rows against the profile.
        about: which window it is.
        settings: limits and rules.
        together: from `columns_together`; None where the rows are not at hand.
        labelling: what labels say, where some are known.
        notes: what should be known of how the window was made.
    """
    problem, labelling = bundle.problem, labelling or Labelling()
    base: dict[str, Any] = {
        "problem": problem.name,
        "model_version": version,
        "source": about.source,
        "rows": counted.rows,
        "rows_wanted": about.wanted,
        "since": about.since,
        "until": about.until,
        "reference_rows": profile.rows,
        "holdout": profile.holdout,
        "trained_on": bundle.manifest.data.kind,
        "labelling": labelling,
        "performance": {name: one.value for name, one in labelling.metrics.items()} or None,
        "notes": list(notes),
    }
    if counted.rows < settings.rows_min:
        said = f"{counted.rows} rows in the window; {settings.rows_min} are needed to say anything"
        return Summary(status="insufficient_data", reasons=[said], **base)
    *columns, prediction = judge_columns(problem, profile, counted, settings)
    estimated = estimates_of(profile, counted)
    metric = problem.metric
    found = Findings(
        columns=columns,
        prediction=prediction,
        together=together,
        metric=metric,
        holdout=profile.holdout.get(metric),
        performance=labelling.metrics.get(metric),
        estimated=estimated.get(metric),
    )
    status, fired = status_of(found, settings.rules)
    return Summary(
        status=status,
        reasons=[reason for rule in fired for reason in rule.reasons] or ["no column and no prediction drifted"],
        rules=fired,
        columns=sorted(columns, key=lambda row: -row.effect),
        prediction=prediction,
        predictions=_answers(problem, profile, counted),
        together=together,
        estimated=estimated,
        **base,
    )


def _answers(problem: Problem, profile: Profile, counted: Tally) -> dict[str, int]:
    """How often each class was answered, in the contract's order; none of a regression."""
    counts = counts_of(profile, counted)[ANSWER]
    if not isinstance(counts, NameCounts):
        return {}
    met = {**counts.strangers, **counts.counts}
    return {name: met.get(name, 0) for name in problem.classes}
