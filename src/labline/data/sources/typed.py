"""Columns as the contract wants them: numbers, moments, booleans, names; what cannot be read is left as written."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from decimal import Decimal
from functools import lru_cache, singledispatch
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

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
from labline.contract.column import BOOLEANS
from labline.contract.columns import MOMENT
from labline.contract.source import Dialect
from labline.contract.written import as_list, moment, names_in

if TYPE_CHECKING:
    import pyarrow as pa

# What pandas.to_datetime reads as strptime does.
PLAIN_SIGNS = re.compile(r"^(?:%[dmYyHMS]|[^%])*$")
# Signs that stand for one another between groups of digits.
ALIKE = {" ": " \u00a0\u202f", "'": "'’"}


def typed(frame: pd.DataFrame, problem: Problem, dialect: Dialect) -> dict[str, pd.Series[Any]]:
    """The frame's columns, each in the contract's type if all its known values can be read, else as written.

    Numbers are float64; booleans bool, or object where some are missing; moments datetime64[us] in UTC; categories
    and texts str; lists of labels str that holds JSON. Columns that the contract does not know are left as they are.
    """
    columns: dict[str, Column] = {**problem.columns, problem.target: target_column(problem)}
    return {
        str(name): _read(columns[name], values, dialect) if name in columns else _hashable(values)
        for name, values in frame.items()
    }


def retyped(frame: pd.DataFrame, problem: Problem) -> pd.DataFrame:
    """The frame, columns that stayed text read again: once the rows are out that could not be read, the rest may be."""
    columns: dict[str, Column] = {**problem.columns, problem.target: target_column(problem)}
    stayed = [
        name
        for name, column in columns.items()
        if isinstance(column, NumberColumn | BooleanColumn | DateTimeColumn)
        and name in frame
        and isinstance(frame[name].dtype, pd.StringDtype)
    ]
    return frame.assign(**{name: _read(columns[name], frame[name], Dialect()) for name in stayed})


def target_column(problem: Problem) -> Column:
    """The column that the target would be, were it a feature."""
    if problem.task == "multilabel":
        return LabelsColumn(type="labels", separator=problem.separator)
    if problem.task == "regression":
        return NumberColumn(type="number")
    return CategoryColumn(type="category", values=problem.classes)


def all_missing(column: Column | None, rows: int) -> pd.Series[Any]:
    """A column of that type with no value known."""
    if isinstance(column, NumberColumn):
        return pd.Series(np.full(rows, np.nan))
    if isinstance(column, DateTimeColumn):
        return pd.Series(np.full(rows, "NaT", dtype=MOMENT))
    if isinstance(column, BooleanColumn):
        return pd.Series([None] * rows, dtype=object)
    return pd.Series([None] * rows, dtype="str")


def joined(parts: Sequence[pd.Series[Any]]) -> pd.Series[Any]:
    """The parts of one column as one; where one of them could not be read, all are text."""
    texts = [isinstance(part.dtype, pd.StringDtype) for part in parts]
    if any(texts) and not all(texts):
        parts = [part if text else _as_text(part) for part, text in zip(parts, texts, strict=True)]
    return pd.concat(parts, ignore_index=True) if len(parts) > 1 else parts[0].reset_index(drop=True)


def inferred(values: pd.Series[Any]) -> pd.Series[Any]:
    """A column of text that the contract does not know, as numbers or booleans where all of it is."""
    if not isinstance(values.dtype, pd.StringDtype) or values.isna().all():
        return values.astype("float64") if isinstance(values.dtype, pd.StringDtype) else values
    import pyarrow as pa

    written = _arrow(values)
    for kind in (pa.int64(), pa.float64()):
        try:
            return _cast(written, kind)
        except pa.ArrowInvalid:
            continue
    truths = {"True": True, "TRUE": True, "true": True, "False": False, "FALSE": False, "false": False}
    return values.map(truths, na_action="ignore") if values.dropna().isin(truths.keys()).all() else values


def _as_text(values: pd.Series[Any]) -> pd.Series[Any]:
    return values.map(_written, na_action="ignore").astype("str")


def _written(value: Any) -> str:
    if isinstance(value, float):
        return str(int(value)) if value.is_integer() else repr(value)
    return value.isoformat() if isinstance(value, pd.Timestamp) else str(value)


def _hashable(values: pd.Series[Any]) -> pd.Series[Any]:
    """Lists as JSON and mixed types as text, so that rows can be compared and kept."""
    if values.dtype != object:
        return values
    plain = values.map(lambda value: _json(value) if isinstance(value, list | dict | np.ndarray) else value)
    mixed = pd.api.types.infer_dtype(plain, skipna=True).startswith("mixed")
    return plain.map(str, na_action="ignore").astype("str") if mixed else plain


def _json(value: Any) -> str:
    return json.dumps(value.tolist() if isinstance(value, np.ndarray) else value, ensure_ascii=False, default=str)


@singledispatch
def _read(column: Column, values: pd.Series[Any], dialect: Dialect) -> pd.Series[Any]:
    """The values in the column's type, or as they are written."""
    raise NotImplementedError(column.type)


