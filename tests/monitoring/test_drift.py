"""Drift of one column: against SciPy's own tests on the raw rows, and how often it cries wolf."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pytest
from scipy import stats

from labline import pipeline
from labline.config import Config
from labline.contract import Columns, Problem
from labline.data.sources.sample import generate
from labline.model.bundle import Bundle
from labline.monitoring.drift import NOTHING_TO_TEST, Drift, drift_of
from labline.monitoring.profile import (
    NAMES_MAX,
    CategoryProfile,
    NumberProfile,
    Profile,
    make_profile,
    measured,
    profile_names,
    profile_numbers,
    profile_of,
)
from labline.monitoring.summary import Window, summarise
from labline.monitoring.tally import count
from labline.pipeline.data import columns_of
from tests.conftest import ROOT

RANDOM = np.random.default_rng(11)


def number_drift(profile: NumberProfile | CategoryProfile, values: np.ndarray) -> Drift:
    assert isinstance(profile, NumberProfile)
    return drift_of(profile, count(profile, values))


def category_drift(profile: NumberProfile | CategoryProfile, values: np.ndarray) -> Drift:
    assert isinstance(profile, CategoryProfile)
    return drift_of(profile, count(profile, values))


def names(values: np.ndarray) -> np.ndarray:
    return np.array(values, dtype=object)


@pytest.mark.parametrize("shift", [0.0, 0.15, 0.5, 2.0])
@pytest.mark.parametrize("size", [150, 1000])
def test_the_distance_is_that_of_the_raw_rows_within_one_part_in_256(shift: float, size: int) -> None:
    random = np.random.default_rng(int(shift * 100) + size)
    reference, window = random.normal(size=5000), random.normal(shift, size=size)
    found = number_drift(profile_numbers(reference), window)
    exact = stats.ks_2samp(reference, window)
    assert found.test == "kolmogorov-smirnov"
    assert exact.statistic - 1 / 255 - 1e-12 <= found.statistic <= exact.statistic + 1e-12
    assert found.effect == found.statistic
    at_that_distance = stats.kstwo.sf(exact.statistic, round(size * 5000 / (size + 5000)))
    assert at_that_distance == pytest.approx(exact.pvalue, rel=0.1, abs=1e-9)  # the formula is SciPy's
    assert found.p_value >= 0.95 * at_that_distance  # a distance that is a little short is never more alarming


def test_on_grades_the_distance_is_exact() -> None:
    random = np.random.default_rng(5)
    reference, window = random.integers(0, 4, 3000) * 1.0, random.choice([0.0, 1, 2, 3], 400, p=[0.4, 0.3, 0.2, 0.1])
    found = number_drift(profile_numbers(reference), window)
    assert found.statistic == pytest.approx(stats.ks_2samp(reference, window).statistic, abs=1e-12)


def test_values_outside_all_that_was_known_are_as_far_as_can_be() -> None:
    reference = RANDOM.normal(size=1000)
    for window in (reference[:200] + 100, reference[:200] - 100):
        found = number_drift(profile_numbers(reference), window)
        assert found.statistic == pytest.approx(1, abs=1e-3)
        assert found.p_value < 1e-50


def test_a_heavy_value_that_grows_heavier_is_seen() -> None:
    reference = np.concatenate([np.zeros(500), RANDOM.exponential(size=500)])
    window = np.concatenate([np.zeros(240), RANDOM.exponential(size=60)])
    found = number_drift(profile_numbers(reference), window)
    assert found.statistic == pytest.approx(0.3, abs=0.01)
    assert found.p_value < 1e-10


def test_missing_numbers_are_not_part_of_the_distribution() -> None:
    reference, window = RANDOM.normal(size=2000), RANDOM.normal(0.3, size=300)
    holes = np.concatenate([window, np.full(100, np.nan)])
    assert number_drift(profile_numbers(reference), holes) == number_drift(profile_numbers(reference), window)
    reference_holes = np.concatenate([reference, np.full(500, np.nan)])
    assert number_drift(profile_numbers(reference_holes), window) == number_drift(profile_numbers(reference), window)


@pytest.mark.parametrize("shares", [[0.5, 0.3, 0.2], [0.2, 0.3, 0.5], [0.48, 0.32, 0.2]])
def test_chi_square_is_that_of_the_two_rows_of_counts(shares: list[float]) -> None:
    reference = names(RANDOM.choice(["a", "b", "c"], 4000, p=[0.5, 0.3, 0.2]))
    window = names(RANDOM.choice(["a", "b", "c"], 300, p=shares))
    found = category_drift(profile_names(reference), window)
    table = [[(side == name).sum() for name in "abc"] for side in (reference, window)]
    exact = stats.chi2_contingency(table, correction=False)
    assert found.test == "chi-square"
    assert found.statistic == pytest.approx(exact.statistic)
    assert found.p_value == pytest.approx(exact.pvalue)


def test_the_effect_does_not_depend_on_how_many_rows_the_reference_has() -> None:
    window = names(["a"] * 60 + ["b"] * 40)
    effects = [
        category_drift(profile_names(names(["a"] * (4 * size) + ["b"] * (6 * size))), window).effect
        for size in (10, 100, 10_000)
    ]
    table = [[40, 60], [60, 40]]  # as many rows on both sides: here the effect is Cramér's V itself
    assert effects[0] == pytest.approx(stats.contingency.association(table, method="cramer"))
    assert effects == pytest.approx([0.2] * 3, abs=0.005)


def test_nothing_in_common_has_the_greatest_effect() -> None:
    found = category_drift(profile_names(names(["a"] * 500)), names(["b"] * 100))
    assert found.effect == pytest.approx(1)
    assert found.p_value < 1e-50


def test_a_category_that_was_never_seen_counts_like_any_other() -> None:
    reference = names(["a"] * 600 + ["b"] * 400)
    window = names(["a"] * 150 + ["b"] * 100 + ["c"] * 50)
    found = category_drift(profile_names(reference), window)
    exact = stats.chi2_contingency([[600, 400, 0], [150, 100, 50]], correction=False)
    assert found.statistic == pytest.approx(exact.statistic)
    assert found.p_value < 1e-20


def test_names_too_rare_to_count_on_are_taken_together() -> None:
    rare = [f"rare {number}" for number in range(8)]
    reference = names(["a"] * 560 + ["b"] * 400 + rare * 5)
    window = names(["a"] * 56 + ["b"] * 40 + rare[:4])  # of each rare name half a row is expected
    found = category_drift(profile_names(reference), window)
    exact = stats.chi2_contingency([[560, 400, 40], [56, 40, 4]], correction=False)
    assert found.statistic == pytest.approx(exact.statistic, abs=1e-12)
    assert found.p_value == pytest.approx(1)


@pytest.mark.parametrize(
    "found",
    [
        number_drift(profile_numbers(np.full(50, np.nan)), np.arange(10.0)),
        number_drift(profile_numbers(np.arange(50.0)), np.full(10, np.nan)),
        number_drift(profile_numbers(np.arange(50.0)), np.empty(0)),
        category_drift(profile_names(names([None] * 5)), names(["a"])),
        category_drift(profile_names(names(["a"] * 5)), names([None])),
        category_drift(profile_names(names([])), names([])),
        category_drift(profile_names(names(["a"] * 50)), names(["a"] * 20)),
    ],
)
def test_where_there_is_nothing_to_test_nothing_is_alarming(found: Drift) -> None:
    assert found == NOTHING_TO_TEST
    assert (found.test, found.p_value, found.effect) == ("none", 1.0, 0.0)


@dataclass(frozen=True)
class Population:
    """Far more rows than a window has, with the champion's predictions for them."""

    bundle: Bundle
    columns: Columns
    scores: np.ndarray

    def profiled(self, seed: int) -> tuple[Profile, np.ndarray]:
        """The profile of some of the rows, and the positions of all that had no part in it."""
        order = np.random.default_rng(seed).permutation(len(self.scores))
        known = {name: values[order[:5000]] for name, values in self.columns.items()}
        task = self.bundle.task
        return make_profile(self.bundle.problem, known, task, self.scores[order[5000:6000]], {}), order[6000:]

    def window(self, rows: np.ndarray, **changes: np.ndarray) -> Window:
        columns = {name: values[rows] for name, values in self.columns.items()}
        return Window("log", columns | changes, self.bundle.task.decisions(self.scores[rows]))


