"""Time order: how much a hold-out drawn at random flatters a model whose rows come one after another."""

from __future__ import annotations

from math import erf, sqrt

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from labline.contract import DateTimeColumn, LabelsColumn, Problem, TextColumn
from labline.data.leakage.leak import Leak
from labline.data.leakage.looked_at import Numbers, as_numbers, facets, sampled

ROWS_MIN = 200
MOMENTS_MAX = 3  # moment columns that are looked at
COLUMNS_MAX = 50  # that the quick forest sees, those most in line with the target
LATEST = 0.2  # of the rows
TREES = 16
LEAF = 5  # rows
REPEATS = 2  # splits at random, to be held against the latest rows
DROP = 0.05  # of the target's variance: less is not worth a word
SURE = 3.0  # standard errors


def time_order(frame: pd.DataFrame, problem: Problem, seed: int) -> list[Leak]:
    """Moment columns along which a quick forest explains less of the latest rows than of rows drawn at random.

    A fifth of at most 5,000 rows is predicted from the others, once the latest and twice at random. Explained is the
    variance of the target's ranks, classes or labels. The difference is told when it is more than 0.05 and three
    standard errors. It never refuses: a model that looks into the future still may be of use, its figure is too good.
    """
    rows = sampled(frame, problem, seed)
    moments = [
        name
        for name, column in problem.columns.items()
        if isinstance(column, DateTimeColumn) and name in rows and rows[name].dtype.kind == "M"
    ]
    found = []
    for name in moments[:MOMENTS_MAX]:
        known = rows[rows[name].notna()]
        if len(known) >= ROWS_MIN and known[name].nunique() > 2:
            found += _compared(known, problem, name, seed)
    return found


def _compared(rows: pd.DataFrame, problem: Problem, name: str, seed: int) -> list[Leak]:
    told = facets(rows[problem.target], problem)
    total = told.var(axis=0).sum()
    if not total:
        return []
    values = _seen(rows, problem, told)
    count = int(LATEST * len(rows))
    moments = rows[name].rank(method="dense").to_numpy()
    errors = _errors(values, told, np.argsort(moments, kind="stable")[-count:], seed)
    random = np.random.default_rng(seed)
    drawn = [_errors(values, told, random.permutation(len(rows))[:count], seed) for _ in range(REPEATS)]
    at_random = np.concatenate(drawn)
    drop = float(errors.mean() - at_random.mean()) / total
    deviation = sqrt(errors.var() / len(errors) + at_random.var() / len(at_random)) / total
    if drop < max(DROP, SURE * deviation):
        return []
    before, after = 1 - at_random.mean() / total, 1 - errors.mean() / total
    return [_leak(name, float(before), float(after), drop / max(deviation, 1e-9))]


def _seen(rows: pd.DataFrame, problem: Problem, told: Numbers) -> Numbers:
    """What the forest sees, shape (rows, columns): all but texts and lists, missing values in a place of their own."""
    names = [
        name
        for name, column in problem.columns.items()
        if name in rows and not isinstance(column, TextColumn | LabelsColumn)
    ]
    values = np.column_stack([as_numbers(rows[name]) for name in names])
    values = np.where(np.isnan(values), np.nanmin(values, axis=0, initial=0.0, keepdims=True) - 1.0, values)
    if len(names) <= COLUMNS_MAX:
        return values
    centred, wanted = values - values.mean(axis=0), told - told.mean(axis=0)
    spread = np.maximum(centred.std(axis=0), np.finfo(np.float64).tiny)
    inline = np.abs(centred.T @ wanted / spread[:, None]).max(axis=1)
    inline[[isinstance(problem.columns[one], DateTimeColumn) for one in names]] = np.inf
    return np.asarray(values[:, np.argsort(-inline, kind="stable")[:COLUMNS_MAX]])


def _errors(values: Numbers, told: Numbers, held: NDArray[np.intp], seed: int) -> Numbers:
    """The squared errors of a quick forest on the held rows, learned from all others; shape (held rows,)."""
    from sklearn.ensemble import ExtraTreesRegressor

    learned = np.ones(len(values), dtype=bool)
    learned[held] = False
    forest = ExtraTreesRegressor(TREES, min_samples_leaf=LEAF, random_state=seed, n_jobs=1)
    forest.fit(values[learned], told[learned].squeeze())
    answers = forest.predict(values[held]).reshape(len(held), told.shape[1])
    return np.asarray(((told[held] - answers) ** 2).sum(axis=1))


def _leak(name: str, before: float, after: float, distance: float) -> Leak:
    return Leak(
        kind="time_order",
        columns=(name,),
        score=(1 + erf(distance / sqrt(2))) / 2,
        severity="warn",
        what=f"a quick forest explains {max(before, 0):.0%} of the target on rows drawn at random, and "
        f"{max(after, 0):.0%} on the latest fifth by {name}: on new rows the figures may be that much lower",
        mend=f"if {name} says when a row came to be, trust the figures of later rows alone",
    )
