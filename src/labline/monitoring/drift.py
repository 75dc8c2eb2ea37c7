"""Drift of one column: a window against the profile, as statistic, p-value and effect."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from labline.monitoring.profile import CategoryProfile, NumberProfile

EXPECTED_MIN = 5.0  # cells expected to hold fewer are pooled (Cochran 1954)


@dataclass(frozen=True)
class Drift:
    """A test's outcome; `effect` runs from 0 (alike) to 1."""

    test: Literal["kolmogorov-smirnov", "chi-square", "none"]
    statistic: float
    p_value: float
    effect: float


NOTHING_TO_TEST = Drift("none", 0.0, 1.0, 0.0)


def number_drift(profile: NumberProfile, values: NDArray[np.float64]) -> Drift:
    """Kolmogorov-Smirnov distance between the profile's distribution and the window's; the effect is the distance.

    The distance is taken at the knots, from both sides, so it may miss up to 1/256. The p-value is the two-sample
    one with the effective size n·m/(n+m) (Smirnov 1948).
    """
    known = np.sort(values[np.isfinite(values)])
    reference = profile.rows - profile.missing
    if not len(known) or not reference:
        return NOTHING_TO_TEST
    knots = np.array(profile.knots)
    below = np.searchsorted(known, knots, side="left") / len(known)
    upto = np.searchsorted(known, knots, side="right") / len(known)
    gaps = np.abs(np.concatenate([below - profile.below, upto - profile.upto]))
    # a quantile's knot stands for all values up to it: what lies between two knots cannot be told apart
    distance = float(gaps.max())
    size = len(known) * reference / (len(known) + reference)
    return Drift("kolmogorov-smirnov", distance, float(stats.kstwo.sf(distance, round(size))), distance)


def category_drift(profile: CategoryProfile, values: NDArray[np.object_]) -> Drift:
    """Pearson's chi-square test of both samples' counts, rare names pooled; the effect is Cramér's V (1946)."""
    names, counts = np.unique(np.array([value for value in values if value is not None], dtype=str), return_counts=True)
    window = dict(zip(names.tolist(), counts.tolist(), strict=True))
    every = sorted({*profile.counts, *window})
    table = np.array([[source.get(name, 0) for name in every] for source in (profile.counts, window)], dtype=float)
    if not table.size or not table.sum(axis=1).all():
        return NOTHING_TO_TEST
    table = _pooled(table)
    if table.shape[1] < 2:
        return NOTHING_TO_TEST
    found = stats.chi2_contingency(table, correction=False)
    ours, theirs = table / table.sum(axis=1, keepdims=True)
    # V of the shares, as if both samples were of one size; with their sizes it would shrink with the smaller's part
    effect = float(np.sqrt(np.sum((ours - theirs) ** 2 / (2 * (ours + theirs)))))
    return Drift("chi-square", float(found.statistic), float(found.pvalue), effect)


def _pooled(table: NDArray[np.float64]) -> NDArray[np.float64]:
    """The table with its rarest columns added up, until every expected count of the smaller sample is large enough."""
    table = table[:, np.argsort(table.sum(axis=0), kind="stable")]
    share = table.sum(axis=1).min() / table.sum()
    expected = table.sum(axis=0) * share
    count = int(np.searchsorted(np.cumsum(expected), EXPECTED_MIN)) + 1
    if expected[0] >= EXPECTED_MIN or count > table.shape[1]:
        return table if expected[0] >= EXPECTED_MIN else table[:, :0]
    return np.column_stack([table[:, :count].sum(axis=1), table[:, count:]])