@pytest.fixture
def population(config: Config, problem: Problem) -> Population:
    """All rows of the obesity sample."""
    bundle = Bundle.load(pipeline.champion(config, "obesity").folder)
    columns = columns_of(problem, generate(ROOT / "problems" / "obesity", "train", seed=7))
    return Population(bundle, columns, bundle.scores(columns))


def test_windows_of_the_same_distribution_raise_fewer_than_one_false_alarm_in_twenty(
    population: Population, config: Config
) -> None:
    assert config.monitoring.window == 300
    random = np.random.default_rng(4)
    alarms = []
    for seed in range(4):
        profile, others = population.profiled(seed)
        for _ in range(50):
            window = population.window(random.choice(others, 300, replace=False))
            alarms.append(summarise(population.bundle, 1, profile, window, 300, config.monitoring).status != "ok")
    assert len(alarms) == 200
    assert np.mean(alarms) < 0.05


def test_five_years_more_are_caught_in_every_window_and_hardly_ever_is_another_column_blamed(
    population: Population, config: Config
) -> None:
    random = np.random.default_rng(5)
    profile, others = population.profiled(0)
    blamed = []
    for _ in range(50):
        rows = random.choice(others, 300, replace=False)
        window = population.window(rows, Age=population.columns["Age"][rows] + 5)
        summary = summarise(population.bundle, 1, profile, window, 300, config.monitoring)
        drifted = [row.column for row in summary.columns if row.drifted]
        assert drifted[0] == "Age"  # the strongest effect stands first
        blamed.append((len(drifted) - 1) / len(drifted))
    assert np.mean(blamed) <= 0.05  # that is what a false discovery rate promises


