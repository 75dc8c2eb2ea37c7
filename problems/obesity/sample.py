"""Generated people for the obesity problem: a stand-in for the two Kaggle files where there is no network or account.

Nobody's data: every row is drawn from the parameters below, which were read off the published files (shares, means and
spreads per weight class). People are made class by class. A person's habits, age and height depend on class and sex,
the body mass index lies within the class's limits, and the weight written down is a little off, so that the class
cannot be told with certainty near a limit.

Like the published rows, some are answers as people gave them (whole years, kilograms and grades) and the others lie
between two such people of one class (SMOTE, Chawla et al. 2002): equal answers stay whole, the rest become fractional.
"""

from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

TRAIN_ROWS = 20_000
CURRENT_ROWS = 2_000

COLUMNS = (
    "Gender", "Age", "Height", "Weight", "family_history_with_overweight", "FAVC", "FCVC", "NCP", "CAEC", "SMOKE",
    "CH2O", "SCC", "FAF", "TUE", "CALC", "MTRANS", "NObeyesdad",
)  # fmt: skip
GRADES = ("FCVC", "NCP", "CH2O", "FAF", "TUE")
SNACKS = ("no", "Sometimes", "Frequently", "Always")
ALCOHOL = ("no", "Sometimes", "Frequently")

Numbers = NDArray[np.float64]
People = dict[str, NDArray[Any]]


class _Class(NamedTuple):
    """One weight class and who is in it; shares add up to 1 or are those of "yes"."""

    name: str
    bmi: tuple[float, float, float]  # lowest, most frequent, highest, kg/m²
    women: float
    age: tuple[float, float, float]  # youngest, mean of women, mean of men
    age_shape: float  # of the gamma distribution above the youngest: 1 many far older, 10 hardly any
    oldest: float
    taller: float  # than others of the sex, m
    as_answered: float  # share of rows with whole answers; the rest lie between two people
    family: float
    high_calorie: float
    vegetables: tuple[float, float, float]  # grades 1, 2, 3
    meals: tuple[float, float, float, float]  # 1, 2, 3, 4 a day
    snacks: tuple[float, float, float, float]  # as SNACKS
    smokers: float
    water: tuple[float, float, float]  # grades 1, 2, 3
    counts_calories: float
    activity: tuple[float, float, float, float]  # grades 0, 1, 2, 3
    screens: tuple[float, float, float]  # grades 0, 1, 2
    alcohol: tuple[float, float, float]  # as ALCOHOL
    drives: float  # odds of going by car, times those of the age


