"""The encoder: what becomes of each kind of column in the matrix, and what the encoder remembers."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import pytest

from labline.contract import Columns, Problem
from labline.features import Encoder, EncoderState, Encoding

PROBLEM = Problem.model_validate(
    {
        "name": "people",
        "title": "People",
        "task": "binary",
        "target": "ill",
        "classes": ["no", "yes"],
        "metric": "accuracy",
        "sources": {"train": {"csv": "people.csv"}},
        "columns": {
            "Gender": {"type": "category", "values": ["Female", "Male"]},
            "Age": {"type": "number", "minimum": 0, "log": True, "bands": [18, 65]},
            "Smokes": {"type": "boolean", "missing": "allow"},
            "Region": {"type": "category", "values": ["north", "south", "west"], "missing": "allow"},
            "Height": {"type": "number"},
        },
    }
)
DERIVED = ("BMI",)
TRAIN: Columns = {
    "Gender": np.array(["Male", "Female", "Male", "Female"], dtype=object),
    "Age": np.array([17.0, 18.0, 64.9, 65.0]),
    "Smokes": np.array([1.0, 0.0, np.nan, 0.0]),
    "Region": np.array(["south", None, "west", "north"], dtype=object),
    "Height": np.array([1.5, 1.6, 1.7, 1.8]),
    "BMI": np.array([20.0, 25.0, 30.0, np.nan]),
}
NUMBERS = ("Age", "Smokes", "Height", "BMI")


def fitted(columns: Columns = TRAIN, **encoding: Any) -> Encoder:
    return Encoder.fit(PROBLEM, DERIVED, Encoding(**encoding), columns)


def column(encoder: Encoder, name: str, columns: Columns = TRAIN) -> np.ndarray:
    """The matrix's column of that name."""
    matrix = encoder.transform(columns)
    assert matrix.dtype == np.float64
    assert matrix.shape == (len(columns["Age"]), len(encoder.feature_names))
    return matrix[:, encoder.feature_names.index(name)]


def changed(**changes: list[Any]) -> Columns:
    return TRAIN | {name: np.array(values, TRAIN[name].dtype) for name, values in changes.items()}


# Kinds of columns


def test_plain_numbers_and_derived_ones_are_taken_as_they_are_missing_as_nan() -> None:
    encoder = fitted()

    assert encoder.feature_names == (*NUMBERS, "Gender", "Region")
    for name in NUMBERS:
        np.testing.assert_array_equal(column(encoder, name), TRAIN[name])


def test_codes_are_places_in_the_contracts_values_whatever_the_rows_hold() -> None:
    encoder = fitted(changed(Region=["west"] * 4, Gender=["Male"] * 4))

    np.testing.assert_array_equal(column(encoder, "Gender"), [1, 0, 1, 0])
    np.testing.assert_array_equal(column(encoder, "Region"), [1, np.nan, 2, 0])


def test_onehot_has_one_column_a_value_and_all_zero_for_missing() -> None:
    encoder = fitted(categories="onehot")

    assert encoder.feature_names[len(NUMBERS) :] == (
        *("Gender=Female", "Gender=Male"),
        *("Region=north", "Region=south", "Region=west"),
    )
    matrix = encoder.transform(TRAIN)[:, len(NUMBERS) :]
    np.testing.assert_array_equal(matrix, [[0, 1, 0, 1, 0], [1, 0, 0, 0, 0], [0, 1, 0, 0, 1], [1, 0, 1, 0, 0]])


def test_a_name_that_no_one_knows_is_coded_as_missing() -> None:
    stranger = changed(Region=["east"] * 4)

    assert np.isnan(column(fitted(), "Region", stranger)).all()
    for value in ("north", "south", "west"):
        assert column(fitted(categories="onehot"), f"Region={value}", stranger).tolist() == [0] * 4


def test_bands_begin_at_their_limits_and_missing_is_a_band_of_its_own() -> None:
    encoder = fitted(bands=True)
    rows = {name: np.resize(values, 7) for name, values in TRAIN.items()}
    rows["Age"] = np.array([-1, 17.999, 18, 64.999, 65, 1e9, np.nan])

    assert encoder.feature_names == (*NUMBERS, "Age band", "Gender", "Region")
    np.testing.assert_array_equal(column(encoder, "Age band", rows), [0, 0, 1, 1, 2, 2, -1])
    np.testing.assert_array_equal(column(encoder, "Age", rows), rows["Age"])


def test_bands_are_cut_in_the_number_itself_and_not_in_its_logarithm() -> None:
    np.testing.assert_array_equal(column(fitted(bands=True, log=True, scale=True), "Age band"), [0, 1, 1, 2])


def test_log_is_taken_of_the_columns_that_the_contract_marks_and_of_no_others() -> None:
    encoder = fitted(log=True)

    np.testing.assert_array_equal(column(encoder, "Age"), np.log1p(TRAIN["Age"]))
    np.testing.assert_array_equal(column(encoder, "Height"), TRAIN["Height"])
    np.testing.assert_array_equal(column(encoder, "BMI"), TRAIN["BMI"])
    assert column(encoder, "Age", changed(Age=[0, 0, 0, 0])).tolist() == [0] * 4