def test_a_wild_value_in_window_or_reference_neither_hides_a_shift_nor_makes_one(
    population: Population, config: Config
) -> None:
    random = np.random.default_rng(6)
    ages = population.columns["Age"].copy()
    usual, others = population.profiled(0)
    ages[np.random.default_rng(0).permutation(len(ages))[0]] = 1e5  # the first of the reference's rows
    spoilt, _ = Population(population.bundle, population.columns | {"Age": ages}, population.scores).profiled(0)
    assert spoilt.numbers["Age"].knots[-1] == 1e5
    for profile, wild in ((usual, True), (spoilt, False)):
        for years, flagged in ((0, False), (5, True)):
            found = []
            for _ in range(10):
                rows = random.choice(others, 300, replace=False)
                age = population.columns["Age"][rows] + years
                age[0] = 1e5 if wild else age[0]
                summary = summarise(
                    population.bundle, 1, profile, population.window(rows, Age=age), 300, config.monitoring
                )
                found.append(bool(next(row for row in summary.columns if row.column == "Age").alarms))
            assert found == [flagged] * 10


def test_a_shift_that_one_column_alone_does_not_show_is_caught(population: Population, config: Config) -> None:
    random = np.random.default_rng(7)
    profile, others = population.profiled(0)
    caught = []
    for _ in range(20):
        rows = random.choice(others, 300, replace=False)
        window = population.window(rows, Weight=random.permutation(population.columns["Weight"][rows]))
        summary = summarise(population.bundle, 1, profile, window, 300, config.monitoring)
        assert not next(row for row in summary.columns if row.column == "Weight").drifted
        assert summary.together is not None
        caught.append(summary.together.alarm)
    assert np.mean(caught) >= 0.9


def test_a_tenth_of_the_answers_exchanged_and_three_in_ten_missing_are_caught(
    population: Population, config: Config
) -> None:
    random = np.random.default_rng(8)
    profile, others = population.profiled(0)
    names = np.array(["Automobile", "Bike", "Motorbike", "Public_Transportation", "Walking"], dtype=object)
    for _ in range(20):
        rows = random.choice(others, 300, replace=False)
        ways, ages = population.columns["MTRANS"][rows].copy(), population.columns["Age"][rows].copy()
        for row in random.choice(300, 30, replace=False):
            ways[row] = random.choice(names[names != ways[row]])
        ages[random.random(300) < 0.3] = np.nan
        window = population.window(rows, MTRANS=ways, Age=ages)
        summary = summarise(population.bundle, 1, profile, window, 300, config.monitoring)
        alarms = {row.column: row.alarms for row in summary.columns if row.alarms}
        assert alarms["MTRANS"] == ["distribution"]
        assert alarms["Age"] == ["missing"]


