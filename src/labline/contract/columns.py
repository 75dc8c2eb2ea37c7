"""Plain columns: what a record, a batch or a frame becomes before features are made, and what policies do to it."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import numpy as np
from numpy.typing import NDArray

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
from labline.contract.written import moment, names_in, prose

Columns = dict[str, NDArray[Any]]
"""Column name → array of shape (rows,), by the column's type.

Numbers and booleans: float64, NaN for missing. Moments: datetime64[us] in UTC, NaT for missing. Categories and texts:
object of str, lists of labels: object of tuples of str; None for missing.
"""


@dataclass(frozen=True)
class Repeated:
    """A plain column whose values repeat: what is done to each of `values` once holds for all its rows.

    Attributes:
        values: the distinct values in plain types, shape (distinct,).
        codes: which of them each row has, shape (rows,).
    """

    values: NDArray[Any]
    codes: NDArray[np.integer[Any]]

    def plain(self) -> NDArray[Any]:
        """The column itself, shape (rows,)."""
        return np.asarray(self.values.take(self.codes))


Values = Sequence[Any] | NDArray[Any]
MOMENT = "datetime64[us]"
# made once: one request looks at each of its columns
NUMBERS = (NumberColumn, BooleanColumn)
NAMES_AND_TEXTS = (CategoryColumn, TextColumn)


def is_as_given(column: Column) -> bool:
    """Whether a column is of numbers to which no policy does anything."""
    return isinstance(column, BooleanColumn) or (isinstance(column, NumberColumn) and column.out_of_range == "refuse")


def records_reader(
    problem: Problem, names: Collection[str] | None = None
) -> Callable[[Sequence[Mapping[str, Any]]], Columns]:
    """What makes columns of records that the request model has accepted, each an array of shape (records,).

    Numbers share one array, and so do names: for a single record, an array of each column would take longer than all
    else that is done to it.

    Args:
        problem: the contract.
        names: of the columns wanted, others among them count for nothing; all if None.
    """
    numbers: dict[str, Column] = {}
    known: dict[str, Callable[[Any], str | None]] = {}
    others: dict[str, Column] = {}
    for name, column in problem.columns.items():
        if names is not None and name not in names:
            continue
        if isinstance(column, NUMBERS):
            numbers[name] = column
        elif isinstance(column, CategoryColumn) and not column.is_open:
            known[name] = column.known.get
        else:
            others[name] = column
    judged = {name: column for name, column in numbers.items() if not is_as_given(column)}

    def read(records: Sequence[Mapping[str, Any]]) -> Columns:
        columns: Columns = {}
        if numbers:
            given = [[record.get(name) for record in records] for name in numbers]
            columns.update(zip(numbers, np.array(given, dtype=np.float64), strict=True))
        for name, column in judged.items():
            columns[name] = _settled(column, columns[name])
        if known:
            listed = [[named(record.get(name)) for record in records] for name, named in known.items()]
            columns.update(zip(known, np.array(listed, dtype=object), strict=True))
        for name, column in others.items():
            columns[name] = settle_column(column, [record.get(name) for record in records])
        return columns

    return read


def columns_from_records(problem: Problem, records: Sequence[Mapping[str, Any]]) -> Columns:
    """Columns of records, as `records_reader` makes them."""
    return records_reader(problem)(records)


def as_given(problem: Problem, values: Mapping[str, Values]) -> Columns:
    """Columns in their plain types before any policy is applied: what is unknown or out of range is still there."""
    return {name: _plain(values[name], column) for name, column in problem.columns.items()}


def settle(problem: Problem, values: Mapping[str, Values]) -> Columns:
    """Columns in their plain types, the contract's policies applied to unknown names and values out of range.

    What a policy says to refuse is not judged here: the request model and the frame schema did that before.
    """
    return {name: settle_column(column, values[name]) for name, column in problem.columns.items()}


def apply_policies(problem: Problem, given: Columns) -> Columns:
    """What `settle` makes of columns that `as_given` gave."""
    return {name: _settled(column, given[name]) for name, column in problem.columns.items()}


def settle_column(column: Column, values: Values) -> NDArray[Any]:
    """One column as `settle` makes it; a row's value depends on no other row."""
    if isinstance(column, CategoryColumn) and not column.is_open:
        return _listed(column, values)
    return _settled(column, _plain(values, column))


