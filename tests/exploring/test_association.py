"""Association: the same scale for every pair of types, near zero by chance, and blind to no curve."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from labline.exploring import associations, mutual_information

ROWS = 1500
RANDOM = np.random.default_rng(3)
NUMBER = pd.Series(RANDOM.normal(size=ROWS))
NAMES = pd.Series(pd.Categorical(RANDOM.choice(["a", "b", "c"], ROWS)))
MOMENTS = pd.Series(pd.Timestamp("2024-01-01") + pd.to_timedelta(NUMBER * 10, unit="D"))
LISTS = pd.Series(pd.Categorical(["x", *NAMES]), index=[0, *range(ROWS)])
VIEWS = {
    "number": NUMBER,
    "its square": NUMBER**2,
    "its sign": pd.Series(pd.Categorical(np.where(NUMBER > 0, "above", "below"))),
    "its day": MOMENTS,
    "names": NAMES,
    "the same in lists": LISTS,
    "constant": pd.Series(np.ones(ROWS)),
    "unknown": pd.Series(np.full(ROWS, np.nan)),
}


@pytest.fixture(scope="module")
def matrix() -> pd.DataFrame:
    return associations(VIEWS)


@pytest.mark.parametrize(
    ("one", "other", "low", "high"),
    [
        ("number", "its day", 0.99, 1),
        ("number", "its square", 0.5, 1),  # no line, and no correlation
        ("number", "its sign", 0.9, 1),  # a tenth may lie on both sides
        ("names", "the same in lists", 0.99, 1),
        ("number", "names", 0, 0.06),
        ("number", "constant", 0, 0),
        ("names", "unknown", 0, 0),
    ],
)
def test_what_one_tells_of_another(one: str, other: str, low: float, high: float, matrix: pd.DataFrame) -> None:
    assert low <= matrix.loc[one, other] <= high
    assert matrix.loc[one, other] == matrix.loc[other, one]


def test_that_a_value_is_missing_tells_something_too() -> None:
    torn = NUMBER.where(NAMES.astype(str) != "a")
    assert associations({"torn": torn, "names": NAMES}).loc["torn", "names"] > 0.6


@pytest.mark.parametrize("target", ["its sign", "number", "the same in lists"])
def test_mutual_information_finds_what_tells_of_the_target_first(target: str) -> None:
    telling = {"its sign": "number", "number": "its day", "the same in lists": "names"}[target]
    found = mutual_information({name: VIEWS[name] for name in (telling, "constant", "unknown")}, VIEWS[target])
    assert found.index[0] == telling
    assert found.iloc[0] > 0.3
    assert found["constant"] < 0.05
    assert found["unknown"] < 0.05
