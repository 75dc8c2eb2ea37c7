"""Views: a column of any type as what a plot can show, which is a number, a moment, or one of a few names."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from labline.contract import BooleanColumn, Column, Columns, NumberColumn, Problem, TextColumn
from labline.data import Snapshot
from labline.model.tasks import task_of

NAMES_MAX = 8
FEW = 10  # distinct whole numbers; a column with no more of them is read as names
ANOTHER, EMPTY, MISSING = "(another)", "(none)", "(missing)"

View = pd.Series
"""Numbers, moments, or ordered names. Its index is the row's position; a row with a list of names has several."""


def announce(snapshot: Snapshot) -> str:
    """Where the rows come from, as Markdown; loudly so where they are generated."""
    said = f"{snapshot.rows:,} rows from `{snapshot.origin}`, taken {snapshot.taken_at:%d %B %Y}"
    if not snapshot.is_sample:
        return said
    warning = "These rows are a GENERATED SAMPLE. Nothing that is seen in them is true of the world."
    return f"> # ⚠️ {warning}\n>\n> {said}. `labline data {snapshot.problem}` takes real ones."


def view_all(problem: Problem, columns: Columns) -> dict[str, View]:
    """A view of every column, the contract's and derived ones."""
    return {name: view(values, problem.columns.get(name)) for name, values in columns.items()}


def view(values: NDArray[Any], column: Column | None = None) -> View:
    """A plain column as a series to plot; of a derived feature there is no `column`.

    Texts become their length in characters. Of names the commonest eight are told apart, in the contract's order
    where it has one; so are numbers of which there are just a few.
    """
    if isinstance(column, TextColumn):
        return pd.Series([np.nan if text is None else float(len(text)) for text in values], dtype=float)
    if values.dtype.kind == "M":
        return pd.Series(values)
    if values.dtype.kind == "f":
        return _numbers(values, column)
    return _names(values, getattr(column, "values", ()), NAMES_MAX)


def view_target(problem: Problem, target: pd.Series[Any]) -> View:
    """The target as a series to plot: values, or the commonest classes in the contract's order."""
    return view_answers(problem, task_of(problem).truth(target))


def view_answers(problem: Problem, answers: NDArray[Any]) -> View:
    """Classes, values or tuples of labels, as `Task.decisions` gives them, in the same way as the target."""
    return _names(answers, problem.classes, NAMES_MAX) if problem.classes else pd.Series(answers, dtype=float)


def _numbers(values: NDArray[np.float64], column: Column | None) -> View:
    distinct = np.unique(values[np.isfinite(values)])
    measured = isinstance(column, NumberColumn) and column.type == "number"
    if not len(distinct) or len(distinct) > FEW or measured or (distinct % 1).any():
        return pd.Series(values)
    words = ("false", "true") if isinstance(column, BooleanColumn) else [f"{number:g}" for number in distinct]
    numbers = (0.0, 1.0) if isinstance(column, BooleanColumn) else distinct.tolist()
    names = dict(zip(numbers, words, strict=True))
    return _names(np.array([names.get(number) for number in values], dtype=object), tuple(words), FEW)


def _names(values: NDArray[Any], listed: Sequence[str], names_max: int) -> View:
    """The commonest names, in the order of `listed` where there is one; a tuple counts as each name in it."""
    lists = [(value or (EMPTY,)) if isinstance(value, tuple) else (value,) for value in values]
    rows = np.repeat(np.arange(len(lists)), [len(names) for names in lists])
    told = [MISSING if name is None else str(name) for names in lists for name in names]
    counts: Mapping[str, int] = Counter(name for name in told if name not in {EMPTY, MISSING})
    common = sorted(counts, key=lambda name: (-counts[name], name))[:names_max]
    ordered = [name for name in listed if name in common] if listed else common
    met = {name if name in {*common, EMPTY, MISSING} else ANOTHER for name in told}
    categories = [*ordered, *(name for name in (ANOTHER, EMPTY, MISSING) if name in met)]
    shown = [name if name in met else ANOTHER for name in told]
    return pd.Series(pd.Categorical(shown, categories=categories, ordered=True), index=rows)
