"""The second opinion: the statistic and verdict that Evidently's defaults give, from the profile and the counts alone.

Its choice of method is that of Evidently 0.7: by the reference's rows and by how many values there are on both sides.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict

from labline.monitoring.profile import CategoryProfile, NumberProfile, Reference
from labline.monitoring.tally import FEW_VALUES, Counts, NameCounts, NumberCounts

MANY_ROWS = 1000  # of a reference with more, distances are taken, of one with fewer p-values
DEVIATION_MIN = 0.001
DISTANCE_LIMIT = 0.1
P_LIMIT = 0.05
POINTS = 32  # looked at between two knots
TEXT_SHARE = 0.5  # names of which more are different count as a text, which has no such statistic

Method = Literal["wasserstein", "jensen-shannon", "kolmogorov-smirnov p", "chi-square p", "z p"]
Pairs = NDArray[np.float64]
"""How often each name or value is met in the reference and in the window, shape (2, names)."""


class Opinion(BaseModel):
    """Evidently's score, the limit it holds it against, and whether that is drift to it."""

    model_config = ConfigDict(frozen=True)

    method: Method
    score: float
    threshold: float
    drifted: bool


def opinion_of(reference: Reference, counts: Counts) -> Opinion | None:
    """What Evidently would say; None where it says nothing: a side is empty, or the names are more like texts."""
    if not reference.known or not counts.known:
        return None
    if isinstance(reference, NumberProfile) and isinstance(counts, NumberCounts):
        return _of_numbers(reference, counts)
    if isinstance(reference, CategoryProfile) and isinstance(counts, NameCounts):
        return _of_names(reference, counts)
    raise TypeError(f"{type(counts).__name__} are no counts against a {type(reference).__name__}")


def _of_numbers(reference: NumberProfile, counts: NumberCounts) -> Opinion:
    if len(reference.knots) + len(counts.strangers) <= FEW_VALUES:
        # all values of the reference are knots; what lies between them are values it does not know
        heavy = np.subtract(reference.upto, reference.below) * reference.known
        new = counts.slots[0::2].sum()
        return _of_pairs(
            reference.known,
            np.array([[*heavy, 0.0], [*counts.slots[1::2], new]]),
            values=len(reference.knots) + len(counts.strangers),
        )
    if reference.known <= MANY_ROWS:
        p_value = _smirnov(reference, counts)
        return Opinion(
            method="kolmogorov-smirnov p", score=p_value, threshold=P_LIMIT, drifted=bool(p_value <= P_LIMIT)
        )
    score = wasserstein(reference, counts) / max(reference.deviation, DEVIATION_MIN)
    return Opinion(method="wasserstein", score=score, threshold=DISTANCE_LIMIT, drifted=bool(score >= DISTANCE_LIMIT))


def _of_names(reference: CategoryProfile, counts: NameCounts) -> Opinion | None:
    met = sum(count > 0 for count in counts.counts.values()) + len(counts.strangers)
    if met > TEXT_SHARE * counts.known:
        return None
    pairs = [(count, counts.counts[name]) for name, count in reference.counts.items()]
    # to a distance it is all one whether names of one side alone are one name or several
    pairs += [(reference.others, 0), (0, counts.unknown)]
    values = len(reference.counts) + len(counts.strangers)
    return _of_pairs(reference.known, np.array(pairs, dtype=float).T, values=values)


def _of_pairs(rows: int, pairs: Pairs, *, values: int) -> Opinion:
    """By the number of different values on both sides together."""
    pairs = pairs[:, pairs.any(axis=0)]
    if rows > MANY_ROWS:
        score = _jensen_shannon(pairs)
        return Opinion(
            method="jensen-shannon", score=score, threshold=DISTANCE_LIMIT, drifted=bool(score >= DISTANCE_LIMIT)
        )
    if values > 2:
        p_value = _chi_square(pairs)
        return Opinion(method="chi-square p", score=p_value, threshold=P_LIMIT, drifted=p_value < P_LIMIT)
    p_value = _shares_differ(pairs)
    return Opinion(method="z p", score=p_value, threshold=P_LIMIT, drifted=p_value < P_LIMIT)


