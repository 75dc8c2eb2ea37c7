"""Fills the templates."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined, select_autoescape

from labline.contract import CategoryColumn, Column, LabelsColumn, NumberColumn, Problem, TextColumn
from labline.contract.examples import example_value
from labline.model.bundle import Bundle
from labline.monitoring.kinds import ReportKind
from labline.monitoring.summary import Summary


@lru_cache(maxsize=1)
def _templates() -> Environment:
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


def monitor_page(bundle: Bundle, summary: Summary) -> str:
    """A summary as a page."""
    return (
        _templates()
        .get_template("monitor.html")
        .render(problem=bundle.problem, bundle=bundle, summary=summary, reports=list(ReportKind))
    )


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
