"""The model card of a version: what it is for, what it was made from, how good it is, and where its limits are.

After Mitchell et al. 2019. As Markdown, and as one HTML page that needs nothing else.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache, singledispatch
from typing import TYPE_CHECKING, Any

from labline.contract import (
    BooleanColumn,
    CategoryColumn,
    Column,
    DateTimeColumn,
    LabelsColumn,
    NumberColumn,
    TextColumn,
)
from labline.features import FEATURES_FILE, read_features
from labline.model.bundle import Bundle
from labline.model.evaluation import SEGMENT_ROWS_MIN, Evaluation, Interval
from labline.model.ledger import Entry
from labline.model.promotion import BETWEEN
from labline.model.tasks import greater_is_better

if TYPE_CHECKING:
    from jinja2 import Environment

NAMES_SHOWN = 20  # of a column's values


@dataclass(frozen=True)
class BaselineFigures:
    """What the model is measured beside: a simple one, on the same hold-out."""

    name: str
    metrics: dict[str, float]


@dataclass(frozen=True)
class Card:
    """What a card is made of.

    Attributes:
        version: the registry's number.
        bundle: the version's.
        evaluation: on its hold-out; None where those rows are not at hand.
        baseline: None where the run is gone.
        latency_ms: median time of a prediction for one row.
        size_mb: of the bundle.
        entries: what the ledger has of the version, the newest first.
        written_at: when the card was made.
    """

    version: int
    bundle: Bundle
    evaluation: Evaluation | None
    baseline: BaselineFigures | None
    latency_ms: float
    size_mb: float
    entries: tuple[Entry, ...]
    written_at: datetime


@dataclass(frozen=True)
class _Accepted:
    """One line of the table of columns."""

    name: str
    description: str
    accepts: str
    otherwise: str
    missing: str


def markdown(card: Card) -> str:
    """The card as Markdown; nothing in the contract or the data can write more than text into it."""
    text = _templates(html=False).get_template("card.md").render(_facts(card))
    return re.sub(r"\n{3,}", "\n\n", text).strip() + "\n"


def page(card: Card) -> str:
    """The card as an HTML page, with its style and plot in it, for light and dark screens."""
    return _templates(html=True).get_template("card.html").render(_facts(card))


@lru_cache(maxsize=2)
def _templates(*, html: bool) -> Environment:
    from jinja2 import Environment, PackageLoader, StrictUndefined, select_autoescape

    # templates stand beside this file
    loader = PackageLoader("labline.model", "")
    common: dict[str, Any] = {"loader": loader, "undefined": StrictUndefined, "trim_blocks": True}
    if html:
        return Environment(autoescape=select_autoescape(), **common)
    return Environment(autoescape=False, finalize=_as_text, **common)  # noqa: S701 - Markdown; _as_text escapes


def _as_text(value: Any) -> str:
    """What Markdown shows as it is: on one line, without tags, tables, emphasis or links of its own."""
    line = " ".join(str(value).split())
    return re.sub(r"([\\`*|<>]|(?<=\])\()", r"\\\1", line)


def _facts(card: Card) -> dict[str, Any]:
    problem, manifest = card.bundle.problem, card.bundle.manifest
    return {
        "card": card,
        "problem": problem,
        "manifest": manifest,
        "is_sample": manifest.data.kind == "sample",
        "family": _family(card.bundle),
        "derived": read_features(card.bundle.folder / FEATURES_FILE, problem).names,
        "metrics": list(_metrics(card)),
        "evaluation": card.evaluation,
        "columns": [_accepted(name, column) for name, column in problem.columns.items()],
        "few_rows": SEGMENT_ROWS_MIN,
        "small": _small(card),
        "entries": [(entry, entry.reason.split(BETWEEN)) for entry in card.entries],
        "loss": card.bundle.task.loss,
    }


def _family(bundle: Bundle) -> str:
    """What kind of model it is."""
    return bundle.manifest.family


def _metrics(card: Card) -> Iterator[tuple[str, str, str, str, str]]:
    """Name, value, interval, baseline, and which direction is the better one."""
    known = card.evaluation.metrics if card.evaluation else card.bundle.manifest.holdout
    intervals: dict[str, Interval] = card.evaluation.intervals if card.evaluation else {}
    beside = card.baseline.metrics if card.baseline else {}
    for name, value in known.items():
        between = f"{intervals[name].low:.4f} to {intervals[name].high:.4f}" if name in intervals else ""
        simple = f"{beside[name]:.4f}" if name in beside else ""
        yield name, f"{value:.4f}", between, simple, "higher" if greater_is_better(name) else "lower"


def _small(card: Card) -> list[str]:
    """Classes and segments of which too few rows were held out to say much."""
    if card.evaluation is None:
        return []
    classes = [
        f"class {of.name} ({_rows(of.rows)})" for of in card.evaluation.tables.per_class if of.rows < SEGMENT_ROWS_MIN
    ]
    segments = [f"{of.name} ({_rows(of.rows)})" for of in card.evaluation.segments if of.headline is None]
    return [*classes, *segments]


def _rows(count: int) -> str:
    return "1 row" if count == 1 else f"{count:,} rows"


def _accepted(name: str, column: Column) -> _Accepted:
    accepts, otherwise = _limits(column)
    missing = "refused" if column.missing == "refuse" else "allowed; the model sees it as missing"
    return _Accepted(name, column.description, accepts, otherwise, missing)


@singledispatch
def _limits(column: Column) -> tuple[str, str]:
    """What the column accepts, and what becomes of anything else."""
    raise NotImplementedError(column.type)


@_limits.register
def _(column: NumberColumn) -> tuple[str, str]:
    kind = "whole number" if column.type == "integer" else "number"
    unit = f" {column.unit}" if column.unit else ""
    return f"{kind}{_range(column.minimum, column.maximum)}{unit}", _outside(column.out_of_range)


@_limits.register
def _(column: DateTimeColumn) -> tuple[str, str]:
    return f"moment{_range(column.minimum, column.maximum)}", _outside(column.out_of_range)


@_limits.register
def _(_column: BooleanColumn) -> tuple[str, str]:
    return "true or false", "refused"


@_limits.register
def _(column: CategoryColumn) -> tuple[str, str]:
    return _names(column, "one of")


@_limits.register
def _(column: LabelsColumn) -> tuple[str, str]:
    return _names(column, "any of")


@_limits.register
def _(column: TextColumn) -> tuple[str, str]:
    without = ", without web addresses" if column.urls == "refuse" else ""
    return f"text of up to {column.maximum_length:,} characters{without}", "refused"


def _names(column: CategoryColumn | LabelsColumn, how: str) -> tuple[str, str]:
    if column.is_open:
        return "any name", "names that were rare in training count as one"
    more = f" and {len(column.values) - NAMES_SHOWN} more" if len(column.values) > NAMES_SHOWN else ""
    otherwise = "refused" if column.unknown == "refuse" else "taken for missing"
    return f"{how} {', '.join(column.values[:NAMES_SHOWN])}{more}", otherwise


def _range(low: Any, high: Any) -> str:
    ends = [f"from {_end(low)}"] if low is not None else []
    ends += [f"to {_end(high)}"] if high is not None else []
    return "".join(f" {end}" for end in ends)


def _end(value: Any) -> str:
    return value.isoformat() if isinstance(value, datetime) else f"{value:g}"


def _outside(policy: str) -> str:
    return {"refuse": "refused", "clip": "the nearest limit is taken", "missing": "taken for missing"}[policy]
