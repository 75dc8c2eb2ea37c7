"""The summary: is the champion still fit for what it meets? A window of traffic against the bundle's profile."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict

from labline.config.monitoring import Monitoring
from labline.contract import (
    CategoryColumn,
    Column,
    Columns,
    DateTimeColumn,
    LabelsColumn,
    NumberColumn,
    Problem,
    is_missing,
)
from labline.model.bundle import Bundle
from labline.monitoring.drift import Drift, category_drift, number_drift
from labline.monitoring.profile import PREDICTION, CategoryProfile, NumberProfile, Profile, measured

Status = Literal["ok", "warn", "drift", "insufficient_data"]
WindowSource = Literal["log", "current"]


@dataclass(frozen=True)
class Window:
    """Rows to judge: plain columns, the predictions for them, and the labels where they are known.

    Attributes:
        source: the prediction log, or the "current" set.
        columns: the contract's columns, each of shape (rows,).
        predictions: shape (rows,): class names, values, or tuples of labels.
        given: the columns before the contract's policies clipped or dropped anything; None where that is not known.
        labels: shape (rows,), or None.
        performance: the task's metrics against the labels, or None.
        since: time of the first row, where it has one.
        until: time of the last row.
    """

    source: WindowSource
    columns: Columns
    predictions: NDArray[Any]
    given: Columns | None = None
    labels: NDArray[Any] | None = None
    performance: dict[str, float] | None = None
    since: datetime | None = None
    until: datetime | None = None

    @property
    def rows(self) -> int:
        """How many rows there are."""
        return len(self.predictions)


class ColumnSummary(BaseModel):
    """One column of the window against the profile."""

    model_config = ConfigDict(frozen=True)

    column: str
    test: str
    statistic: float
    p_value: float
    effect: float
    drifted: bool
    missing_share: float
    reference_missing_share: float
    new_categories: list[str] = []
    out_of_range_share: float = 0.0


class Summary(BaseModel):
    """What GET /monitor answers."""

    model_config = ConfigDict(frozen=True)

    problem: str
    model_version: int
    source: WindowSource
    status: Status
    reasons: list[str]
    rows: int
    rows_wanted: int
    since: datetime | None
    until: datetime | None
    reference_rows: int
    prediction: ColumnSummary | None = None
    predictions: dict[str, int] = {}
    columns: list[ColumnSummary] = []
    performance: dict[str, float] | None = None
    holdout: dict[str, float] = {}
    trained_on: str = ""


def summarise(
    bundle: Bundle, version: int, profile: Profile, window: Window, wanted: int, settings: Monitoring
) -> Summary:
    """The summary of a window; below `rows_min` rows it says so and judges nothing."""
    problem = bundle.problem
    base: dict[str, Any] = {
        "problem": problem.name,
        "model_version": version,
        "source": window.source,
        "rows": window.rows,
        "rows_wanted": wanted,
        "since": window.since,
        "until": window.until,
        "reference_rows": profile.rows,
        "holdout": profile.holdout,
        "trained_on": bundle.manifest.data.kind,
    }
    if window.rows < settings.rows_min:
        said = f"{window.rows} rows in the window; {settings.rows_min} are needed to say anything"
        return Summary(status="insufficient_data", reasons=[said], **base)
    names = [*problem.columns, PREDICTION]
    drifts = [_drift(name, problem, profile, window) for name in names]
    significant = _benjamini_hochberg([drift.p_value for drift in drifts], settings.alpha)
    rows = [
        _column(name, problem, profile, window, drift, drifted=_drifted(problem, name, drift, bool(flag), settings))
        for name, drift, flag in zip(names, drifts, significant, strict=True)
    ]
    columns, prediction = rows[:-1], rows[-1]
    status, reasons = _status(columns, prediction, window.rows, settings)
    counts: dict[str, int] = {}
    if problem.classes:
        met = Counter(measured(window.predictions).tolist())
        counts = {name: met[name] for name in problem.classes}
    return Summary(
        status=status,
        reasons=reasons,
        columns=sorted(columns, key=lambda row: -row.effect),
        prediction=prediction,
        predictions=counts,
        performance=window.performance,
        **base,
    )


def _reference(name: str, profile: Profile) -> NumberProfile | CategoryProfile:
    if name == PREDICTION:
        return profile.prediction
    return profile.numbers.get(name) or profile.categories[name]


def _drift(name: str, problem: Problem, profile: Profile, window: Window) -> Drift:
    reference = _reference(name, profile)
    values = window.predictions if name == PREDICTION else window.columns[name]
    measures = measured(values, problem.columns.get(name))
    if isinstance(reference, NumberProfile):
        return number_drift(reference, measures)
    return category_drift(reference, measures)


def _drifted(problem: Problem, name: str, drift: Drift, significant: bool, settings: Monitoring) -> bool:
    """Significant and large enough to matter; moments never, for time goes on by itself."""
    if isinstance(problem.columns.get(name), DateTimeColumn):
        return False
    return significant and drift.effect >= settings.effect_floor


def _column(
    name: str, problem: Problem, profile: Profile, window: Window, drift: Drift, *, drifted: bool
) -> ColumnSummary:
    reference = _reference(name, profile)
    values = window.predictions if name == PREDICTION else window.columns[name]
    given = values if name == PREDICTION else (window.given or window.columns)[name]
    column = problem.columns.get(name)
    new: list[str] = []
    listed = isinstance(column, CategoryColumn | LabelsColumn) and not column.is_open
    if isinstance(reference, CategoryProfile) and (listed or name == PREDICTION):
        new = sorted({value for value in measured(given) if value is not None} - set(reference.counts))
    return ColumnSummary(
        column=name,
        test=drift.test,
        statistic=drift.statistic,
        p_value=drift.p_value,
        effect=drift.effect,
        drifted=drifted,
        missing_share=float(is_missing(values).mean()),
        reference_missing_share=reference.missing / max(reference.rows, 1),
        new_categories=new,
        out_of_range_share=_outside(column, given),
    )


def _outside(column: Column | None, values: NDArray[Any]) -> float:
    """Share of the values beyond the column's limits."""
    if not isinstance(column, NumberColumn | DateTimeColumn):
        return 0.0
    kind = values.dtype
    outside = np.zeros(len(values), dtype=bool)
    if column.minimum is not None:
        outside |= values < np.array(column.minimum, dtype=kind)
    if column.maximum is not None:
        outside |= values > np.array(column.maximum, dtype=kind)
    return float(outside.mean())


