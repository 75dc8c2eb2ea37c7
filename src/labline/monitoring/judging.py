"""Judges columns: every measure of a tally against its profile, all tests corrected together, one row a column."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict

from labline.config.monitoring import Monitoring
from labline.contract import DateTimeColumn, Problem
from labline.monitoring.drift import NOTHING_TO_TEST, Drift, drift_of
from labline.monitoring.opinion import Opinion, opinion_of
from labline.monitoring.profile import ANSWER, PREDICTION, VALUE, Measure, NumberProfile, Profile, Reference
from labline.monitoring.shares import Kind, Share, shares_of
from labline.monitoring.tally import Counts, NameCounts, NumberCounts, Tally, counts_of

POINTS_MAX = 64  # of a curve
BARS_MAX = 12  # names of which each has a bar; the others share one
OTHERS = "…"

What = Literal["distribution"] | Kind


class ColumnTest(BaseModel):
    """One test of a column.

    Attributes:
        what: of its distribution, or of a share that ought to stay small.
        measure: what of the column; of a text one of several.
        p_value: of the test alone.
        corrected_p_value: with all tests of the window (Benjamini and Hochberg 1995).
        effect: distance of the distributions, or difference of the shares.
        alarm: significant, and large enough to matter.
    """

    model_config = ConfigDict(frozen=True)

    what: What
    measure: str
    p_value: float
    corrected_p_value: float
    effect: float
    alarm: bool


class Curve(BaseModel):
    """Reference and window to be drawn over each other.

    Attributes:
        kind: `steps`: shares up to each number; `bars`: the share of each name.
        at: numbers ascending, or names, the commonest of the reference first.
        reference: shares.
        window: shares.
    """

    model_config = ConfigDict(frozen=True)

    kind: Literal["steps", "bars"]
    at: list[float] | list[str]
    reference: list[float]
    window: list[float]


class ColumnSummary(BaseModel):
    """One column of the window against the profile.

    `test`, `statistic`, `p_value`, `effect`, Evidently's opinion and the curve are of the column's distribution; of a
    text, of the measure that is furthest from what it was.
    """

    model_config = ConfigDict(frozen=True)

    column: str
    test: str
    statistic: float
    p_value: float
    corrected_p_value: float = 1.0
    effect: float
    drifted: bool
    missing_share: float
    reference_missing_share: float
    new_categories: list[str] = []
    new_share: float = 0.0
    out_of_range_share: float = 0.0
    logged: bool = True
    measure: str = VALUE
    alarms: list[What] = []
    tests: list[ColumnTest] = []
    evidently: Opinion | None = None
    curve: Curve | None = None


@dataclass(frozen=True)
class _Measured:
    """One measure with its counts, and what was tested of it."""

    measure: Measure
    reference: Reference
    counts: Counts
    drift: Drift
    shares: tuple[Share, ...]


def judge_columns(problem: Problem, profile: Profile, counted: Tally, settings: Monitoring) -> list[ColumnSummary]:
    """One row a column of the contract, in its order, and one of the predictions, the last.

    Of a column with nothing to test, be it that all values are missing or that the log does not hold it, the others
    are judged as if it were not there.
    """
    counts = counts_of(profile, counted)
    measured = [_measured(measure, reference, counts[measure]) for measure, reference in profile.references.items()]
    tests = _tests(problem, measured, settings)
    names: list[Measure] = [*(Measure(name) for name in problem.columns), ANSWER]
    return [_row(problem, one, [m for m in measured if _same(m.measure, one)], tests) for one in names]


def _same(measure: Measure, column: Measure) -> bool:
    return measure.column == column.column and (measure == ANSWER) == (column == ANSWER)


def _measured(measure: Measure, reference: Reference, counts: Counts) -> _Measured:
    # of a text, one of its measures being missing says what the text's being missing does
    shares = shares_of(reference, counts) if measure.what in (VALUE, PREDICTION) else []
    return _Measured(measure, reference, counts, drift_of(reference, counts), tuple(shares))


def _tests(problem: Problem, measured: Sequence[_Measured], settings: Monitoring) -> dict[Measure, list[ColumnTest]]:
    """All tests of the window, corrected together; the distribution of moments is no part, for time goes on."""
    raw: list[tuple[Measure, What, float, float, float]] = []
    for one in measured:
        moves_on = isinstance(problem.columns.get(one.measure.column), DateTimeColumn) and one.measure != ANSWER
        if one.drift != NOTHING_TO_TEST and not moves_on:
            raw.append((one.measure, "distribution", one.drift.p_value, one.drift.effect, settings.effect_floor))
        raw += [
            (one.measure, share.kind, share.p_value, share.window - share.reference, settings.share_floor)
            for share in one.shares
        ]
    found: dict[Measure, list[ColumnTest]] = {one.measure: [] for one in measured}
    corrected = _benjamini_hochberg([p_value for _, _, p_value, _, _ in raw])
    for (measure, what, p_value, effect, floor), adjusted in zip(raw, corrected, strict=True):
        alarm = bool(adjusted <= settings.alpha and abs(effect) >= floor)
        found[measure].append(
            ColumnTest(
                what=what,
                measure=measure.what,
                p_value=p_value,
                corrected_p_value=float(adjusted),
                effect=effect,
                alarm=alarm,
            )
        )
    return found


def _benjamini_hochberg(p_values: Sequence[float]) -> NDArray[np.float64]:
    """P-values that can be held against a false discovery rate (Benjamini and Hochberg 1995)."""
    if not p_values:
        return np.empty(0)
    from scipy.stats import false_discovery_control

    return np.asarray(false_discovery_control(p_values))


def _row(
    problem: Problem, column: Measure, measured: Sequence[_Measured], tests: dict[Measure, list[ColumnTest]]
) -> ColumnSummary:
    """A column's row, from its measures: the first is its value, the others what else is measured of a text."""
    value = measured[0]
    every = [test for one in measured for test in tests[one.measure]]
    corrected = {one.measure: _of_distribution(tests[one.measure]) for one in measured}
    shown = min(measured, key=lambda one: (corrected[one.measure], -one.drift.effect))
    counts, reference = value.counts, value.reference
    closed = column == ANSWER or not getattr(problem.columns[column.column], "is_open", False)
    named = isinstance(counts, NameCounts) and closed
    unknown = counts.unknown if isinstance(counts, NameCounts) else 0
    return ColumnSummary(
        column=column.column,
        test=shown.drift.test,
        statistic=shown.drift.statistic,
        p_value=shown.drift.p_value,
        corrected_p_value=corrected[shown.measure],
        effect=shown.drift.effect,
        drifted=any(test.alarm for test in every if test.what == "distribution"),
        missing_share=counts.missing / max(counts.rows, 1),
        reference_missing_share=reference.missing / max(reference.rows, 1),
        new_categories=sorted(counts.strangers) if named else [],
        new_share=unknown / max(counts.known, 1),
        out_of_range_share=counts.outside / max(counts.rows, 1),
        logged=counts.rows > 0,
        measure=VALUE if column == ANSWER else shown.measure.what,
        alarms=list(dict.fromkeys(test.what for test in every if test.alarm)),
        tests=every,
        evidently=opinion_of(shown.reference, shown.counts),
        curve=_curve(shown.reference, shown.counts),
    )


