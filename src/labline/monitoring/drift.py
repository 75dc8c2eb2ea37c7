"""Drift of one measure: counts of a window against the profile, as statistic, p-value and effect."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from labline.monitoring.profile import CategoryProfile, NumberProfile, Reference
from labline.monitoring.tally import Counts, NameCounts, NumberCounts

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


def drift_of(reference: Reference, counts: Counts) -> Drift:
    """The distribution's test: Kolmogorov-Smirnov of numbers, chi-square of names."""
    if isinstance(reference, NumberProfile) and isinstance(counts, NumberCounts):
        return _number_drift(reference, counts)
    if isinstance(reference, CategoryProfile) and isinstance(counts, NameCounts):
        return _category_drift(reference, counts)
    raise TypeError(f"{type(counts).__name__} are no counts against a {type(reference).__name__}")


def _number_drift(profile: NumberProfile, counts: NumberCounts) -> Drift:
    """Kolmogorov-Smirnov distance between the profile's distribution and the window's; the effect is the distance.

    The distance is taken at the knots, from both sides, so it may miss up to 1/256. The p-value is the two-sample one
    with the effective size n·m/(n+m) (Smirnov 1948), corrected for few rows (Stephens 1970). A single wild value moves
    the distance by one row's share.
    """
    if not counts.known or not profile.known:
        return NOTHING_TO_TEST
    gaps = np.abs(np.concatenate([counts.below - profile.below, counts.upto - profile.upto]))
    distance = float(gaps.max())
    size = counts.known * profile.known / (counts.known + profile.known)
    from scipy import special

    root = np.sqrt(size)
    p_value = float(special.kolmogorov(distance * (root + 0.12 + 0.11 / root)))
    return Drift("kolmogorov-smirnov", distance, p_value, distance)


def _category_drift(profile: CategoryProfile, met: NameCounts) -> Drift:
    """Pearson's chi-square test of both samples' counts, rare names pooled; the effect is Cramér's V (1946).

    Names that the profile never met are a cell of their own; so many of its names stand for them as it met just once,
    which is how often a new one is to be expected (Good 1953).
    """
    pairs = [(count, met.counts[name]) for name, count in profile.counts.items()]
    if profile.others:  # a stranger may be one of the names that are not kept
        table = [(profile.others, met.unknown), (0, 0), *pairs]
    else:
        once = profile.met_once
        if met.unknown * profile.known < once * met.known:
            once = 0  # fewer than expected, as when rows of the training data are asked again: no sign of anything new
        rare = 1 if once else 0
        table = [(0, 0), (once, met.unknown), *((n if n > rare else 0, other) for n, other in pairs)]
    counts = np.array(table, dtype=float).T
    if not counts.sum(axis=1).all():
        return NOTHING_TO_TEST
    pool, usual = _pooled(counts)
    cells = np.column_stack([pool, usual]) if pool.any() else usual
    if cells.shape[1] < 2:
        return NOTHING_TO_TEST
    statistic, p_value = _chi_square(pool, usual)
    ours, theirs = cells / cells.sum(axis=1, keepdims=True)
    # V of the shares, as if both samples were of one size; with their sizes it would shrink with the smaller's part
    effect = float(np.sqrt(np.sum((ours - theirs) ** 2 / (2 * (ours + theirs)))))
    return Drift("chi-square", statistic, p_value, effect)


def _pooled(counts: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """All that are rare added up, and the others; the first column is rare anyhow, the second are the strangers.

    Which names are rare the reference says alone: chosen by the window too, they would differ by the choice.
    """
    smaller = counts.sum(axis=1).min()
    expected = counts[0] * smaller / counts[0].sum()
    rare = expected < EXPECTED_MIN
    rare[:2] = True, counts[:, 1].sum() * smaller / counts.sum() < STRANGERS_MIN
    return counts[:, rare].sum(axis=1), counts[:, ~rare]


def _chi_square(pool: NDArray[np.float64], usual: NDArray[np.float64]) -> tuple[float, float]:
    """The statistic, and the p-value.

    Where the rare names together are too few for a cell, the others are compared without them, and how many are rare
    has an exact test of its own (Fisher 1922); the p-value is then twice the smaller one (Bonferroni).
    """
    both = pool.sum() + usual.sum()
    enough = pool.sum() * min(pool[0] + usual[0].sum(), pool[1] + usual[1].sum()) / both >= EXPECTED_MIN
    if enough or not usual.size:
        return _pearson(np.column_stack([pool, usual]))
    statistic, p_value = _pearson(usual) if usual.sum(axis=1).all() else (0.0, 1.0)
    if not pool.any():
        return statistic, p_value
    from scipy import stats

    rare = stats.fisher_exact(np.column_stack([pool, usual.sum(axis=1)]).astype(int)).pvalue
    return statistic, min(1.0, 2 * float(min(p_value, rare)))


def _pearson(table: NDArray[np.float64]) -> tuple[float, float]:
    """Pearson's statistic and p-value of a table of two rows; scipy.stats takes milliseconds to begin with the same."""
    from scipy import special

    expected = table.sum(axis=1, keepdims=True) * table.sum(axis=0) / table.sum()
    statistic = float(((table - expected) ** 2 / expected).sum())
    return statistic, float(special.chdtrc(table.shape[1] - 1, statistic)) if table.shape[1] > 1 else 1.0
