"""What changed between two contracts, and whether it breaks those who call the API."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from labline.contract.column import (
    CategoryColumn,
    Column,
    DateTimeColumn,
    LabelsColumn,
    NumberColumn,
    TextColumn,
)
from labline.contract.problem import Problem, Value

# What a person reads or training uses: no request is refused and no answer looks different for it.
SILENT = (
    "title",
    "description",
    "metric",
    "sources",
    "separator",
    "unlisted",
    "invalid_rows",
    "baseline_by",
    "segments",
    "reference_rows",
)


@dataclass(frozen=True)
class Change:
    """One difference; `breaking` when a right request may now be refused, or an answer means something else."""

    where: str
    what: str
    breaking: bool

    def __str__(self) -> str:
        return f"{'BREAKS' if self.breaking else 'safe'}: {self.where}: {self.what}"


def compare(old: Problem, new: Problem) -> list[Change]:
    """All differences between two contracts, in the order of the file."""
    return [*_answers(old, new), *_columns(old, new)]


def _answers(old: Problem, new: Problem) -> Iterator[Change]:
    """What the answers are made of: another task, target or class is another answer."""
    for key in ("name", "task", "target"):
        before, after = getattr(old, key), getattr(new, key)
        if before != after:
            yield Change(key, f"{before!r} → {after!r}", breaking=True)
    for name in sorted({*old.classes} ^ {*new.classes}):
        done = "is gone" if name in old.classes else "is new: answers may name a class that clients do not know"
        yield Change("classes", f"{name!r} {done}", breaking=True)
    if old.id != new.id:
        yield Change("id", f"{old.id!r} → {new.id!r}", breaking=old.id is not None)
    yield from _value(old.value, new.value)
    for key in SILENT:
        if getattr(old, key) != getattr(new, key):
            yield Change(key, "changed", breaking=False)


def _value(old: Value, new: Value) -> Iterator[Change]:
    """Of the target of a regression."""
    if old.unit != new.unit:
        yield Change("value", _unit_changed(old.unit, new.unit), breaking=bool(old.unit))
    if old.interval != new.interval:
        said = f"the answer's interval {_limit(old.interval)} → {_limit(new.interval)}"
        yield Change("value", said, breaking=new.interval is None)
    if (old.minimum, old.maximum, old.log) != (new.minimum, new.maximum, new.log):
        yield Change("value", "range or log of the training rows changed", breaking=False)


def _columns(old: Problem, new: Problem) -> Iterator[Change]:
    for name, column in old.columns.items():
        if name not in new.columns:
            yield Change(name, "the column is gone; requests that have it are refused", breaking=True)
        else:
            yield from _column(name, column, new.columns[name])
    for name, column in new.columns.items():
        if name not in old.columns:
            needed = column.missing == "refuse"
            said = "new and needed" if needed else "new and may be left out"
            yield Change(name, f"the column is {said}", breaking=needed)


def _column(name: str, old: Column, new: Column) -> Iterator[Change]:
    if old.type != new.type:
        # every whole number is a number; nothing else is taken for something else
        widened = (old.type, new.type) == ("integer", "number")
        yield Change(name, f"type {old.type} → {new.type}", breaking=not widened)
    if old.missing != new.missing:
        yield Change(name, f"missing {old.missing} → {new.missing}", breaking=new.missing == "refuse")
    if isinstance(old, NumberColumn) and isinstance(new, NumberColumn):
        yield from _number(name, old, new)
        yield from _range(name, old, new)
    if isinstance(old, DateTimeColumn) and isinstance(new, DateTimeColumn):
        yield from _moment(name, old, new)
        yield from _range(name, old, new)
    if isinstance(old, CategoryColumn | LabelsColumn) and isinstance(new, CategoryColumn | LabelsColumn):
        yield from _names(name, old, new)
    if isinstance(old, TextColumn) and isinstance(new, TextColumn):
        yield from _text(name, old, new)
    if old.description != new.description or old.example != new.example:
        yield Change(name, "description or example changed", breaking=False)


def _number(name: str, old: NumberColumn, new: NumberColumn) -> Iterator[Change]:
    if old.unit != new.unit:
        yield Change(name, _unit_changed(old.unit, new.unit), breaking=bool(old.unit))
    if (old.log, old.bands) != (new.log, new.bands):
        yield Change(name, "log or bands changed", breaking=False)


def _unit_changed(old: str, new: str) -> str:
    return f"unit {old or 'none'} → {new or 'none'}; the same number means something else"


def _range(name: str, old: NumberColumn | DateTimeColumn, new: NumberColumn | DateTimeColumn) -> Iterator[Change]:
    refuses = new.out_of_range == "refuse"
    if old.out_of_range != new.out_of_range:
        yield Change(name, f"out_of_range {old.out_of_range} → {new.out_of_range}", breaking=refuses)
    before: Any = old.minimum  # both sides are numbers, or both are moments
    after: Any = new.minimum
    if before != after:
        narrower = after is not None and (before is None or after > before)
        yield Change(name, f"minimum {_limit(before)} → {_limit(after)}", breaking=narrower and refuses)
    before, after = old.maximum, new.maximum
    if before != after:
        narrower = after is not None and (before is None or after < before)
        yield Change(name, f"maximum {_limit(before)} → {_limit(after)}", breaking=narrower and refuses)


def _moment(name: str, old: DateTimeColumn, new: DateTimeColumn) -> Iterator[Change]:
    for written in old.formats:
        if written not in new.formats:
            yield Change(name, f"format {written!r} is gone", breaking=True)
    for written in new.formats:
        if written not in old.formats:
            yield Change(name, f"format {written!r} is new", breaking=False)


def _names(name: str, old: CategoryColumn | LabelsColumn, new: CategoryColumn | LabelsColumn) -> Iterator[Change]:
    refuses = new.unknown == "refuse" and not new.is_open
    if old.is_open != new.is_open:
        said = "any name is allowed now" if new.is_open else "only the names listed are known now"
        yield Change(name, said, breaking=refuses)
        return
    if old.unknown != new.unknown:
        yield Change(name, f"unknown {old.unknown} → {new.unknown}", breaking=refuses)
    for value in old.values:
        if value not in new.values:
            yield Change(name, f"value {value!r} is gone", breaking=refuses)
    for value in new.values:
        if value not in old.values:
            yield Change(name, f"value {value!r} is new", breaking=False)


def _text(name: str, old: TextColumn, new: TextColumn) -> Iterator[Change]:
    if old.maximum_length != new.maximum_length:
        shorter = new.maximum_length < old.maximum_length
        yield Change(name, f"maximum_length {old.maximum_length} → {new.maximum_length}", breaking=shorter)
    if old.urls != new.urls:
        yield Change(name, f"urls {old.urls} → {new.urls}", breaking=new.urls == "refuse")
    if (old.html, old.hashed) != (new.html, new.hashed):
        yield Change(name, "html or hashed changed", breaking=False)


def _limit(value: float | datetime | None) -> str:
    if value is None:
        return "none"
    return value.isoformat() if isinstance(value, datetime) else f"{value:g}"
