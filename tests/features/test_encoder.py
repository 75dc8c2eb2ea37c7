"""The encoder: what becomes of each kind of column in the matrix, and what the encoder remembers."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import pytest
from scipy import sparse

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


# A row by itself


@pytest.mark.parametrize("categories", ["codes", "onehot"])
@pytest.mark.parametrize("plain", [True, False])
def test_a_row_alone_is_encoded_to_the_bits_that_it_has_among_many(categories: str, plain: bool) -> None:
    encoder = fitted(categories=categories, bands=not plain, log=not plain, scale=not plain)
    stranger = changed(Region=["east", None, "west", "north"], Height=[1.5, np.nan, 1e300, -0.0])
    many = {name: np.tile(values, 50) for name, values in stranger.items()}

    among_many = encoder.transform(many)

    for row in range(4):
        alone = encoder.transform({name: values[row : row + 1] for name, values in many.items()})
        assert alone.tobytes() == among_many[row : row + 1].tobytes()
    np.testing.assert_array_equal(encoder.transform(stranger), among_many[:4])


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


# Every type of column at once

WIDE = Problem.model_validate(
    PROBLEM.model_dump(exclude_unset=True)
    | {
        "columns": {
            "Price": {"type": "number", "minimum": 0, "log": True, "bands": [10]},
            "Sold": {"type": "datetime", "missing": "allow"},
            "Brand": {"type": "category", "missing": "allow"},
            "Colour": {"type": "category", "values": ["red", "blue"]},
            "Tags": {"type": "labels", "missing": "allow"},
            "Name": {"type": "text"},
            "Story": {"type": "text", "missing": "allow"},
            "Blog": {"type": "text", "hashed": True},
        }
    }
)
WORDS = [f"word{index}" for index in range(200)]
ENCODINGS = {
    "codes": {"words": 50},
    "onehot, scaled, all of it": {
        "categories": "onehot",
        "bands": True,
        "log": True,
        "scale": True,
        "words": 1000,
        "characters": 1000,
    },
    "no texts": {},
}


def listed(values: list[Any]) -> np.ndarray:
    array = np.empty(len(values), dtype=object)
    array[:] = values
    return array


def wide(rows: int = 120, seed: int = 0) -> Columns:
    """Rows of every type of column, and names that a derived feature gives."""
    random = np.random.default_rng(seed)

    def said(words: int) -> np.ndarray:
        return listed([" ".join(random.choice(WORDS, random.integers(0, words))) for _ in range(rows)])

    def holed(values: np.ndarray) -> np.ndarray:
        return listed([None if random.random() < 0.2 else value for value in values])

    days = random.integers(0, 5000, rows).astype("timedelta64[D]")
    return {
        "Price": random.lognormal(size=rows),
        "Sold": np.where(random.random(rows) < 0.2, np.datetime64("NaT"), np.datetime64("2010-01-01", "us") + days),
        "Brand": holed(random.choice(["acme", "bolt", "core"], rows)),
        "Colour": random.choice(np.array(["red", "blue"], dtype=object), rows),
        "Tags": holed(listed([tuple(sorted({*random.choice(WORDS[:9], 3)})) for _ in range(rows)])),
        "Name": said(6),
        "Story": holed(said(60)),
        "Blog": said(20),
        "maker": holed(random.choice(["acme inc", "bolt gmbh"], rows)),
        "share": random.random(rows),
    }


@pytest.mark.parametrize("encoding", ENCODINGS)
def test_of_every_type_the_state_goes_through_json_and_gives_the_same_matrix_to_the_last_bit(encoding: str) -> None:
    encoder = Encoder.fit(WIDE, ("maker", "share"), Encoding(**ENCODINGS[encoding]), wide())  # type: ignore[arg-type]
    again = Encoder(EncoderState.model_validate_json(encoder.state.model_dump_json()))
    fresh = wide(seed=1)

    assert again.state == encoder.state
    assert again.feature_names == encoder.feature_names
    first, second = (sparse.csr_matrix(one.transform(fresh)) for one in (encoder, again))
    assert first.shape == (120, len(encoder.feature_names))
    for part in ("data", "indices", "indptr"):
        assert getattr(first, part).tobytes() == getattr(second, part).tobytes()


@pytest.mark.parametrize("encoding", ENCODINGS)
def test_of_every_type_a_row_is_encoded_alike_alone_and_among_others(encoding: str) -> None:
    encoder = Encoder.fit(WIDE, ("maker", "share"), Encoding(**ENCODINGS[encoding]), wide())  # type: ignore[arg-type]
    fresh = wide(rows=40, seed=1)
    together = sparse.csr_matrix(encoder.transform(fresh))

    for row in range(40):
        alone = encoder.transform({name: values[row : row + 1] for name, values in fresh.items()})
        assert sparse.csr_matrix(alone).toarray().tobytes() == together[row].toarray().tobytes()


def test_texts_make_the_matrix_sparse_rows_that_take_a_small_part_of_the_memory() -> None:
    columns = wide(rows=2000)
    matrix = Encoder.fit(WIDE, (), Encoding(words=1000), columns).transform(columns)

    assert isinstance(matrix, sparse.csr_matrix)
    assert matrix.shape[1] > 2**18
    taken = matrix.data.nbytes + matrix.indices.nbytes + matrix.indptr.nbytes
    assert taken < 0.001 * matrix.shape[0] * matrix.shape[1] * 8
    assert isinstance(Encoder.fit(WIDE, (), Encoding(), columns).transform(columns), np.ndarray)


def test_what_is_dense_stands_before_what_is_sparse_and_codes_are_found_among_it() -> None:
    encoder = Encoder.fit(WIDE, ("maker",), Encoding(words=50), wide())

    assert [block.is_sparse for block in encoder.state.blocks] == sorted(b.is_sparse for b in encoder.state.blocks)
    named = [encoder.feature_names[at] for at in encoder.categorical_features]
    assert sorted(named) == ["Brand", "Colour", "maker"]
    codes = encoder.transform(wide())[:, list(encoder.categorical_features)].toarray()
    assert set(np.unique(codes[~np.isnan(codes)])) <= {0, 1, 2, 3}


def text_blocks(columns: Columns, **encoding: Any) -> list[Any]:
    blocks = Encoder.fit(WIDE, (), Encoding(**encoding), columns).state.blocks
    return [block for block in blocks if block.kind == "text"]


def test_parts_of_words_are_counted_in_short_texts_only() -> None:
    short = wide() | {"Blog": listed(["x"] * 120), "Story": listed(["longer " * 30] * 119 + [None])}
    units = [(block.column, block.unit) for block in text_blocks(short, words=10, characters=10)]

    assert units == [
        *(("Name", "words"), ("Name", "characters")),
        ("Story", "words"),
        *(("Blog", "words"), ("Blog", "characters")),
    ]


def test_hashed_texts_learn_nothing_of_the_training_rows() -> None:
    first, second = (next(b for b in text_blocks(wide(seed=seed), words=9) if b.column == "Blog") for seed in (0, 1))
    assert first == second
    assert first.hashed


def test_of_an_open_column_the_names_of_three_rows_or_more_are_learned_the_commonest_first() -> None:
    columns = wide(rows=12) | {"Brand": listed(["b"] * 3 + ["a"] * 5 + ["rare"] * 2 + [None] * 2)}
    encoder = Encoder.fit(WIDE, (), Encoding(), columns)
    codes = encoder.transform(columns)[:, encoder.feature_names.index("Brand")]

    np.testing.assert_array_equal(codes, [1] * 3 + [0] * 5 + [2] * 2 + [np.nan] * 2)


def test_names_that_a_derived_feature_gives_are_an_open_category() -> None:
    encoder = Encoder.fit(WIDE, ("maker",), Encoding(categories="onehot"), wide())
    assert {"maker=acme inc", "maker=bolt gmbh", "maker is another"} <= {*encoder.feature_names}

    row = {name: values[:1] for name, values in wide().items()}
    other = encoder.transform(row | {"maker": listed(["nobody"])})[0]
    assert other[encoder.feature_names.index("maker is another")] == 1


def test_a_derived_name_that_is_missing_in_a_single_row_is_missing_and_no_error() -> None:
    encoder = Encoder.fit(WIDE, ("maker", "share"), Encoding(), wide())
    row = {name: values[:1] for name, values in wide().items()} | {"maker": listed([None]), "share": listed([None])}
    found = dict(zip(encoder.feature_names, encoder.transform(row)[0], strict=True))

    assert np.isnan([found["maker"], found["share"]]).all()
