"""The reference profile: what the training data looked like, kept in the bundle without a single row of it."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict

from labline.contract import CategoryColumn, Columns, Problem
from labline.model.tasks import Scores, Task

KNOTS = 256
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
    """How often each name occurs."""

    model_config = ConfigDict(frozen=True)

    rows: int
    missing: int
    counts: dict[str, int]


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
    decisions = task.decisions(holdout_scores)
    categories = {name for name, column in problem.columns.items() if isinstance(column, CategoryColumn)}
    return Profile(
        rows=len(next(iter(columns.values()))),
        numbers={name: profile_numbers(columns[name]) for name in problem.columns if name not in categories},
        categories={name: profile_names(columns[name]) for name in problem.columns if name in categories},
        prediction=profile_names(decisions) if task.classes else profile_numbers(decisions),
        holdout=dict(holdout),
    )


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


def profile_names(values: NDArray[np.object_]) -> CategoryProfile:
    """The profile of names, shape (rows,), None for missing."""
    known = [value for value in values if value is not None]
    names, counts = np.unique(np.array(known, dtype=str), return_counts=True)
    return CategoryProfile(
        rows=len(values),
        missing=len(values) - len(known),
        counts=dict(zip(names.tolist(), counts.tolist(), strict=True)),
    )
