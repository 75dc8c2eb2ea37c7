"""The reference profile: a distribution in at most 256 knots, whatever its shape."""

from __future__ import annotations

import json

import numpy as np
import pytest

from labline.contract import Problem, TextColumn
from labline.monitoring.profile import (
    EVEN_KNOTS,
    EXACT_ROWS,
    KNOTS,
    CategoryProfile,
    NumberProfile,
    Profile,
    make_profile,
    measured,
    profile_names,
    profile_numbers,
    profile_of,
)
from tests.model.test_tasks import BINARY, MULTILABEL, REGRESSION

SHAPES = {
    "normal": np.random.default_rng(0).normal(size=20_000),
    "lognormal": np.random.default_rng(1).lognormal(0, 3, 20_000),
    "grades": np.random.default_rng(2).integers(0, 4, 20_000).astype(float),
    "zeros and a tail": np.concatenate([np.zeros(15_000), np.random.default_rng(3).exponential(size=5_000)]),
    "few": np.array([3.0, 1.0, 2.0]),
    "one": np.array([7.0]),
    "constant": np.full(500, 2.5),
}


@pytest.fixture(params=SHAPES)
def values(request: pytest.FixtureRequest) -> np.ndarray:
    return SHAPES[request.param]


def test_there_are_at_most_512_knots_in_order_and_the_ends_are_the_smallest_and_largest_value(
    values: np.ndarray,
) -> None:
    profile = profile_numbers(values)
    assert KNOTS == EVEN_KNOTS == 256
    assert 1 <= len(profile.knots) <= KNOTS + EVEN_KNOTS
    assert list(profile.knots) == sorted(set(profile.knots))
    assert (profile.knots[0], profile.knots[-1]) == (values.min(), values.max())


def test_the_shares_at_the_knots_are_those_of_the_values(values: np.ndarray) -> None:
    profile = profile_numbers(values)
    for knot, below, upto in zip(profile.knots, profile.below, profile.upto, strict=True):
        assert below == pytest.approx((values < knot).mean(), abs=1e-12)
        assert upto == pytest.approx((values <= knot).mean(), abs=1e-12)
    assert profile.below[0] == 0
    assert profile.upto[-1] == 1


def test_between_two_knots_lies_hardly_more_than_one_part_in_255(values: np.ndarray) -> None:
    profile = profile_numbers(values)
    between = np.array(profile.below[1:]) - np.array(profile.upto[:-1])
    assert (between <= 1 / 255 + 1 / len(values)).all()


def test_of_up_to_a_thousand_rows_every_value_is_a_knot_and_nothing_else() -> None:
    values = np.random.default_rng(5).normal(size=EXACT_ROWS)
    assert profile_numbers(values).knots == tuple(np.sort(values).tolist())


def test_a_wild_value_leaves_the_knots_where_the_other_values_are() -> None:
    values = SHAPES["normal"]
    wild = np.array(profile_numbers(np.append(values, 1e5)).knots)
    usual = np.array(profile_numbers(values).knots)
    assert wild[-1] == 1e5
    assert ((wild >= values.min()) & (wild <= values.max())).sum() >= 0.7 * len(usual)


def test_the_sums_are_those_of_the_values_above_one_knot_up_to_the_next(values: np.ndarray) -> None:
    profile = profile_numbers(values)
    limits = [-np.inf, *profile.knots]
    for low, high, total in zip(limits[:-1], limits[1:], profile.sums, strict=True):
        assert total == pytest.approx(values[(values > low) & (values <= high)].sum())


def test_a_value_that_many_share_is_one_knot_with_all_their_weight() -> None:
    profile = profile_numbers(SHAPES["zeros and a tail"])
    at = profile.knots.index(0.0)
    assert (profile.below[at], profile.upto[at]) == (0, 0.75)
    assert len(profile.knots) > 60  # the tail still has its own


def test_missing_values_are_counted_and_do_not_touch_the_rest() -> None:
    values = SHAPES["normal"][:1000].copy()
    holes = values.copy()
    holes[::4] = np.nan
    profile = profile_numbers(holes)
    assert (profile.rows, profile.missing) == (1000, 250)
    known = np.delete(values, np.s_[::4])
    assert profile.model_copy(update={"rows": 750, "missing": 0}) == profile_numbers(known)
    assert profile.mean == pytest.approx(known.mean())
    assert profile.deviation == pytest.approx(known.std())


@pytest.mark.parametrize("values", [np.full(30, np.nan), np.empty(0)])
def test_a_column_without_any_value_has_a_profile_without_knots(values: np.ndarray) -> None:
    profile = profile_numbers(values)
    assert (profile.rows, profile.missing, profile.knots) == (len(values), len(values), ())
    names = profile_names(np.full(len(values), None, dtype=object))
    assert (names.rows, names.missing, names.counts) == (len(values), len(values), {})