# fmt: off
CLASSES = (
    _Class(
        "Insufficient_Weight", bmi=(15.0, 17.8, 18.5), women=0.64, age=(16, 19.7, 18.7), age_shape=2.5, oldest=43,
        taller=0.005, as_answered=0.53, family=0.44, high_calorie=0.85, vegetables=(0.07, 0.36, 0.57),
        meals=(0.14, 0.02, 0.63, 0.21), snacks=(0.003, 0.502, 0.481, 0.014), smokers=0.003, water=(0.33, 0.58, 0.09),
        counts_calories=0.090, activity=(0.25, 0.33, 0.39, 0.03), screens=(0.36, 0.47, 0.17),
        alcohol=(0.354, 0.640, 0.006), drives=2.5,
    ),
    _Class(
        "Normal_Weight", bmi=(18.5, 22.0, 25.0), women=0.54, age=(14, 20.7, 20.9), age_shape=4, oldest=61,
        taller=-0.025, as_answered=0.97, family=0.58, high_calorie=0.845, vegetables=(0.03, 0.57, 0.40),
        meals=(0.10, 0.005, 0.815, 0.08), snacks=(0.013, 0.671, 0.224, 0.092), smokers=0.014, water=(0.26, 0.66, 0.08),
        counts_calories=0.054, activity=(0.24, 0.42, 0.24, 0.10), screens=(0.45, 0.47, 0.08),
        alcohol=(0.341, 0.637, 0.022), drives=1.5,
    ),
    _Class(
        "Overweight_Level_I", bmi=(25.0, 26.0, 27.0), women=0.44, age=(15, 23.9, 22.3), age_shape=1.5, oldest=61,
        taller=-0.02, as_answered=0.66, family=0.695, high_calorie=0.907, vegetables=(0.04, 0.67, 0.29),
        meals=(0.25, 0.04, 0.64, 0.07), snacks=(0.086, 0.778, 0.113, 0.023), smokers=0.010, water=(0.18, 0.56, 0.26),
        counts_calories=0.104, activity=(0.23, 0.48, 0.20, 0.09), screens=(0.56, 0.31, 0.13),
        alcohol=(0.137, 0.805, 0.058), drives=1.5,
    ),
    _Class(
        "Overweight_Level_II", bmi=(27.0, 28.0, 30.0), women=0.30, age=(16, 26.6, 25.9), age_shape=1.5, oldest=61,
        taller=-0.01, as_answered=0.57, family=0.925, high_calorie=0.789, vegetables=(0.02, 0.73, 0.25),
        meals=(0.16, 0.11, 0.71, 0.02), snacks=(0.002, 0.901, 0.084, 0.013), smokers=0.009, water=(0.15, 0.68, 0.17),
        counts_calories=0.008, activity=(0.26, 0.48, 0.19, 0.07), screens=(0.42, 0.46, 0.12),
        alcohol=(0.410, 0.499, 0.091), drives=1.5,
    ),
    _Class(
        "Obesity_Type_I", bmi=(30.0, 32.1, 35.0), women=0.44, age=(15, 27.4, 23.0), age_shape=1.5, oldest=55,
        taller=-0.01, as_answered=0.43, family=0.984, high_calorie=0.968, vegetables=(0.04, 0.81, 0.15),
        meals=(0.23, 0.08, 0.685, 0.005), snacks=(0.003, 0.958, 0.019, 0.020), smokers=0.008, water=(0.17, 0.52, 0.31),
        counts_calories=0.005, activity=(0.40, 0.36, 0.15, 0.09), screens=(0.47, 0.32, 0.21),
        alcohol=(0.480, 0.493, 0.027), drives=1.5,
    ),
    _Class(
        "Obesity_Type_II", bmi=(35.0, 35.3, 39.5), women=0.003, age=(20, 32.0, 27.7), age_shape=3, oldest=47,
        taller=0.025, as_answered=0.06, family=0.998, high_calorie=0.983, vegetables=(0.06, 0.44, 0.50),
        meals=(0.06, 0.07, 0.867, 0.003), snacks=(0.001, 0.991, 0.004, 0.004), smokers=0.034, water=(0.20, 0.63, 0.17),
        counts_calories=0.001, activity=(0.15, 0.65, 0.20, 0.00), screens=(0.63, 0.31, 0.06),
        alcohol=(0.138, 0.857, 0.005), drives=1.2,
    ),
    _Class(
        "Obesity_Type_III", bmi=(40.0, 40.2, 47.0), women=0.998, age=(18, 25.0, 22.4), age_shape=4, oldest=26,
        taller=0.035, as_answered=0.003, family=1.0, high_calorie=1.0, vegetables=(0.0, 0.0, 1.0),
        meals=(0.0, 0.0, 1.0, 0.0), snacks=(0.0, 0.999, 0.001, 0.0), smokers=0.001, water=(0.16, 0.23, 0.61),
        counts_calories=0.0, activity=(0.65, 0.16, 0.19, 0.0), screens=(0.42, 0.58, 0.0),
        alcohol=(0.0, 1.0, 0.0), drives=0.0,
    ),
)
# fmt: on


class _Population(NamedTuple):
    """What differs between the two files."""

    shares: tuple[float, ...]  # of CLASSES
    years_older: float
    answered_odds: float  # of whole answers, times those of the class
    walkers: float  # shares among those who do not drive
    bikes: float
    motorbikes: float
    drinks_always: float