def _of_distribution(tests: Sequence[ColumnTest]) -> float:
    return next((test.corrected_p_value for test in tests if test.what == "distribution"), 1.0)


def _curve(reference: Reference, counts: Counts) -> Curve | None:
    if not reference.known or not counts.known:
        return None
    if isinstance(reference, NumberProfile) and isinstance(counts, NumberCounts):
        last = len(reference.knots) - 1
        places = np.unique(np.linspace(0, last, min(last + 1, POINTS_MAX)).round().astype(int))
        knots, ours, theirs = (np.asarray(each)[places] for each in (reference.knots, reference.upto, counts.upto))
        return Curve(kind="steps", at=knots.tolist(), reference=ours.round(4).tolist(), window=theirs.round(4).tolist())
    return _bars(reference, counts)


def _bars(reference: Reference, counts: Counts) -> Curve:
    ours = {} if isinstance(reference, NumberProfile) else reference.counts
    theirs = {**counts.strangers, **counts.counts} if isinstance(counts, NameCounts) else {}
    names = sorted(ours.keys() | theirs, key=lambda name: (-ours.get(name, 0), -theirs.get(name, 0), name))[:BARS_MAX]
    shares = [
        [of.get(name, 0) / all_ for name in names] for of, all_ in ((ours, reference.known), (theirs, counts.known))
    ]
    rest = [max(0.0, 1 - sum(each)) for each in shares]
    if max(rest) > 1e-9:
        names, shares = [*names, OTHERS], [[*each, other] for each, other in zip(shares, rest, strict=True)]
    reference_shares, window_shares = ([round(share, 4) for share in each] for each in shares)
    return Curve(kind="bars", at=names, reference=reference_shares, window=window_shares)
