"""Explanations: what each of the contract's columns is worth to a bundle, by shuffling it and by SHAP values.

Both ask the bundle as a whole, with any members, and speak of columns as a person knows them: a text is one column,
however many words are counted in it.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from labline.contract import Columns
from labline.model.tasks import Scores, Target, Task

SHUFFLES = 3
ORDERS = 4  # random orders of the columns for each row, each gone through forwards and backwards


@dataclass(frozen=True)
class Worth:
    """A column's worth, and its spread: over shuffles, or over rows."""

    mean: float
    deviation: float


@dataclass(frozen=True)
class Explanation:
    """What the columns are worth on some rows.

    Attributes:
        rows: how many were looked at.
        loss: which loss rises.
        permutation: rise of the loss when the column is shuffled (Breiman 2001).
        shap: mean absolute SHAP value on the scores, summed over classes (Lundberg and Lee 2017).
    """

    rows: int
    loss: str
    permutation: dict[str, Worth]
    shap: dict[str, Worth]

    def table(self) -> dict[str, Any]:
        """As JSON has it."""
        return asdict(self)


def explain(
    scores_of: Callable[[Columns], Scores], task: Task, columns: Columns, target: Target, *, seed: int, deadline: float
) -> Explanation | None:
    """Explain some rows; None when the time would not do.

    Args:
        scores_of: the bundle's scores of plain columns.
        task: gives the loss.
        columns: of the rows, shape (rows,) each.
        target: of the rows, encoded.
        seed: of what is shuffled.
        deadline: on the monotonic clock, in seconds.
    """
    random = np.random.default_rng(seed)
    names = list(columns)
    started = time.monotonic()
    rows = len(target)
    loss = task.metric(task.loss, target, scores_of(columns))
    once = time.monotonic() - started
    needed = once * (SHUFFLES * len(names) + 2 * ORDERS * (len(names) + 1))
    if started + needed > deadline:
        return None
    permutation = {}
    for name in names:
        rises = []
        for _ in range(SHUFFLES):
            shuffled = {**columns, name: columns[name][random.permutation(rows)]}
            rises.append(task.metric(task.loss, target, scores_of(shuffled)) - loss)
        permutation[name] = Worth(float(np.mean(rises)), float(np.std(rises)))
    values = shap_values(scores_of, columns, random)
    size = np.abs(values).sum(axis=2) if values.ndim == 3 else np.abs(values)
    shap = {name: Worth(float(size[:, at].mean()), float(size[:, at].std())) for at, name in enumerate(names)}
    return Explanation(rows, task.loss, permutation, shap)


def shap_values(
    scores_of: Callable[[Columns], Scores], columns: Columns, random: np.random.Generator
) -> NDArray[np.float64]:
    """Shapley values of the columns by sampled orders (Štrumbelj and Kononenko 2014), shape (rows, columns, …).

    A column that is not known takes its value from another row. Each order is gone through forwards and backwards,
    which makes the values of additive models exact. A row's values add up to its score less that of the rows it was
    compared with.
    """
    names = list(columns)
    rows = len(columns[names[0]])
    total: Any = 0.0
    for _ in range(ORDERS):
        order = random.permutation(len(names))
        others = random.integers(0, rows, rows)
        for turn in (order, order[::-1]):
            mixed = {name: values[others] for name, values in columns.items()}
            before = scores_of(mixed)
            found = np.zeros((rows, len(names), *before.shape[1:]))
            for at in turn:
                mixed[names[at]] = columns[names[at]]
                after = scores_of(mixed)
                found[:, at] = after - before
                before = after
            total = total + found
    return np.asarray(total / (2 * ORDERS))