TRAIN = _Population(
    shares=(0.122, 0.148, 0.117, 0.122, 0.140, 0.156, 0.195),
    years_older=0,
    answered_odds=1,
    walkers=0.034,
    bikes=0.0025,
    motorbikes=0.003,
    drinks_always=0,
)
CURRENT = _Population(
    shares=(0.06, 0.08, 0.11, 0.14, 0.22, 0.19, 0.20),
    years_older=3,
    answered_odds=0.5,
    walkers=0.12,
    bikes=0.006,
    motorbikes=0.008,
    drinks_always=0.015,
)


def train(seed: int) -> pd.DataFrame:
    """20,000 rows like the published train.csv: `id`, the contract's columns and the target; the same for a seed.

    About one row in 200 repeats another but for some grams; nobody always drinks alcohol.
    """
    rng = np.random.default_rng([seed, *b"train"])
    frame = _frame(rng, TRAIN, TRAIN_ROWS)
    _repeat(rng, frame, share=0.005, kilograms=0.05)
    frame.insert(0, "id", np.arange(TRAIN_ROWS))
    return frame


def current(seed: int) -> pd.DataFrame:
    """2,000 rows like the survey's file: no `id`, about one in 100 repeats another; the same for a seed.

    The people are not those of `train`. They are three years older, so that more go by car. They are some 5 kg
    heavier: half as many are of insufficient or normal weight, and more are obese. More than twice as many walk or
    take a two-wheeler. 1.5 % always drink alcohol, which nobody in `train` does. More answers lie between the grades.
    What the people of a class have in common is the same, so a model that learned from `train` is about as good here.
    """
    rng = np.random.default_rng([seed, *b"current"])
    frame = _frame(rng, CURRENT, CURRENT_ROWS)
    _repeat(rng, frame, share=0.01, kilograms=0)
    return frame


def _frame(rng: np.random.Generator, population: _Population, rows: int) -> pd.DataFrame:
    """Rows of the population: those as answered, and those between two people of one class and sex."""
    shares = np.tile(population.shares, (rows, 1))
    group = _pick(rng, shares)
    female = rng.random(rows) < _of(group, "women")
    one = _people(rng, population, group, female)
    other = _people(rng, population, group, female)
    third = _people(rng, population, group, female)
    odds = population.answered_odds * _of(group, "as_answered") / (1 - _of(group, "as_answered"))
    answered = rng.random(rows) < odds / (1 + odds)
    way = np.where(answered, 0, rng.random(rows))  # how far from one to the other

    columns = {}
    for name, values in one.items():
        neighbour = other[name]
        if name in GRADES:  # neighbours mostly differ: where these two do not, the third is taken
            neighbour = np.where(values == neighbour, third[name], neighbour)
        columns[name] = values if values.dtype == object else np.round(values + way * (neighbour - values), 6)
    columns["Weight"] = _weight(rng, columns.pop("BMI"), columns["Height"], answered)
    columns["MTRANS"] = _transport(rng, population, group, columns["Age"])
    columns["NObeyesdad"] = np.array([c.name for c in CLASSES], dtype=object)[group]
    frame = pd.DataFrame({name: columns[name] for name in COLUMNS})
    return frame.astype({name: "str" for name in frame.columns if frame[name].dtype != np.float64})


