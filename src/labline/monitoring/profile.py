"""The reference profile: what the training data looked like, kept in the bundle without its rows."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict

from labline.contract import Column, Columns, DateTimeColumn, LabelsColumn, Problem, TextColumn, is_missing
from labline.model.tasks import Scores, Task
from labline.monitoring.dependence import Dependence, fit_dependence
from labline.monitoring.domain import Domain, fit_domain
from labline.monitoring.estimation import Estimator
from labline.monitoring.outside import beyond, unlisted
from labline.monitoring.texts import familiar_words, measures_of_texts

KNOTS = 256
EVEN_KNOTS = 256  # besides, so that no two are far apart in the column's unit: areas between distributions need them
GRADES_MAX = 32  # values that are like grades: there is nothing in between
TAILS = 0.001  # of the values on either side; even knots go as far beyond these as they lie apart
EXACT_ROWS = 1000  # so few are kept value by value
TEXTS_MAX = 20_000  # whose words are looked at: to count those of millions would take as long as training
NAMES_MAX = 1000  # of an open column there may be any number
SECONDS_PER_DAY = 86_400
PREDICTION = "prediction"
VALUE = "value"


class Measure(NamedTuple):
    """One thing that is compared: of most columns their value, of a text several."""

    column: str
    what: str = VALUE

    def __str__(self) -> str:
        return self.column if self.what in (VALUE, PREDICTION) else f"{self.column} ({self.what})"


ANSWER = Measure(PREDICTION, PREDICTION)  # a column of this name would be another measure


class NumberProfile(BaseModel):
    """A number's distribution: its empirical distribution function at knots, from both sides.

    `below[i]` is the share of values < knots[i], `upto[i]` the share ≤ knots[i]: a heavy value is a step of its own.
    `sums[i]` adds up the values above knots[i - 1] up to knots[i]: with them areas between two distribution functions
    are exact. The knots are 256 quantiles, or all values where they are fewer, and as many evenly spread; of 1,000 rows
    or fewer, or of 32 values or fewer, just these values.
    """

    model_config = ConfigDict(frozen=True)

    rows: int
    missing: int
    outside: int = 0
    mean: float
    deviation: float
    knots: tuple[float, ...]
    below: tuple[float, ...]
    upto: tuple[float, ...]
    sums: tuple[float, ...]

    @property
    def known(self) -> int:
        """How many values there were."""
        return self.rows - self.missing


class CategoryProfile(BaseModel):
    """How often each of the commonest names occurs, and how often all the others together."""

    model_config = ConfigDict(frozen=True)

    rows: int
    missing: int
    outside: int = 0
    counts: dict[str, int]
    others: int = 0

    @property
    def known(self) -> int:
        """How many names there were: of lists, more or fewer than rows."""
        return sum(self.counts.values()) + self.others

    @property
    def met_once(self) -> int:
        """How many of the names occur just once."""
        return sum(count == 1 for count in self.counts.values())


Reference = NumberProfile | CategoryProfile


class TextProfile(BaseModel):
    """What is measured of a text besides its length, and hashes of the reference's commonest words."""

    model_config = ConfigDict(frozen=True)

    measures: dict[str, NumberProfile]
    familiar: tuple[int, ...]


class Profile(BaseModel):
    """Profiles of the training rows' columns and of the predictions for the held-out rows, and the held-out metrics."""

    model_config = ConfigDict(frozen=True)

    rows: int
    numbers: dict[str, NumberProfile]
    categories: dict[str, CategoryProfile]
    texts: dict[str, TextProfile] = {}
    prediction: NumberProfile | CategoryProfile
    holdout: dict[str, float]
    dependence: Dependence | None = None
    domain: Domain | None = None
    estimator: Estimator | None = None
    target: NumberProfile | CategoryProfile | None = None

    @property
    def references(self) -> dict[Measure, Reference]:
        """All that is compared, in an order that stays the same: columns, texts' measures, the prediction."""
        found: dict[Measure, Reference] = {Measure(name): one for name, one in self.numbers.items()}
        found |= {Measure(name): one for name, one in self.categories.items()}
        for name, text in self.texts.items():
            found |= {Measure(name, what): one for what, one in text.measures.items()}
        return found | {ANSWER: self.prediction}


