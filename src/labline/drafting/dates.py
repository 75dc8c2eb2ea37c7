"""How dates are written: the formats that read every value of a column, found chunk by chunk."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime
from functools import cache

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from labline.contract import DateTimeColumn
from labline.contract.written import moment

ISO = "ISO 8601"
SHAPES_MAX = 12  # more ways to write a date than any file has
TRIED = 1000  # values that decide whether it is worth looking at all
LETTERS_MAX = 60  # of a date with its time
_PLAIN = DateTimeColumn(type="datetime")
_EXAMPLE = datetime(2024, 12, 31, 23, 59, 59, 123456)
_WORD, _DIGITS = re.compile(r"[^\W\d_]+"), re.compile(r"\d+")


def shape(text: str) -> str:
    """The text with every number as 9 and every word as a: what all dates of one format share."""
    return _WORD.sub("a", _DIGITS.sub("9", text.strip()))


def _forms() -> Iterator[str]:
    """Formats that people use, the likelier first where several read the same text."""
    dates = []
    for sign in "/.-":
        days_first, months_first = f"%d{sign}%m{sign}", f"%m{sign}%d{sign}"
        pair = (months_first, days_first) if sign == "/" else (days_first, months_first)
        dates += [f"{order}{year}" for year in ("%Y", "%y") for order in pair] + [f"%Y{sign}%m{sign}%d"]
    for month in ("%b", "%B"):
        dates += [f"%d {month} %Y", f"{month} %d, %Y", f"{month} %d %Y", f"%d-{month}-%Y", f"%d-{month}-%y"]
        dates += [f"%d. {month} %Y", f"%d/{month}/%Y", f"%Y {month} %d", f"%Y-{month}-%d", f"{month} %Y"]
        dates += [f"%a, %d {month} %Y", f"%A, %d {month} %Y", f"%A, {month} %d, %Y"]
    clocks = ["", "%H:%M", "%H:%M:%S", "%H:%M:%S.%f", "%I:%M %p", "%I:%M:%S %p", "%I:%M%p"]
    for date in dates:
        for clock in clocks:
            yield from (f"{date}{gap}{clock}" for gap in ((" ", "T", ", ") if clock else ("",)))


@cache
def _forms_by_shape() -> dict[str, tuple[str, ...]]:
    found: dict[str, list[str]] = {}
    for form in _forms():
        found.setdefault(shape(_EXAMPLE.strftime(form)), []).append(form)
    return {key: tuple(forms) for key, forms in found.items()}


def reads(form: str, texts: NDArray[np.object_]) -> NDArray[np.bool_]:
    """Which texts the format reads, shape (texts,)."""
    if form == ISO:
        return np.array([moment(text, _PLAIN) is not None for text in texts], dtype=bool)
    stripped = pd.Series(texts).str.strip()
    return pd.to_datetime(stripped, format=form, errors="coerce").notna().to_numpy()


@dataclass
class Shaped:
    """What is known of the values of one shape.

    Attributes:
        alive: formats that read every value so far.
        used: where none does, formats that together read what can be read.
        unread: rows that none reads.
    """

    alive: tuple[str, ...]
    used: list[str] = field(default_factory=list)
    unread: int = 0

    def take(self, texts: NDArray[np.object_], often: NDArray[np.int64]) -> None:
        """Learn from more values, each once, and how many rows have it."""
        before = self.alive
        self.alive = tuple(form for form in before if reads(form, texts).all())
        if self.alive:
            return
        candidates = dict.fromkeys([*self.used, *before, *candidates_for(shape(texts[0]))])
        rest = texts
        for form in candidates:
            read = reads(form, rest)
            if read.any() and form not in self.used:
                self.used.append(form)
            rest, often = rest[~read], often[~read]
            if not len(rest):
                break
        self.used = list(dict.fromkeys([*before[:1], *self.used]))
        self.unread += int(often.sum())


def candidates_for(shape_: str) -> tuple[str, ...]:
    """The formats that may read texts of the shape, ISO 8601 first."""
    iso = (ISO,) if re.match(r"^9-9-9(?:$|[a ]9:9)", shape_) else ()
    return (*iso, *_forms_by_shape().get(shape_, ()))


@dataclass
class Dates:
    """How the dates of a column are written, as far as it is read."""

    shapes: dict[str, Shaped] = field(default_factory=dict)
    read: int = 0
    unread: int = 0
    given_up: bool = False

    def take(self, texts: NDArray[np.object_], often: NDArray[np.int64]) -> None:
        """Learn from more values that are no numbers, each once, and how many rows have it."""
        if self.given_up or not len(texts):
            return
        head = [candidates_for(shape(text)) for text in texts[:TRIED] if len(text) <= LETTERS_MAX]
        if sum(map(bool, head)) < 0.5 * min(TRIED, len(texts)):
            self.given_up = True
            return
        shapes = np.array([shape(text) if len(text) <= LETTERS_MAX else "" for text in texts], dtype=object)
        for found in pd.unique(shapes):
            self._take(found, texts[shapes == found], often[shapes == found])
        self.given_up = len(self.shapes) > SHAPES_MAX or self.unread > self.read

    def _take(self, found: str, texts: NDArray[np.object_], often: NDArray[np.int64]) -> None:
        rows, candidates = int(often.sum()), candidates_for(found)
        if not candidates:
            self.unread += rows
            return
        shaped = self.shapes.setdefault(found, Shaped(candidates))
        before = shaped.unread
        shaped.take(texts, often)
        self.unread += shaped.unread - before
        self.read += rows - (shaped.unread - before)

    @property
    def are_dates(self) -> bool:
        """Whether nearly everything is a date."""
        return not self.given_up and self.read > 0 and self.unread <= 0.02 * self.read

    def formats(self, *, day_first: bool | None = None) -> tuple[str, ...]:
        """The formats to list besides ISO 8601; where the order is open, as `day_first` says."""
        chosen: list[str] = []
        for shaped in self.shapes.values():
            if shaped.alive:
                chosen.append(_of_order(shaped.alive, day_first))
            else:
                chosen += shaped.used
        return tuple(dict.fromkeys(form for form in chosen if form != ISO))

    @property
    def some_iso(self) -> bool:
        """Whether some values are written in ISO 8601."""
        return any(ISO in (shaped.alive[:1] or shaped.used) for shaped in self.shapes.values())

    @property
    def is_ambiguous(self) -> bool:
        """Whether all days and months could be read the other way round."""
        return any(_orders(shaped.alive) == {True, False} for shaped in self.shapes.values())

    @property
    def is_mixed(self) -> bool:
        """Whether texts of one shape need several formats, so that some may be read wrongly."""
        return any(not shaped.alive and len(_orders(tuple(shaped.used))) > 1 for shaped in self.shapes.values())

    @property
    def day_first(self) -> bool | None:
        """The order that some values prove; None where none does."""
        proven = {True, False}
        for shaped in self.shapes.values():
            orders = _orders(shaped.alive)
            if len(orders) == 1 and ISO not in shaped.alive:
                proven &= orders
        return next(iter(proven)) if len(proven) == 1 else None


def _orders(forms: tuple[str, ...]) -> set[bool]:
    """For each format with a numbered month that is no year-first one: whether the day comes first."""
    return {form.index("%d") < form.index("%m") for form in forms if form.startswith(("%d", "%m")) and "%m" in form}


def _of_order(alive: tuple[str, ...], day_first: bool | None) -> str:
    if day_first is None or ISO in alive:
        return alive[0]
    wanted = "%d" if day_first else "%m"
    return next((form for form in alive if form.startswith(wanted)), alive[0])