def _benjamini_hochberg(p_values: Sequence[float], alpha: float) -> NDArray[np.bool_]:
    """Which tests are significant at false discovery rate alpha (Benjamini and Hochberg 1995)."""
    from scipy.stats import false_discovery_control

    return np.asarray(false_discovery_control(p_values) <= alpha)


def _went_missing(row: ColumnSummary, rows: int, limit: float, settings: Monitoring) -> bool:
    """Whether clearly more values are missing than in the training rows, and more than chance explains."""
    from scipy.stats import binom

    p_value = binom.sf(round(row.missing_share * rows) - 1, rows, row.reference_missing_share)
    return bool(row.missing_share - row.reference_missing_share >= settings.effect_floor and p_value <= limit)


def _status(
    columns: Sequence[ColumnSummary], prediction: ColumnSummary, rows: int, settings: Monitoring
) -> tuple[Status, list[str]]:
    drifted = [row for row in columns if row.drifted]
    reasons = [f"{row.column} drifted ({row.test}, effect {row.effect:.2f}, p {row.p_value:.1e})" for row in drifted]
    if prediction.drifted:
        reasons.append(f"the predictions drifted (effect {prediction.effect:.2f}, p {prediction.p_value:.1e})")
    reasons += [
        f"{row.column} has new categories: {', '.join(row.new_categories)}" for row in columns if row.new_categories
    ]
    reasons += [
        f"{row.column} is missing in {row.missing_share:.0%} of the rows, in training in "
        f"{row.reference_missing_share:.0%}"
        for row in columns
        if _went_missing(row, rows, settings.alpha / len(columns), settings)
    ]
    if len(drifted) >= settings.drift_share * len(columns):
        return "drift", reasons
    return ("warn", reasons) if reasons else ("ok", ["no column and no prediction drifted"])
