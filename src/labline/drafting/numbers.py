"""How numbers are written in text: the sign before decimals, the sign between groups of digits."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    import pyarrow as pa

# What people write where a number is not known, besides what every reader takes for missing.
MISSING_WORDS = frozenset(
    (
        *(
            "-",
            "--",
            "---",
            "?",
            "??",
            ".",
            "..",
            "*",
            "/",
            "x",
            "unknown",
            "unk",
            "missing",
            "na",
            "n.a.",
            "n.a",
            "n.d.",
        ),
        *("nil", "none", "null", "nan", "not available", "not applicable", "not known", "no data", "tbd", "undefined"),
        *("#n/a", "#ref!", "#value!", "#div/0!", "error", "k.a.", "k. a.", "unbekannt", "s/d", "inconnu"),
    )
)
STRAYS_TAKEN = 5  # more different ones are no way of saying "missing"


@dataclass(frozen=True)
class Style:
    """A way to write numbers."""

    decimal: str = "."
    thousands: str | None = None

    @cached_property
    def pattern(self) -> str:
        """A regular expression (RE2) of a whole number or a decimal one in this style."""
        groups = rf"|\d{{1,3}}(?:{re.escape(self.thousands)}\d{{3}})+" if self.thousands else ""
        point = re.escape(self.decimal)
        return rf"^[+-]?(?:(?:\d+{groups})(?:{point}\d*)?|{point}\d+)(?:[eE][+-]?\d{{1,3}})?$"

    def matches(self, text: str) -> bool:
        """Whether the text is a number in this style."""
        return re.match(self.pattern, text.strip()) is not None


# In the order of preference: of two that fit alike, the first is taken.
USUAL = Style()
STYLES = (
    *(USUAL, Style(".", ","), Style(",", None), Style(",", "."), Style(".", " "), Style(",", " ")),
    *(Style(".", "\u00a0"), Style(",", "\u00a0"), Style(".", "\u202f"), Style(",", "\u202f")),
    *(Style(".", "'"), Style(",", "'"), Style(".", "’")),
)


def numbers_in(texts: pa.Array, style: Style) -> tuple[NDArray[np.bool_], NDArray[np.float64]]:
    """Which of the texts are numbers, shape (texts,), and these as numbers, in their order."""
    import pyarrow as pa
    import pyarrow.compute as pc

    trimmed = pc.utf8_trim_whitespace(texts)
    found = pc.match_substring_regex(trimmed, style.pattern)
    written = pc.filter(trimmed, found)
    if style.thousands:
        written = pc.replace_substring(written, style.thousands, "")
    if style.decimal != ".":
        written = pc.replace_substring(written, style.decimal, ".")
    values = pc.cast(pc.utf8_ltrim(written, "+"), pa.float64()).to_numpy(zero_copy_only=False)
    # 1e999 is none: it is beyond what a float holds
    finite = np.isfinite(values)
    is_number = np.array(found.to_numpy(zero_copy_only=False))
    is_number[is_number] = finite
    return is_number, values[finite]


def style_of(columns: Sequence[Sequence[str]], *, comma_decides: bool) -> Style:
    """The style under which most columns are numbers; the usual one where none does better.

    Args:
        columns: known values of each column, as written.
        comma_decides: whether 1,234 is rather 1.234 than 1234, where nothing else tells.
    """
    suspects = [column for column in columns if any(not USUAL.matches(text) for text in column)]
    order = sorted(STYLES, key=lambda style: style == Style(".", ",")) if comma_decides else list(STYLES)
    scores = {style: sum(_fits(column, style) for column in suspects) for style in order}
    usual_numbers = [column for column in columns if _fits(column, USUAL)]
    # 1.5 in one column forbids that the comma is the sign before decimals in another
    allowed = [style for style in order if all(_fits(column, style) for column in usual_numbers)]
    return max(allowed, key=lambda style: scores[style])


def _fits(column: Sequence[str], style: Style) -> bool:
    known = [text for text in column if text.strip().lower() not in MISSING_WORDS]
    found = [text for text in known if style.matches(text)]
    if not known or len(found) < 0.95 * len(known):
        return False
    # 555 123 456 and the like are telephone numbers: as many digits in each
    digits = {len(re.sub(r"\D", "", text)) for text in found}
    return style.thousands in {None, ",", "."} or len(digits) > 1


def words_for_missing(strays: Mapping[str, int], numbers: int) -> tuple[str, ...]:
    """Which of the values that are no numbers stand for a missing one, in a column of otherwise numbers.

    Args:
        strays: what else stands in the column, and how often; all of it.
        numbers: how many numbers the column has.
    """
    if not numbers or len(strays) > STRAYS_TAKEN:
        return ()
    words = tuple(text for text in strays if text.strip().lower() in MISSING_WORDS)
    if len(words) == len(strays) and numbers >= 0.2 * (numbers + sum(strays.values())):
        return words
    # any other word, if it is the only one and stands there more than once: a code for "not measured"
    (first, *others) = [text for text in strays if text not in words] or [""]
    rare = sum(strays.values()) <= 0.1 * numbers
    return tuple(strays) if not others and rare and strays.get(first, 0) > 1 else ()


def significant(value: float, digits: int = 4) -> float:
    """The value with so many digits that count."""
    return float(f"{value:.{digits}g}")


def whole(values: NDArray[Any]) -> bool:
    """Whether all are whole numbers."""
    return bool(np.all(np.isfinite(values)) and np.all(np.floor(values) == values))


def is_skewed(values: NDArray[np.float64]) -> bool:
    """Whether the values, none negative, spread over magnitudes, so that log(1 + x) of them is far more even."""
    if len(values) < 30 or values.min() < 0 or values.min() == values.max():
        return False
    skewness, of_logs = _skewness(values), _skewness(np.log1p(values))
    return skewness > 1.5 and abs(of_logs) < 0.5 * skewness


def _skewness(values: NDArray[np.float64]) -> float:
    """The third standardized moment."""
    spread = values - values.mean()
    deviation = float(np.sqrt(np.mean(spread**2)))
    return float(np.mean(spread**3)) / deviation**3 if deviation > 0 else 0.0
