"""Fills the templates."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from labline.contract import CategoryColumn, Column, LabelsColumn, NumberColumn, Problem, TextColumn
from labline.contract.examples import example_value
from labline.model.bundle import Bundle
from labline.monitoring.advice import advice_of
from labline.monitoring.kinds import ReportKind
from labline.monitoring.summary import Summary
from labline.pipeline import History, Page
from labline.ui.charts import curve_chart, judgements_chart, performance_chart, separation_chart

if TYPE_CHECKING:
    from jinja2 import Environment


@lru_cache(maxsize=1)
def _templates() -> Environment:
    from jinja2 import Environment, PackageLoader, StrictUndefined, select_autoescape

    return Environment(
        loader=PackageLoader("labline.ui"), autoescape=select_autoescape(), undefined=StrictUndefined, trim_blocks=True
    )


def home_page(
    problem: Problem, bundle: Bundle | None, version: int | None, trouble: str | None, *, key_wanted: bool = False
) -> str:
    """What this is, a form made from the contract, and links."""
    fields = [_field(name, column) for name, column in problem.columns.items()]
    return (
        _templates()
        .get_template("home.html")
        .render(
            problem=problem,
            bundle=bundle,
            version=version,
            trouble=trouble,
            fields=fields,
            reports=list(ReportKind),
            key_wanted=key_wanted,
        )
    )


def monitor_page(bundle: Bundle, summary: Summary, history: History | None, asked: str = "") -> str:
    """A summary as a page, with the history beside it where it is known.

    Args:
        bundle: that answered.
        summary: of the window.
        history: of the last weeks.
        asked: the window as it was asked for, `last=300`, for links to other pages of it.
    """
    measured = history is not None and any(history.metric in one.metrics for one in history.periods)
    return (
        _templates()
        .get_template("monitor.html")
        .render(
            problem=bundle.problem,
            bundle=bundle,
            summary=summary,
            advice=advice_of(summary, bundle.problem.metric),
            history=history,
            performance=performance_chart(history) if history is not None and measured else None,
            judgements=judgements_chart(history.judgements) if history is not None and history.judgements else None,
            reports=list(ReportKind),
            window=f"&{asked}" if asked else "",
            curve_chart=curve_chart,
            separation_chart=separation_chart,
            days_ago=_days_ago,
            span=_span,
        )
    )


def _days_ago(days: int) -> str:
    """The whole hour so many days ago, as it stands in an address."""
    return f"{datetime.now(UTC) - timedelta(days=days):%Y-%m-%dT%H:00:00Z}"


def _span(seconds: float) -> str:
    """A span of time in words, e.g. `3.5 hours`."""
    for unit, length in (("days", 86_400), ("hours", 3600), ("minutes", 60)):
        if seconds >= 2 * length:
            return f"{seconds / length:.1f} {unit}"
    return f"{seconds:.0f} seconds"


def reports_page(problem: Problem, pages: Sequence[Page]) -> str:
    """Links to the report pages that are kept."""
    return _templates().get_template("reports.html").render(problem=problem, pages=pages)


def _field(name: str, column: Column) -> dict[str, Any]:
    """What the form must know of a column."""
    field: dict[str, Any] = {
        "name": name,
        "description": column.description,
        "required": column.missing == "refuse",
        "example": example_value(column),
        "kind": column.type,
        "unit": "",
        "minimum": None,
        "maximum": None,
        "values": (),
        "closed": False,
        "maximum_length": None,
    }
    if isinstance(column, NumberColumn):
        limits = {"minimum": column.minimum, "maximum": column.maximum} if column.out_of_range == "refuse" else {}
        field |= {"unit": column.unit, **limits}
    elif isinstance(column, CategoryColumn | LabelsColumn):
        field |= {"values": column.values, "closed": bool(column.values) and column.unknown == "refuse"}
    elif isinstance(column, TextColumn):
        field |= {"maximum_length": column.maximum_length}
    return field