@_read.register(CategoryColumn)
@_read.register(TextColumn)
def _(column: Column, values: pd.Series[Any], dialect: Dialect) -> pd.Series[Any]:
    del column, dialect
    return values if isinstance(values.dtype, pd.StringDtype) else values.map(as_name, na_action="ignore").astype("str")


def as_name(value: Any) -> str:
    """The name that a value stands for which is no text; whole numbers have no point, gaps beside them or not."""
    return str(int(value)) if isinstance(value, float) and value.is_integer() else str(value)


@_read.register(BooleanColumn)
def _(column: BooleanColumn, values: pd.Series[Any], dialect: Dialect) -> pd.Series[Any]:
    del column, dialect
    if not values.dropna().astype("str").str.lower().isin(BOOLEANS.keys()).all():
        return values if isinstance(values.dtype, pd.StringDtype) else _as_text(values)
    read = [None if pd.isna(value) else BOOLEANS[str(value).lower()] for value in values]
    return pd.Series(read, dtype=object if None in read else bool)


@_read.register(LabelsColumn)
def _(column: LabelsColumn, values: pd.Series[Any], dialect: Dialect) -> pd.Series[Any]:
    del dialect

    @lru_cache(maxsize=100_000)
    def from_text(written: str) -> str:
        names = names_in(written, column.separator)
        return written if names is None else as_list(names)

    def read(value: Any) -> str | None:
        if isinstance(value, str):
            return from_text(value)
        names = names_in(value, column.separator)
        if names is not None:
            return as_list(names)
        return None if pd.isna(value) else str(value)

    return pd.Series([read(value) for value in values], dtype="str")


@_read.register(NumberColumn)
def _(column: NumberColumn, values: pd.Series[Any], dialect: Dialect) -> pd.Series[Any]:
    del column
    if pd.api.types.is_numeric_dtype(values):
        return values.astype("float64")
    if not isinstance(values.dtype, pd.StringDtype):
        return _numbers_one_by_one(values, dialect)
    import pyarrow as pa

    plain = _plain_numbers(_arrow(values), dialect)
    try:
        return _numbers_one_by_one(values, dialect) if plain is None else _cast(plain, pa.float64())
    except pa.ArrowInvalid:  # a sign before it, blanks around it, or no number
        return _numbers_one_by_one(values, dialect)


def _cast(written: pa.Array, kind: pa.DataType) -> pd.Series[Any]:
    import pyarrow.compute as pc

    return pd.Series(pc.cast(written, kind).to_pandas())


def _arrow(values: pd.Series[Any]) -> pa.Array:
    import pyarrow as pa

    return pa.array(values, pa.large_string(), from_pandas=True)


def _plain_numbers(written: pa.Array, dialect: Dialect) -> pa.Array | None:
    """Numbers as Python writes them; None where not all of them are as the dialect has them."""
    import pyarrow.compute as pc

    if dialect.thousands is None and dialect.decimal == ".":
        return written
    if not pc.all(pc.match_substring_regex(written, _number(dialect))).as_py():
        return None
    if dialect.thousands is not None:
        signs = re.escape(ALIKE.get(dialect.thousands, dialect.thousands))
        written = pc.replace_substring_regex(written, f"[{signs}]", "")
    return pc.replace_substring(pc.utf8_trim_whitespace(written), dialect.decimal, ".")