def test_scaled_numbers_have_mean_zero_and_deviation_one_over_the_rows_that_have_them() -> None:
    encoder = fitted(scale=True)

    for name in NUMBERS:
        scaled = column(encoder, name)[~np.isnan(TRAIN[name])]
        np.testing.assert_allclose([scaled.mean(), scaled.std()], [0, 1], atol=1e-12)
    np.testing.assert_array_equal(column(encoder, "Gender"), [1, 0, 1, 0])


def test_scaling_comes_after_the_logarithm() -> None:
    logs = np.log1p(TRAIN["Age"])

    np.testing.assert_allclose(column(fitted(log=True, scale=True), "Age"), (logs - logs.mean()) / logs.std())


def test_a_missing_number_is_scaled_to_the_mean() -> None:
    encoder = fitted(scale=True)

    assert column(encoder, "BMI")[3] == 0.0
    assert column(encoder, "Smokes")[2] == 0.0
    assert not np.isnan(encoder.transform(TRAIN)[:, : len(NUMBERS)]).any()


@pytest.mark.parametrize("value", [0.1, 123.456, 0.0, -1e9 / 3, 1e-12])
def test_a_constant_column_is_scaled_to_zero_and_another_value_is_not_blown_up(value: float) -> None:
    rows = 1000
    columns = {name: np.resize(values, rows) for name, values in TRAIN.items()} | {"Height": np.full(rows, value)}
    encoder = fitted(columns, scale=True)

    np.testing.assert_allclose(column(encoder, "Height", columns), 0, atol=1e-6)
    other = columns | {"Height": np.full(rows, value + 1)}
    np.testing.assert_allclose(column(encoder, "Height", other), 1, rtol=1e-6)


def test_a_column_that_hardly_varies_is_no_constant() -> None:
    columns = changed(Height=[1e6, 1e6 + 1e-4, 1e6, 1e6 + 1e-4])

    np.testing.assert_allclose(column(fitted(columns, scale=True), "Height", columns), [-1, 1, -1, 1], rtol=1e-3)


@pytest.mark.filterwarnings("ignore:Mean of empty slice", "ignore:Degrees of freedom")
def test_a_column_that_is_missing_in_every_row_is_scaled_to_zero() -> None:
    columns = changed(BMI=[np.nan] * 4)

    assert column(fitted(columns, scale=True), "BMI", columns).tolist() == [0] * 4
    assert column(fitted(columns, scale=True), "BMI", changed(BMI=[1, 2, 3, 4])).tolist() == [1, 2, 3, 4]


# What is remembered


@pytest.mark.parametrize(
    "encoding",
    [{}, {"bands": True, "log": True, "scale": True}, {"categories": "onehot", "log": True, "scale": True}],
    ids=["plain", "codes and all", "onehot and scaled"],
)
def test_the_state_goes_through_json_and_gives_the_same_matrix_bit_for_bit(encoding: dict[str, Any]) -> None:
    rng = np.random.default_rng(0)
    columns = {name: rng.choice(values, 200) for name, values in TRAIN.items()}
    columns |= {name: rng.normal(size=200) * 10.0 ** rng.integers(-200, 200) for name in ("Height", "BMI")}
    encoder = fitted(columns, **encoding)
    again = Encoder(EncoderState.model_validate_json(encoder.state.model_dump_json()))

    assert again.state == encoder.state
    assert again.feature_names == encoder.feature_names
    assert again.transform(columns).tobytes() == encoder.transform(columns).tobytes()


def test_only_the_training_rows_are_learned_from() -> None:
    encoder = fitted(scale=True, log=True, bands=True)
    before = encoder.state.model_dump_json()
    other = changed(Height=[100.0, 200.0, 300.0, 400.0], Age=[1.0, 2.0, 3.0, 4.0])
    scaled = column(encoder, "Height", other)

    np.testing.assert_allclose(scaled, (other["Height"] - TRAIN["Height"].mean()) / TRAIN["Height"].std())
    assert encoder.state.model_dump_json() == before
    assert fitted(other, scale=True, log=True, bands=True).state != encoder.state


def test_a_row_is_encoded_alike_alone_and_among_others() -> None:
    encoder = fitted(bands=True, log=True, scale=True)
    together = encoder.transform(TRAIN)

    for row in range(4):
        alone = encoder.transform({name: values[row : row + 1] for name, values in TRAIN.items()})
        assert alone.tobytes() == together[row].tobytes()


def test_the_order_of_the_columns_given_does_not_matter() -> None:
    encoder = fitted()
    reversed_ = dict(reversed(TRAIN.items()))

    np.testing.assert_array_equal(encoder.transform(reversed_), encoder.transform(TRAIN))


@pytest.mark.parametrize("bands", [False, True])
def test_the_positions_of_codes_are_known(bands: bool) -> None:
    encoder = fitted(bands=bands)

    assert [encoder.feature_names[index] for index in encoder.categorical_features] == ["Gender", "Region"]
    assert fitted(bands=bands, categories="onehot").categorical_features == ()


def test_no_warning_is_given_for_ordinary_rows() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        fitted(bands=True, log=True, scale=True).transform(TRAIN)
