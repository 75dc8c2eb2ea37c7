"""The check: every violation of the contract in a frame, with its rows, and what else a person should know of it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Literal

import numpy as np
import pandas as pd

from labline.contract import CategoryColumn, Column, NumberColumn, Problem
from labline.contract.frames import frame_schema
from labline.errors import DataError

ROWS_SHOWN = 5
VALUES_SHOWN = 3


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
class CheckReport:
    """What was found in a frame. `ok` when no finding is an error."""

    rows: int
    findings: tuple[Finding, ...] = ()
    classes: dict[str, int] = field(default_factory=dict)
    unused: tuple[str, ...] = ()

    @property
    def ok(self) -> bool:
        """Whether the rows may be used."""
        return not any(finding.severity == "error" for finding in self.findings)

    def need_ok(self, where: str) -> None:
        """Refuse the rows if a finding is an error.

        Raises:
            DataError: names the first few.
        """
        errors = [finding for finding in self.findings if finding.severity == "error"]
        if errors:
            shown = "\n".join(f"  {finding}" for finding in errors[:ROWS_SHOWN])
            rest = f"\n  and {len(errors) - ROWS_SHOWN} more findings" if len(errors) > ROWS_SHOWN else ""
            raise DataError(f"the rows break the contract:\n{shown}{rest}", where=where)


def check_frame(frame: pd.DataFrame, problem: Problem, *, with_target: bool) -> CheckReport:
    """Hold a frame against the contract: columns, types, ranges, allowed values, missing; and its duplicates.

    Args:
        frame: rows as `read_frame` gives them.
        problem: the contract.
        with_target: whether the target must be there.
    """
    findings = list(_violations(frame, problem, with_target=with_target))
    if not any(finding.severity == "error" for finding in findings):
        findings += _duplicates(frame, problem, with_target=with_target)
    known = {*problem.columns, problem.target, problem.id}
    classes = {}
    target = frame.get(problem.target)  # a frame itself where two columns have its name
    if with_target and problem.classes and isinstance(target, pd.Series):
        counts = target.value_counts()
        classes = {name: int(counts.get(name, 0)) for name in problem.classes}
        findings += [
            Finding("warning", problem.target, f"class {name!r} has {count} rows", "expect little of it, or bring more")
            for name, count in classes.items()
            if count < 10
        ]
    return CheckReport(
        rows=len(frame),
        findings=tuple(findings),
        classes=classes,
        unused=tuple(str(name) for name in frame.columns if name not in known),
    )


def _violations(frame: pd.DataFrame, problem: Problem, *, with_target: bool) -> Iterator[Finding]:
    import pandera.errors

    repeated = frame.columns[frame.columns.duplicated()].unique()
    if len(repeated):  # no check can tell which of them is meant
        for name in repeated:
            yield Finding("error", str(name), "two columns have this name", "rename one of them")
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
            yield _finding(str(name), str(check), group, problem)


def _is_coercion(cases: pd.DataFrame) -> pd.Series[bool]:
    return cases["check"].str.startswith("coerce_dtype")


def _finding(name: str, check: str, cases: pd.DataFrame, problem: Problem) -> Finding:
    if check == "column_in_dataframe":
        return Finding("error", name, "the column is missing", "add it, or take it out of the contract")
    index = cases["index"].dropna().astype(int).sort_values()
    rows = tuple(int(row) + 1 for row in index[:ROWS_SHOWN])
    values = " and ".join(repr(value) for value in cases["failure_case"].unique().tolist()[:VALUES_SHOWN])
    what, mend = _say(check, values, problem.columns.get(name), problem)
    return Finding("error", name, what, mend, count=len(index), rows=rows)


def _say(check: str, values: str, column: Column | None, problem: Problem) -> tuple[str, str]:
    """What is wrong and the mend, for one kind of violation; `column` is None for the target."""
    if check == "not_nullable":
        return "missing", "fill it in" + (", or set missing: allow in the contract" if column else "")
    if check.startswith("isin"):
        allowed = column.values if isinstance(column, CategoryColumn) else problem.classes
        return f"{values}: not allowed", f"use one of {', '.join(allowed)}"
    if isinstance(column, NumberColumn) and check.startswith(("greater", "less")):
        return f"{values}: out of range", f"it is {_range(column)}"
    if check == "whole_number":
        return f"{values}: not a whole number", "round it, or make the column's type number"
    kind = column.type.replace("integer", "number") if column else "number"
    return f"{values}: not a {kind}", "correct the value"


def _range(column: NumberColumn) -> str:
    unit = f" {column.unit}" if column.unit else ""
    if column.minimum is None:
        return f"{column.maximum:g}{unit} at most"
    if column.maximum is None:
        return f"{column.minimum:g}{unit} at least"
    return f"from {column.minimum:g} to {column.maximum:g}{unit}"


def _duplicates(frame: pd.DataFrame, problem: Problem, *, with_target: bool) -> Iterator[Finding]:
    features = list(problem.feature_names)
    repeated = np.flatnonzero(frame.duplicated(features, keep="first"))
    if len(repeated):
        rows = tuple(int(row) + 1 for row in repeated[:ROWS_SHOWN])
        what = f"{len(repeated)} rows repeat an earlier one in every feature"
        yield Finding("warning", "rows", what, "see whether they are meant", len(repeated), rows)
    if with_target:
        labels = frame.groupby(features, sort=False, dropna=False, observed=True)[problem.target].transform("nunique")
        torn = np.flatnonzero(labels > 1)
        if len(torn):
            rows = tuple(int(row) + 1 for row in torn[:ROWS_SHOWN])
            what = f"{len(torn)} rows are alike in every feature but not in the target"
            yield Finding("warning", "rows", what, "no model can tell them apart", len(torn), rows)
    if problem.id is not None and problem.id in frame:
        repeated = np.flatnonzero(frame[problem.id].duplicated())
        if len(repeated):
            rows = tuple(int(row) + 1 for row in repeated[:ROWS_SHOWN])
            yield Finding("warning", problem.id, "names a row twice", "see which is right", len(repeated), rows)