def make_profile(
    problem: Problem,
    columns: Columns,
    task: Task,
    holdout_scores: Scores,
    holdout: Mapping[str, float],
    estimator: Estimator | None = None,
    target: NDArray[Any] | None = None,
    given: Columns | None = None,
) -> Profile:
    """The profile of training columns and held-out predictions.

    Of predictions those for held-out rows alone: for rows it was trained on, a model answers otherwise than for new
    ones, and a window would seem to have drifted. Columns do not depend on the model, and training rows are many.

    Args:
        problem: the contract.
        columns: of the training rows, under the contract's policies.
        task: under the rule for answers that is in force.
        holdout_scores: of the held-out rows.
        holdout: the metrics on them.
        estimator: of the performance without labels.
        target: the training rows' labels, which later ones are held against.
        given: columns as they stood in the training data, where a policy may have clipped or dropped values.
    """
    profiles = {name: profile_of(columns[name], column) for name, column in problem.columns.items()}
    for name, sent in (given or {}).items():
        column = problem.columns[name]
        outside = beyond(column, sent) + unlisted(column, sent).total()
        profiles[name] = profiles[name].model_copy(update={"outside": outside})
    texts = [name for name, column in problem.columns.items() if isinstance(column, TextColumn)]
    together = paired(problem, columns)
    logged = {name: values for name, values in together.items() if problem.columns[name].logged}
    return Profile(
        rows=len(next(iter(columns.values()))),
        numbers={name: found for name, found in profiles.items() if isinstance(found, NumberProfile)},
        categories={name: found for name, found in profiles.items() if isinstance(found, CategoryProfile)},
        texts={name: profile_text(columns[name]) for name in texts},
        prediction=profile_of(task.decisions(holdout_scores)),
        holdout=dict(holdout),
        dependence=fit_dependence(together),
        domain=fit_domain(logged, keep=problem.reference_rows == "kept"),
        estimator=estimator,
        target=None if target is None else profile_of(target),
    )


def paired(problem: Problem, columns: Mapping[str, NDArray[Any]]) -> dict[str, NDArray[Any]]:
    """What is measured of the columns that can go together: one value a row, and not the time, which goes on."""
    return {
        name: measured(columns[name], column)
        for name, column in problem.columns.items()
        if name in columns and not isinstance(column, LabelsColumn | DateTimeColumn)
    }


def profile_text(texts: NDArray[np.object_]) -> TextProfile:
    """The profile of a text's words, shape (rows,), None for missing.

    Which words are familiar one half of the texts says, how many of a text's words are, the other: a text's own words
    would all be known.
    """
    familiar = familiar_words(texts[:TEXTS_MAX:2])
    measures = measures_of_texts(texts[1:TEXTS_MAX:2], familiar)
    return TextProfile(
        measures={what: profile_numbers(values) for what, values in measures.items()}, familiar=tuple(sorted(familiar))
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
    if values.dtype.kind == "f" or not _holds_lists(values):
        return values
    if not isinstance(column, LabelsColumn) and not (len(values) and isinstance(values[0], tuple)):
        return values
    names = [name for value in values for name in (value if isinstance(value, tuple) else (value,))]
    found = np.empty(len(names), dtype=object)
    found[:] = names
    return found


def _holds_lists(values: NDArray[np.object_]) -> bool:
    """Of a plain column all values are of one kind, so the first that is known says it."""
    return isinstance(next((value for value in values if value is not None), None), tuple)


def profile_numbers(values: NDArray[np.float64]) -> NumberProfile:
    """The profile of float64 values, shape (rows,), NaN for missing."""
    known = np.sort(values[np.isfinite(values)])
    if not len(known):
        return NumberProfile(
            rows=len(values), missing=len(values), mean=0, deviation=0, knots=(), below=(), upto=(), sums=()
        )
    knots = _knots(known)
    upto = np.searchsorted(known, knots, side="right")
    return NumberProfile(
        rows=len(values),
        missing=len(values) - len(known),
        mean=float(known.mean()),
        deviation=float(known.std()),
        knots=tuple(knots.tolist()),
        below=tuple((np.searchsorted(known, knots, side="left") / len(known)).tolist()),
        upto=tuple((upto / len(known)).tolist()),
        sums=tuple(np.bincount(np.searchsorted(knots, known), weights=known, minlength=len(knots)).tolist()),
    )


def _knots(known: NDArray[np.float64]) -> NDArray[np.float64]:
    """Of sorted values: ascending, each once."""
    values = np.unique(known)
    if len(known) <= EXACT_ROWS or len(values) <= GRADES_MAX:
        return values
    if len(values) > KNOTS:
        values = np.quantile(known, np.linspace(0, 1, KNOTS), method="inverted_cdf")
    low, high = np.quantile(known, [TAILS, 1 - TAILS])
    # a wild value must not draw all of them to itself
    even = np.linspace(max(known[0], 2 * low - high), min(known[-1], 2 * high - low), EVEN_KNOTS)
    return np.unique(np.concatenate([values, even]))


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
