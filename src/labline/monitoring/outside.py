"""What the contract does not allow of values as they were sent, before a policy clips or drops it."""

from __future__ import annotations

from collections import Counter
from itertools import chain
from typing import Any

import numpy as np
from numpy.typing import NDArray

from labline.contract import CategoryColumn, Column, DateTimeColumn, LabelsColumn, NumberColumn, Problem


def lenient(problem: Problem) -> Problem:
    """The contract with those columns alone that clip or drop what they do not allow, and do not refuse it."""
    kept = {
        name: column
        for name, column in problem.columns.items()
        if getattr(column, "out_of_range", "refuse") != "refuse" or getattr(column, "unknown", "refuse") != "refuse"
    }
    return problem.model_copy(update={"columns": kept})


def beyond(column: Column | None, sent: NDArray[Any]) -> int:
    """How many values are beyond the column's limits."""
    if not isinstance(column, NumberColumn | DateTimeColumn):
        return 0
    found = 0
    if column.minimum is not None:
        found += int((sent < np.array(column.minimum, dtype=sent.dtype)).sum())
    if column.maximum is not None:
        found += int((sent > np.array(column.maximum, dtype=sent.dtype)).sum())
    return found


def unlisted(column: Column | None, sent: NDArray[Any]) -> Counter[str]:
    """The names that a column with a list of names does not list, of lists every one in them."""
    if not isinstance(column, CategoryColumn | LabelsColumn) or column.is_open:
        return Counter()
    names = sent.tolist()
    met = Counter(chain.from_iterable(value or () for value in names) if isinstance(column, LabelsColumn) else names)
    return Counter({name: count for name, count in met.items() if name is not None and name not in column.values})
