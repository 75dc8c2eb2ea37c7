"""Identifiers that predict: names and numbers of rows, and the rows' order, that tell the target."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from labline.contract import CategoryColumn, DateTimeColumn, NumberColumn, Problem, TextColumn
from labline.data.leakage.leak import Leak
from labline.data.leakage.looked_at import ROWS_MAX, Numbers, facets

ROWS_MIN = 100
NAMED = 0.99  # share of different values among the names of rows
REPEATS_MISSED = 10  # numbers drawn at random from their range would have repeated as often, and none does
CODE = r"^\S*\d\S*$"  # one word with a digit in it
CODES = 0.95  # share of a column's names that are such
LEAF = 0.01  # of the rows: no tree learns single rows by heart
PREDICTS = 0.1  # share of the target's variance explained on unseen rows; chance gives 0 or less
# An id that tells half of the target was given after it was known. One that tells less may stand for a time or a place
# that new rows have as well: a warning.
REFUSE = 0.5
IN_ORDER = 0.95  # rank correlation of the rows' order with a moment: it is the order of time, and no oddity


def predicting_identifiers(
    frame: pd.DataFrame, problem: Problem, seed: int, without: Collection[str] = ()
) -> list[Leak]:
    """Columns that name rows, and the order of the rows, if a tree predicts the target from them on unseen rows.

    A column names rows when its values are all different whole numbers that would repeat if they were drawn from their
    range (n²/2R of n numbers from R, the birthday problem), or nearly all different words with digits; never a
    measurement with decimals. Explained is the variance of the target's ranks, classes or labels, in 3-fold
    cross-validation on at most 5,000 rows: 0 is chance, from 0.1 on it is told.

    Args:
        frame: the rows in the order of the file.
        problem: the contract.
        seed: which rows are looked at.
        without: columns of which it is known already.
    """
    known = np.flatnonzero(frame[problem.target].notna())
    if len(known) < ROWS_MIN:
        return []
    positions = np.random.default_rng(seed).permutation(known)[:ROWS_MAX]
    rows = frame.iloc[positions]
    told = facets(rows[problem.target], problem)
    found = []
    for name in problem.columns:
        if name in frame and name not in without and _names_rows(frame[name], rows[name], problem, name):
            share = _explained(_orders(rows[name]), told, seed)
            if share >= PREDICTS:
                found.append(_of_column(name, share))
    share = _explained(positions.astype(np.float64).reshape(-1, 1), told, seed)
    if share >= PREDICTS and not _in_time_order(rows, positions, problem):
        found.append(_of_order(share))
    return found


def _names_rows(values: pd.Series[Any], looked_at: pd.Series[Any], problem: Problem, name: str) -> bool:
    column = problem.columns[name]
    if isinstance(column, NumberColumn) and values.dtype.kind == "f":
        some = looked_at.to_numpy()[looked_at.notna()]
        if len(some) < ROWS_MIN or (some % 1 != 0).any() or len(np.unique(some)) < len(some):
            return False
        every = values.dropna()
        chances = len(every) ** 2 / (2 * (every.max() - every.min() + 1))
        return bool(chances >= REPEATS_MISSED and every.is_unique and (every % 1 == 0).all())
    if isinstance(column, CategoryColumn | TextColumn):
        names = looked_at.dropna().astype("str").str.strip()
        if len(names) < ROWS_MIN or names.nunique() < NAMED * len(names):
            return False
        return bool(names.str.match(CODE).mean() >= CODES and values.nunique() >= NAMED * values.notna().sum())
    return False


def _orders(values: pd.Series[Any]) -> Numbers:
    """Numbers as they are; of names their place in the alphabet and the longest number in them, in two columns."""
    if values.dtype.kind == "f":
        return np.asarray(values, dtype=np.float64).reshape(-1, 1)
    names = values.astype("str")
    digits = names.str.findall(r"\d{1,15}").map(lambda found: float(max(found, key=len)) if found else np.nan)
    return np.column_stack([pd.factorize(names, sort=True)[0], digits]).astype(np.float64)


def _explained(values: Numbers, told: Numbers, seed: int) -> float:
    """The share of the target's variance that a tree on these values explains on rows it has not seen."""
    from sklearn.model_selection import KFold, cross_val_predict
    from sklearn.tree import DecisionTreeRegressor

    total = told.var(axis=0).sum()
    if not total:
        return 0.0
    tree = DecisionTreeRegressor(min_samples_leaf=max(5, int(LEAF * len(values))), random_state=seed)
    answers = cross_val_predict(tree, values, told, cv=KFold(3, shuffle=True, random_state=seed))
    return float(1 - ((told - answers.reshape(told.shape)) ** 2).mean(axis=0).sum() / total)


def _in_time_order(rows: pd.DataFrame, positions: NDArray[np.intp], problem: Problem) -> bool:
    order = pd.Series(positions, index=rows.index)
    for name, column in problem.columns.items():
        if isinstance(column, DateTimeColumn) and name in rows and rows[name].dtype.kind == "M":
            ranks = rows[name].rank()
            if ranks.nunique() > 1 and abs(float(ranks.corr(order.rank()))) >= IN_ORDER:
                return True
    return False


def _of_column(name: str, share: float) -> Leak:
    return Leak(
        kind="identifier",
        columns=(name,),
        score=min(1.0, 0.5 + share),  # beyond chance it is in any case, from the margin on
        severity="refuse" if share >= REFUSE else "warn",
        what=f"{name} names rows, no two alike, and yet explains {share:.0%} of the target on rows not seen",
        mend=f"make it the contract's id, or take it out: new rows have new values of {name}",
    )


def _of_order(share: float) -> Leak:
    return Leak(
        kind="identifier",
        columns=(),
        score=min(1.0, 0.5 + share),
        severity="warn",  # no model sees the order; what it hints at, a person has to judge
        what=f"the order of the rows explains {share:.0%} of the target: the file is sorted by it, or put together "
        "from parts that differ",
        mend="see that no column tells the part or the place in the file, and that the parts were collected alike",
    )
