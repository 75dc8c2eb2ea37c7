"""The first leakage checks: a feature that gives the target away, rows that stand on both sides of the split."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from labline.contract import LabelsColumn, Problem, TextColumn
from labline.data.holdout import Split, row_hashes

ROWS_MIN, ROWS_MAX = 30, 5000
TREES_MAX = 100
UNEXPLAINED = 0.25  # share of the variance left beside its neighbours: a column that leaves more grows no tree of 0.999
DETERMINED = 0.999  # a single column that explains the target this well is hardly an honest feature
GUESSES_LEFT = 0.1  # of the errors of always saying the commonest class; where that is rarely wrong, 0.999 says nothing


@dataclass(frozen=True)
class Leak:
    """A column that determines the target, and how well a single-column tree predicts it from that alone (0 to 1)."""

    column: str
    score: float


def determining_columns(frame: pd.DataFrame, problem: Problem, seed: int) -> list[Leak]:
    """Columns from which alone a decision tree predicts the target on rows it has not seen.

    Scores are accuracy or R² in 3-fold cross-validation on at most 5,000 rows. The trees are grown for the most
    suspicious columns only, so that thousands of columns are looked through in seconds. Of texts and lists of labels,
    it is the share of rows that hold the very target; of multilabel targets nothing else is looked for.
    """
    known = frame[frame[problem.target].notna()]
    if len(known) > ROWS_MAX:
        known = known.sample(ROWS_MAX, random_state=seed)
    target = known[problem.target]
    if len(known) < ROWS_MIN or target.nunique() < 2:
        return []
    guess_errors = 1 - target.value_counts(normalize=True).max() if problem.classes else 1.0
    determined = max(DETERMINED, 1 - GUESSES_LEFT * guess_errors)
    by_name: dict[str, float] = {}
    suspicion: dict[str, float] = {}
    goal = pd.factorize(target)[0] if problem.classes else target.to_numpy(dtype=float)
    order = np.random.default_rng(seed).permutation(len(known))
    limit = 3 * (1 - determined) + 3 / len(known) if problem.classes else UNEXPLAINED
    for name, column in problem.columns.items():
        if name not in known or known[name].isna().all():
            continue
        if isinstance(column, TextColumn | LabelsColumn):
            by_name[name] = float((known[name].str.strip() == target.astype("str")).mean())
        elif problem.task != "multilabel":
            left = _unexplained(_numbers(known[name])[order], goal[order], of_classes=bool(problem.classes))
            if left <= limit:
                suspicion[name] = left
    for name in sorted(suspicion, key=suspicion.__getitem__)[:TREES_MAX]:
        by_name[name] = _tree_score(_numbers(known[name]), goal, seed, of_classes=bool(problem.classes))
    return [Leak(name, by_name[name]) for name in problem.columns if by_name.get(name, 0) >= determined]


def _numbers(values: pd.Series[Any]) -> NDArray[np.float64]:
    """The values as numbers to split a tree at, NaN for missing numbers; of moments their rank, which float32 holds."""
    if pd.api.types.is_float_dtype(values):
        return np.asarray(values, dtype=np.float64)
    if pd.api.types.is_datetime64_any_dtype(values):
        return np.asarray(values.rank(method="dense"), dtype=np.float64)
    return pd.factorize(values)[0].astype(np.float64)


def _unexplained(values: NDArray[np.float64], target: NDArray[Any], *, of_classes: bool) -> float:
    """How much of the target is left unexplained by the two rows next to each when they are sorted by the column.

    Of classes the share of rows unlike both neighbours, of values the share of the variance. Where a tree of one
    column predicts the target, this is near 0; it costs a sort.
    """
    ordered = target[np.argsort(values, kind="stable")]
    before, inner, after = ordered[:-2], ordered[1:-1], ordered[2:]
    if of_classes:
        return float(np.mean((inner != before) & (inner != after)))
    return float(np.mean((inner - (before + after) / 2) ** 2) / np.var(target))


def _tree_score(values: NDArray[np.float64], target: NDArray[Any], seed: int, *, of_classes: bool) -> float:
    from sklearn.model_selection import KFold, cross_val_score
    from sklearn.tree import DecisionTreeClassifier, DecisionTreeRegressor

    tree = (DecisionTreeClassifier if of_classes else DecisionTreeRegressor)(random_state=seed)
    folds = KFold(3, shuffle=True, random_state=seed)
    return float(cross_val_score(tree, values.reshape(-1, 1), target, cv=folds).mean())


def overlap(frame: pd.DataFrame, problem: Problem, split: Split) -> NDArray[np.intp]:
    """Positions of held-out rows that also stand among the training rows, alike in every feature."""
    hashes = row_hashes(frame, problem)
    return split.holdout[np.isin(hashes[split.holdout], hashes[split.train])]