# Columns that may hold any name, and lists


def test_of_more_names_than_are_kept_the_rest_is_one_cell() -> None:
    random = np.random.default_rng(0)
    common = random.choice(["a", "b"], 6000)
    rare = [f"name {index}" for index in range(NAMES_MAX + 500) for _ in range(2)]
    profile = profile_names(names([*common, *rare]))
    assert len(profile.counts) == NAMES_MAX
    assert profile.others == 2 * 502  # all rare names but 998 stand behind the two common ones
    assert sum(profile.counts.values()) + profile.others == profile.rows

    everyone = [*common, *rare]
    alarms = [category_drift(profile, names(random.choice(everyone, 400))) for _ in range(40)]
    assert np.mean([found.p_value < 0.05 for found in alarms]) <= 0.15
    assert np.mean([found.effect for found in alarms]) < 0.1
    strangers = names([*random.choice(everyone, 200), *(f"stranger {index}" for index in range(200))])
    found = category_drift(profile, strangers)
    assert found.p_value < 1e-20
    assert found.effect > 0.3


def test_a_name_that_was_not_kept_and_one_that_was_never_there_are_alike() -> None:
    kept = {f"kept {index}": 10 for index in range(3)}
    profile = CategoryProfile(rows=40, missing=0, counts=kept, others=10)
    window = [*kept] * 20
    ones = category_drift(profile, names([*window, *["rare"] * 30]))
    assert ones == category_drift(profile, names([*window, *(f"new {index}" for index in range(30))]))
    assert ones.effect > category_drift(profile, names([*window, *["rare"] * 20])).effect


def test_of_lists_every_name_counts_and_rows_without_any_do_not() -> None:
    lists = np.empty(6, dtype=object)
    lists[:] = [("a", "b"), ("a",), (), None, ("b", "a"), ("c",)]
    profile = profile_of(lists)
    assert isinstance(profile, CategoryProfile)
    assert (profile.rows, profile.missing, profile.counts) == (6, 1, {"a": 3, "b": 2, "c": 1})

    many = np.empty(300, dtype=object)
    many[:] = [("a", "b")] * 150 + [("a",)] * 150
    before = profile_of(many)
    assert isinstance(before, CategoryProfile)
    same = category_drift(before, measured(many[::2]))
    assert same.p_value > 0.9
    many[:] = [("b",)] * 300
    assert category_drift(before, measured(many)).p_value < 1e-20


def test_a_column_of_empty_lists_is_nothing_to_test() -> None:
    empty = np.empty(50, dtype=object)
    empty[:] = [()] * 50
    profile = profile_of(empty)
    assert isinstance(profile, CategoryProfile)
    assert (profile.rows, profile.missing, profile.counts) == (50, 0, {})
    assert category_drift(profile, measured(empty)) == NOTHING_TO_TEST


BRANDS = names([f"brand {index}" for index in range(300)])


@pytest.mark.parametrize("slope", [0.0, 1.0], ids=["all as rare", "some common"])
def test_of_hundreds_of_names_like_windows_are_alike_and_a_fifth_of_strangers_is_caught(slope: float) -> None:
    random = np.random.default_rng(2)
    shares = 1 / np.arange(1.0, 301) ** slope
    alarms, caught = [], []
    for _ in range(30):
        profile = profile_names(random.choice(BRANDS, 4000, p=shares / shares.sum()))
        window = random.choice(BRANDS, 300, p=shares / shares.sum())
        alike = category_drift(profile, window)
        alarms.append(alike.p_value < 0.01)
        assert alike.effect < 0.2
        window[:60] = [f"stranger {index}" for index in range(60)]
        caught.append(category_drift(profile, window))
    assert sum(alarms) <= 1
    assert all(found.p_value < 1e-10 and found.effect > 0.2 for found in caught)


def test_new_names_are_no_alarm_where_the_reference_met_as_many_just_once() -> None:
    profile = profile_names(names(["a"] * 900 + [f"once {index}" for index in range(100)]))
    usual = names(["a"] * 270 + [f"new {index}" for index in range(30)])  # one in ten, as in the reference
    assert category_drift(profile, usual).p_value == pytest.approx(1)
    assert category_drift(profile, names(["a"] * 210 + [f"new {index}" for index in range(90)])).p_value < 1e-10
