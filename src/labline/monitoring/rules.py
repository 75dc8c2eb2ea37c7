"""The status: which rules of `monitoring.yaml` apply to what was found in a window, and what each of them says."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from pydantic import BaseModel, ConfigDict

from labline.config.monitoring import Rule, When
from labline.model.tasks import greater_is_better
from labline.monitoring.estimation import Estimate
from labline.monitoring.judging import ColumnSummary, ColumnTest, What
from labline.monitoring.profile import VALUE
from labline.monitoring.together import Together

Status = Literal["ok", "warn", "drift", "insufficient_data"]


@dataclass(frozen=True)
class Findings:
    """What was found in a window.

    Attributes:
        columns: a row each.
        prediction: the row of the predictions.
        together: whether columns go together as they did; None where that was not looked at.
        metric: the problem's.
        holdout: its figure on the hold-out; None where there is none.
        performance: with labels.
        estimated: without.
    """

    columns: Sequence[ColumnSummary]
    prediction: ColumnSummary
    together: Together | None
    metric: str
    holdout: float | None
    performance: Estimate | None
    estimated: Estimate | None


class Fired(BaseModel):
    """A rule that applies: its name, the status it asks for, and what it found, a sentence each."""

    model_config = ConfigDict(frozen=True)

    rule: str
    status: Literal["warn", "drift"]
    reasons: list[str]


def status_of(found: Findings, rules: Sequence[Rule]) -> tuple[Status, list[Fired]]:
    """The worst status of the rules that apply, and these rules."""
    fired = [
        Fired(rule=rule.name, status=rule.status, reasons=reasons) for rule in rules if (reasons := _said(rule, found))
    ]
    asked = {one.status for one in fired}
    return ("drift" if "drift" in asked else "warn" if asked else "ok"), fired


def _said(rule: Rule, found: Findings) -> list[str]:
    """What a rule found; nothing where it does not apply."""
    if rule.when in _OF_COLUMNS:
        what, sentence = _OF_COLUMNS[rule.when]
        alarmed = [column for column in found.columns if what in column.alarms]
        total = sum(column.logged for column in found.columns)
        needed = rule.share * total if rule.share is not None else rule.columns or 1
        if not alarmed or len(alarmed) < needed:
            return []
        if rule.share is not None or needed > 1:
            return [f"{len(alarmed)} of {total} columns: {', '.join(column.column for column in alarmed)}"]
        return [sentence(column, _test(column, what)) for column in alarmed]
    return _OTHERS[rule.when](rule, found)


def _test(column: ColumnSummary, what: What) -> ColumnTest:
    """The test with the alarm; of several the surest."""
    return min((t for t in column.tests if t.what == what and t.alarm), key=lambda test: test.corrected_p_value)


def _drifted(column: ColumnSummary, test: ColumnTest) -> str:
    measure = "" if column.measure == VALUE else f" in {column.measure}"
    return f"{column.column} drifted{measure} ({column.test}, effect {test.effect:.2f}, p {test.corrected_p_value:.1e})"


def _missing(column: ColumnSummary, _test: ColumnTest) -> str:
    return (
        f"{column.column} is missing in {column.missing_share:.0%} of the rows, in training in "
        f"{column.reference_missing_share:.0%}"
    )


def _new(column: ColumnSummary, _test: ColumnTest) -> str:
    names = f": {', '.join(column.new_categories[:10])}" if column.new_categories else ""
    return f"{column.column} has new categories{names}"


def _outside(column: ColumnSummary, _test: ColumnTest) -> str:
    return f"{column.column} is not what the contract allows in {column.out_of_range_share:.0%} of the rows"


def _predictions(_rule: Rule, found: Findings) -> list[str]:
    row = found.prediction
    if not row.drifted:
        return []
    return [f"the predictions drifted (effect {row.effect:.2f}, p {row.corrected_p_value:.1e})"]


def _together(_rule: Rule, found: Findings) -> list[str]:
    if found.together is None or not found.together.alarm:
        return []
    return [f"columns go together otherwise than in training: {found.together.said}"]


def _performance(rule: Rule, found: Findings) -> list[str]:
    return _fell(rule, found, found.performance, "")


def _estimate(rule: Rule, found: Findings) -> list[str]:
    if found.estimated is None or found.estimated.low is None:  # one that is not known how far to believe is no alarm
        return []
    return _fell(rule, found, found.estimated, "estimated ")


def _fell(rule: Rule, found: Findings, figure: Estimate | None, kind: str) -> list[str]:
    """Whether a figure is worse than the hold-out's by so much, with the better end of its interval."""
    if figure is None or found.holdout is None or rule.by is None:
        return []
    greater = greater_is_better(found.metric)
    best = figure.high if greater else figure.low
    best = figure.value if best is None else best
    gap = found.holdout - best if greater else best - found.holdout
    if gap < rule.by * abs(found.holdout):
        return []
    return [f"{kind}{found.metric} is {figure.value:.3f}, on the hold-out {found.holdout:.3f}"]


_OF_COLUMNS: Mapping[When, tuple[What, Callable[[ColumnSummary, ColumnTest], str]]] = {
    "columns drifted": ("distribution", _drifted),
    "values missing": ("missing", _missing),
    "new categories": ("new categories", _new),
    "out of range": ("out of range", _outside),
}
_OTHERS: Mapping[When, Callable[[Rule, Findings], list[str]]] = {
    "predictions drifted": _predictions,
    "columns together": _together,
    "performance fell": _performance,
    "estimate fell": _estimate,
}
