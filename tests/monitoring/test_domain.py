"""The domain classifier: what no column and no pair's correlation shows is caught, and like windows are not blamed."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from scipy import stats

from labline.monitoring.coarse import OTHER
from labline.monitoring.dependence import compare_pairs, fit_dependence
from labline.monitoring.domain import SIZES, Domain, Separation, domain_test, fit_domain

ALPHA, FLOOR = 0.0005, 0.1
Rows = dict[str, np.ndarray]


def rows(count: int, seed: int) -> Rows:
    """A parabola; a name that says whether two numbers have the same sign; a pair that correlates; noise and holes."""
    random = np.random.default_rng(seed)
    x, first, second, height = random.normal(size=(4, count))
    age = random.exponential(size=count)
    age[random.random(count) < 0.2] = np.nan
    return {
        "x": x,
        "y": x**2 + 0.5 * random.normal(size=count),
        "first": first,
        "second": second,
        "same": np.where(first * second + 0.2 * random.normal(size=count) > 0, "yes", "no").astype(object),
        "height": height,
        "weight": 0.6 * height + 0.8 * random.normal(size=count),
        "age": age,
        "grade": random.choice([1.0, 2.0, 3.0], count, p=[0.5, 0.3, 0.2]),
        "way": random.choice(["bus", "car", "foot"], count, p=[0.6, 0.38, 0.02]).astype(object),
    }


@pytest.fixture(scope="module", params=[True, False], ids=["kept", "drawn"])
def reference(request: pytest.FixtureRequest) -> Domain:
    found = fit_domain(rows(6000, 0), keep=request.param)
    assert found is not None
    return Domain.model_validate_json(found.model_dump_json())


def judged(reference: Domain, window: Rows) -> Separation:
    found = domain_test(reference, window, alpha=ALPHA, floor=FLOOR)
    assert found is not None
    return found


def permuted(name: str) -> Callable[[Rows], Rows]:
    return lambda window: window | {name: np.random.default_rng(1).permutation(window[name])}


@pytest.mark.parametrize("size", [100, 300, 1000, 5000])
def test_windows_of_the_same_distribution_are_hardly_ever_blamed(reference: Domain, size: int) -> None:
    found = [judged(reference, rows(size, seed)) for seed in range(1, 51 if size < 1000 else 16)]
    assert sum(one.alarm for one in found) <= 1
    outside = [not one.null_low <= one.auc <= one.null_high for one in found]
    assert sum(outside) <= 1
    assert all(one.rows == min(size, SIZES[-1]) for one in found)


@pytest.mark.parametrize(
    ("name", "size", "blamed"),
    [("y", 300, {"x", "y"}), ("same", 1000, {"first", "second", "same"}), ("weight", 300, {"height", "weight"})],
    ids=["not monotone", "of three columns", "correlated"],
)
def test_a_relation_that_is_gone_is_caught_and_its_columns_are_named(
    reference: Domain, name: str, size: int, blamed: set[str]
) -> None:
    found = [judged(reference, permuted(name)(rows(size, seed))) for seed in range(1, 11)]
    assert np.mean([one.alarm for one in found]) >= 0.9
    for one in found:
        if one.alarm:
            assert one.auc > one.null_high
            assert one.p_value < ALPHA
            assert set(list(one.columns)[: len(blamed)]) == blamed
            assert name in one.said


@pytest.mark.parametrize("name", ["y", "same"])
def test_what_pairs_of_columns_do_not_see_it_sees(reference: Domain, name: str) -> None:
    pairs = fit_dependence(rows(6000, 0))
    assert pairs is not None
    windows = [permuted(name)(rows(1000, seed)) for seed in range(1, 6)]
    assert sum(compare_pairs(pairs, one, alpha=ALPHA, floor=FLOOR).alarm for one in windows) == 0
    assert all(judged(reference, one).alarm for one in windows)


def test_a_column_that_drifts_by_itself_is_no_news(reference: Domain) -> None:
    window = rows(1000, 1)
    usual = judged(reference, window)
    moved = window | {"height": np.exp(window["height"]) + 100, "age": window["age"] * 3}
    assert judged(reference, moved) == usual
    random = np.random.default_rng(1)
    many = rows(4000, 2)
    taller = random.random(4000) < np.where(many["same"] == "yes", 0.3, 0.05) * np.where(many["grade"] == 3, 1, 0.5)
    selected = {name: values[taller] for name, values in many.items()}
    assert np.mean(selected["same"] == "yes") > 0.75
    assert not judged(reference, selected).alarm


def test_values_missing_by_chance_are_no_news_and_hide_nothing(reference: Domain) -> None:
    for seed in range(1, 6):
        window = rows(1000, seed)
        holes = np.random.default_rng(seed).random(1000) < 0.4
        window["x"] = np.where(holes, np.nan, window["x"])
        assert not judged(reference, window).alarm
        assert judged(reference, permuted("y")(window)).alarm


def test_a_column_that_is_gone_constant_or_full_of_strangers_is_left_out(reference: Domain) -> None:
    window = rows(300, 1)
    del window["age"]
    usual = judged(reference, window)
    for spoilt in (np.full(300, np.nan), np.full(300, 2.0)):
        assert judged(reference, window | {"age": spoilt}) == usual
    strange = window | {"way": np.array(["zeppelin"] * 300, dtype=object)}
    assert not judged(reference, strange).alarm
    assert judged(reference, permuted("weight")(strange)).alarm


def test_where_no_two_columns_can_be_compared_or_no_rows_are_alike_nothing_is_said(reference: Domain) -> None:
    window = rows(300, 1)
    assert domain_test(reference, {"x": window["x"]}, alpha=ALPHA, floor=FLOOR) is None
    assert domain_test(reference, {"strange": window["x"]}, alpha=ALPHA, floor=FLOOR) is None
    assert fit_domain({"x": np.arange(1000.0)}, keep=True) is None
    assert fit_domain({}, keep=True) is None
    few = {name: values[:150] for name, values in window.items()}
    assert fit_domain(few, keep=True) is None  # half of them are too few to measure what is usual


def test_the_same_window_gives_the_same_answer(reference: Domain) -> None:
    window = rows(300, 1)
    assert judged(reference, window) == judged(reference, window)


def test_nothing_of_a_row_is_kept_but_cells_and_common_names() -> None:
    values = rows(3000, 0)
    values["way"][:20] = "a secret"
    found = fit_domain(values, keep=True)
    assert found is not None
    assert not found.rows.drawn
    assert found.rows.columns["way"].usual == ("bus", "car")  # rarer than one in twenty: nobody's name
    assert found.rows.columns["grade"].usual == (1.0, 2.0, 3.0)
    for name, column in found.rows.columns.items():
        assert len(column.rows) == 1000
        signs = set(column.rows)
        assert signs <= set("0123456789abcdef" + OTHER), name
        assert not column.usual or signs <= {*"012"[: len(column.usual)], OTHER}
    counts = np.unique(list(found.rows.columns["x"].rows), return_counts=True)[1]
    assert len(counts) == 16
    assert stats.chisquare(counts).pvalue > 0.001  # sixteenths, as the sample has them
    assert "secret" not in found.model_dump_json()


def test_drawn_rows_are_nobodys_and_go_together_as_the_references_do() -> None:
    values = rows(6000, 0)
    found = fit_domain(values, keep=False)
    assert found is not None
    assert found.rows.drawn
    names = list(found.rows.columns)
    drawn = dict(zip(names, found.rows.codes.T, strict=True))
    wanted = dict(zip(names, found.rows.coded(values).T, strict=True))

    def middle(codes: dict[str, np.ndarray]) -> float:  # a parabola: small y where x is in the middle
        inside = np.abs(codes["x"] - 7.5) < 4
        return float(codes["y"][inside].mean() - codes["y"][~inside].mean())

    def agreeing(codes: dict[str, np.ndarray]) -> float:
        alike = (codes["first"] > 7) == (codes["second"] > 7)
        return float(np.mean(codes["same"][alike] == 1))

    assert middle(drawn) < 0.75 * middle(wanted) < -4  # a copula alone has 0
    assert agreeing(drawn) == pytest.approx(agreeing(wanted), abs=0.06)
    assert np.mean(drawn["age"] == 16) == pytest.approx(0.2, abs=0.03)
    known = {tuple(row) for row in found.rows.coded(values).tolist()}
    assert np.mean([tuple(row) in known for row in found.rows.codes.tolist()]) < 0.01


def test_of_very_many_columns_those_that_go_together_most_are_kept() -> None:
    random = np.random.default_rng(0)
    values = {f"x{at}": random.normal(size=1000) for at in range(40)}
    values["x0"] = values["x39"] + 0.1 * random.normal(size=1000)
    found = fit_domain(values, keep=True)
    assert found is not None
    assert len(found.rows.columns) == 30
    assert {"x0", "x39"} <= found.rows.columns.keys()
