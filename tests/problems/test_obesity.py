"""The obesity problem's derived features and generated data."""

import importlib.util
import inspect
import itertools
from functools import cache
from pathlib import Path
from types import ModuleType

import numpy as np
import pandas as pd
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from labline.contract import read_problem

FOLDER = Path(__file__).parents[2] / "problems" / "obesity"
PROBLEM = read_problem(FOLDER / "problem.yaml")
NUMBERS = {name: column for name, column in PROBLEM.columns.items() if column.type == "number"}
CATEGORIES = {name: column.values for name, column in PROBLEM.columns.items() if column.type == "category"}

# Shares of the classes in the competition's train.csv.
SHARES = {
    "Insufficient_Weight": 0.122,
    "Normal_Weight": 0.148,
    "Overweight_Level_I": 0.117,
    "Overweight_Level_II": 0.122,
    "Obesity_Type_I": 0.140,
    "Obesity_Type_II": 0.156,
    "Obesity_Type_III": 0.195,
}


def load(name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(f"obesity_{name}", FOLDER / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


features = load("features")
sample = load("sample")
NAMES = ("BMI", "PAL", "BSA", "IBW", "DIFF_IBW", "BMR", "TDEE", "SWC", "IS", "HH", "INMM", "EVEMM")


def derive(columns, names=NAMES):
    """The features over columns of the contract, each after those it reads."""
    known = dict(columns)

    def value(name):
        if name not in known:
            function = getattr(features, name)
            known[name] = function(*(value(parameter) for parameter in inspect.signature(function).parameters))
        return known[name]

    return {name: value(name) for name in names}


def reads(name):
    """The contract's columns a feature depends on, directly or through others."""
    if name in PROBLEM.columns:
        return {name}
    return set().union(*(reads(parameter) for parameter in inspect.signature(getattr(features, name)).parameters))


def columns_of(frame):
    return {name: frame[name].to_numpy(float if name in NUMBERS else object) for name in PROBLEM.columns}


def columns_from(rows):
    return {name: np.array([row[name] for row in rows], float if name in NUMBERS else object) for name in rows[0]}


PERSON = {
    "Gender": "Female",
    "Age": 30.0,
    "Height": 1.65,
    "Weight": 60.0,
    "family_history_with_overweight": "no",
    "FAVC": "yes",
    "FCVC": 2.0,
    "NCP": 3.0,
    "CAEC": "Sometimes",
    "SMOKE": "no",
    "CH2O": 2.0,
    "SCC": "no",
    "FAF": 1.0,
    "TUE": 1.0,
    "CALC": "Sometimes",
    "MTRANS": "Walking",
}


def feature(name, **answers):
    """The feature's value for one person."""
    return derive(columns_from([PERSON | answers]), [name])[name].item()


def test_there_are_twelve_features_and_their_functions_are_all_that_is_public():
    defined = [n for n, f in inspect.getmembers(features, inspect.isfunction) if f.__module__ == features.__name__]
    assert {name for name in defined if not name.startswith("_")} == set(NAMES)


@pytest.mark.parametrize("name", NAMES)
def test_feature_reads_only_columns_of_the_contract_and_says_what_it_is(name):
    assert reads(name) <= set(PROBLEM.columns)
    assert getattr(features, name).__doc__


def test_bmi_is_weight_over_height_squared():
    assert feature("BMI", Weight=70, Height=1.75) == pytest.approx(22.857143)  # Quetelet: 70 / 3.0625


def test_activity_balance_is_activity_less_screens():
    assert feature("PAL", FAF=2.5, TUE=0.5) == 2
    assert feature("PAL", FAF=0, TUE=2) == -2


def test_body_surface_area_follows_schlich_for_either_sex():
    # Schlich 2010, in kg and cm: 0.000975482·60^0.46·165^1.08 and 0.000579479·80^0.38·180^1.24
    assert feature("BSA", Gender="Female", Weight=60, Height=1.65) == pytest.approx(1.592398, abs=1e-6)
    assert feature("BSA", Gender="Male", Weight=80, Height=1.80) == pytest.approx(1.917564, abs=1e-6)


@pytest.mark.parametrize(
    ("gender", "inches", "kilograms"),
    [("Male", 70, 73.0), ("Female", 66, 59.3), ("Male", 60, 50.0), ("Female", 60, 45.5), ("Female", 58, 40.9)],
)
def test_ideal_weight_follows_devine_and_goes_on_below_60_inches(gender, inches, kilograms):
    assert feature("IBW", Gender=gender, Height=inches * 0.0254) == pytest.approx(kilograms)


def test_ideal_weight_stays_positive_down_to_the_smallest_height_of_the_contract():
    assert feature("IBW", Gender="Female", Height=NUMBERS["Height"].minimum) == pytest.approx(16.161, abs=1e-3)


def test_difference_to_ideal_weight_is_positive_above_and_negative_below():
    assert feature("DIFF_IBW", Gender="Female", Height=66 * 0.0254, Weight=69.3) == pytest.approx(10)
    assert feature("DIFF_IBW", Gender="Female", Height=66 * 0.0254, Weight=49.3) == pytest.approx(-10)


def test_basal_rate_follows_mifflin_and_st_jeor_for_either_sex():
    # 10·60 + 6.25·165 − 5·30 − 161 and 10·80 + 6.25·180 − 5·25 + 5
    assert feature("BMR", Gender="Female", Weight=60, Height=1.65, Age=30) == pytest.approx(1320.25)
    assert feature("BMR", Gender="Male", Weight=80, Height=1.80, Age=25) == pytest.approx(1805)


@pytest.mark.parametrize(
    ("grade", "factor"),
    [(0, 1.2), (0.499999, 1.2), (0.5, 1.375), (1, 1.375), (1.5, 1.55), (2, 1.55), (2.5, 1.725), (3, 1.725)],
)
def test_energy_spent_is_the_basal_rate_times_the_factor_of_the_nearest_grade(grade, factor):
    assert feature("TDEE", FAF=grade) == pytest.approx(1320.25 * factor)


def test_every_activity_has_exactly_one_of_the_four_factors_and_more_activity_never_a_smaller_one():
    grades = np.sort(np.concatenate([np.linspace(0, 3, 3001), *(np.nextafter(g, [0, 3]) for g in (0.5, 1, 1.5, 2.5))]))
    factors = features.TDEE(np.ones(len(grades)), grades)
    assert set(factors) == {1.2, 1.375, 1.55, 1.725}
    assert (np.diff(factors) >= 0).all()


@pytest.mark.parametrize(
    ("grade", "kilograms", "covered"),
    [
        (1, 28, 1),  # 1 l for 0.98 l
        (1, 29, 0),  # 1 l for 1.015 l
        (2, 57, 1),  # 2 l for 1.995 l
        (2, 58, 0),  # 2 l for 2.03 l
        (1.4, 40, 1),  # 1.4 l for 1.4 l
        (3, 85, 1),  # 3 l for 2.975 l
        (3, 86, 0),  # 3 l for 3.01 l
    ],
)
def test_water_suffices_from_35_ml_per_kilogram(grade, kilograms, covered):
    assert feature("SWC", CH2O=grade, Weight=kilograms) == covered


@pytest.mark.parametrize(
    ("activity", "screens", "sedentary"), [(0, 1, 1), (0.49, 0.5, 1), (0.5, 2, 0), (0, 0.49, 0), (3, 0, 0)]
)
def test_sedentary_is_who_is_never_active_and_long_at_screens(activity, screens, sedentary):
    assert feature("IS", FAF=activity, TUE=screens) == sedentary


HEALTHY = {"FCVC": 3.0, "CAEC": "no", "FAVC": "no", "SMOKE": "no", "CALC": "no", "CH2O": 2.0, "FAF": 1.0, "SCC": "yes"}
UNHEALTHY = {
    "FCVC": 2.0,
    "CAEC": "Frequently",
    "FAVC": "yes",
    "SMOKE": "yes",
    "CALC": "Sometimes",
    "CH2O": 1.0,
    "FAF": 0.0,
    "SCC": "no",
}


def test_healthy_habits_are_counted_into_three_bands():
    bands = [feature("HH", **(UNHEALTHY | dict(itertools.islice(HEALTHY.items(), count)))) for count in range(9)]
    assert bands == [0, 0, 0, 0, 1, 1, 2, 2, 2]


@pytest.mark.parametrize("habit", HEALTHY)
def test_every_habit_can_change_the_band(habit):
    others = dict(itertools.islice(((name, value) for name, value in HEALTHY.items() if name != habit), 3))
    assert feature("HH", **(UNHEALTHY | others)) == 0
    assert feature("HH", **(UNHEALTHY | others | {habit: HEALTHY[habit]})) == 1


@pytest.mark.parametrize(("meals", "ideal"), [(1, 0), (2.49, 0), (2.5, 1), (3, 1), (3.49, 1), (3.5, 0), (4, 0)])
def test_three_main_meals_are_ideal(meals, ideal):
    assert feature("INMM", NCP=meals) == ideal


@pytest.mark.parametrize(("vegetables", "every_meal"), [(1, 0), (2, 0), (2.49, 0), (2.5, 1), (3, 1)])
def test_vegetables_in_every_meal_is_the_answer_always(vegetables, every_meal):
    assert feature("EVEMM", FCVC=vegetables) == every_meal


rows = st.fixed_dictionaries(
    {name: st.floats(column.minimum, column.maximum) for name, column in NUMBERS.items()}
    | {name: st.sampled_from(values) for name, values in CATEGORIES.items()}
)
rows_with_gaps = st.fixed_dictionaries(
    {name: st.floats(column.minimum, column.maximum) | st.just(float("nan")) for name, column in NUMBERS.items()}
    | {name: st.sampled_from([*values, None]) for name, values in CATEGORIES.items()}
)


@given(st.lists(rows, min_size=1, max_size=8))
@settings(max_examples=200)
def test_what_the_contract_allows_gives_finite_numbers(batch):
    for name, values in derive(columns_from(batch)).items():
        assert values.shape == (len(batch),), name
        assert np.isfinite(np.asarray(values, float)).all(), name


def test_every_corner_of_the_contract_gives_finite_numbers():
    ends = {name: (column.minimum, column.maximum) for name, column in NUMBERS.items()} | CATEGORIES
    corners = np.indices([len(values) for values in ends.values()], np.int8).reshape(len(ends), -1)
    columns = {
        name: np.array(values, float if name in NUMBERS else object)[index]
        for (name, values), index in zip(ends.items(), corners, strict=True)
    }
    assert len(columns["Age"]) == 655_360
    with np.errstate(all="raise"):
        for name, values in derive(columns).items():
            assert np.isfinite(values).all(), name


@given(st.lists(rows_with_gaps, min_size=2, max_size=9))
@example([PERSON, PERSON | {"Weight": float("nan"), "CALC": None}])
@settings(max_examples=200)
def test_one_row_gives_bit_for_bit_what_it_gives_within_a_batch(batch):
    together = derive(columns_from(batch))
    for index, row in enumerate(batch):
        alone = derive(columns_from([row]))
        for name in NAMES:
            assert alone[name].tobytes() == together[name][index : index + 1].tobytes(), name


def test_one_row_gives_bit_for_bit_what_it_gives_within_a_long_batch():
    columns = columns_of(train_0())
    together = derive(columns)
    for index in range(0, 20_000, 67):
        alone = derive({name: values[index : index + 1] for name, values in columns.items()})
        for name in NAMES:
            assert alone[name].tobytes() == together[name][index : index + 1].tobytes(), name


@pytest.mark.parametrize("name", NAMES)
def test_a_missing_input_makes_the_feature_missing_and_no_other_does(name):
    complete = feature(name)
    for column in PROBLEM.columns:
        missing = feature(name, **{column: float("nan") if column in NUMBERS else None})
        if column in reads(name):
            assert np.isnan(missing), column
        else:
            assert missing == complete, column


@cache
def train_0():
    return sample.train(0)


@cache
def current_0():
    return sample.current(0)


FRAMES = {"train": train_0, "current": current_0}


@pytest.fixture(params=FRAMES)
def frame(request):
    return FRAMES[request.param]()


def test_train_has_the_published_columns_in_their_order():
    answers = ["Gender", "Age", "Height", "Weight", "family_history_with_overweight", "FAVC", "FCVC", "NCP", "CAEC"]
    answers += ["SMOKE", "CH2O", "SCC", "FAF", "TUE", "CALC", "MTRANS"]
    assert list(train_0().columns) == ["id", *answers, "NObeyesdad"]
    assert list(current_0().columns) == [*answers, "NObeyesdad"]
    assert sorted(answers) == sorted(PROBLEM.columns)


def test_rows_are_as_many_as_promised_and_numbered_from_zero():
    assert train_0()["id"].tolist() == list(range(20_000))
    assert len(current_0()) == 2_000


def test_numbers_are_float64_and_names_are_text(frame):
    assert all(frame[name].dtype == np.float64 for name in NUMBERS)
    assert all(frame[name].dtype == pd.StringDtype(na_value=np.nan) for name in (*CATEGORIES, PROBLEM.target))


@pytest.mark.parametrize("make", [sample.train, sample.current])
def test_a_seed_gives_the_same_rows_again_and_another_seed_others(make):
    first = make(7)
    pd.testing.assert_frame_equal(first, make(7))
    assert (first["Weight"] != make(8)["Weight"]).mean() > 0.9


def test_train_and_current_of_one_seed_share_no_people():
    both = pd.concat([train_0().drop(columns="id").drop_duplicates(), current_0().drop_duplicates()])
    assert not both.duplicated().any()


def test_rows_do_not_depend_on_a_split_made_with_the_same_seed():
    # numpy's default_rng(0) and default_rng([0, 0]) give the same numbers: a hold-out so drawn would follow the class.
    held_out = np.random.default_rng(0).random(20_000) < 0.2
    shares = train_0()[held_out]["NObeyesdad"].value_counts(normalize=True)
    assert shares.to_dict() == pytest.approx(SHARES, abs=0.02)


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("make", [sample.train, sample.current])
def test_all_values_are_within_the_contract(make, seed):
    rows = make(seed)
    for name, column in NUMBERS.items():
        assert rows[name].between(column.minimum, column.maximum).all(), name
    for name, values in CATEGORIES.items():
        assert rows[name].isin(values).all(), name
    assert rows["NObeyesdad"].isin(PROBLEM.classes).all()


@pytest.mark.parametrize("name", ["FCVC", "NCP", "CH2O", "FAF", "TUE"])
def test_many_grades_are_whole_and_the_others_have_six_decimals(frame, name):
    whole = frame[name] % 1 == 0
    assert 0.4 < whole.mean() < 0.85
    fractions = frame[name][~whole]
    assert (fractions == fractions.round(6)).all()
    assert (fractions != fractions.round(4)).mean() > 0.9


@pytest.mark.parametrize(
    ("name", "value", "low", "high"),
    [
        ("MTRANS", "Bike", 0.0005, 0.005),
        ("MTRANS", "Motorbike", 0.0005, 0.005),
        ("MTRANS", "Walking", 0.01, 0.04),
        ("CAEC", "Always", 0.01, 0.03),
        ("CAEC", "no", 0.005, 0.03),
        ("SMOKE", "yes", 0.005, 0.02),
        ("SCC", "yes", 0.02, 0.05),
    ],
)
def test_rare_answers_are_there_and_rare(name, value, low, high):
    assert low < (train_0()[name] == value).mean() < high


@pytest.mark.parametrize("seed", range(3))
def test_classes_have_the_shares_of_the_published_file(seed):
    assert sample.train(seed)["NObeyesdad"].value_counts(normalize=True).to_dict() == pytest.approx(SHARES, abs=0.015)


def test_the_highest_classes_are_of_one_sex_as_in_the_published_file():
    women = (train_0()["Gender"] == "Female").groupby(train_0()["NObeyesdad"]).mean()
    assert women["Obesity_Type_III"] > 0.99
    assert women["Obesity_Type_II"] < 0.01


def test_body_mass_index_of_a_class_lies_within_its_limits():
    bmi = (train_0()["Weight"] / train_0()["Height"] ** 2).groupby(train_0()["NObeyesdad"]).median()
    limits = (0, 18.5, 25, 27, 30, 35, 40, 60)
    for name, (low, high) in zip(PROBLEM.classes, itertools.pairwise(limits), strict=True):
        assert low < bmi[name] < high, name


def test_some_rows_of_train_nearly_repeat_others():
    rows = train_0().drop(columns=["id", "Weight"])
    fractional = rows[rows["Height"].round(2) != rows["Height"]]
    assert 30 < fractional.duplicated().sum() < 100
    assert not train_0().loc[fractional.index].drop(columns="id").duplicated().any()


def test_current_differs_from_train_as_its_docstring_says():
    before, after = train_0(), current_0()
    assert 2.5 < after["Age"].mean() - before["Age"].mean() < 4.5
    assert 3 < after["Weight"].mean() - before["Weight"].mean() < 8
    assert (after["MTRANS"] == "Walking").mean() > 2 * (before["MTRANS"] == "Walking").mean()
    assert (after["MTRANS"] == "Automobile").mean() > 1.3 * (before["MTRANS"] == "Automobile").mean()
    light = ["Insufficient_Weight", "Normal_Weight"]
    assert after["NObeyesdad"].isin(light).mean() < 0.65 * before["NObeyesdad"].isin(light).mean()
    assert (before["CALC"] == "Always").sum() == 0
    assert 0.005 < (after["CALC"] == "Always").mean() < 0.03
    assert (after["TUE"] % 1 == 0).mean() < (before["TUE"] % 1 == 0).mean()
    assert 15 <= after.duplicated().sum() <= 30


def test_a_good_model_is_right_nine_times_in_ten():
    from lightgbm import LGBMClassifier

    def inputs(rows):
        columns = columns_of(rows)
        codes = {name: pd.Categorical(columns[name], categories=values).codes for name, values in CATEGORIES.items()}
        return pd.DataFrame(columns | codes | derive(columns)), rows["NObeyesdad"]

    known, held_out = train_0()[:16_000], train_0()[16_000:]
    model = LGBMClassifier(n_estimators=100, num_leaves=15, n_jobs=2, verbose=-1).fit(*inputs(known))
    assert 0.88 < model.score(*inputs(held_out)) < 0.93
    assert 0.86 < model.score(*inputs(current_0())) < 0.93
