"""The tally: what is counted of some rows against a profile. Tallies add up, so that a window may be of any size."""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from pydantic_core import from_json

from labline.contract import Column, Columns, LabelsColumn, Problem, is_missing
from labline.errors import DataError
from labline.model.tasks import Scores
from labline.monitoring.estimation import Estimate
from labline.monitoring.outside import beyond, unlisted
from labline.monitoring.profile import (
    ANSWER,
    VALUE,
    CategoryProfile,
    Measure,
    NumberProfile,
    Profile,
    Reference,
    measured,
)
from labline.monitoring.texts import measures_of_texts

STRANGERS_MAX = 100  # names that the profile does not know, kept of each column
FEW_VALUES = 5  # a number with so few values is judged like names, and its new values are kept
MANY_NAMES, FEW_PLACES = 100_000, 50
HEAD = 3  # rows, missing, outside


@dataclass(frozen=True)
class NumberCounts:
    """A number's values against the knots of its profile.

    Attributes:
        rows: in which the column was there, be it missing.
        missing: of them.
        outside: of them beyond the contract's limits, before any was clipped or dropped.
        slots: shape (2 · knots + 1,): how many below the first knot, at it, between it and the second, and so on.
        sums: shape (knots + 1,): of the values up to the first knot, from there up to the second, and so on.
        strangers: values that are no knot, where there are few knots.
    """

    rows: int
    missing: int
    outside: int
    slots: NDArray[np.float64]
    sums: NDArray[np.float64]
    strangers: dict[str, int]

    @property
    def known(self) -> int:
        """How many values there are."""
        return int(self.slots.sum())

    @property
    def below(self) -> NDArray[np.float64]:
        """Share of the values below each knot."""
        return np.cumsum(self.slots)[0:-1:2] / max(self.known, 1)

    @property
    def upto(self) -> NDArray[np.float64]:
        """Share of the values up to each knot."""
        return np.cumsum(self.slots)[1::2] / max(self.known, 1)


@dataclass(frozen=True)
class NameCounts:
    """Names against those of the profile.

    Attributes:
        rows: in which the column was there, be it missing.
        missing: of them.
        outside: names that the contract does not list, and that its policy dropped.
        counts: of each name of the profile.
        unknown: names that the profile does not know, all together.
        strangers: the commonest of these and of those outside, with their counts.
    """

    rows: int
    missing: int
    outside: int
    counts: dict[str, int]
    unknown: int
    strangers: dict[str, int]

    @property
    def known(self) -> int:
        """How many names there are: of lists, more or fewer than rows."""
        return sum(self.counts.values()) + self.unknown


Counts = NumberCounts | NameCounts


@dataclass(frozen=True)
class Tally:
    """The counts of some rows; those of other rows against the same profile can be added.

    Attributes:
        rows: how many.
        figures: every count, shape (`width(profile)`,), to be read with `counts_of`.
        strangers: names that the profile does not know, by column, with their counts.
    """

    rows: int
    figures: NDArray[np.float64]
    strangers: dict[str, dict[str, int]] = field(default_factory=dict)

    def __add__(self, other: Tally) -> Tally:
        """Both sides' rows together."""
        if not other.strangers:  # as of most hours
            return Tally(self.rows + other.rows, self.figures + other.figures, self.strangers)
        names = self.strangers.keys() | other.strangers.keys()
        both = {
            name: dict(
                (Counter(self.strangers.get(name, {})) + Counter(other.strangers.get(name, {}))).most_common(
                    STRANGERS_MAX
                )
            )
            for name in sorted(names)
        }
        return Tally(self.rows + other.rows, self.figures + other.figures, both)

    def dump(self) -> bytes:
        """As bytes: a line of JSON, then the figures that are not zero, by position."""
        places = np.flatnonzero(self.figures).astype("<u4")
        head = {"rows": self.rows, "width": len(self.figures), "strangers": self.strangers}
        line = json.dumps(head).encode() + b"\n"
        return b"".join([line, places.tobytes(), self.figures[places].astype("<f8").tobytes()])

    @classmethod
    def load(cls, data: bytes) -> Tally:
        """From what `dump` gave."""
        loaded = _loaded(data)
        figures = np.zeros(loaded.wide)
        figures[loaded.places] = loaded.figures
        return cls(loaded.rows, figures, loaded.strangers)

    @classmethod
    def total(cls, profile: Profile, dumps: Iterable[bytes]) -> Tally:
        """All that `dump` gave added up, without making each whole; of none, an empty one.

        Raises:
            DataError: one was counted against another profile.
        """
        wide = width(profile)
        parts = [_loaded(data) for data in dumps]
        if any(part.wide != wide for part in parts):
            raise DataError("a tally was counted against another profile", mend="count the rows again")
        if not parts:
            return cls(0, np.zeros(wide))
        places, figures = (np.concatenate([getattr(part, what) for part in parts]) for what in ("places", "figures"))
        strangers: defaultdict[str, Counter[str]] = defaultdict(Counter)
        for part in parts:
            for name, met in part.strangers.items():
                strangers[name].update(met)
        return cls(
            sum(part.rows for part in parts),
            np.bincount(places, figures, minlength=wide).astype(np.float64),
            {name: dict(met.most_common(STRANGERS_MAX)) for name, met in sorted(strangers.items())},
        )


