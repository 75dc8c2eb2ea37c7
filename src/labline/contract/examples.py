"""Made-up records that the contract accepts: for documentation, golden rows and smoke tests. No real row among them."""

from __future__ import annotations

from datetime import datetime, timedelta
from functools import singledispatch
from typing import Any

import numpy as np

from labline.contract.column import (
    BooleanColumn,
    CategoryColumn,
    Column,
    DateTimeColumn,
    LabelsColumn,
    NumberColumn,
    TextColumn,
)
from labline.contract.problem import Problem

UNBOUNDED = 1000.0  # how far made-up numbers go where the contract names no limit
YEARS = timedelta(days=3652)  # likewise for moments
EPOCH = datetime(2020, 1, 1)
NAMES = ("one", "two", "three")  # where the contract names none


def example_record(problem: Problem) -> dict[str, Any]:
    """The record a person is shown: the contract's own examples, else the middle of the range or the first value."""
    return {name: example_value(column) for name, column in problem.columns.items()}


def example_value(column: Column) -> Any:
    """The value a person is shown for the column, as JSON has it."""
    return _middle(column) if column.example is None else _as_json(column.example, column)


@singledispatch
def _middle(column: Column) -> Any:
    """A value in the middle of what the column allows, as JSON has it."""
    raise NotImplementedError(column.type)


@_middle.register
def _(column: NumberColumn) -> float:
    low, high = _limits(column)
    return round((low + high) / 2) if column.type == "integer" else (low + high) / 2


@_middle.register
def _(_column: BooleanColumn) -> bool:
    return True


@_middle.register
def _(column: CategoryColumn) -> str:
    return column.values[0] if column.values else NAMES[0]


@_middle.register
def _(column: LabelsColumn) -> list[str]:
    return list(column.values[:1] or NAMES[:1])


@_middle.register
def _(column: TextColumn) -> str:
    return " ".join(NAMES)[: column.maximum_length]


@_middle.register
def _(column: DateTimeColumn) -> str:
    first, last = _span(column)
    return str(_as_json(first + (last - first) / 2, column))


def _as_json(value: Any, column: Column) -> Any:
    if isinstance(column, DateTimeColumn):
        whole = value.replace(microsecond=0)
        return max(whole, column.minimum or whole).isoformat()
    if isinstance(column, NumberColumn) and column.type == "integer":
        return int(value)
    return list(value) if isinstance(value, tuple) else value


def example_records(problem: Problem, rows: int, seed: int = 0) -> list[dict[str, Any]]:
    """Records spread evenly over everything the contract allows; where missing is allowed, some are."""
    random = np.random.default_rng(seed)
    return [{name: _drawn(column, random) for name, column in problem.columns.items()} for _ in range(rows)]


def _drawn(column: Column, random: np.random.Generator) -> Any:
    if column.missing == "allow" and random.random() < 0.1:
        return None
    return _anything(column, random)


@singledispatch
def _anything(column: Column, random: np.random.Generator) -> Any:
    """Any value that the column allows, as JSON has it."""
    raise NotImplementedError(column.type)


@_anything.register
def _(column: NumberColumn, random: np.random.Generator) -> float:
    low, high = _limits(column)
    if column.type == "integer":
        return float(random.integers(int(np.ceil(low)), int(np.floor(high)) + 1))
    return float(random.uniform(low, high))


@_anything.register
def _(_column: BooleanColumn, random: np.random.Generator) -> bool:
    return bool(random.integers(2))


@_anything.register
def _(column: CategoryColumn, random: np.random.Generator) -> str:
    names = column.values or (column.example or NAMES[0], *NAMES[1:])
    return names[random.integers(len(names))]


@_anything.register
def _(column: LabelsColumn, random: np.random.Generator) -> list[str]:
    names = column.values or column.example or NAMES
    return sorted(random.choice(names, random.integers(min(3, len(names)) + 1), replace=False).tolist())


@_anything.register
def _(column: TextColumn, random: np.random.Generator) -> str:
    words = (column.example or "").split() or list(NAMES)
    return " ".join(random.choice(words, random.integers(1, 2 * len(words) + 1)).tolist())[: column.maximum_length]


@_anything.register
def _(column: DateTimeColumn, random: np.random.Generator) -> str:
    first, last = _span(column)
    return str(_as_json(first + random.random() * (last - first), column))


def _limits(column: NumberColumn) -> tuple[float, float]:
    low, high = column.minimum, column.maximum
    if low is None:
        low = -UNBOUNDED if high is None else high - UNBOUNDED
    return low, low + UNBOUNDED if high is None else high


def _span(column: DateTimeColumn) -> tuple[datetime, datetime]:
    low, high = column.minimum, column.maximum
    if low is None:
        low = EPOCH if high is None else max(high, datetime.min + YEARS) - YEARS
    return low, min(low, datetime.max - YEARS) + YEARS if high is None else high
