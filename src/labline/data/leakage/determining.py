"""A column that is the target under another name: from it alone, the target can be read off."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from labline.contract import CategoryColumn, LabelsColumn, Problem, TextColumn
from labline.contract.written import names_in
from labline.data.leakage.leak import Leak, Severity
from labline.data.leakage.looked_at import Goal, Numbers, as_numbers, goals, labels_of, sampled, tree_score, unexplained

ROWS_MIN = 30
TREES_MAX = 100
UNEXPLAINED = 0.25  # share of the variance left beside its neighbours: a column that leaves more grows no tree of 0.999
DETERMINED = 0.999  # a single column that explains the target this well is hardly an honest feature
GUESSES_LEFT = 0.1  # of the errors of always saying the commonest class; where that is rarely wrong, 0.999 says nothing
SEPARATORS = (",", ";", "|", " ")
A_NUMBER = r"([-+]?\d+(?:\.\d+)?)"
LOOK = 300  # rows of a column that show whether it is worth reading all
MEND = "take it out of the contract, unless it is known when a prediction is made"


def determining_columns(frame: pd.DataFrame, problem: Problem, seed: int) -> list[Leak]:
    """Columns from which alone a decision tree predicts the target, or one of its labels, on rows it has not seen.

    Any recoding of the target shows so: other names, another scale, a text that holds its number or its labels.
    Scores are accuracy or R² in 3-fold cross-validation on at most 5,000 rows, or R² of the ranks (Spearman 1904) if
    that is higher; of texts that hold the very target, the share of rows that do. The trees are grown for the most
    suspicious columns only, so that thousands of columns are looked through in seconds.
    """
    rows = sampled(frame, problem, seed)
    if len(rows) < ROWS_MIN:
        return []
    found: dict[str, Leak] = {}
    columns = {name: _read(rows[name], problem, name) for name in problem.columns if _is_known(rows, name)}
    for goal in goals(rows, problem):
        for name, score in _determining(columns, rows, problem, goal, seed).items():
            found.setdefault(name, _leak(name, goal, score))
    return [found[name] for name in problem.columns if name in found]


def _is_known(rows: pd.DataFrame, name: str) -> bool:
    return name in rows and not rows[name].isna().all()


def _read(values: pd.Series[Any], problem: Problem, name: str) -> Numbers:
    """The column as numbers: of names that hold one, as `12.50 USD` does, those, if numbers are predicted."""
    if problem.task == "regression" and isinstance(problem.columns[name], TextColumn | CategoryColumn):
        written = values.astype("str").str
        if written.match(f"^[^0-9]*{A_NUMBER}").head(LOOK).mean() > 0.9:
            return np.asarray(written.extract(A_NUMBER, expand=False), dtype=np.float64)
    return as_numbers(values)


def _determining(
    columns: dict[str, Numbers], rows: pd.DataFrame, problem: Problem, goal: Goal, seed: int
) -> dict[str, float]:
    """The columns that determine the goal, with their scores."""
    determined = max(DETERMINED, 1 - GUESSES_LEFT * goal.guess_errors)
    limit = 3 * (1 - determined) + 3 / len(rows) if goal.of_classes else UNEXPLAINED
    left = {name: unexplained(values, goal) for name, values in columns.items()}
    suspects = sorted((name for name in columns if left[name] <= limit), key=left.__getitem__)[:TREES_MAX]
    scores = {name: tree_score(columns[name], goal, seed) for name in suspects}
    if not goal.of_classes:  # the same order on a scale so crooked that no tree reaches its ends
        scores = {name: max(score, _rank_r2(columns[name], goal)) for name, score in scores.items()}
    if goal.whole:
        for name in columns:
            if isinstance(problem.columns[name], TextColumn | LabelsColumn):
                scores[name] = max(scores.get(name, 0.0), _held(rows[name], rows[problem.target], problem))
    return {name: score for name, score in scores.items() if score >= determined}


def _rank_r2(values: Numbers, goal: Goal) -> float:
    return float(pd.Series(values).fillna(-np.inf).rank().corr(pd.Series(goal.values).rank())) ** 2


def _held(values: pd.Series[Any], target: pd.Series[Any], problem: Problem) -> float:
    """The share of rows whose text is the very target; of labels, in whatever order and however separated."""
    same = float((values.str.strip() == target.astype("str")).mean())
    if problem.task != "multilabel":
        return same
    wanted = labels_of(target, problem)
    classes = frozenset(problem.classes)

    def share(separator: str, rows: int) -> float:
        pairs = list(zip(values.head(rows), wanted, strict=False))
        there = [classes.intersection(names_in(value, separator) or ()) == names for value, names in pairs if names]
        return float(np.mean(there)) if there else 0.0

    near = [separator for separator in {problem.separator, *SEPARATORS} if share(separator, LOOK) > 0.9]
    return max((share(separator, len(values)) for separator in near), default=same)


def _leak(name: str, goal: Goal, score: float) -> Leak:
    # One label of many may follow from a column by rights, and the figures of the others still stand: a warning.
    severity: Severity = "refuse" if goal.whole else "warn"
    return Leak(
        kind="determines",
        columns=(name,),
        score=score,
        severity=severity,
        what=f"{name} alone predicts {goal.name} (score {score:.4f} of 1)",
        mend=MEND,
    )
