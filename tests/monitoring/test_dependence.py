"""Columns together: what is caught that no column shows by itself, and how seldom like windows are blamed."""

from __future__ import annotations

import numpy as np
import pytest

from labline.monitoring.dependence import FEATURES_MAX, Dependence, Pairs, compare_pairs, fit_dependence

ALPHA, FLOOR = 0.001, 0.1


def rows(count: int, seed: int) -> dict[str, np.ndarray]:
    """Two numbers and a name that go together, two that do not, and some holes."""
    random = np.random.default_rng(seed)
    height = random.normal(size=count)
    weight = 0.6 * height + 0.8 * random.normal(size=count)
    sex = np.where(height + random.normal(size=count) > 0, "m", "f").astype(object)
    sex[random.random(count) < 0.1] = None
    age = random.exponential(size=count)
    age[random.random(count) < 0.2] = np.nan
    way = random.choice(["bus", "car", "foot"], count, p=[0.6, 0.38, 0.02]).astype(object)
    return {"height": height, "weight": weight, "sex": sex, "age": age, "way": way}


@pytest.fixture(scope="module")
def reference() -> Dependence:
    found = fit_dependence(rows(5000, 0))
    assert found is not None
    return Dependence.model_validate_json(found.model_dump_json())


def judged(reference: Dependence, window: dict[str, np.ndarray]) -> Pairs:
    found = compare_pairs(reference, window, alpha=ALPHA, floor=FLOOR)
    assert found is not None
    return found


@pytest.mark.parametrize("size", [100, 300, 2000])
def test_windows_of_the_same_distribution_are_hardly_ever_blamed(reference: Dependence, size: int) -> None:
    assert sum(judged(reference, rows(size, seed)).alarm for seed in range(1, 101)) <= 1


def test_a_column_permuted_within_the_window_is_caught_and_the_pairs_are_named(reference: Dependence) -> None:
    caught = []
    for seed in range(1, 51):
        window = rows(300, seed)
        window["weight"] = np.random.default_rng(seed).permutation(window["weight"])
        found = judged(reference, window)
        caught.append(found.alarm)
        if found.alarm:
            assert found.changed[0].first == "height"
            assert found.changed[0].second == "weight"
            assert found.changed[0].reference == pytest.approx(0.6, abs=0.05)
            assert "height with weight (+0.5" in found.said or "height with weight (+0.6" in found.said
            assert found.statistic > found.null_high
            assert found.p_value < ALPHA
    assert np.mean(caught) >= 0.98


def test_columns_that_move_as_a_whole_change_nothing(reference: Dependence) -> None:
    window = rows(300, 1)
    moved = window | {"height": np.exp(window["height"]) + 100, "age": window["age"] * 3}
    assert judged(reference, moved) == judged(reference, window)


def test_a_column_that_is_gone_constant_or_wild_leaves_the_other_pairs_as_they_were(reference: Dependence) -> None:
    window = rows(300, 1)
    usual = judged(reference, window)
    for spoilt in (np.full(300, np.nan), np.full(300, 2.0), np.append(window["age"][:-1], 1e5)):
        found = judged(reference, window | {"age": spoilt})
        assert (found.alarm, found.changed) == (usual.alarm, usual.changed)
    del window["age"]
    assert not judged(reference, window).alarm


def test_missing_values_are_left_out_and_do_not_weaken_what_is_there(reference: Dependence) -> None:
    window = rows(3000, 1)
    window["weight"][::2] = np.nan
    assert not judged(reference, window).alarm


def test_names_that_are_rare_are_not_paired_and_of_two_names_one_says_all(reference: Dependence) -> None:
    assert [str(feature) for feature in reference.features if feature.name] == ["sex=m", "way=bus", "way=car"] or [
        str(feature) for feature in reference.features if feature.name
    ] == ["sex=f", "way=bus", "way=car"]


def test_one_column_alone_has_nothing_to_go_with() -> None:
    assert fit_dependence({"x": np.arange(100.0)}) is None
    assert fit_dependence({}) is None
    found = fit_dependence({"x": np.arange(100.0), "y": np.arange(100.0) % 7})
    assert found is not None
    assert compare_pairs(found, {"x": np.arange(50.0)}, alpha=ALPHA, floor=FLOOR) is None


def test_of_very_many_columns_those_that_go_together_most_are_kept() -> None:
    random = np.random.default_rng(0)
    values = {f"x{at}": random.normal(size=1000) for at in range(FEATURES_MAX + 10)}
    values["x0"] = values["x69"] + 0.1 * random.normal(size=1000)
    found = fit_dependence(values)
    assert found is not None
    assert len(found.features) == FEATURES_MAX
    assert {"x0", "x69"} <= {feature.column for feature in found.features}


def test_a_change_too_small_to_matter_is_no_alarm_however_sure(reference: Dependence) -> None:
    window = rows(20_000, 1)
    window["weight"] = window["weight"] + 0.5 * np.random.default_rng(2).normal(size=20_000)
    assert not judged(reference, window).alarm
    strict = compare_pairs(reference, window, alpha=ALPHA, floor=0.0)
    assert strict is not None
    assert strict.alarm