class _Loaded(NamedTuple):
    """What `dump` wrote: figures that are not zero, and their places among `wide`."""

    rows: int
    wide: int
    places: NDArray[np.uint32]
    figures: NDArray[np.float64]
    strangers: dict[str, dict[str, int]]


def _loaded(data: bytes) -> _Loaded:
    begin = data.index(b"\n") + 1
    head = from_json(data[:begin])
    count = (len(data) - begin) // 12
    places = np.frombuffer(data, "<u4", count, begin)
    return _Loaded(
        head["rows"], head["width"], places, np.frombuffer(data, "<f8", count, begin + 4 * count), head["strangers"]
    )


def width(profile: Profile) -> int:
    """How many figures a tally against the profile has."""
    counts = sum(_width(reference) for reference in profile.references.values())
    return counts + (profile.estimator.width if profile.estimator is not None else 0)


def _width(reference: Reference) -> int:
    if isinstance(reference, NumberProfile):
        return HEAD + 3 * len(reference.knots) + 2
    return HEAD + 1 + len(reference.counts)


def tally(
    profile: Profile,
    problem: Problem,
    columns: Mapping[str, NDArray[Any]],
    predictions: NDArray[Any],
    *,
    scores: Scores | None = None,
    given: Columns | None = None,
) -> Tally:
    """Count rows against a profile.

    Args:
        profile: of the bundle that answered.
        problem: its contract.
        columns: plain columns, shape (rows,) each, under the contract's policies; one that is not known is left out.
        predictions: classes, values, or tuples of labels, shape (rows,).
        scores: probabilities of shape (rows, classes), or values of shape (rows,); without them nothing is estimated.
        given: the columns before any policy clipped or dropped a value; None where that is not known.
    """
    texts = {
        name: measures_of_texts(columns[name], frozenset(text.familiar))
        for name, text in profile.texts.items()
        if name in columns
    }
    figures: list[NDArray[np.float64]] = []
    strangers: dict[str, dict[str, int]] = {}
    for measure, reference in profile.references.items():
        name, what = measure
        if measure == ANSWER:
            counted, new = _count(reference, predictions)
        elif name not in columns:
            counted, new = np.zeros(_width(reference)), Counter()
        elif what == VALUE:
            counted, new = _count(
                reference, columns[name], problem.columns[name], None if given is None else given.get(name)
            )
        else:
            counted, new = _count(reference, texts[name][what])
        figures.append(counted)
        if new:
            strangers[str(measure)] = dict(new.most_common(STRANGERS_MAX))
    estimator = profile.estimator
    if estimator is not None:
        if scores is None or not len(scores):
            figures.append(np.zeros(estimator.width))
        else:
            figures.append(estimator.sums(scores, predictions))
    return Tally(len(predictions), np.concatenate(figures), strangers)


def estimates_of(profile: Profile, counted: Tally) -> dict[str, Estimate]:
    """What a tally says of the performance, without labels; empty where bundle or rows have no probabilities."""
    estimator = profile.estimator
    if estimator is None:
        return {}
    sums = counted.figures[-estimator.width :]
    return estimator.estimates(sums) if sums.any() else {}


