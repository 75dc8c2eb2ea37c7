"""The frame schema: the contract as pandera checks it over a whole frame, lazily."""

from __future__ import annotations

from collections.abc import Collection
from functools import singledispatch
from typing import TYPE_CHECKING, Any

import numpy as np

from labline.contract.column import (
    BOOLEANS,
    URL,
    BooleanColumn,
    CategoryColumn,
    Column,
    DateTimeColumn,
    LabelsColumn,
    NumberColumn,
    TextColumn,
)
from labline.contract.columns import MOMENT
from labline.contract.problem import Problem
from labline.contract.written import moment, names_in

if TYPE_CHECKING:
    import pandas as pd
    import pandera.pandas as pa


def frame_schema(problem: Problem, *, with_target: bool) -> pa.DataFrameSchema:
    """Pandera schema of the problem's frames; columns the contract does not know are let through.

    A column that may be missing may be absent.

    Args:
        problem: the contract.
        with_target: whether the target must be there and filled in.
    """
    import pandera.pandas as pa

    columns = {name: _column(column) for name, column in problem.columns.items()}
    if with_target:
        columns[problem.target] = _target(problem)
    return pa.DataFrameSchema(columns, strict=False, unique_column_names=True)


def _column(column: Column) -> pa.Column:
    import pandera.pandas as pa

    lenient = column.missing == "allow"
    kinds: dict[type, Any] = {NumberColumn: float, CategoryColumn: str, TextColumn: str}
    # The others are not coerced: as a boolean, any name would be true, and a missing value false.
    kind = kinds.get(type(column))
    return pa.Column(kind, _checks(column), nullable=lenient, required=not lenient, coerce=kind is not None)


def _target(problem: Problem) -> pa.Column:
    import pandera.pandas as pa

    if problem.task == "multilabel":
        listed = problem.classes if problem.unlisted == "refuse" else ()
        return pa.Column(None, _names_checks(problem.separator, listed), nullable=False)
    if problem.task == "regression":
        checks = [_finite(), *_limits(problem.value.minimum, problem.value.maximum)]
        return pa.Column(float, checks, nullable=False, coerce=True)
    return pa.Column(str, [pa.Check.isin(problem.classes)], nullable=False, coerce=True)


@singledispatch
def _checks(column: Column) -> list[pa.Check]:
    """What the column's values have to be; those that are missing are not asked."""
    raise NotImplementedError(column.type)


@_checks.register(NumberColumn)
def _(column: NumberColumn) -> list[pa.Check]:
    import pandera.pandas as pa

    checks = [_finite()]
    if column.out_of_range == "refuse":
        checks += _limits(column.minimum, column.maximum)
    if column.type == "integer":
        checks.append(pa.Check(lambda values: values % 1 == 0, name="whole_number"))
    return checks


@_checks.register(CategoryColumn)
def _(column: CategoryColumn) -> list[pa.Check]:
    import pandera.pandas as pa

    return [pa.Check.isin(column.values)] if column.values and column.unknown == "refuse" else []


@_checks.register(BooleanColumn)
def _(_column: BooleanColumn) -> list[pa.Check]:
    import pandera.pandas as pa

    return [pa.Check(_is_true_or_false, name="true_or_false")]


@_checks.register(TextColumn)
def _(column: TextColumn) -> list[pa.Check]:
    import pandera.pandas as pa

    checks = [pa.Check(lambda texts: texts.str.len() <= column.maximum_length, name="text_length")]
    if column.urls == "refuse":
        without = pa.Check(lambda texts: ~texts.str.contains(URL.pattern, case=False), name="text_url")
        checks.append(without)
    return checks


@_checks.register(LabelsColumn)
def _(column: LabelsColumn) -> list[pa.Check]:
    return _names_checks(column.separator, column.values if column.unknown == "refuse" else ())


@_checks.register(DateTimeColumn)
def _(column: DateTimeColumn) -> list[pa.Check]:
    import pandera.pandas as pa

    checks = [pa.Check(lambda values: _moments(values, column).notna(), name="datetime")]
    if column.out_of_range == "refuse" and (column.minimum or column.maximum):
        checks.append(pa.Check(lambda values: _in_time(_moments(values, column), column), name="datetime_range"))
    return checks


def _finite() -> pa.Check:
    import pandera.pandas as pa

    return pa.Check(lambda values: abs(values) != float("inf"), name="finite")


def _limits(minimum: float | None, maximum: float | None) -> list[pa.Check]:
    import pandera.pandas as pa

    checks = [] if minimum is None else [pa.Check.ge(minimum)]
    return checks if maximum is None else [*checks, pa.Check.le(maximum)]


def _names_checks(separator: str, listed: Collection[str]) -> list[pa.Check]:
    """Lists of names have to be readable and, where some are listed, to hold no other."""
    import pandera.pandas as pa

    known = frozenset(listed)

    def readable(values: pd.Series[Any]) -> pd.Series[bool]:
        return values.map(lambda value: names_in(value, separator) is not None).astype(bool)

    def all_known(values: pd.Series[Any]) -> pd.Series[bool]:
        return values.map(lambda value: known.issuperset(names_in(value, separator) or ())).astype(bool)

    checks = [pa.Check(readable, name="labels")]
    return [*checks, pa.Check(all_known, name="labels_known")] if listed else checks


def _is_true_or_false(values: pd.Series[Any]) -> pd.Series[bool]:
    return values.astype("str").str.lower().isin(BOOLEANS)


def _moments(values: pd.Series[Any], column: DateTimeColumn) -> pd.Series[Any]:
    """The values as moments in UTC, NaT for what is none."""
    import pandas as pd

    if values.dtype.kind == "M":
        return values.dt.tz_convert("UTC").dt.tz_localize(None) if values.dt.tz is not None else values
    found = {value: moment(str(value), column) for value in values.unique()}
    return pd.Series(np.array([found[value] for value in values], dtype=MOMENT), values.index)


def _in_time(moments: pd.Series[Any], column: DateTimeColumn) -> pd.Series[bool]:
    """Whether each is in the range; what is no moment is for another check."""
    first, last = (np.datetime64(limit, "us") for limit in (column.minimum, column.maximum))
    early = moments < first if column.minimum else moments.isna() & False
    late = moments > last if column.maximum else moments.isna() & False
    return ~(early | late)
