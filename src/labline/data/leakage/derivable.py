"""Two columns that together are the target: their sum, difference, product or ratio."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from labline.contract import DateTimeColumn, NumberColumn, Problem
from labline.data.leakage.leak import Leak
from labline.data.leakage.looked_at import CLASSES_MAX, Goal, Numbers, goals, sampled, tree_score, unexplained

ROWS_MIN = 100
CLASS_ROWS_MIN = 300  # where none of n rows errs, up to 3 in n may (the rule of three): 300 speak for 99 %
COLUMNS_MAX = 1000  # that are paired; of more, those that tell most by themselves
WORK_MAX = 1e9  # rows × columns²: sums and products of all pairs in about a second
CANDIDATES = 40  # pairs looked at closely, for each operation
BANDS = 20  # of a target that is a value
EXPLAINED = 0.999  # R² of the target in the combined value
ROUNDED = 0.98  # R² enough where nothing but the target's own rounding is left
ERRORS = 0.01  # of the errors of always guessing: what a combined value may leave, and ten times it a single one
LABELS_MAX = 3
SHOWN = 5
MEND = "take both out of the contract; if both are known when a prediction is made, compute it and train nothing"


@dataclass(frozen=True)
class _Pair:
    """Two columns and what is done with them."""

    first: int
    second: int
    sign: str

    def combined(self, values: Numbers) -> Numbers:
        """What the two make, shape (rows,); NaN where one is missing, or it would divide by 0."""
        one, other = values[:, self.first], values[:, self.second]
        if self.sign == "+":
            return one + other
        if self.sign == "−":
            return one - other
        if self.sign == "×":
            return one * other
        return np.asarray(np.divide(one, other, out=np.full(len(one), np.nan), where=other != 0))


def derivable_columns(frame: pd.DataFrame, problem: Problem, seed: int, without: Collection[str] = ()) -> list[Leak]:
    """Pairs of columns whose sum, difference, product or ratio predicts the target, though neither does by itself.

    All pairs of up to 1,000 columns are ranked by how much more of the target's classes, or bands, their combination
    explains than the better of the two (the correlation ratio), which a few products of matrices tell; the first 40 of
    each operation are then looked at closely. A value has to follow from the combination but for a shift, a scale and
    rounding, or as a tree of 0.999 in R²; a class, as a tree that errs on 1 % of what guessing does.

    Args:
        frame: the rows; at most 5,000 are looked at.
        problem: the contract.
        seed: which rows.
        without: columns that determine the target alone, and would with any other.
    """
    rows = sampled(frame, problem, seed)
    names = [
        name
        for name, column in problem.columns.items()
        if isinstance(column, NumberColumn | DateTimeColumn) and name not in without and _varies(rows, name)
    ]
    if len(rows) < ROWS_MIN or len(names) < 2:
        return []
    moments = np.array([isinstance(problem.columns[name], DateTimeColumn) for name in names])
    values = np.column_stack([_exact(rows[name]) for name in names])
    found: list[Leak] = []
    for goal in list(goals(rows, problem))[: 1 + LABELS_MAX]:
        if goal.of_classes and len(rows) < CLASS_ROWS_MIN:
            continue
        found += _derivable(names, values, moments, goal, seed)
    return found


def _varies(rows: pd.DataFrame, name: str) -> bool:
    return name in rows and rows[name].dtype.kind in "fM" and rows[name].nunique() > 1


def _exact(values: pd.Series[Any]) -> Numbers:
    """Numbers as they are, moments in seconds since the first; NaN where missing."""
    if values.dtype.kind == "M":
        return np.asarray((values - values.min()).dt.total_seconds(), dtype=np.float64)
    return np.asarray(values, dtype=np.float64)


def _derivable(names: list[str], values: Numbers, moments: NDArray[np.bool_], goal: Goal, seed: int) -> list[Leak]:
    """The pairs that determine the goal, the surest first; of a pair only its best combination."""
    best: dict[frozenset[int], tuple[float, bool, _Pair]] = {}
    alone = {}
    for pair in _candidates(values, moments, _bands(goal)):
        for column in (pair.first, pair.second):
            if column not in alone:
                alone[column] = unexplained(values[:, column], goal)
        score, exact = _score(pair.combined(values), goal, min(alone[pair.first], alone[pair.second]), seed)
        key = frozenset((pair.first, pair.second))
        if score > best.get(key, (0.0,))[0]:
            best[key] = score, exact, pair
    found = sorted(best.values(), key=lambda one: -one[0])[:SHOWN]
    return [_leak(names, _turned(pair, values, goal), goal, score, exact=exact) for score, exact, pair in found]


def _bands(goal: Goal) -> NDArray[np.intp]:
    """The goal as at most 20 classes: the most frequent, with the rest as one; of a value, bands of equal size."""
    if goal.of_classes:
        counts = np.bincount(goal.values)
        place = np.empty(len(counts), dtype=np.intp)
        place[np.argsort(-counts, kind="stable")] = np.arange(len(counts))
        return np.asarray(np.minimum(place, CLASSES_MAX - 1)[goal.values], dtype=np.intp)
    return np.asarray(goal.values.argsort(kind="stable").argsort() * BANDS // len(goal.values), dtype=np.intp)


def _candidates(values: Numbers, moments: NDArray[np.bool_], bands: NDArray[np.intp]) -> Iterator[_Pair]:
    """Of each operation the pairs that explain most above what the better column does alone."""
    filled = np.where(np.isnan(values), np.nanmedian(values, axis=0), values)
    filled = filled - np.where(moments, filled.mean(axis=0), 0.0)
    spread = np.abs(filled).max(axis=0)
    single = _explained(filled, bands)
    # two moments may tell only by their distance
    keep = np.sort(np.argsort(-(single + moments), kind="stable")[:COLUMNS_MAX])
    rows = int(min(len(filled), max(ROWS_MIN, WORK_MAX / len(keep) ** 2)))
    filled, bands, single, moments = filled[:rows, keep], bands[:rows], single[keep], moments[keep]
    better = np.maximum(single[:, None], single[None, :])
    ordered = np.tri(len(keep), k=-1, dtype=bool).T
    plain = ~moments
    numbers = plain[:, None] & plain
    plus, minus = _of_sums(filled, bands)
    yield from _first("+", plus - better, ordered & numbers, keep)
    yield from _first("−", minus - better, ordered & (moments[:, None] == moments), keep)
    scaled = filled / spread[keep]
    yield from _first("×", _of_products(scaled, scaled, bands) - better, ordered & numbers, keep)
    divides = plain & ((scaled > 0).all(axis=0) | (scaled < 0).all(axis=0))
    inverse = np.zeros_like(scaled)
    inverse[:, divides] = 1 / scaled[:, divides]
    inverse /= np.abs(inverse).max(axis=0, initial=1.0)
    different = ~np.eye(len(keep), dtype=bool)
    ratios = _of_products(scaled, inverse, bands) - better
    yield from _first("/", ratios, different & plain[:, None] & divides, keep)


def _first(sign: str, gain: Numbers, allowed: NDArray[np.bool_], keep: NDArray[np.intp]) -> Iterator[_Pair]:
    gain = np.where(allowed & np.isfinite(gain), gain, -np.inf)
    most = min(CANDIDATES, gain.size)
    for place in np.argpartition(-gain, most - 1, axis=None)[:most]:
        first, second = divmod(int(place), gain.shape[1])
        if np.isfinite(gain[first, second]):
            yield _Pair(int(keep[first]), int(keep[second]), sign)


def _explained(values: Numbers, bands: NDArray[np.intp]) -> Numbers:
    """The correlation ratio of each column: the share of its variance that lies between the bands; shape (columns,)."""
    centred = values - values.mean(axis=0)
    between = sum(share * mean**2 for share, mean in _band_means(centred, bands))
    return np.asarray(between / np.maximum(centred.var(axis=0), np.finfo(np.float64).tiny))


def _band_means(values: Numbers, bands: NDArray[np.intp]) -> Iterator[tuple[float, Numbers]]:
    for band in np.unique(bands):
        inside = bands == band
        yield float(inside.mean()), values[inside].mean(axis=0)


def _of_sums(values: Numbers, bands: NDArray[np.intp]) -> tuple[Numbers, Numbers]:
    """The correlation ratios of all sums and of all differences, each of shape (columns, columns)."""
    centred = values - values.mean(axis=0)
    total = centred.T @ centred / len(values)
    means = np.array([np.sqrt(share) * mean for share, mean in _band_means(centred, bands)])
    between = means.T @ means
    parts = np.add.outer(np.diag(between), np.diag(between))
    whole = np.add.outer(np.diag(total), np.diag(total))
    tiny = np.maximum(1e-12 * whole, np.finfo(np.float64).tiny)  # what is left of a column less its like is rounding
    plus = (parts + 2 * between) / np.maximum(whole + 2 * total, tiny)
    return plus, (parts - 2 * between) / np.maximum(whole - 2 * total, tiny)


def _of_products(left: Numbers, right: Numbers, bands: NDArray[np.intp]) -> Numbers:
    """The correlation ratios of all products of a column on the left and one on the right."""
    mean, squares = left.T @ right / len(left), (left**2).T @ right**2 / len(left)
    between = -(mean**2)
    for band in np.unique(bands):
        inside = bands == band
        between += inside.mean() * (left[inside].T @ right[inside] / inside.sum()) ** 2
    tiny = np.maximum(1e-12 * squares, np.finfo(np.float64).tiny)
    return np.asarray(between / np.maximum(squares - mean**2, tiny))


def _score(combined: Numbers, goal: Goal, alone: float, seed: int) -> tuple[float, bool]:
    """How well the combined value predicts the goal, 0 where not well enough; and whether it is it but for rounding.

    `alone` is what the better of the two leaves unexplained.
    """
    known = np.isfinite(combined)
    if known.mean() < 0.5 or known.sum() < ROWS_MIN:
        return 0.0, False
    combined, seen = combined[known], Goal(goal.name, goal.values[known], goal.of_classes, goal.whole)
    if np.ptp(combined) == 0 or (seen.values == seen.values[0]).all():
        return 0.0, False
    if goal.of_classes:
        return _class_score(combined, seen, alone, seed), False
    return _value_score(combined, seen, alone, seed)


def _class_score(combined: Numbers, goal: Goal, alone: float, seed: int) -> float:
    errors = ERRORS * goal.guess_errors
    if unexplained(combined, goal) > errors or alone < 10 * errors:
        return 0.0
    # a limit between two classes is known no better than to the rows next to it
    at_limits = (len(np.unique(goal.values)) - 1) / len(combined)
    score = tree_score(combined, goal, seed)
    return score if score >= 1 - errors - at_limits else 0.0


def _value_score(combined: Numbers, goal: Goal, alone: float, seed: int) -> tuple[float, bool]:
    r2, exact = _fit(combined, goal.values)
    if alone < 10 * (1 - max(r2, EXPLAINED)):
        return 0.0, False
    if exact or r2 >= EXPLAINED:
        return r2, exact
    if unexplained(combined, goal) > 10 * (1 - EXPLAINED):
        return 0.0, False
    score = tree_score(combined, goal, seed)
    return (score, False) if score >= EXPLAINED else (0.0, False)


def _fit(combined: Numbers, target: Numbers) -> tuple[float, bool]:
    """R² of the target as a line in the combined value, and whether nothing but its rounding is left."""
    scale, shift = np.polynomial.polynomial.polyfit(combined / np.abs(combined).max(), target, 1)[::-1]
    rest = target - (scale * combined / np.abs(combined).max() + shift)
    r2 = float(1 - np.mean(rest**2) / np.var(target))
    steps = [10.0**-digits for digits in range(7)]
    step = next((one for one in steps if np.allclose(target / one, np.round(target / one), rtol=1e-9, atol=1e-6)), 0.0)
    within = np.abs(rest) <= 0.51 * step + 1e-9 * np.abs(target).max()  # 0.01: the line is fitted, too
    return r2, bool(within.mean() >= EXPLAINED and r2 >= ROUNDED)


def _turned(pair: _Pair, values: Numbers, goal: Goal) -> _Pair:
    """The pair, a difference the way round in which it rises with the goal."""
    combined = pair.combined(values)
    known = np.isfinite(combined)
    if pair.sign == "−" and not goal.of_classes and np.cov(combined[known], goal.values[known])[0, 1] < 0:
        return _Pair(pair.second, pair.first, pair.sign)
    return pair


def _leak(names: list[str], pair: _Pair, goal: Goal, score: float, *, exact: bool) -> Leak:
    columns = names[pair.first], names[pair.second]
    said = f"{columns[0]} {pair.sign} {columns[1]}"
    measured = f"{'accuracy' if goal.of_classes else 'R²'} {score:.4f}"
    how = f"{goal.name} is {said}, but for scale and rounding" if exact else f"{said} predicts {goal.name}"
    return Leak(
        kind="derivable",
        columns=columns,
        score=1.0 if exact else score,
        # What two columns compute need not be predicted; of one label among many it may be so by rights.
        severity="refuse" if goal.whole else "warn",
        what=f"{how}, and neither column does alone ({measured})",
        mend=MEND,
    )
