"""Segments: groups of rows by the columns that the contract names, for which figures are shown separately."""

from __future__ import annotations

from collections import Counter
from functools import singledispatch
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from labline.contract import BooleanColumn, CategoryColumn, Column, Columns, NumberColumn, Problem, is_missing

Mask = NDArray[np.bool_]

NAMES_MAX = 20  # of a column that allows any name, the commonest have a segment each
VALUES_MAX = 10  # whole numbers with no more different values have a segment for each
MISSING = "(missing)"  # in brackets, for a category may well have the name itself
DIGITS = 4  # of the limits that the rows themselves give


def segments_of(problem: Problem, columns: Columns) -> dict[str, Mask]:
    """Which rows are in each segment, shape (rows,), by the segment's name; a segment without rows is left out.

    A category has a segment a name, a boolean two. A number is cut at its bands. Without bands a whole number of few
    different values has a segment a value; any other is cut at the quartiles of these rows, so that the same hold-out
    always has the same segments. Rows without a value are a segment of their own.
    """
    found: dict[str, Mask] = {}
    for name in problem.segments:
        values = columns[name]
        missing = is_missing(values)
        parts = _parts(problem.columns[name], values, ~missing) | {MISSING: missing}
        found |= {f"{name}: {part}": rows for part, rows in parts.items() if rows.any()}
    return found


@singledispatch
def _parts(column: Column, values: NDArray[Any], known: Mask) -> dict[str, Mask]:
    """Which rows are in each of the column's segments, without those that have no value."""
    raise NotImplementedError(column.type)


@_parts.register
def _(column: CategoryColumn, values: NDArray[Any], known: Mask) -> dict[str, Mask]:
    if column.values:
        return {name: values == name for name in column.values}
    counts = Counter(values[known].tolist())
    kept = sorted(counts, key=lambda name: (-counts[name], name))[:NAMES_MAX]
    return {name: values == name for name in kept} | {
        "any other": known & np.array([value not in kept for value in values], dtype=bool)
    }


@_parts.register
def _(_column: BooleanColumn, values: NDArray[Any], known: Mask) -> dict[str, Mask]:
    return {"true": known & (values == 1), "false": known & (values == 0)}


@_parts.register
def _(column: NumberColumn, values: NDArray[Any], known: Mask) -> dict[str, Mask]:
    different = np.unique(values[known])
    if not column.bands and column.type == "integer" and len(different) <= VALUES_MAX:
        return {_said(value): values == value for value in different}
    limits = np.array(column.bands) if column.bands else _quartiles(values[known])
    if not len(limits):
        return {"any": known}
    band = np.searchsorted(limits, values, side="right")  # a limit belongs to the band above it
    names = [
        f"below {_said(limits[0])}",
        *(f"{_said(low)} to {_said(high)}" for low, high in pairwise(limits)),
        f"{_said(limits[-1])} and more",
    ]
    return {name: known & (band == index) for index, name in enumerate(names)}


def _quartiles(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """The three quartiles, rounded so that their names are what they are, each once."""
    if not len(values):
        return np.empty(0)
    return np.unique([float(f"{limit:.{DIGITS}g}") for limit in np.quantile(values, [0.25, 0.5, 0.75])])


def _said(value: float) -> str:
    return f"{value:,.10g}"
