"""The reference profile: what the training data looked like, kept in the bundle without a single row of it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict

from labline.contract import Column, Columns, Problem, TextColumn, is_missing
from labline.model.tasks import Scores, Task

KNOTS = 256
NAMES_MAX = 1000  # of an open column there may be any number
SECONDS_PER_DAY = 86_400
PREDICTION = "prediction"


class NumberProfile(BaseModel):
    """A number's distribution: its empirical distribution function at about 256 knots, from both sides.

    `below[i]` is the share of values < knots[i], `upto[i]` the share ≤ knots[i]: a heavy value is a step of its own.
    """

    model_config = ConfigDict(frozen=True)

    rows: int
    missing: int
    mean: float
    deviation: float
    knots: tuple[float, ...]
    below: tuple[float, ...]
    upto: tuple[float, ...]


class CategoryProfile(BaseModel):
    """How often each of the commonest names occurs, and how often all the others together."""

    model_config = ConfigDict(frozen=True)

    rows: int
    missing: int
    counts: dict[str, int]
    others: int = 0


class Profile(BaseModel):
    """Profiles of the training rows' columns and of the predictions for the held-out rows, and the held-out metrics."""

    model_config = ConfigDict(frozen=True)

    rows: int
    numbers: dict[str, NumberProfile]
    categories: dict[str, CategoryProfile]
    prediction: NumberProfile | CategoryProfile
    holdout: dict[str, float]


def make_profile(
    problem: Problem, columns: Columns, task: Task, holdout_scores: Scores, holdout: Mapping[str, float]
) -> Profile:
    """The profile of training columns and held-out predictions."""
    profiles = {name: profile_of(columns[name], column) for name, column in problem.columns.items()}
    return Profile(
        rows=len(next(iter(columns.values()))),
        numbers={name: found for name, found in profiles.items() if isinstance(found, NumberProfile)},
        categories={name: found for name, found in profiles.items() if isinstance(found, CategoryProfile)},
        prediction=profile_of(task.decisions(holdout_scores)),
        holdout=dict(holdout),
    )


def profile_of(values: NDArray[Any], column: Column | None = None) -> NumberProfile | CategoryProfile:
    """The profile of a plain column, or of predictions where no column is given."""
    measures = measured(values, column)
    if measures.dtype.kind == "f":
        return profile_numbers(measures)
    return profile_names(measures, rows=len(values), missing=int(is_missing(values).sum()))


def measured(values: NDArray[Any], column: Column | None = None) -> NDArray[Any]:
    """What is compared of a plain column, or of predictions where no column is given.

    Numbers and names as they are, of shape (rows,); moments as days since 1970; texts by their length in characters;
    of lists every name in them, so that there may be more or fewer than rows.
    """
    if values.dtype.kind == "M":
        return np.where(np.isnat(values), np.nan, values.astype("datetime64[s]").astype(np.float64) / SECONDS_PER_DAY)
    if isinstance(column, TextColumn):
        return np.array([np.nan if text is None else len(text) for text in values], dtype=np.float64)
    if values.dtype.kind == "f":
        return values
    names = [name for value in values for name in (value if isinstance(value, tuple) else (value,))]
    found = np.empty(len(names), dtype=object)
    found[:] = names
    return found


def profile_numbers(values: NDArray[np.float64]) -> NumberProfile:
    """The profile of float64 values, shape (rows,), NaN for missing."""
    known = np.sort(values[np.isfinite(values)])
    if not len(known):
        return NumberProfile(rows=len(values), missing=len(values), mean=0, deviation=0, knots=(), below=(), upto=())
    knots = np.unique(np.quantile(known, np.linspace(0, 1, KNOTS), method="inverted_cdf"))
    return NumberProfile(
        rows=len(values),
        missing=len(values) - len(known),
        mean=float(known.mean()),
        deviation=float(known.std()),
        knots=tuple(knots.tolist()),
        below=tuple((np.searchsorted(known, knots, side="left") / len(known)).tolist()),
        upto=tuple((np.searchsorted(known, knots, side="right") / len(known)).tolist()),
    )


def profile_names(
    values: NDArray[np.object_], *, rows: int | None = None, missing: int | None = None
) -> CategoryProfile:
    """The profile of names, shape (names,), None for missing; `rows` and `missing` where a row may have several."""
    known = [value for value in values if value is not None]
    counts = Counter(known)
    kept = sorted(counts, key=lambda name: (-counts[name], name))[:NAMES_MAX]
    return CategoryProfile(
        rows=len(values) if rows is None else rows,
        missing=len(values) - len(known) if missing is None else missing,
        counts={name: counts[name] for name in sorted(kept)},
        others=len(known) - sum(counts[name] for name in kept),
    )
