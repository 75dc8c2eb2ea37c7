"""What the checks look at: a sample of the rows, its columns as numbers, and what is to be predicted of it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from labline.contract import Problem
from labline.contract.written import names_in

ROWS_MAX = 5000
LABELS_MAX = 10  # of a multilabel target, the most frequent, are looked at one by one
LABEL_ROWS_MIN = 10  # with a label, and without it
CLASSES_MAX = 20  # the most frequent; what a column tells of a target, it tells of these

Numbers = NDArray[np.float64]


@dataclass(frozen=True)
class Goal:
    """What is to be predicted: the target, or one label of it.

    Attributes:
        name: as a sentence has it.
        values: classes as whole numbers, or values; shape (rows,).
        of_classes: which of the two.
        whole: whether it is all of the target.
    """

    name: str
    values: NDArray[Any]
    of_classes: bool
    whole: bool = True

    @property
    def guess_errors(self) -> float:
        """The share of rows for which the commonest class is wrong; 1 where the target is a value."""
        return float(1 - np.bincount(self.values).max() / len(self.values)) if self.of_classes else 1.0


def sampled(frame: pd.DataFrame, problem: Problem, seed: int) -> pd.DataFrame:
    """At most 5,000 rows whose target is known, in random order: that of the file may give the target away."""
    known = np.flatnonzero(frame[problem.target].notna())
    return frame.iloc[np.random.default_rng(seed).permutation(known)[:ROWS_MAX]]


def goals(rows: pd.DataFrame, problem: Problem) -> Iterator[Goal]:
    """The target, and of multilabel each frequent label; only what is not the same in all rows."""
    target = rows[problem.target]
    if problem.task == "regression":
        values: NDArray[Any] = target.to_numpy(dtype=float)
        if np.ptp(values) > 0:
            yield Goal("the target", values, of_classes=False)
        return
    if problem.task != "multilabel":
        codes = pd.factorize(target)[0]
        if codes.any():
            yield Goal("the target", codes, of_classes=True)
        return
    given = labels_of(target, problem)
    codes = pd.factorize(pd.Series([" ".join(sorted(names)) for names in given]))[0]
    if codes.any():
        yield Goal("the target", codes, of_classes=True)
    for name, held in _frequent(given, problem, LABELS_MAX).items():
        if min(held.sum(), len(held) - held.sum()) >= LABEL_ROWS_MIN:
            yield Goal(f"the label {name!r}", held.astype(np.intp), of_classes=True, whole=False)


def labels_of(values: pd.Series[Any], problem: Problem) -> list[frozenset[str]]:
    """The labels of each row, less those that are no class of the problem."""
    classes = frozenset(problem.classes)
    return [classes.intersection(names_in(value, problem.separator) or ()) for value in values]


def _frequent(given: list[frozenset[str]], problem: Problem, most: int) -> dict[str, NDArray[np.bool_]]:
    """Of the most frequent labels, which rows hold them."""
    counts = {name: sum(name in names for names in given) for name in problem.classes}
    found = sorted((name for name in counts if counts[name]), key=lambda name: -counts[name])[:most]
    return {name: np.array([name in names for names in given]) for name in found}


def facets(target: pd.Series[Any], problem: Problem) -> Numbers:
    """The target as numbers whose variance a model can explain, whatever the task; shape (rows, facets).

    Of a value its rank from 0 to 1, which no outlier rules; of the most frequent classes or labels, 0 or 1.
    """
    if problem.task == "regression":
        ranks = target.to_numpy(dtype=float).argsort().argsort() if target.is_unique else target.rank().to_numpy()
        return np.asarray(ranks, dtype=np.float64).reshape(-1, 1) / len(target)
    if problem.task == "multilabel":
        held = _frequent(labels_of(target, problem), problem, CLASSES_MAX)
        return np.array(list(held.values()), dtype=np.float64).reshape(len(held), len(target)).T
    met = target.value_counts().index[:CLASSES_MAX]
    return np.asarray(target.to_numpy()[:, None] == np.asarray(met)[None, :], dtype=np.float64)


def as_numbers(values: pd.Series[Any]) -> Numbers:
    """The values as numbers to split a tree at, NaN for missing numbers; of moments their rank, which float32 holds."""
    if pd.api.types.is_float_dtype(values):
        return np.asarray(values, dtype=np.float64)
    if pd.api.types.is_datetime64_any_dtype(values):
        return np.asarray(values.rank(method="dense"), dtype=np.float64)
    return pd.factorize(values)[0].astype(np.float64)


def unexplained(values: Numbers, goal: Goal) -> float:
    """How much of the goal is left unexplained by the two rows next to each when they are sorted by the values.

    Of classes the share of rows unlike both neighbours, of values the share of the variance. Where a tree of one
    column predicts the target, this is near 0; it costs a sort.
    """
    ordered = goal.values[np.argsort(values, kind="stable")]
    before, inner, after = ordered[:-2], ordered[1:-1], ordered[2:]
    if goal.of_classes:
        return float(np.mean((inner != before) & (inner != after)))
    return float(np.mean((inner - (before + after) / 2) ** 2) / np.var(goal.values))


def tree_score(values: Numbers, goal: Goal, seed: int) -> float:
    """Accuracy or R² of a decision tree on these values, on rows that it has not seen: 3-fold cross-validation."""
    from sklearn.model_selection import KFold, cross_val_score
    from sklearn.tree import DecisionTreeClassifier, DecisionTreeRegressor

    tree = (DecisionTreeClassifier if goal.of_classes else DecisionTreeRegressor)(random_state=seed)
    folds = KFold(3, shuffle=True, random_state=seed)
    return float(cross_val_score(tree, values.reshape(-1, 1), goal.values, cv=folds).mean())
