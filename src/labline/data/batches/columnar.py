"""Arrow tables to plain columns, with the contract's rules held to whole columns; in doubt, nothing is decided here.

Names, moments and texts are read once a distinct value. A table that breaks a rule, or writes something in another
way than usual, gets None: then the slower check of frames judges it, and says in words what is wrong.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import singledispatch
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from labline.contract import (
    BooleanColumn,
    CategoryColumn,
    Column,
    Columns,
    DateTimeColumn,
    LabelsColumn,
    NumberColumn,
    Problem,
    Repeated,
    TextColumn,
    settle_column,
)
from labline.contract.column import BOOLEANS, URL
from labline.contract.columns import MOMENT
from labline.contract.written import moment, names_in

Missing = Callable[[str], Collection[str]]


@dataclass(frozen=True)
class Batch:
    """Some rows that keep the contract.

    Attributes:
        rows: how many.
        columns: the contract's, plain and settled.
        repeated: those of them that were read once a distinct value.
        ids: the id column as Arrow has it; None where there is none.
    """

    rows: int
    columns: Columns
    repeated: Mapping[str, Repeated]
    ids: pa.Array | None


def batch_of(table: pa.Table, problem: Problem, missing: Mapping[str, Collection[str]]) -> Batch | None:
    """The table's columns, or None where not all of it is plainly right.

    Args:
        table: holds the contract's columns; those that may be missing may be absent.
        problem: the contract.
        missing: by column of a text file, what stands for a missing value.
    """
    columns: Columns = {}
    repeated: dict[str, Repeated] = {}
    for name, column in problem.columns.items():
        if name in table.column_names:
            found = _read(column, table.column(name), missing.get(name))
        else:
            found = _absent(column, len(table)) if column.missing == "allow" else None
        if found is None:
            return None
        if isinstance(found, Repeated):
            repeated[name] = found
            columns[name] = found.plain()
        else:
            columns[name] = found
    ids = table.column(problem.id).combine_chunks() if problem.id in table.column_names else None
    return Batch(len(table), columns, repeated, ids)


def _absent(column: Column, rows: int) -> NDArray[Any] | Repeated:
    return Repeated(settle_column(column, [None]), np.zeros(rows, dtype=np.int32))


def _read(column: Column, values: pa.ChunkedArray, missing: Collection[str] | None) -> NDArray[Any] | Repeated | None:
    if isinstance(column, NumberColumn) and not pa.types.is_dictionary(values.type):
        return _numbers(column, values)
    if isinstance(column, DateTimeColumn) and pa.types.is_timestamp(values.type):
        return _timestamps(column, values)
    if isinstance(column, BooleanColumn) and pa.types.is_boolean(values.type):
        return _numbers(NumberColumn(type="number", missing=column.missing), values)
    if not (pa.types.is_dictionary(values.type) or _is_text(values.type)):
        return None
    return _by_value(column, values, missing)


def _is_text(kind: pa.DataType) -> bool:
    return bool(pa.types.is_string(kind) or pa.types.is_large_string(kind))


def _numbers(column: NumberColumn, values: pa.ChunkedArray) -> NDArray[np.float64] | None:
    try:
        numbers: NDArray[np.float64] = pc.cast(values, pa.float64()).to_numpy()  # missing is NaN
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError):
        return None
    gaps = np.isnan(numbers)
    if column.missing == "refuse" and gaps.any():
        return None
    known = numbers[~gaps] if gaps.any() else numbers
    if not np.isfinite(known).all() or (column.type == "integer" and (known % 1 != 0).any()):
        return None
    if column.out_of_range == "refuse" and len(known) and not _holds(known.min(), known.max(), column):
        return None
    return settle_column(column, numbers)


def _holds(least: Any, most: Any, limits: NumberColumn) -> bool:
    low, high = limits.minimum, limits.maximum
    return bool((low is None or least >= low) and (high is None or most <= high))


def _timestamps(column: DateTimeColumn, values: pa.ChunkedArray) -> NDArray[Any] | None:
    try:
        plain = pc.cast(values, pa.timestamp("us", values.type.tz))
    except pa.ArrowInvalid:  # what is finer would be cut
        return None
    moments = plain.cast(pa.int64()).combine_chunks()
    found = moments.fill_null(np.iinfo(np.int64).min).to_numpy(zero_copy_only=False).view(MOMENT)
    if column.missing == "refuse" and values.null_count:
        return None
    known = found[~np.isnat(found)]
    if column.out_of_range == "refuse" and not _in_time(known, column).all():
        return None
    return settle_column(column, found)


def _in_time(moments: NDArray[Any], column: DateTimeColumn) -> NDArray[np.bool_]:
    first = np.datetime64(column.minimum or datetime.min, "us")
    last = np.datetime64(column.maximum or datetime.max, "us")
    return np.asarray((moments >= first) & (moments <= last))


def _by_value(column: Column, values: pa.ChunkedArray, missing: Collection[str] | None) -> Repeated | None:
    """Each distinct value read and judged once."""
    if not pa.types.is_dictionary(values.type):
        values = pc.dictionary_encode(values)
    whole = values.unify_dictionaries().combine_chunks()
    if isinstance(whole, pa.ChunkedArray):
        whole = whole.chunk(0) if whole.num_chunks else pa.array([], values.type)
    if not _is_text(whole.type.value_type):
        return None
    texts: list[str | None] = [*whole.dictionary.to_pylist(), None]
    gap = len(texts) - 1
    codes = whole.indices.fill_null(gap).to_numpy() if whole.null_count else whole.indices.to_numpy()
    if missing is not None:
        texts = [None if text is None or text in missing or text.isspace() else text for text in texts]
    used = texts if whole.null_count else texts[:-1]
    if column.missing == "refuse" and None in used:
        return None
    if not all(_allowed(column, text) for text in texts if text is not None):
        return None
    read = [None if t is None else BOOLEANS[t.lower()] for t in texts] if isinstance(column, BooleanColumn) else texts
    return Repeated(settle_column(column, read), codes)


@singledispatch
def _allowed(column: Column, text: str) -> bool:
    """Whether a known value keeps the rules that the frame schema has for it."""
    del column, text
    return False


@_allowed.register
def _(column: CategoryColumn, text: str) -> bool:
    return column.is_open or column.unknown != "refuse" or text in column.values


@_allowed.register
def _(_column: BooleanColumn, text: str) -> bool:
    return text.lower() in BOOLEANS


@_allowed.register
def _(column: TextColumn, text: str) -> bool:
    return len(text) <= column.maximum_length and not (column.urls == "refuse" and URL.search(text))


@_allowed.register
def _(column: LabelsColumn, text: str) -> bool:
    names = names_in(text, column.separator)
    free = column.is_open or column.unknown != "refuse"
    return names is not None and (free or set(column.values).issuperset(names))


@_allowed.register
def _(column: DateTimeColumn, text: str) -> bool:
    found = moment(text, column)
    if found is None:
        return False
    return column.out_of_range != "refuse" or bool(_in_time(np.array([found], MOMENT), column).all())
