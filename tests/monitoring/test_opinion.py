"""The second opinion: Evidently's own code on the raw values says the same, whatever it chooses to compute."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from labline.monitoring.opinion import Opinion, opinion_of
from labline.monitoring.profile import profile_of
from labline.monitoring.tally import count

RANDOM = np.random.default_rng(3)
Draw = Callable[[int], np.ndarray]
MANY, FEW = 1600, 700  # rows of a reference above and below the 1,000 at which Evidently changes its methods


def names(values: object) -> np.ndarray:
    return np.array(values, dtype=object)


SHAPES: dict[str, tuple[Draw, Draw]] = {
    "alike": (lambda n: RANDOM.normal(size=n), lambda n: RANDOM.normal(size=n)),
    "shifted": (lambda n: RANDOM.lognormal(size=n), lambda n: 1.2 * RANDOM.lognormal(size=n)),
    "ages": (lambda n: RANDOM.gamma(3, 6, n).round() + 14, lambda n: RANDOM.gamma(3, 6, n) + 14),
    "a wild value": (lambda n: RANDOM.normal(size=n), lambda n: np.append(RANDOM.normal(size=n - 1), 1e5)),
    "a wild reference": (lambda n: np.append(RANDOM.normal(size=n - 1), 1e5), lambda n: RANDOM.normal(1, size=n)),
    "zeros and a tail": (
        lambda n: np.maximum(RANDOM.normal(-0.5, size=n), 0),
        lambda n: np.maximum(RANDOM.normal(-0.4, size=n), 0),
    ),
    "grades": (lambda n: RANDOM.integers(1, 5, n) * 1.0, lambda n: RANDOM.integers(1, 4, n) * 1.0),
    "grades and a new one": (lambda n: RANDOM.integers(1, 5, n) * 1.0, lambda n: RANDOM.integers(2, 6, n) * 1.0),
    "grades and many new ones": (lambda n: RANDOM.integers(1, 5, n) * 1.0, lambda n: RANDOM.uniform(1, 5, n)),
    "yes or no": (lambda n: (RANDOM.random(n) < 0.3) * 1.0, lambda n: (RANDOM.random(n) < 0.4) * 1.0),
    "constant": (lambda n: np.full(n, 2.5), lambda n: np.full(n, 2.5)),
    "names": (lambda n: names(RANDOM.choice(list("aab"), n)), lambda n: names(RANDOM.choice(list("ab"), n))),
    "more names": (lambda n: names(RANDOM.choice(list("abcd"), n)), lambda n: names(RANDOM.choice(list("abcc"), n))),
    "new names": (lambda n: names(RANDOM.choice(list("abc"), n)), lambda n: names(RANDOM.choice(list("abx"), n))),
}


def theirs(reference: np.ndarray, window: np.ndarray) -> tuple[str, float, bool]:
    """The real library's choice of a test, its score and its verdict."""
    import pandas as pd
    from evidently.legacy.calculations.stattests import get_stattest
    from evidently.legacy.core import ColumnType

    kind = ColumnType.Numerical if reference.dtype.kind == "f" else ColumnType.Categorical
    sides = pd.Series(reference).dropna(), pd.Series(window).dropna()
    test = get_stattest(*sides, kind, None)
    found = test(*sides, kind, None)
    return test.name, float(found.drift_score), bool(found.drifted)


METHODS = {
    "wasserstein": "wasserstein",
    "jensenshannon": "jensen-shannon",
    "ks": "kolmogorov-smirnov p",
    "chisquare": "chi-square p",
    "z": "z p",
}


@pytest.mark.filterwarnings("ignore:divide by zero")
@pytest.mark.parametrize("rows", [MANY, FEW])
@pytest.mark.parametrize("size", [150, 1000])
@pytest.mark.parametrize("shape", SHAPES)
def test_score_and_verdict_are_those_of_the_real_library_to_a_thousandth(shape: str, rows: int, size: int) -> None:
    draw, window_of = SHAPES[shape]
    reference, window = draw(rows), window_of(size)
    if reference.dtype.kind == "f":
        window[::10] = np.nan  # it leaves missing values out
    profile = profile_of(reference)
    found = opinion_of(profile, count(profile, window))
    method, score, drifted = theirs(reference, window)
    assert found is not None
    assert found.method == METHODS[method]
    # between a handful of grades no knot stands: what comes to lie there is known by its mean alone
    assert found.score == pytest.approx(score, abs=0.02 if shape == "grades and many new ones" else 1e-3)
    if abs(score - found.threshold) > 1e-3:
        assert found.drifted == drifted


def test_where_a_side_is_empty_or_names_are_like_texts_it_has_no_opinion() -> None:
    numbers, letters = profile_of(np.arange(2000.0)), profile_of(names(["a"] * 2000))
    assert opinion_of(numbers, count(numbers, np.full(100, np.nan))) is None
    assert opinion_of(letters, count(letters, names([None] * 100))) is None
    empty = profile_of(np.full(100, np.nan))
    assert opinion_of(empty, count(empty, np.arange(100.0))) is None
    assert opinion_of(letters, count(letters, names([f"name {n}" for n in range(100)]))) is None
    assert isinstance(opinion_of(letters, count(letters, names(["a"] * 100))), Opinion)
