"""Made-up records that the contract accepts: for documentation, golden rows and smoke tests. No real row among them."""

from __future__ import annotations

from typing import Any

import numpy as np

from labline.contract.column import BooleanColumn, CategoryColumn, Column, NumberColumn
from labline.contract.problem import Problem

UNBOUNDED = 1000.0  # how far made-up numbers go where the contract names no limit


def example_record(problem: Problem) -> dict[str, Any]:
    """The record a person is shown: the contract's own examples, else the middle of the range or the first value."""
    return {name: example_value(column) for name, column in problem.columns.items()}


def example_value(column: Column) -> Any:
    """The value a person is shown for the column."""
    if column.example is not None:
        return column.example
    if isinstance(column, CategoryColumn):
        return column.values[0]
    if isinstance(column, BooleanColumn):
        return True
    low, high = _limits(column)
    middle = (low + high) / 2
    return float(round(middle)) if column.type == "integer" else middle


def example_records(problem: Problem, rows: int, seed: int = 0) -> list[dict[str, Any]]:
    """Records spread evenly over everything the contract allows; where missing is allowed, some are."""
    random = np.random.default_rng(seed)
    return [{name: _drawn(column, random) for name, column in problem.columns.items()} for _ in range(rows)]


def _drawn(column: Column, random: np.random.Generator) -> Any:
    if column.missing == "allow" and random.random() < 0.1:
        return None
    if isinstance(column, CategoryColumn):
        return column.values[random.integers(len(column.values))]
    if isinstance(column, BooleanColumn):
        return bool(random.integers(2))
    low, high = _limits(column)
    if column.type == "integer":
        return float(random.integers(int(np.ceil(low)), int(np.floor(high)) + 1))
    return float(random.uniform(low, high))


def _limits(column: NumberColumn) -> tuple[float, float]:
    low, high = column.minimum, column.maximum
    if low is None:
        low = -UNBOUNDED if high is None else high - UNBOUNDED
    return low, low + UNBOUNDED if high is None else high
