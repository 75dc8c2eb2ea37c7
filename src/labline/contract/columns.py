"""Plain columns: what a record, a batch or a frame becomes before features are made, and what policies do to it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from labline.contract.column import CategoryColumn, NumberColumn
from labline.contract.problem import Problem

Columns = dict[str, NDArray[Any]]
"""Column name → array of shape (rows,): float64 with NaN for missing, or object of str with None for missing."""


def columns_from_records(problem: Problem, records: Sequence[Mapping[str, Any]]) -> Columns:
    """Columns of records that the request model has accepted; each array has shape (len(records),)."""
    return settle(problem, {name: [record.get(name) for record in records] for name in problem.columns})


def as_given(problem: Problem, values: Mapping[str, Sequence[Any] | NDArray[Any]]) -> Columns:
    """Columns in their plain types before any policy is applied: what is unknown or out of range is still there."""
    return {
        name: np.array([value if isinstance(value, str) else None for value in values[name]], dtype=object)
        if isinstance(column, CategoryColumn)
        else np.array(values[name], dtype=np.float64)
        for name, column in problem.columns.items()
    }


def settle(problem: Problem, values: Mapping[str, Sequence[Any] | NDArray[Any]]) -> Columns:
    """Columns in their plain types, the contract's policies applied to unknown names and numbers out of range.

    What a policy says to refuse is not judged here: the request model and the frame schema did that before.
    """
    settled: Columns = {}
    for name, column in problem.columns.items():
        if isinstance(column, CategoryColumn):
            settled[name] = _names(values[name], column)
        else:
            numbers = np.array(values[name], dtype=np.float64)  # None becomes NaN, a boolean 0 or 1
            settled[name] = _within(numbers, column) if isinstance(column, NumberColumn) else numbers
    return settled


def _names(given: Sequence[Any] | NDArray[Any], column: CategoryColumn) -> NDArray[Any]:
    known = {value: value for value in column.values}
    # A look-up per value also turns every kind of missing (None, NaN, pandas.NA) into None.
    return np.array([known.get(value) if isinstance(value, str) else None for value in given], dtype=object)


def _within(numbers: NDArray[np.float64], column: NumberColumn) -> NDArray[np.float64]:
    low = -np.inf if column.minimum is None else column.minimum
    high = np.inf if column.maximum is None else column.maximum
    if column.out_of_range == "clip":
        return np.clip(numbers, low, high)
    if column.out_of_range == "missing":
        return np.where((numbers < low) | (numbers > high), np.nan, numbers)
    return numbers
