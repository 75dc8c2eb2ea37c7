"""Drift of one column: a window against the profile, as statistic, p-value and effect."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from labline.monitoring.profile import CategoryProfile, NumberProfile

EXPECTED_MIN = 5.0  # cells expected to hold fewer are pooled (Cochran 1954)
STRANGERS_MIN = 1.0  # a single cell may hold as few (ibidem)


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
    from scipy import stats  # half a second, which a start of the API need not wait for

    return Drift("kolmogorov-smirnov", distance, float(stats.kstwo.sf(distance, round(size))), distance)


def category_drift(profile: CategoryProfile, values: NDArray[np.object_]) -> Drift:
    """Pearson's chi-square test of both samples' counts, rare names pooled; the effect is Cramér's V (1946).

    Names that the profile never met are a cell of their own; so many of its names stand for them as it met just once,
    which is how often a new one is to be expected (Good 1953).
    """
    met = Counter(value for value in values if value is not None)
    strangers = met.total() - sum(met[name] for name in profile.counts)
    if profile.others:  # a stranger may be one of the names that are not kept
        table = [(profile.others, strangers), (0, 0), *((n, met[name]) for name, n in profile.counts.items())]
    else:
        once = sum(n == 1 for n in profile.counts.values())
        if strangers * sum(profile.counts.values()) < once * met.total():
            once = 0  # fewer than expected, as when rows of the training data are asked again: no sign of anything new
        rare = 1 if once else 0
        table = [(0, 0), (once, strangers), *((n if n > rare else 0, met[name]) for name, n in profile.counts.items())]
    counts = np.array(table, dtype=float).T
    if not counts.sum(axis=1).all():
        return NOTHING_TO_TEST
    counts = _pooled(counts)
    if counts.shape[1] < 2:
        return NOTHING_TO_TEST
    from scipy import stats

    found = stats.chi2_contingency(counts, correction=False)
    ours, theirs = counts / counts.sum(axis=1, keepdims=True)
    # V of the shares, as if both samples were of one size; with their sizes it would shrink with the smaller's part
    effect = float(np.sqrt(np.sum((ours - theirs) ** 2 / (2 * (ours + theirs)))))
    return Drift("chi-square", float(found.statistic), float(found.pvalue), effect)


def _pooled(counts: NDArray[np.float64]) -> NDArray[np.float64]:
    """The counts with all that are rare added up; the first column is rare anyhow, the second are the strangers.

    Which names are rare the reference says alone: chosen by the window too, they would differ by the choice.
    """
    smaller = counts.sum(axis=1).min()
    expected = counts[0] * smaller / counts[0].sum()
    share = smaller / counts.sum()
    rare = expected < EXPECTED_MIN
    rare[:2] = True, counts[:, 1].sum() * share < STRANGERS_MIN
    pool, usual = counts[:, rare].sum(axis=1), counts[:, ~rare]
    if pool.sum() * share >= EXPECTED_MIN or not usual.size:
        return np.column_stack([pool, usual])
    usual[:, usual.sum(axis=0).argmin()] += pool
    return usual
