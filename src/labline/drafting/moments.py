"""Guesses columns of dates: how they are written, and in which order day and month stand."""

from __future__ import annotations

from datetime import datetime

import pandas as pd

from labline.contract import DateTimeColumn
from labline.contract.written import moment
from labline.drafting import naming
from labline.drafting.guess import Guess
from labline.drafting.questions import Ask, Question
from labline.drafting.seen import Seen

DAY_FIRST, MONTH_FIRST = "day first", "month first"
EARLIEST, LATEST = 1900_01_01, 2100_12_31  # of days written in eight digits


def guess_date(seen: Seen, ask: Ask, day_first: bool | None) -> Guess | None:
    """The column as one of dates, or None where it is none."""
    facts = seen.facts
    if facts.moments == facts.known:
        return Guess(seen.name, "dates in the source's own type", _column(seen, ()))
    if _in_eight_digits(seen):
        return Guess(seen.name, "days in eight digits, by its name", _column(seen, ()))
    if facts.numbers + facts.moments or not facts.dates.are_dates:
        return None
    return _written(seen, ask, day_first)


def _in_eight_digits(seen: Seen) -> bool:
    facts = seen.facts
    written = (
        facts.numbers == facts.known and facts.span.whole and EARLIEST <= facts.span.low <= facts.span.high <= LATEST
    )
    plain = DateTimeColumn(type="datetime")
    return (
        written
        and naming.is_day(seen.name)
        and isinstance(seen.sample.dtype, pd.StringDtype)
        and all(moment(text, plain) is not None for text in seen.texts)
    )


def _written(seen: Seen, ask: Ask, day_first: bool | None) -> Guess:
    dates = seen.facts.dates
    look: list[str] = []
    proven = dates.day_first
    if dates.is_ambiguous:
        order = proven if proven is not None else day_first
        if order is None:
            order = _asked(seen, ask)
            look.append("no value tells whether the day or the month comes first: see that the format is right")
        formats = dates.formats(day_first=order)
    else:
        formats = dates.formats()
    if dates.is_mixed:
        look.append("some values fit one order of day and month and some the other: dates may be read wrongly")
    if dates.unread:
        look.append(f"{dates.unread:,} values are no dates, so their rows are left out of training")
    written = " and ".join(formats) if formats else "ISO 8601"
    also = " and ISO 8601" if formats and dates.some_iso else ""
    return Guess(
        seen.name, f"dates written {written}{also}", _column(seen, formats), tuple(look), drops=dates.unread > 0
    )


def _asked(seen: Seen, ask: Ask) -> bool:
    shown = next((text for text in seen.texts if text), "")
    guess = DAY_FIRST if seen.facts.dates.formats()[0].startswith("%d") else MONTH_FIRST
    question = Question(
        f"{seen.name}: in dates like {shown!r}, what comes first?", (DAY_FIRST, MONTH_FIRST), guess, seen.name
    )
    return ask(question) == DAY_FIRST


def _column(seen: Seen, formats: tuple[str, ...]) -> DateTimeColumn:
    plain = DateTimeColumn(type="datetime", formats=formats)
    return DateTimeColumn(type="datetime", missing=seen.policy, formats=formats, example=_example(seen, plain))


def _example(seen: Seen, column: DateTimeColumn) -> datetime | None:
    """A moment from the middle of those in the sample, to the second."""
    known = sorted(found for value in seen.sample if (found := _moment(value, column)) is not None)
    return known[len(known) // 2].replace(microsecond=0) if known else None


def _moment(value: object, column: DateTimeColumn) -> datetime | None:
    written = value.isoformat() if hasattr(value, "isoformat") else str(value)
    return moment(written, column)
