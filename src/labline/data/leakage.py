"""The first leakage checks: a feature that gives the target away, rows that stand on both sides of the split."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from labline.contract import Problem
from labline.data.holdout import Split, row_hashes

ROWS_MAX = 5000
DETERMINED = 0.999  # a single column that explains the target this well is hardly an honest feature
GUESSES_LEFT = 0.1  # of the errors of always saying the commonest class; where that is rarely wrong, 0.999 says nothing


@dataclass(frozen=True)
class Leak:
    """A column that determines the target, and how well a single-column tree predicts it from that alone (0 to 1)."""

    column: str
    score: float


def determining_columns(frame: pd.DataFrame, problem: Problem, seed: int) -> list[Leak]:
    """Columns from which alone a decision tree predicts the target on rows it has not seen.

    Scores are accuracy or R² in 3-fold cross-validation on at most 5,000 rows.
    """
    from sklearn.model_selection import KFold, cross_val_score
    from sklearn.tree import DecisionTreeClassifier, DecisionTreeRegressor

    known = frame[frame[problem.target].notna()]
    if len(known) > ROWS_MAX:
        known = known.sample(ROWS_MAX, random_state=seed)
    tree = DecisionTreeClassifier if problem.classes else DecisionTreeRegressor
    target = known[problem.target].to_numpy()
    if len(known) < 30 or len(np.unique(target)) < 2:
        return []
    guess_errors = 1 - known[problem.target].value_counts(normalize=True).max() if problem.classes else 1.0
    determined = max(DETERMINED, 1 - GUESSES_LEFT * guess_errors)
    leaks = []
    for name in problem.feature_names:
        values = known[name]
        codes = values if pd.api.types.is_float_dtype(values) else pd.Series(pd.factorize(values)[0])
        folds = KFold(3, shuffle=True, random_state=seed)
        scores = cross_val_score(tree(random_state=seed), codes.to_numpy(dtype=float).reshape(-1, 1), target, cv=folds)
        if scores.mean() >= determined:
            leaks.append(Leak(name, float(scores.mean())))
    return leaks


def overlap(frame: pd.DataFrame, problem: Problem, split: Split) -> NDArray[np.intp]:
    """Positions of held-out rows that also stand among the training rows, alike in every feature."""
    hashes = row_hashes(frame, problem)
    return split.holdout[np.isin(hashes[split.holdout], hashes[split.train])]
