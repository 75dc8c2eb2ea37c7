"""Guesses columns of numbers: whole or not, unit, range, scale."""

from __future__ import annotations

import numpy as np

from labline.contract import NumberColumn
from labline.drafting import naming
from labline.drafting.guess import Guess, percent
from labline.drafting.numbers import is_skewed, significant
from labline.drafting.ranges import widened
from labline.drafting.seen import Seen

CODES_MIN = 50  # more numbers than this under the name of a code are names
STRAY_MAX = 0.02  # so few values that are no numbers are mistakes
MEASURED = 20  # different values that tell a quantity


def guess_number(seen: Seen) -> Guess | None:
    """The column as one of numbers, or None where it is none."""
    if seen.are_numbers:
        return None if _are_codes(seen) else _number(seen, "every value is a number")
    facts = seen.facts
    mistakes = facts.known - facts.numbers
    if facts.padded or seen.beyond_exact or not 0 < mistakes <= STRAY_MAX * facts.known:
        return None
    if len(np.unique(seen.numbers)) < MEASURED or _are_codes(seen):
        return None
    shown = ", ".join(repr(text) for text in list(facts.strays)[:3])
    look = f"{mistakes:,} values are no numbers ({shown}), so their rows are left out of training"
    guess = _number(seen, f"{percent(facts.number_share)} of the values are numbers").with_look(look)
    return Guess(guess.name, guess.why, guess.column, guess.look, drops=True)


def _are_codes(seen: Seen) -> bool:
    """Whether the numbers are names: postcodes, keys of another table."""
    facts = seen.facts
    many = facts.distinct is None or facts.distinct > CODES_MIN
    return facts.span.whole and many and naming.is_code(seen.name)


def _number(seen: Seen, why: str) -> Guess:
    facts = seen.facts
    unit = naming.unit_in(seen.name)
    if unit == "years" and facts.span.low < 0:  # an age that was moved and scaled has no unit
        unit = ""
    column = NumberColumn(
        type="integer" if facts.span.whole else "number",
        missing=seen.policy,
        unit=unit,
        log=facts.span.low >= 0 and is_skewed(seen.numbers),
        example=_example(seen),
        **_limits(seen, unit),
    )
    said = f"{why}{', whole' if facts.span.whole else ''}"
    look = ("the unit is guessed from the name",) if unit and not naming.says_unit(seen.name) else ()
    return Guess(seen.name, said, column, look)


def _limits(seen: Seen, unit: str) -> dict[str, float]:
    facts = seen.facts
    if not np.isfinite(facts.span.high - facts.span.low):
        return {}
    low, high = widened(facts.span.low, facts.span.high, whole=facts.span.whole, unit=unit, name=seen.name)
    return {"minimum": low, "maximum": high}


def _example(seen: Seen) -> float | None:
    """A typical value: the median, in few digits."""
    if not len(seen.numbers):
        return None
    median = float(np.median(seen.numbers))
    value = float(np.round(median)) if seen.facts.span.whole else significant(median)
    return min(max(value, seen.facts.span.low), seen.facts.span.high)
