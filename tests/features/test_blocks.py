"""Blocks: what becomes of dates, lists of labels, open categories and sizes of texts."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Any

import numpy as np
import pytest
from pydantic import TypeAdapter
from scipy import sparse

from labline.features.blocks import (
    SPARSE_FROM,
    BandBlock,
    Block,
    CategoryBlock,
    LabelsBlock,
    MomentBlock,
    NumberBlock,
    Scale,
    TextSizeBlock,
)
from labline.features.text import TextBlock


def moments(*written: str) -> np.ndarray:
    return np.array(written, dtype="datetime64[us]")


def objects(*values: Any) -> np.ndarray:
    array = np.empty(len(values), dtype=object)
    array[:] = values
    return array


def dense(part: Any) -> np.ndarray:
    return part.toarray() if sparse.issparse(part) else part


def part(block: Any, values: np.ndarray, name: str) -> list[float]:
    """The block's column of that name."""
    matrix = dense(block.transform({block.column: values}))
    assert matrix.shape == (len(values), len(block.names))
    return matrix[:, block.names.index(name)].tolist()


# Every kind of block

RANDOM = np.random.default_rng(0)
DATES = moments("2024-02-29T23:59:59.999999", "1969-12-31T01:00", "NaT", "2031-07-01", "1970-01-01", "2024-12-31T12:30")
NAMES = objects("a", None, "b", "strange", "a", "c")
LISTS = objects(("a", "b"), (), None, ("strange", "b"), ("c",), ("a",))
TEXTS = objects("one two", None, "", "two three one", "one", "two two two")
NUMBERS = np.array([1.5, np.nan, 0.0, 1e9, 3.25, 7.0])
MANY = tuple(f"n{index}" for index in range(SPARSE_FROM + 1))
BLOCKS: dict[str, tuple[Callable[[], Any], np.ndarray]] = {
    "number": (lambda: NumberBlock(column="x"), NUMBERS),
    "number, scaled logarithm": (lambda: NumberBlock(column="x", log=True, scale=Scale.of(np.log1p(NUMBERS))), NUMBERS),
    "band": (lambda: BandBlock(column="x", limits=(1.5, 5)), NUMBERS),
    "moment": (lambda: MomentBlock.fit("x", DATES, scaled=False), DATES),
    "moment, scaled": (lambda: MomentBlock.fit("x", DATES, scaled=True), DATES),
    "codes": (lambda: CategoryBlock(column="x", values=("a", "b", "c")), NAMES),
    "codes, open": (lambda: CategoryBlock(column="x", values=("a", "b", "c"), other=True), NAMES),
    "onehot": (lambda: CategoryBlock(column="x", values=("a", "b", "c"), onehot=True), NAMES),
    "onehot, wide": (lambda: CategoryBlock(column="x", values=("a", "b", "c", *MANY), other=True, onehot=True), NAMES),
    "labels": (lambda: LabelsBlock(column="x", values=("a", "b", "c")), LISTS),
    "labels, wide": (lambda: LabelsBlock(column="x", values=("a", "b", "c", *MANY)), LISTS),
    "text size": (lambda: TextSizeBlock.fit("x", TEXTS, scaled=False), TEXTS),
    "text size, scaled": (lambda: TextSizeBlock.fit("x", TEXTS, scaled=True), TEXTS),
    "words": (lambda: TextBlock.fit("x", "words", TEXTS.tolist(), 100), TEXTS),
}


@pytest.fixture(params=BLOCKS)
def block_and_values(request: pytest.FixtureRequest) -> tuple[Any, np.ndarray]:
    make, values = BLOCKS[request.param]
    return make(), values


def test_one_row_gives_the_bits_of_its_row_among_others(block_and_values: tuple[Any, np.ndarray]) -> None:
    block, values = block_and_values
    together = dense(block.transform({"x": values}))

    assert together.dtype == np.float64
    for row in range(len(values)):
        alone = dense(block.transform({"x": values[row : row + 1]}))
        assert alone.tobytes() == together[row : row + 1].tobytes()


def test_there_is_a_name_for_every_column_and_sparse_is_what_says_so(block_and_values: tuple[Any, np.ndarray]) -> None:
    block, values = block_and_values
    matrix = block.transform({"x": values})

    assert matrix.shape == (len(values), len(block.names))
    assert len(set(block.names)) == len(block.names)
    assert sparse.issparse(matrix) == block.is_sparse


def test_no_row_gives_a_matrix_without_rows(block_and_values: tuple[Any, np.ndarray]) -> None:
    block, values = block_and_values
    assert block.transform({"x": values[:0]}).shape == (0, len(block.names))


def test_what_it_knows_goes_through_json_and_gives_the_same_bits(block_and_values: tuple[Any, np.ndarray]) -> None:
    block, values = block_and_values
    again: Any = TypeAdapter(Block).validate_json(block.model_dump_json())

    assert again == block
    assert dense(again.transform({"x": values})).tobytes() == dense(block.transform({"x": values})).tobytes()


def test_scaled_blocks_know_no_missing_value() -> None:
    for name in ("number, scaled logarithm", "moment, scaled", "text size, scaled", "labels", "onehot"):
        make, values = BLOCKS[name]
        assert np.isfinite(dense(make().transform({"x": values}))).all(), name


# Moments