def _settled(column: Column, plain: NDArray[Any]) -> NDArray[Any]:
    policy = POLICIES.get(column.type)
    return plain if policy is None else policy(column, plain)


def is_missing(values: NDArray[Any]) -> NDArray[np.bool_]:
    """Which of a plain column's values are missing, shape (rows,)."""
    if values.dtype.kind == "M":
        return np.asarray(np.isnat(values))
    if values.dtype.kind == "f":
        return np.asarray(np.isnan(values))
    return np.array([value is None for value in values], dtype=bool)


def _plain(given: Values, column: Column) -> NDArray[Any]:
    if isinstance(column, NUMBERS):
        return np.array(given, dtype=np.float64)  # None becomes NaN, a boolean 0 or 1
    if isinstance(column, NAMES_AND_TEXTS):
        # whatever stands for missing (None, NaN, pandas.NA) is no str
        return _strings([value if isinstance(value, str) else None for value in given])
    if isinstance(column, LabelsColumn):
        return _objects([names_in(value, column.separator) for value in given])
    return _moments(given, column)


def _strings(values: list[str | None]) -> NDArray[Any]:
    return np.array(values, dtype=object)


def _objects(values: list[Any]) -> NDArray[Any]:
    array = np.empty(len(values), dtype=object)  # numpy would make a table of tuples of one length
    array[:] = values
    return array


def _moments(given: Values, column: DateTimeColumn) -> NDArray[Any]:
    if isinstance(given, np.ndarray) and given.dtype.kind == "M":
        return given.astype(MOMENT)
    return np.array([_moment(value, column) for value in given], dtype=MOMENT)


def _moment(value: Any, column: DateTimeColumn) -> datetime | np.datetime64 | None:
    if isinstance(value, str):
        return moment(value, column)
    if isinstance(value, datetime) and str(value) != "NaT":  # pandas's NaT is a datetime too
        return value if value.tzinfo is None else value.astimezone(UTC).replace(tzinfo=None)
    return value if isinstance(value, np.datetime64) else None


def _settled_numbers(column: NumberColumn, values: NDArray[Any]) -> NDArray[Any]:
    if column.out_of_range == "refuse":
        return values
    low = -np.inf if column.minimum is None else column.minimum
    high = np.inf if column.maximum is None else column.maximum
    return _within(values, low, high, column.out_of_range, np.nan)


def _settled_moments(column: DateTimeColumn, values: NDArray[Any]) -> NDArray[Any]:
    first = np.datetime64(column.minimum or datetime.min, "us")
    last = np.datetime64(column.maximum or datetime.max, "us")
    return _within(values, first, last, column.out_of_range, np.datetime64("NaT"))


def _settled_texts(column: TextColumn, values: NDArray[Any]) -> NDArray[Any]:
    if not column.html and column.urls != "remove":
        return values
    return _strings([None if text is None else prose(text, column) for text in values])


def _settled_names(column: CategoryColumn, values: NDArray[Any]) -> NDArray[Any]:
    if column.is_open:
        return values
    return _listed(column, values)


def _listed(column: CategoryColumn, values: Values) -> NDArray[Any]:
    known = column.known  # its own objects: rows that have the same name share it
    return _strings([known.get(value) if isinstance(value, str) else None for value in values])


def _settled_lists(column: LabelsColumn, values: NDArray[Any]) -> NDArray[Any]:
    if column.is_open:
        return values
    names = column.known
    return _objects([None if value is None else tuple(n for n in value if n in names) for value in values])


def _within(values: NDArray[Any], low: Any, high: Any, policy: str, missing: Any) -> NDArray[Any]:
    if policy == "clip":
        return np.asarray(np.clip(values, low, high))
    if policy == "missing":
        return np.where((values < low) | (values > high), missing, values)
    return values


POLICIES: dict[str, Callable[[Any, NDArray[Any]], NDArray[Any]]] = {
    "number": _settled_numbers,
    "integer": _settled_numbers,
    "datetime": _settled_moments,
    "text": _settled_texts,
    "category": _settled_names,
    "labels": _settled_lists,
}
"""What is done by a column's type to values in their plain types; nothing to a boolean's."""