def wasserstein(reference: NumberProfile, counts: NumberCounts) -> float:
    """The area between both distribution functions, in the column's unit (Vallender 1974).

    Below the first and above the last knot it is exact, and between two knots wherever the functions do not cross;
    where they do, values are taken to be spread evenly about their mean.
    """
    knots, at, ours, our_shares = _reference(reference)
    theirs = _Steps.of(counts.below, counts.upto, counts.sums, counts.known)
    # up to a knot, each value x adds knot − x to the area under a distribution function
    shares, sums = ours.shares - theirs.shares, ours.sums - theirs.sums
    ends = abs(shares[0] * knots[0] - sums[0]) + abs(shares[-1] * knots[-1] - sums[-1])
    left, right = knots[:-1], knots[1:]
    signed = (ours.upto - theirs.upto)[:-1] * (right - left) + shares[1:-1] * right - sums[1:-1]
    spread = np.abs(our_shares - theirs.at(knots, at)).mean(axis=1) * (right - left)
    return float(ends + np.maximum(np.abs(signed), spread).sum())


@lru_cache(maxsize=256)  # asked for again with every window
def _reference(
    reference: NumberProfile,
) -> tuple[NDArray[np.float64], NDArray[np.float64], _Steps, NDArray[np.float64]]:
    """The knots, places between each two of them, and the distribution function at the knots and at the places."""
    knots = np.array(reference.knots)
    ours = _Steps.of(
        np.array(reference.below), np.array(reference.upto), np.append(reference.sums, 0.0), reference.known
    )
    at = knots[:-1, None] + np.diff(knots)[:, None] * (np.arange(POINTS) + 0.5) / POINTS
    return knots, at, ours, ours.at(knots, at)


@dataclass(frozen=True)
class _Steps:
    """A distribution function at knots, with what is known of it between them.

    Attributes:
        below: share below each knot.
        upto: share up to each knot.
        shares: up to the first knot, above it up to the second, and so on to those above the last.
        sums: of the values there, over all values.
        rows: how many values.
    """

    below: NDArray[np.float64]
    upto: NDArray[np.float64]
    shares: NDArray[np.float64]
    sums: NDArray[np.float64]
    rows: int

    @classmethod
    def of(cls, below: NDArray[np.float64], upto: NDArray[np.float64], sums: NDArray[np.float64], rows: int) -> _Steps:
        """From shares at the knots, and sums between them."""
        return cls(below, upto, np.diff(upto, prepend=0.0, append=1.0), sums / rows, rows)

    def at(self, knots: NDArray[np.float64], places: NDArray[np.float64]) -> NDArray[np.float64]:
        """Shares up to places between each two knots, shape (knots - 1, places)."""
        left, right = knots[:-1], knots[1:]
        inside = self.below[1:] - self.upto[:-1]
        heavy = (self.upto - self.below)[1:]
        mean = (self.sums[1:-1] - heavy * right) / np.where(inside > 0, inside, 1.0)
        mean = np.clip(mean, left, right)
        half = np.minimum(mean - left, right - mean)
        half[inside * self.rows < 1.5] = 0.0  # a single value is where it is
        with np.errstate(divide="ignore", invalid="ignore"):
            ramp = (places - (mean - half)[:, None]) / (2 * half)[:, None]
        ramp = np.where(half[:, None] > 0, ramp, places >= mean[:, None])
        return np.asarray(self.upto[:-1, None] + inside[:, None] * np.clip(ramp, 0.0, 1.0))


def _smirnov(reference: NumberProfile, counts: NumberCounts) -> float:
    """The two-sample test of values that stand to each other as those counted do: all that it looks at."""
    heavy = np.rint(np.subtract(reference.upto, reference.below) * reference.known).astype(int)
    from scipy import stats

    ours = np.repeat(np.arange(1, 2 * len(heavy), 2), heavy)
    theirs = np.repeat(np.arange(len(counts.slots)), counts.slots.astype(int))
    return float(stats.ks_2samp(ours, theirs).pvalue)


def _jensen_shannon(pairs: Pairs) -> float:
    """The square root of the divergence in nats (Lin 1991)."""
    from scipy.spatial.distance import jensenshannon

    return float(jensenshannon(pairs[0], pairs[1]))


def _chi_square(pairs: Pairs) -> float:
    """Of the window's counts against the reference's shares, as if these were exact."""
    from scipy import stats

    expected = pairs[0] * pairs[1].sum() / pairs[0].sum()
    if (expected == 0).any():
        return 0.0
    return float(stats.chisquare(pairs[1], expected).pvalue)


def _shares_differ(pairs: Pairs) -> float:
    """The z-test of two shares."""
    if pairs.shape[1] < 2:
        return 1.0
    from scipy import stats

    rows = pairs.sum(axis=1)
    share, pooled = pairs[:, 0] / rows, pairs[:, 0].sum() / rows.sum()
    z = (share[0] - share[1]) / np.sqrt(pooled * (1 - pooled) * (1 / rows).sum())
    return float(2 * stats.norm.sf(abs(z)))