def _people(
    rng: np.random.Generator, population: _Population, group: NDArray[np.intp], female: NDArray[np.bool_]
) -> People:
    """Whole answers of one person a row; all of the contract but weight and transport, and BMI instead."""
    rows = len(group)
    youngest, mean_women, mean_men = _of(group, "age").T
    mean_age = np.where(female, mean_women, mean_men)
    shape = _of(group, "age_shape")
    age = youngest + population.years_older + rng.gamma(shape, (mean_age - youngest) / shape)
    age = np.round(np.minimum(age, _of(group, "oldest")))

    height = rng.normal(np.where(female, 1.64, 1.75) + _of(group, "taller"), 0.065).clip(1.45, 1.98)
    heaped = rng.random(rows) < 0.25  # some give their height to the nearest 5 cm
    height = np.round(np.where(heaped, np.round(20 * height) / 20, height), 2)

    # Within a class, men are more active, drink more water and eat more often; the young watch screens longer.
    of_man = np.exp(_of(group, "women") - female)
    of_youth = np.exp((mean_age - age) / 6)
    always = rng.random(rows) < population.drinks_always
    return {
        "Gender": np.where(female, "Female", "Male").astype(object),
        "Age": age,
        "Height": height,
        "BMI": rng.triangular(*_of(group, "bmi").T),
        "family_history_with_overweight": _yes_or_no(rng, _of(group, "family")),
        "FAVC": _yes_or_no(rng, _of(group, "high_calorie")),
        "FCVC": 1.0 + _pick(rng, _of(group, "vegetables")),
        "NCP": 1.0 + _pick(rng, _of(group, "meals"), of_man),
        "CAEC": np.array(SNACKS, dtype=object)[_pick(rng, _of(group, "snacks"))],
        "SMOKE": _yes_or_no(rng, _of(group, "smokers")),
        "CH2O": 1.0 + _pick(rng, _of(group, "water"), of_man),
        "SCC": _yes_or_no(rng, _of(group, "counts_calories")),
        "FAF": 0.0 + _pick(rng, _of(group, "activity"), of_man),
        "TUE": 0.0 + _pick(rng, _of(group, "screens"), of_youth),
        "CALC": np.where(always, "Always", np.array(ALCOHOL, dtype=object)[_pick(rng, _of(group, "alcohol"))]),
    }


def _weight(rng: np.random.Generator, bmi: Numbers, height: Numbers, answered: NDArray[np.bool_]) -> Numbers:
    """Weight as written down, kg: most are nearly right, some far off, and people like round numbers."""
    rows = len(bmi)
    spread = np.where(rng.random(rows) < 0.25, 0.08, 0.034)
    weight = bmi * height**2 * np.exp(spread * rng.standard_normal(rows))
    nearest = np.where(rng.random(rows) < 0.15, 5, 1)
    return np.where(answered, nearest * np.round(weight / nearest), np.round(weight, 6)).clip(33, 175)


def _transport(
    rng: np.random.Generator, population: _Population, group: NDArray[np.intp], age: Numbers
) -> NDArray[np.object_]:
    """Usual means of transport; with age comes the car."""
    odds = _of(group, "drives") * (0.04 + np.exp((age - 31) / 2.5))
    rare = (population.walkers, population.bikes, population.motorbikes)
    others = np.array([*rare, 1 - sum(rare)])
    car = (odds / (1 + odds))[:, None]
    only_bus = (_of(group, "drives") == 0)[:, None]
    shares = np.hstack([car, (1 - car) * np.where(only_bus, [0, 0, 0, 1], others)])
    names = np.array(["Automobile", "Walking", "Bike", "Motorbike", "Public_Transportation"], dtype=object)
    return names[_pick(rng, shares)]


def _repeat(rng: np.random.Generator, frame: pd.DataFrame, share: float, kilograms: float) -> None:
    """Overwrites a share of the rows by copies of others whose weight differs by about `kilograms`."""
    count = round(share * len(frame))
    rows = rng.permutation(len(frame))[: 2 * count]
    copies = frame.iloc[rows[:count]].copy()
    copies["Weight"] = np.round(copies["Weight"] + kilograms * rng.standard_normal(count), 6).clip(33, 175)
    frame.iloc[rows[count:]] = copies


def _of(group: NDArray[np.intp], name: str) -> Numbers:
    """The parameter of each row's class; shape (rows,) or (rows, values)."""
    return np.array([getattr(c, name) for c in CLASSES])[group]


def _pick(rng: np.random.Generator, shares: Numbers, odds: Numbers | float = 1.0) -> NDArray[np.intp]:
    """An index for each row, drawn with the row's shares of shape (rows, values).

    `odds` above 1 favour the higher ones: proportional odds (McCullagh 1980).
    """
    limits = np.cumsum(shares, axis=1)
    chance = rng.random(len(shares))
    chance = odds * chance / (1 - chance + odds * chance)
    return (chance[:, None] * limits[:, -1:] >= limits[:, :-1]).sum(axis=1)


def _yes_or_no(rng: np.random.Generator, share: Numbers) -> NDArray[np.object_]:
    return np.where(rng.random(len(share)) < share, "yes", "no").astype(object)
