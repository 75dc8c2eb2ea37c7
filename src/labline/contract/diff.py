"""What changed between two contracts, and whether it breaks those who call the API."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from labline.contract.column import CategoryColumn, Column, NumberColumn
from labline.contract.problem import Problem

# What a person reads or training uses: no request is refused and no answer looks different for it.
SILENT = ("title", "description", "metric", "sources")


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
    for key in SILENT:
        if getattr(old, key) != getattr(new, key):
            yield Change(key, "changed", breaking=False)


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
    if isinstance(old, CategoryColumn) and isinstance(new, CategoryColumn):
        yield from _category(name, old, new)
    if old.description != new.description or old.example != new.example:
        yield Change(name, "description or example changed", breaking=False)


def _number(name: str, old: NumberColumn, new: NumberColumn) -> Iterator[Change]:
    if old.unit != new.unit:
        said = f"unit {old.unit or 'none'} → {new.unit or 'none'}; the same number means something else"
        yield Change(name, said, breaking=bool(old.unit))
    refuses = new.out_of_range == "refuse"
    if old.out_of_range != new.out_of_range:
        yield Change(name, f"out_of_range {old.out_of_range} → {new.out_of_range}", breaking=refuses)
    if old.minimum != new.minimum:
        narrower = new.minimum is not None and (old.minimum is None or new.minimum > old.minimum)
        yield Change(name, f"minimum {_limit(old.minimum)} → {_limit(new.minimum)}", breaking=narrower and refuses)
    if old.maximum != new.maximum:
        narrower = new.maximum is not None and (old.maximum is None or new.maximum < old.maximum)
        yield Change(name, f"maximum {_limit(old.maximum)} → {_limit(new.maximum)}", breaking=narrower and refuses)
    if (old.log, old.bands) != (new.log, new.bands):
        yield Change(name, "log or bands changed", breaking=False)


def _category(name: str, old: CategoryColumn, new: CategoryColumn) -> Iterator[Change]:
    refuses = new.unknown == "refuse"
    if old.unknown != new.unknown:
        yield Change(name, f"unknown {old.unknown} → {new.unknown}", breaking=refuses)
    for value in old.values:
        if value not in new.values:
            yield Change(name, f"value {value!r} is gone", breaking=refuses)
    for value in new.values:
        if value not in old.values:
            yield Change(name, f"value {value!r} is new", breaking=False)


def _limit(value: float | None) -> str:
    return "none" if value is None else f"{value:g}"
