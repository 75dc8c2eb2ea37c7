"""What in a frame breaks the contract: for each column and rule, the rows and values, in words."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import singledispatch
from typing import Any, Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from labline.contract import (
    BooleanColumn,
    CategoryColumn,
    Column,
    DateTimeColumn,
    LabelsColumn,
    NumberColumn,
    Problem,
    TextColumn,
)
from labline.contract.frames import frame_schema
from labline.contract.written import names_in

ROWS_SHOWN = 5
VALUES_SHOWN = 3
NAMES_SHOWN = 20
VALUE_WIDTH = 60  # characters of a value to show


@dataclass(frozen=True)
class Finding:
    """One thing found; `rows` are numbered from 1, the first row of data, and only the first few are shown."""

    severity: Literal["error", "warning"]
    column: str
    what: str
    mend: str
    count: int = 0
    rows: tuple[int, ...] = ()

    def __str__(self) -> str:
        shown = ", ".join(str(row) for row in self.rows)
        more = f" and {self.count - len(self.rows)} more" if self.count > len(self.rows) else ""
        place = f" (row{'s' * (self.count > 1)} {shown}{more})" if self.rows else ""
        return f"{self.column}: {self.what}{place}. Mend: {self.mend}"


@dataclass(frozen=True)
class Violation:
    """An error found, and the positions of all its rows, ascending; none where it is about the whole column."""

    finding: Finding
    positions: NDArray[np.intp] = field(default_factory=lambda: np.empty(0, dtype=np.intp))


def violations(frame: pd.DataFrame, problem: Problem, *, with_target: bool) -> Iterator[Violation]:
    """Everything that breaks the contract, all at once."""
    import pandera.errors

    repeated = frame.columns[frame.columns.duplicated()].unique()
    if len(repeated):  # no check can tell which of them is meant
        for name in repeated:
            yield Violation(Finding("error", str(name), "two columns have this name", "rename one of them"))
        return
    positions = frame.reset_index(drop=True)  # rows are counted from the file's first, whatever the index says
    try:
        frame_schema(problem, with_target=with_target).validate(positions, lazy=True)
    except pandera.errors.SchemaErrors as error:
        cases = error.failure_cases
        cases["column"] = cases["column"].fillna(cases["failure_case"])  # a missing column is named there
        untyped = set(cases.loc[_is_coercion(cases), "column"])
        # once a value is no number at all, what pandera says of the column's type and range is noise
        cases = cases[~cases["column"].isin(untyped) | cases["check"].isin(["not_nullable"]) | _is_coercion(cases)]
        for (name, check), group in cases.groupby(["column", "check"], sort=False, dropna=False):
            yield _violation(str(name), str(check), group, problem)


def _is_coercion(cases: pd.DataFrame) -> pd.Series[bool]:
    return cases["check"].str.startswith("coerce_dtype")


def _violation(name: str, check: str, cases: pd.DataFrame, problem: Problem) -> Violation:
    if check == "column_in_dataframe":
        mend = "add it, or take it out of the contract"
        return Violation(Finding("error", name, "the column is missing", mend))
    index = np.sort(cases["index"].dropna().to_numpy(dtype=np.intp))
    rows = tuple(int(row) + 1 for row in index[:ROWS_SHOWN])
    values = cases["failure_case"].dropna().unique().tolist()
    what, mend = _said(name, check, values, problem)
    return Violation(Finding("error", name, what, mend, count=len(index), rows=rows), index)


def _said(name: str, check: str, values: list[Any], problem: Problem) -> tuple[str, str]:
    """What is wrong and the mend, for one kind of violation."""
    column = problem.columns.get(name)
    if check == "not_nullable":
        otherwise = ", or set missing: allow in the contract" if column else ""
        if name == problem.target and problem.invalid_rows == "refuse":
            otherwise = ", or set invalid_rows: drop in the contract to leave such rows out"
        return "missing", f"fill it in{otherwise}"
    if column is not None:
        return _say(column, check, values)
    if problem.task == "multilabel":
        return _say_of_names(check, values, problem.separator, problem.classes, "or set unlisted: ignore")
    if problem.task == "regression":
        return _say_of_number(check, values, problem.value)
    return f"{_shown(values)}: not allowed", f"use one of {_listed(problem.classes)}"


def _shown(values: list[Any]) -> str:
    return " and ".join(_cut(repr(value)) for value in values[:VALUES_SHOWN])


def _cut(text: str) -> str:
    return text if len(text) <= VALUE_WIDTH else f"{text[:VALUE_WIDTH]}…"


def _listed(names: tuple[str, ...]) -> str:
    more = f" and {len(names) - NAMES_SHOWN} more" if len(names) > NAMES_SHOWN else ""
    return ", ".join(names[:NAMES_SHOWN]) + more


@singledispatch
def _say(column: Column, check: str, values: list[Any]) -> tuple[str, str]:
    """What is wrong with values of the column and the mend, for one kind of violation."""
    raise NotImplementedError(column.type)


@_say.register
def _(column: NumberColumn, check: str, values: list[Any]) -> tuple[str, str]:
    if check == "whole_number":
        return f"{_shown(values)}: not a whole number", "round it, or make the column's type number"
    return _say_of_number(check, values, column)


def _say_of_number(check: str, values: list[Any], limits: Any) -> tuple[str, str]:
    if check.startswith(("greater", "less")):
        return f"{_shown(values)}: out of range", f"it is {_range(limits.minimum, limits.maximum, limits.unit)}"
    return f"{_shown(values)}: not a number", "correct the value"


def _range(minimum: float | None, maximum: float | None, unit: str) -> str:
    after = f" {unit}" if unit else ""
    if minimum is None:
        return f"{maximum:g}{after} at most"
    if maximum is None:
        return f"{minimum:g}{after} at least"
    return f"from {minimum:g} to {maximum:g}{after}"


@_say.register
def _(column: CategoryColumn, check: str, values: list[Any]) -> tuple[str, str]:
    if check.startswith("isin"):
        return f"{_shown(values)}: not allowed", f"use one of {_listed(column.values)}"
    return f"{_shown(values)}: not a category", "correct the value"


@_say.register
def _(_column: BooleanColumn, check: str, values: list[Any]) -> tuple[str, str]:
    del check
    return f"{_shown(values)}: not a boolean", "correct the value"


@_say.register
def _(column: DateTimeColumn, check: str, values: list[Any]) -> tuple[str, str]:
    if check == "datetime_range":
        first, last = (moment and moment.isoformat() for moment in (column.minimum, column.maximum))
        limits = f"from {first} to {last}" if first and last else f"{first} or later" if first else f"{last} or earlier"
        return f"{_shown([str(value) for value in values])}: out of range", f"it is {limits}"
    formats = "".join(f" or as {form}" for form in column.formats) or ", or add its format to formats in the contract"
    return f"{_shown(values)}: not a date", f"write it like 2024-12-31 or 2024-12-31T23:59:59{formats}"


@_say.register
def _(column: TextColumn, check: str, values: list[Any]) -> tuple[str, str]:
    if check == "text_length":
        longest = max(len(str(value)) for value in values)
        return f"{longest:,} characters: too long", f"{column.maximum_length:,} at most, or raise maximum_length"
    if check == "text_url":
        return f"{_shown(values)}: a web address in it", "take it out, or set urls: remove in the contract"
    return f"{_shown(values)}: not a text", "correct the value"


@_say.register
def _(column: LabelsColumn, check: str, values: list[Any]) -> tuple[str, str]:
    return _say_of_names(check, values, column.separator, column.values, "or set unknown: missing")


def _say_of_names(
    check: str, values: list[Any], separator: str, listed: tuple[str, ...], otherwise: str
) -> tuple[str, str]:
    if check == "labels_known":
        found = {name: None for value in values for name in names_in(value, separator) or ()}
        strange = [name for name in found if name not in set(listed)]
        return f"{_shown(strange)}: not allowed", f"use some of {_listed(listed)}, {otherwise} in the contract"
    return f"{_shown(values)}: not a list of names", f'write it like a{separator}b or ["a", "b"]'
