"""The range to allow, from the range that was seen."""

from __future__ import annotations

from math import ceil, floor, log10

from labline.drafting.naming import is_share

MARGIN = 0.1  # of the span that was seen, on either side
GRADES = 10  # whole numbers over so few steps are grades or flags: their range is known


def widened(low: float, high: float, *, whole: bool, unit: str = "", name: str = "") -> tuple[float, float]:
    """Round limits around what was seen, not crossing 0 when nothing does; shares and grades keep their own."""
    if (unit == "%" or is_share(name)) and 0 <= low <= high <= 1:
        return 0.0, 1.0
    if unit == "%" and 0 <= low <= high <= 100:
        return 0.0, 100.0
    if whole and 0 < high - low <= GRADES and abs(low) <= GRADES:
        return low, high
    return _rounded(low, high)


def _rounded(low: float, high: float) -> tuple[float, float]:
    span = (high - low) or abs(high) or 1.0
    exponent = floor(log10(span))
    step = 10.0**exponent
    if span / step < 2:
        step, exponent = step / 2, exponent - 1
    digits = max(0, -exponent + 1)
    first = round(floor((low - MARGIN * span) / step) * step, digits)
    last = round(ceil((high + MARGIN * span) / step) * step, digits)
    first = max(first, 0.0) if low >= 0 else first
    last = min(last, 0.0) if high <= 0 else last
    if first == last:  # nothing but 0 was seen
        return 0.0, 1.0
    # rounding to digits never may shut out what was seen
    return min(first, low), max(last, high)
