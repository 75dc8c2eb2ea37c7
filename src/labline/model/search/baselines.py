"""Baselines: what anything that is called a model has to beat."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from labline.contract import Columns
from labline.features import Encoder
from labline.model.search.folds import Folds
from labline.model.search.tried import Candidate, Tried
from labline.model.tasks import Baseline, Scores, Task


@dataclass(frozen=True)
class FittedBaseline:
    """A baseline that was fitted."""

    name: str
    task: Task
    _estimator: Any
    _rows_of: Callable[[Columns], Any]

    def scores(self, columns: Columns) -> Scores:
        """Its scores for the contract's columns."""
        return self.task.estimated(self._estimator, self._rows_of(columns))


def fit_baseline(folds: Folds, name: str, baseline: Baseline, rows: NDArray[np.intp]) -> FittedBaseline:
    """Fitted to some of the problem's own rows."""
    from sklearn.base import clone

    columns, encoding = folds.rows.take(rows), baseline.encoding
    if encoding is None:
        rows_of: Callable[[Columns], Any] = partial(_as_given, baseline.reads)
    else:
        rows_of = Encoder.fit(folds.problem, (), encoding, columns).transform
    estimator = clone(baseline.estimator).fit(rows_of(columns), folds.task.to_fit(folds.rows.target[rows]))
    return FittedBaseline(name, folds.task, estimator, rows_of)


def candidate_of(folds: Folds, name: str) -> Candidate:
    """The baseline as something to try."""
    return Candidate(family=name, feature_set="raw", columns=tuple(folds.problem.columns), stage="baseline")


def try_baseline(folds: Folds, name: str, baseline: Baseline) -> Tried:
    """Its figures over the folds; extra rows do not concern it."""
    started = time.perf_counter()
    parts = []
    for train, test in folds.parts:
        fitted = fit_baseline(folds, name, baseline, train[train < folds.rows.own])
        parts.append(fitted.scores(folds.rows.take(test)))
    scores = folds.joined(parts)
    return folds.tried(candidate_of(folds, name), scores, fit_seconds=time.perf_counter() - started)


def _as_given(names: tuple[str, ...], columns: Columns) -> NDArray[Any]:
    """The columns side by side, names and numbers as they are, shape (rows, columns)."""
    side_by_side = np.empty((len(columns[names[0]]), len(names)), dtype=object)
    for index, name in enumerate(names):
        side_by_side[:, index] = columns[name]
    return side_by_side