@lru_cache(maxsize=64)
def _number(dialect: Dialect) -> str:
    """A pattern of the numbers that the dialect writes; groups are whole, so that 1.5 is never 15."""
    decimal = re.escape(dialect.decimal)
    whole = r"\d+"
    if dialect.thousands is not None:
        sign = f"[{re.escape(ALIKE.get(dialect.thousands, dialect.thousands))}]"
        whole = rf"(?:\d{{1,3}}(?:{sign}\d{{2,3}})*{sign}\d{{3}}|\d+)"
    return rf"^\s*[+-]?(?:{whole}(?:{decimal}\d*)?|{decimal}\d+)(?:[eE][+-]?\d+)?\s*$"


def _numbers_one_by_one(values: pd.Series[Any], dialect: Dialect) -> pd.Series[Any]:
    known = values.notna()
    if known.any() and values[known].map(str).isin(["True", "TRUE", "true", "False", "FALSE", "false"]).all():
        return values.map(lambda value: float(str(value).lower() == "true"), na_action="ignore").astype("float64")
    read = [_float(value, dialect) if there else np.nan for value, there in zip(values, known, strict=True)]
    if None not in read:
        return pd.Series(read, dtype="float64")
    texts = [
        None if not there else str(value) if number is None else _written(number)
        for value, there, number in zip(values, known, read, strict=True)
    ]
    return pd.Series(texts, dtype="str")


def _float(value: Any, dialect: Dialect) -> float | None:
    if isinstance(value, str):
        value = _in_python(value, dialect)
    elif not isinstance(value, int | float | Decimal | np.number):
        return None
    try:
        return None if value is None else float(value)
    except (ValueError, OverflowError):
        return None


def _in_python(written: str, dialect: Dialect) -> str | None:
    if dialect.thousands is None and dialect.decimal == ".":
        return written
    if not re.match(_number(dialect), written):
        return None
    for sign in ALIKE.get(dialect.thousands or "", dialect.thousands or ""):
        written = written.replace(sign, "")
    return written.replace(dialect.decimal, ".")


@_read.register(DateTimeColumn)
def _(column: DateTimeColumn, values: pd.Series[Any], dialect: Dialect) -> pd.Series[Any]:
    del dialect
    if isinstance(values.dtype, pd.DatetimeTZDtype):
        values = values.dt.tz_convert("UTC").dt.tz_localize(None)
    if values.dtype.kind == "M":
        return pd.Series(values.to_numpy().astype(MOMENT))
    texts = values if isinstance(values.dtype, pd.StringDtype) else _as_iso(values)
    codes, unique = pd.factorize(texts)
    found = _moments(np.asarray(unique, dtype=object), column)
    if np.isnat(found).any():
        return texts
    return pd.Series(np.append(found, np.datetime64("NaT", "us"))[codes])


def _as_iso(values: pd.Series[Any]) -> pd.Series[Any]:
    """Moments and days of Python's own types in ISO 8601."""
    return values.map(
        lambda value: value.isoformat() if hasattr(value, "isoformat") else str(value), na_action="ignore"
    ).astype("str")


def _moments(written: np.ndarray[Any, Any], column: DateTimeColumn) -> np.ndarray[Any, Any]:
    """As `contract.written.moment` reads them, NaT for what it cannot."""
    iso = column.model_copy(update={"formats": ()})
    found = np.array([moment(text, iso) for text in written], dtype=MOMENT)
    for form in column.formats:
        left = np.isnat(found)
        if not left.any():
            break
        found[left] = _by_format(written[left], form, column)
    return found


def _by_format(written: np.ndarray[Any, Any], form: str, column: DateTimeColumn) -> np.ndarray[Any, Any]:
    if PLAIN_SIGNS.match(form):
        stripped = [text.strip() for text in written]
        return pd.to_datetime(stripped, format=form, errors="coerce").to_numpy().astype(MOMENT)
    only = column.model_copy(update={"formats": (form,)})
    return np.array([moment(text, only) for text in written], dtype=MOMENT)
