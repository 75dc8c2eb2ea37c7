"""The range that is guessed from what was seen."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from labline.drafting.ranges import widened

FINITE = st.floats(-1e12, 1e12, allow_subnormal=False).filter(lambda value: value == 0 or abs(value) > 1e-9)


@given(FINITE, FINITE, st.booleans())
def test_the_range_holds_what_was_seen_and_does_not_cross_0_for_it(one: float, other: float, whole: bool) -> None:
    low, high = sorted((round(one), round(other))) if whole else sorted((one, other))
    first, last = widened(low, high, whole=whole)
    assert first <= low <= high <= last
    assert first < last
    assert first >= 0 or low < 0
    assert last <= 0 or high >= 0


@pytest.mark.parametrize(
    ("low", "high", "whole", "unit", "name", "wanted"),
    [
        (0, 1, True, "", "flag", (0, 1)),
        (1, 5, True, "", "grade", (1, 5)),
        (18, 87, True, "years", "age", (10, 100)),
        (3.2, 71.5, False, "%", "humidity_pct", (0, 100)),
        (0.2, 0.7, False, "", "click_rate", (0, 1)),
        (-3.1, 4.2, False, "", "x", (-4, 5)),
        (7, 7, True, "", "x", (6, 8)),
    ],
)
def test_limits_are_round(
    low: float, high: float, whole: bool, unit: str, name: str, wanted: tuple[float, float]
) -> None:
    assert widened(low, high, whole=whole, unit=unit, name=name) == wanted