def test_names_are_counted_and_missing_ones_apart() -> None:
    profile = profile_names(np.array(["b", "a", None, "b", "nan", None], dtype=object))
    assert (profile.rows, profile.missing, profile.counts) == (6, 2, {"a": 1, "b": 2, "nan": 1})


def test_it_is_the_same_after_a_round_trip_through_json(values: np.ndarray) -> None:
    holes = np.concatenate([values, [np.nan]])
    profile = Profile(
        rows=len(holes),
        numbers={"x": profile_numbers(holes), "nothing": profile_numbers(np.full(3, np.nan))},
        categories={"c": profile_names(np.array(["a", None, "ü"], dtype=object))},
        prediction=profile_names(np.array(["yes"], dtype=object)),
        holdout={"accuracy": 0.1 + 0.2},
    )
    text = profile.model_dump_json()
    assert Profile.model_validate_json(text) == profile
    assert "NaN" not in text
    assert json.loads(text)["numbers"]["x"]["missing"] == 1


PROBLEM = Problem.model_validate(
    {
        "name": "small",
        "title": "Small",
        "task": "binary",
        "target": "y",
        "classes": ["no", "yes"],
        "metric": "accuracy",
        "sources": {"train": {"csv": "train.csv"}},
        "columns": {
            "x": {"type": "number"},
            "whole": {"type": "integer"},
            "flag": {"type": "boolean"},
            "name": {"type": "category", "values": ["a", "b"]},
        },
    }
)
COLUMNS = {
    "x": np.array([1.0, np.nan, 2.0]),
    "whole": np.array([3.0, 3.0, 4.0]),
    "flag": np.array([1.0, 0.0, 1.0]),
    "name": np.array(["a", None, "a"], dtype=object),
}


def test_every_column_of_the_contract_and_the_prediction_is_in_it() -> None:
    scores = BINARY.scores(np.array([0.2, 0.9, 0.8, 0.7]))
    profile = make_profile(PROBLEM, COLUMNS, BINARY, scores, {"accuracy": 0.5})
    assert set(profile.numbers) == {"x", "whole", "flag"}
    assert set(profile.categories) == {"name"}
    assert profile.rows == 3
    assert isinstance(profile.prediction, CategoryProfile)
    assert profile.prediction.counts == {"no": 1, "yes": 3}
    assert profile.holdout == {"accuracy": 0.5}


def test_a_regressions_predictions_are_profiled_as_numbers() -> None:
    profile = make_profile(PROBLEM, COLUMNS, REGRESSION, np.array([1.5, 2.5]), {})
    assert isinstance(profile.prediction, NumberProfile)
    assert profile.prediction.knots == (1.5, 2.5)
    assert Profile.model_validate_json(profile.model_dump_json()) == profile


# What is measured of texts, moments and lists

TEXT = TextColumn(type="text")


def listed(*values: object) -> np.ndarray:
    array = np.empty(len(values), dtype=object)
    array[:] = values
    return array


def test_of_a_text_its_length_is_measured_and_missing_is_missing() -> None:
    np.testing.assert_array_equal(measured(listed("said", "", None), TEXT), [4, 0, np.nan])
    profile = profile_of(listed("said", "", None), TEXT)
    assert isinstance(profile, NumberProfile)
    assert (profile.rows, profile.missing, profile.mean) == (3, 1, 2)


def test_a_moment_is_measured_in_days_since_1970() -> None:
    moments = np.array(["1970-01-02T12:00", "1969-12-31", "NaT"], dtype="datetime64[us]")
    np.testing.assert_array_equal(measured(moments), [1.5, -1, np.nan])
    assert isinstance(profile_of(moments), NumberProfile)


def test_names_and_numbers_are_measured_as_they_are() -> None:
    numbers = np.array([1.0, np.nan])
    assert measured(numbers) is numbers
    assert measured(listed("a", None, "b")).tolist() == ["a", None, "b"]


def test_of_lists_every_name_is_measured() -> None:
    assert measured(listed(("a", "b"), (), ("a",))).tolist() == ["a", "b", "a"]


def test_the_profile_of_several_labels_counts_each_and_goes_through_json() -> None:
    scores = np.array([[0.9, 0.9], [0.1, 0.8], [0.2, 0.1]])
    profile = make_profile(PROBLEM, COLUMNS, MULTILABEL, scores, {})
    assert isinstance(profile.prediction, CategoryProfile)
    assert (profile.prediction.rows, profile.prediction.missing) == (3, 0)
    assert profile.prediction.counts == {"blue": 1, "red": 2}
    assert Profile.model_validate_json(profile.model_dump_json()) == profile