def counts_of(profile: Profile, counted: Tally) -> dict[Measure, Counts]:
    """What a tally says of each measure, in the profile's order."""
    found: dict[Measure, Counts] = {}
    at = 0
    for measure, reference in profile.references.items():
        figures = counted.figures[at : at + _width(reference)]
        at += len(figures)
        found[measure] = _read(reference, figures, counted.strangers.get(str(measure), {}))
    return found


def count(reference: Reference, values: NDArray[Any]) -> Counts:
    """Count what is measured of one column, numbers of shape (rows,) or names, None for missing, against a profile."""
    return _read(reference, *_count(reference, values))


def _read(reference: Reference, figures: NDArray[np.float64], new: Mapping[str, int]) -> Counts:
    """The figures of one measure as what they are."""
    rows, missing, outside = (int(figure) for figure in figures[:HEAD])
    rest = figures[HEAD:]
    if isinstance(reference, NumberProfile):
        slots = 2 * len(reference.knots) + 1
        return NumberCounts(rows, missing, outside, rest[:slots], rest[slots:], dict(new))
    names = dict(zip(reference.counts, (int(figure) for figure in rest[1:]), strict=True))
    return NameCounts(rows, missing, outside, names, int(rest[0]), dict(new))


def _count(
    reference: Reference, values: NDArray[Any], column: Column | None = None, sent: NDArray[Any] | None = None
) -> tuple[NDArray[np.float64], Counter[str]]:
    """The figures of one measure, and the values that the profile does not know."""
    found = measured(values, column)
    strange = Counter() if sent is None else unlisted(column, sent)
    outside = beyond(column, values if sent is None else sent) + strange.total()
    if isinstance(reference, NumberProfile):
        body, new, missing = _slots(reference, found)
    else:
        body, new, missing = _names(reference, found)
        if len(found) != len(values) or isinstance(column, LabelsColumn):  # names of lists, not of rows
            missing = int(is_missing(values).sum())
    head = np.array([len(values), missing, outside], dtype=np.float64)
    return np.concatenate([head, body]), new + strange


def _slots(profile: NumberProfile, values: NDArray[np.float64]) -> tuple[NDArray[np.float64], Counter[str], int]:
    """Counts and sums at and between the knots, values that are no knot where these are few, and how many are missing.

    Sorting all values takes a fifth of the time of looking each of them up among the knots.
    """
    knots = np.array(profile.knots)
    known = values[np.isfinite(values)]
    known.sort()
    ends = np.empty(2 * len(knots) + 2, dtype=np.intp)  # where each slot begins, and where the last one ends
    ends[0], ends[-1] = 0, len(known)
    ends[1:-1:2] = np.searchsorted(known, knots, side="left")
    ends[2:-1:2] = np.searchsorted(known, knots, side="right")
    slots = np.diff(ends)
    up_to = np.concatenate([[0], ends[2:-1:2], [len(known)]])
    sums = np.zeros(len(knots) + 1)
    filled = np.flatnonzero(np.diff(up_to))
    sums[filled] = np.add.reduceat(known, up_to[filled]) if len(filled) else 0.0
    new: Counter[str] = Counter()
    if len(knots) <= FEW_VALUES:
        new.update(f"{value:g}" for value in known[~np.isin(known, knots)].tolist())
    return np.concatenate([slots, sums]), new, len(values) - len(known)


def _names(profile: CategoryProfile, names: NDArray[np.object_]) -> tuple[NDArray[np.float64], Counter[str], int]:
    """How many names the profile does not know, counts of those it does, the former by name, how many are missing."""
    met = _counter(names)
    missing = met.pop(None, 0)
    counts = [met.pop(name, 0) for name in profile.counts]
    return np.array([met.total(), *counts], dtype=np.float64), met, missing


def _counter(names: NDArray[np.object_]) -> Counter[Any]:
    """How often each name is met.

    Very many names that are few objects, as those of a table are, are counted by where they are kept, which takes a
    fifth of the time of comparing what they are.
    """
    if len(names) < MANY_NAMES:
        return Counter(names.tolist())
    kept = np.frombuffer(np.ascontiguousarray(names), np.intp)
    places, counts = np.unique(kept, return_counts=True)
    if len(places) > FEW_PLACES:
        return Counter(names.tolist())
    met: Counter[Any] = Counter()
    for place, count_there in zip(places, counts.tolist(), strict=True):
        met[names[int((kept == place).argmax())]] += count_there  # a name may be kept at several places
    return met
