"""The frame schema: the contract as pandera checks it over a whole frame, lazily."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from labline.contract.column import BOOLEANS, CategoryColumn, Column, NumberColumn
from labline.contract.problem import Problem

if TYPE_CHECKING:
    import pandas as pd
    import pandera.pandas as pa


def frame_schema(problem: Problem, *, with_target: bool) -> pa.DataFrameSchema:
    """Pandera schema of the problem's frames; columns the contract does not know are let through.

    Args:
        problem: the contract.
        with_target: whether the target must be there and filled in.
    """
    import pandera.pandas as pa

    columns = {name: _column(column) for name, column in problem.columns.items()}
    if with_target:
        checks = [pa.Check.isin(problem.classes)] if problem.classes else [_finite()]
        dtype: Any = str if problem.classes else float
        columns[problem.target] = pa.Column(dtype, checks, nullable=False, coerce=True)
    return pa.DataFrameSchema(columns, strict=False, unique_column_names=True)


def _column(column: Column) -> pa.Column:
    import pandera.pandas as pa

    nullable = column.missing == "allow"
    checks: list[pa.Check]
    if isinstance(column, CategoryColumn):
        checks = [pa.Check.isin(column.values)] if column.unknown == "refuse" else []
        return pa.Column(str, checks, nullable=nullable, coerce=True)
    if isinstance(column, NumberColumn):
        checks = [_finite()]
        if column.out_of_range == "refuse":
            if column.minimum is not None:
                checks.append(pa.Check.ge(column.minimum))
            if column.maximum is not None:
                checks.append(pa.Check.le(column.maximum))
        if column.type == "integer":
            checks.append(pa.Check(lambda values: values % 1 == 0, name="whole_number"))
        return pa.Column(float, checks, nullable=nullable, coerce=True)
    # Not coerced: as a boolean, any name would be true, and a missing value false.
    return pa.Column(None, [pa.Check(_is_true_or_false, name="true_or_false")], nullable=nullable)


def _finite() -> pa.Check:
    import pandera.pandas as pa

    return pa.Check(lambda values: abs(values) != float("inf"), name="finite")


def _is_true_or_false(values: pd.Series[Any]) -> pd.Series[bool]:
    return values.astype("str").str.lower().isin(BOOLEANS)
