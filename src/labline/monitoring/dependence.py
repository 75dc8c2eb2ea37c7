"""Pairs of columns: do they still go up and down together as they did, whatever each of them does alone?

That needs no row of the reference, only how each pair goes together there. That is kept: van der Waerden's rank
correlation of every pair, and its variance. Ranks are taken within the window, so that a column that moved as a whole
changes nothing here: its own test tells that.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict

from labline.contract import is_missing

SHARE_MIN = 0.05  # of a name that is looked at: of rarer ones a window has too few rows
NAMES_MAX = 6  # of a column
FEATURES_MAX = 60  # of all columns: those that go together most
ROWS_MAX = 20_000
SAID_MAX = 3

Values = Mapping[str, NDArray[Any]]
"""What is measured of columns, each of shape (rows,): float64 with NaN, or objects with None, for missing."""


class Feature(NamedTuple):
    """A number, or whether a name is met."""

    column: str
    name: str | None = None

    def __str__(self) -> str:
        return self.column if self.name is None else f"{self.column}={self.name}"


class Dependence(BaseModel):
    """How pairs of columns go together in the reference.

    Attributes:
        rows: of the reference.
        features: what is paired.
        pairs: positions of two features of different columns.
        correlations: of each pair, of normal scores of ranks (van der Waerden 1952).
        variances: of the correlation of one row, times rows (its influence function's: Devlin et al. 1975).
    """

    model_config = ConfigDict(frozen=True)

    rows: int
    features: tuple[Feature, ...]
    pairs: tuple[tuple[int, int], ...]
    correlations: tuple[float, ...]
    variances: tuple[float, ...]


class PairChange(BaseModel):
    """A pair's correlation in reference and window, and their difference in standard errors."""

    model_config = ConfigDict(frozen=True)

    first: str
    second: str
    reference: float
    window: float
    deviations: float


class Pairs(BaseModel):
    """Whether pairs of columns go together as they did.

    Attributes:
        statistic: the greatest difference of a pair, in standard errors.
        null_low: between this and `null_high` it is with probability 1 - alpha where nothing changed.
        null_high: the other end.
        p_value: of the greatest difference, corrected for the number of pairs (Bonferroni).
        alarm: beyond the interval, and large enough to matter.
        changed: the pairs that changed most.
    """

    model_config = ConfigDict(frozen=True)

    statistic: float
    null_low: float
    null_high: float
    p_value: float
    alarm: bool
    changed: list[PairChange]

    @property
    def said(self) -> str:
        """The pairs that changed, in words."""
        return ", ".join(
            f"{pair.first} with {pair.second} ({pair.reference:+.2f} → {pair.window:+.2f})" for pair in self.changed
        )


def fit_dependence(values: Values, seed: int = 0) -> Dependence | None:
    """How pairs go together; None where there are no two columns to pair.

    Args:
        values: of the reference; of very many rows some are drawn.
        seed: of these.
    """
    rows = min((len(one) for one in values.values()), default=0)
    drawn = np.random.default_rng(seed).permutation(rows)[:ROWS_MAX]
    some = {name: one[drawn] for name, one in values.items()}
    features = _features(some)
    pairs = _pairs(features)
    if not len(pairs):
        return None
    scores = _normal_scores(some, features)
    correlations, _ = _correlated(scores, pairs)
    if len(features) > FEATURES_MAX:
        features = _strongest(features, pairs, correlations)
        pairs, scores = _pairs(features), _normal_scores(some, features)
        correlations, _ = _correlated(scores, pairs)
    return Dependence(
        rows=len(drawn),
        features=features,
        pairs=tuple((int(first), int(second)) for first, second in pairs),
        correlations=tuple(correlations.tolist()),
        variances=tuple(_variances(scores, pairs, correlations).tolist()),
    )


def compare_pairs(reference: Dependence, values: Values, *, alpha: float, floor: float) -> Pairs | None:
    """Compare a window with the reference.

    Args:
        reference: from the profile.
        values: of the window; columns may be missing.
        alpha: probability of an alarm where nothing changed.
        floor: smallest change of a correlation that matters.

    Returns:
        None where no pair can be compared.
    """
    from scipy import special

    known = np.array([feature.column in values for feature in reference.features])
    kept = np.array([known[first] and known[second] for first, second in reference.pairs], dtype=bool)
    if not kept.any():
        return None
    pairs = np.array(reference.pairs)[kept]
    before, variances = np.array(reference.correlations)[kept], np.array(reference.variances)[kept]
    now, rows = _correlated(_normal_scores(values, reference.features), pairs)
    with np.errstate(divide="ignore", invalid="ignore"):
        deviations = (now - before) / np.sqrt(np.maximum(variances, 1e-6) * (1 / rows + 1 / reference.rows))
    # of a column that is constant in the window there is no correlation; its own test speaks of it
    deviations = np.where(np.isfinite(deviations) & (np.abs(now - before) >= floor), deviations, 0.0)
    order = np.argsort(-np.abs(deviations))
    statistic = float(abs(deviations[order[0]]))
    limit = float(-special.ndtri(alpha / (2 * len(pairs))))
    changed = [
        PairChange(
            first=str(reference.features[pairs[at][0]]),
            second=str(reference.features[pairs[at][1]]),
            reference=float(before[at]),
            window=float(now[at]),
            deviations=float(deviations[at]),
        )
        for at in order[:SAID_MAX]
        if abs(deviations[at]) > limit
    ]
    return Pairs(
        statistic=statistic,
        null_low=0.0,
        null_high=limit,
        p_value=min(1.0, float(2 * len(pairs) * special.ndtr(-statistic))),
        alarm=statistic > limit,
        changed=changed,
    )


def _features(values: Values) -> tuple[Feature, ...]:
    """Numbers with two values or more, and of names those that are neither rare nor nearly everywhere."""
    found: list[Feature] = []
    for column, each in values.items():
        if each.dtype.kind == "f":
            known = each[np.isfinite(each)]
            found += [Feature(column)] if len(known) and known.min() < known.max() else []
            continue
        counts = Counter(each.tolist())
        del counts[None]
        total = max(counts.total(), 1)
        usual = [name for name, count in counts.most_common(NAMES_MAX) if SHARE_MIN <= count / total <= 1 - SHARE_MIN]
        # of two names, one says it all
        found += [Feature(column, str(name)) for name in (usual[:1] if len(counts) == 2 else usual)]
    return tuple(found)


def _pairs(features: tuple[Feature, ...]) -> NDArray[np.intp]:
    """Positions of all two features of different columns, shape (pairs, 2)."""
    count = len(features)
    found = [
        (first, second)
        for first in range(count)
        for second in range(first + 1, count)
        if features[first].column != features[second].column
    ]
    return np.array(found, dtype=np.intp).reshape(-1, 2)


def _strongest(
    features: tuple[Feature, ...], pairs: NDArray[np.intp], correlations: NDArray[np.float64]
) -> tuple[Feature, ...]:
    most = np.zeros(len(features))
    for side in pairs.T:
        np.maximum.at(most, side, np.nan_to_num(np.abs(correlations)))
    kept = np.sort(np.argsort(-most, kind="stable")[:FEATURES_MAX])
    return tuple(features[at] for at in kept)


def _normal_scores(values: Values, features: tuple[Feature, ...]) -> NDArray[np.float64]:
    """Normal scores of ranks, of mean 0 and variance 1, shape (rows, features); NaN for missing and constant."""
    from scipy import special

    rows = len(next(iter(values.values())))
    scores = np.full((rows, len(features)), np.nan)
    known = {column: ~is_missing(values[column]) for column, _ in features if column in values}
    for at, (column, name) in enumerate(features):
        if column not in known:
            continue
        each, here = values[column][known[column]], known[column]
        if name is None:
            ordered = np.sort(each)  # of equal values the mean rank
            ranks = (np.searchsorted(ordered, each, side="left") + np.searchsorted(ordered, each, side="right")) / 2
            found = special.ndtri(ranks / max(len(each), 1))
        else:
            found = (each == name).astype(np.float64)
        if len(found) and found.std() > 0:
            scores[here, at] = (found - found.mean()) / found.std()
    return scores


def _correlated(
    scores: NDArray[np.float64], pairs: NDArray[np.intp]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Of each pair the mean product over rows in which both are known, and how many these are."""
    known = np.isfinite(scores).astype(np.float64)
    filled = np.nan_to_num(scores)
    rows = (known.T @ known)[pairs[:, 0], pairs[:, 1]]
    sums = (filled.T @ filled)[pairs[:, 0], pairs[:, 1]]
    return np.where(rows > 0, sums / np.maximum(rows, 1), np.nan), rows


def _variances(
    scores: NDArray[np.float64], pairs: NDArray[np.intp], correlations: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Of each pair, the variance of a row's influence on its correlation."""
    found = []
    for (first, second), correlation in zip(pairs, correlations, strict=True):
        one, other = scores[:, first], scores[:, second]
        influence = one * other - correlation * (one**2 + other**2) / 2
        known = influence[np.isfinite(influence)]
        found.append(float(known.var()) if len(known) else 0.0)
    return np.array(found)