@pytest.mark.parametrize(
    ("written", "parts"),
    [
        ("2024-02-29T23:59:59.999999", (2024, 2, 29, 3, 23)),  # a Thursday
        ("2023-03-01", (2023, 3, 1, 2, 0)),
        ("1999-12-31T12:00", (1999, 12, 31, 4, 12)),
        ("2000-01-01T00:59", (2000, 1, 1, 5, 0)),
        ("1969-12-31T23:00", (1969, 12, 31, 2, 23)),  # before 1970 too
        ("1900-02-28T01:00", (1900, 2, 28, 2, 1)),
    ],
)
def test_calendar_parts_are_those_of_the_day(written: str, parts: tuple[int, ...]) -> None:
    other = moments("2010-05-14T09:00", "2011-06-15T10:00", written)
    block = MomentBlock.fit("x", other, scaled=False)
    found = tuple(part(block, moments(written), f"x {n}")[0] for n in ("year", "month", "day", "weekday", "hour"))

    assert found == parts
    day = datetime.fromisoformat(written)
    assert found == (day.year, day.month, day.day, day.weekday(), day.hour)


def test_age_is_counted_in_days_back_from_the_newest_of_the_training_rows() -> None:
    block = MomentBlock.fit("x", moments("2024-01-01", "2024-01-31", "NaT"), scaled=False)
    days = part(block, moments("2024-01-31", "2024-01-01T12:00", "2024-02-02"), "x age")

    assert days == [0, 29.5, -2]


def test_parts_that_never_change_are_left_out() -> None:
    assert MomentBlock.fit("x", moments("2024-01-01", "2024-01-09"), scaled=False).names == (
        *("x age", "x day", "x weekday"),
    )
    assert MomentBlock.fit("x", moments("2024-01-01", "2024-01-01"), scaled=True).names == ("x age",)


def test_dates_that_are_all_missing_still_give_an_age() -> None:
    block = MomentBlock.fit("x", moments("NaT", "NaT"), scaled=True)
    assert block.names == ("x age",)
    assert part(block, moments("NaT"), "x age") == [0]


def test_a_missing_moment_is_nan_in_all_its_parts_unless_scaled() -> None:
    block = MomentBlock.fit("x", DATES, scaled=False)
    row = block.transform({"x": moments("NaT")})
    assert np.isnan(row).all()


def test_scaled_parts_stand_on_a_circle_where_december_is_next_to_january() -> None:
    year = moments(*(f"2023-{month:02d}-15T{month:02d}:00" for month in range(1, 13)))
    block = MomentBlock.fit("x", year, scaled=True)

    assert {"x month sine", "x month cosine", "x hour sine", "x hour cosine"} <= set(block.names)
    sines, cosines = part(block, year, "x month sine"), part(block, year, "x month cosine")
    np.testing.assert_allclose(np.hypot(sines, cosines), 1)
    assert (sines[2], cosines[5], cosines[11]) == pytest.approx((1, -1, 1))  # March, June, December
    gaps = [np.hypot(sines[i] - sines[i - 1], cosines[i] - cosines[i - 1]) for i in range(12)]
    np.testing.assert_allclose(gaps, gaps[0])
    assert not any(name.startswith("x year") for name in block.names)  # years do not come round again


def test_a_missing_moment_stands_at_the_middle_of_the_circle() -> None:
    block = MomentBlock.fit("x", DATES, scaled=True)
    assert not block.transform({"x": moments("NaT")}).any()


# Categories


def test_of_an_open_column_every_strange_name_has_the_last_index_and_missing_stays_missing() -> None:
    block = CategoryBlock(column="x", values=("a", "b"), other=True)
    np.testing.assert_array_equal(part(block, objects("b", "zebra", None, "ape"), "x"), [1, 2, np.nan, 2])


def test_of_an_open_column_onehot_has_a_column_for_all_strange_names() -> None:
    block = CategoryBlock(column="x", values=("a", "b"), other=True, onehot=True)
    assert block.names == ("x=a", "x=b", "x is another")
    assert dense(block.transform({"x": objects("b", "zebra", None)})).tolist() == [[0, 1, 0], [0, 0, 1], [0, 0, 0]]


def test_wide_onehot_is_sparse_and_says_the_same() -> None:
    names = objects(*MANY[:5], None, "zebra", MANY[-1])
    wide = CategoryBlock(column="x", values=MANY, onehot=True)
    matrix = wide.transform({"x": names})

    assert sparse.issparse(matrix)
    assert matrix.nnz == 6
    for row, name in enumerate(names):
        assert [wide.names[at] for at in matrix[row].indices] == ([f"x={name}"] if name in MANY else [])


# Labels


def test_lists_have_a_one_for_every_name_in_them_that_is_known() -> None:
    block = LabelsBlock(column="x", values=("a", "b", "c"))
    assert block.names == ("x has a", "x has b", "x has c")
    assert dense(block.transform({"x": LISTS})).tolist() == [
        [1, 1, 0],
        [0, 0, 0],
        [0, 0, 0],
        [0, 1, 0],
        [0, 0, 1],
        [1, 0, 0],
    ]


# Sizes of texts


def test_a_texts_size_is_its_characters_and_words_through_the_logarithm() -> None:
    block = TextSizeBlock.fit("x", TEXTS, scaled=False)
    np.testing.assert_allclose(part(block, TEXTS, "x characters"), np.log1p([7, np.nan, 0, 13, 3, 11]))
    said = objects("one two", " three\n four  five ", "", None)
    np.testing.assert_allclose(part(block, said, "x words"), np.log1p([2, 3, 0, np.nan]))


def test_scaled_sizes_have_mean_zero_and_deviation_one_over_the_texts_there_are() -> None:
    block = TextSizeBlock.fit("x", TEXTS, scaled=True)
    known = np.array([text is not None for text in TEXTS])
    for name in block.names:
        sizes = np.array(part(block, TEXTS, name))
        np.testing.assert_allclose([sizes[known].mean(), sizes[known].std()], [0, 1], atol=1e-12)
        assert sizes[~known].tolist() == [0]
