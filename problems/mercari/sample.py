"""Generated listings for the Mercari problem: a stand-in for the Kaggle file where there is no network or account.

Nobody's data: goods, words and price factors are those of vocabulary.yaml, made up for this purpose; real brand names
stand there so that examples read naturally, and their factors say nothing about the brands.

The logarithm of a price is a sum: what such goods cost, the brand, who pays for shipping, the condition, each detail
that is true of the goods (leather, new with tags, a lot of 3, …), and noise of NOISE. Most details are said in the name
or the description, one in six in neither. Two listings in five name no brand; of these, some have one all the same, and
half of those name it in the title. So the median of a category and a brand is a fair guess, and reading helps.
"""

from collections.abc import Iterator, Sequence
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
import yaml
from numpy.typing import NDArray

TRAIN_ROWS = 20_000
CURRENT_ROWS = 4_000

COLUMNS = ("name", "item_condition_id", "category_name", "brand_name", "price", "shipping", "item_description")
NAME_LENGTH = 40  # as the marketplace cuts it
NO_DESCRIPTION = "No description yet"
NOISE = 0.38  # standard deviation of the logarithm; what is true and not said comes on top
CONDITIONS = (0.42, 0.25, 0.26, 0.05, 0.02)  # shares of 1 to 5
OF_CONDITION = np.log([1.15, 1.0, 0.86, 0.66, 0.42])
SELLER_PAYS_SHIPPING = np.log(0.85)
UNBRANDED = np.log(0.8)
PER_PIECE = 0.55  # exponent: ten pieces cost 3.5 times one
PER_GIGABYTE = 0.35
STORAGE = (8, 16, 32, 64, 128, 256)
SAID_IN_NAME = 0.5
SAID_IN_DESCRIPTION = 0.67

Numbers = NDArray[np.float64]


class _Goods(NamedTuple):
    """One category at its lowest level."""

    department: str
    kind: str
    group: str
    price: float
    share: float  # within the department
    things: list[str]


class _Detail(NamedTuple):
    """Something that moves the price when it is true of the goods."""

    factor: float
    share: float  # in a hundred
    about: str  # of details about one matter at most one is true
    groups: list[str]
    says: list[str]
    conditions: tuple[int, ...] = (1, 2, 3, 4, 5)


class _Market(NamedTuple):
    """What differs between the two files; shares."""

    departments: dict[str, float]
    price_level: float
    brand_left_empty: float
    category_missing: float
    no_description: float


TRAIN = _Market(
    departments={
        "Women": 0.45, "Beauty": 0.14, "Kids": 0.12, "Electronics": 0.09, "Men": 0.07, "Home": 0.05,
        "Vintage & Collectibles": 0.03, "Handmade": 0.02, "Sports & Outdoors": 0.03,
    },
    price_level=1.0,
    brand_left_empty=0.42,
    category_missing=0.005,
    no_description=0.055,
)  # fmt: skip
CURRENT = _Market(
    departments={
        "Women": 0.31, "Beauty": 0.11, "Kids": 0.12, "Electronics": 0.17, "Men": 0.09, "Home": 0.07,
        "Vintage & Collectibles": 0.02, "Handmade": 0.01, "Sports & Outdoors": 0.05, "Pet Supplies": 0.05,
    },
    price_level=1.12,
    brand_left_empty=0.5,
    category_missing=0.02,
    no_description=0.09,
)  # fmt: skip


def train(seed: int) -> pd.DataFrame:
    """20,000 rows like the published train.tsv: `train_id`, the contract's columns, the price; the same for a seed.

    Like the published rows, a few break the contract: 15 have a price of 0, 4 no description, 5 a web address in it.
    """
    rng = np.random.default_rng([seed, *b"train"])
    frame = _frame(rng, TRAIN, TRAIN_ROWS)
    _break(rng, frame)
    frame.insert(0, "train_id", np.arange(TRAIN_ROWS))
    return frame


def current(seed: int) -> pd.DataFrame:
    """4,000 listings of a later time, with the same columns; the same for a seed.

    Electronics are twice as frequent, women's goods a third less, and pet supplies, which `train` does not know, are
    one in 20. Prices are 12 % higher. Half of the listings name no brand, and more lack a category or a description.
    What moves a price is the same. No row breaks the contract.
    """
    rng = np.random.default_rng([seed, *b"current"])
    frame = _frame(rng, CURRENT, CURRENT_ROWS)
    frame.insert(0, "train_id", TRAIN_ROWS + np.arange(CURRENT_ROWS))
    return frame


@cache
def _words() -> dict[str, Any]:
    content: dict[str, Any] = yaml.safe_load(Path(__file__).with_name("vocabulary.yaml").read_text(encoding="utf-8"))
    return content


def _frame(rng: np.random.Generator, market: _Market, rows: int) -> pd.DataFrame:
    """Rows of the market: first what is true of the goods and what they cost, then how the seller puts it."""
    goods = _goods(market)
    shares = np.array([market.departments[one.department] * one.share for one in goods])
    kind = rng.choice(len(goods), rows, p=shares / shares.sum())
    condition = rng.choice(len(CONDITIONS), rows, p=CONDITIONS)
    shipping = (rng.random(rows) < 0.45).astype(float)
    brands, of_brand = _brands(rng, goods, kind)
    details = [_Detail(**one) for one in _words()["details"]]
    true = _true_details(rng, details, goods, kind, condition)
    pieces = np.where(rng.random(rows) < 0.07, rng.integers(2, 11, rows), 1)
    holds = np.isin(kind, [index for index, one in enumerate(goods) if one.group == "phones"])
    storage = np.where(holds & (rng.random(rows) < 0.6), rng.choice(STORAGE, rows), 0)

    logarithm = (
        np.log([market.price_level * one.price for one in goods])[kind]
        + of_brand
        + OF_CONDITION[condition]
        + SELLER_PAYS_SHIPPING * shipping
        + true @ np.log([detail.factor for detail in details])
        + PER_PIECE * np.log(pieces)
        + PER_GIGABYTE * np.log(np.where(storage, storage / 32, 1))
        + _noise(rng, rows)
    )
    dice = _Dice(rng)
    texts = [
        _listing(
            dice,
            market,
            goods[kind[row]],
            brands[row],
            _phrases(dice, details, true[row], int(pieces[row]), int(storage[row])),
            int(condition[row]) + 1,
        )
        for row in range(rows)
    ]
    named = np.array([brand is not None for brand in brands]) & (rng.random(rows) >= _hidden(market, brands))
    category = [f"{goods[index].department}/{goods[index].kind}" for index in kind]
    lacking = rng.random(rows) < market.category_missing
    columns = {
        "name": [name for name, _ in texts],
        "item_condition_id": condition + 1.0,
        "category_name": [None if lacks else name for name, lacks in zip(category, lacking, strict=True)],
        "brand_name": [brand if shown else None for brand, shown in zip(brands, named, strict=True)],
        "price": _rounded(rng, np.exp(logarithm)),
        "shipping": shipping,
        "item_description": [description for _, description in texts],
    }
    frame = pd.DataFrame({name: columns[name] for name in COLUMNS})
    return frame.astype({name: "str" for name in frame.columns if frame[name].dtype != np.float64})


def _goods(market: _Market) -> list[_Goods]:
    """The categories of the departments that the market has."""
    return [
        _Goods(department, kind, **facts)
        for department, kinds in _words()["departments"].items()
        if department in market.departments
        for kind, facts in kinds.items()
    ]


def _brands(
    rng: np.random.Generator, goods: Sequence[_Goods], kind: NDArray[np.intp]
) -> tuple[list[str | None], Numbers]:
    """The brand of each row, None for three in ten, and what it adds to the logarithm of the price."""
    names: list[str | None] = [None] * len(kind)
    added = np.full(len(kind), UNBRANDED)
    chance = rng.random(len(kind)) / 0.7
    for index, row in enumerate(kind):
        brands = list(_words()["brands"][goods[row].group].items())
        limits = np.cumsum(1 / np.arange(2, len(brands) + 2))
        if chance[index] < 1:
            name, factor = brands[int(np.searchsorted(limits, chance[index] * limits[-1], side="right"))]
            names[index], added[index] = name, np.log(factor)
    return names, added


def _hidden(market: _Market, brands: Sequence[str | None]) -> float:
    """With what chance a brand that there is is left out, so that the market's share of rows names none."""
    there = 1 - sum(brand is None for brand in brands) / len(brands)
    return 1 - (1 - market.brand_left_empty) / there


def _true_details(
    rng: np.random.Generator,
    details: Sequence[_Detail],
    goods: Sequence[_Goods],
    kind: NDArray[np.intp],
    condition: NDArray[np.intp],
) -> Numbers:
    """Which details are true of each row's goods, 1 or 0; shape (rows, details)."""
    of_group = np.array([[one.group in detail.groups for detail in details] for one in goods])[kind]
    of_condition = np.array([[grade in detail.conditions for detail in details] for grade in range(1, 6)])[condition]
    shares = np.array([detail.share for detail in details]) / 100
    true = of_group & of_condition & (rng.random(of_group.shape) < shares)
    for index, detail in enumerate(details):
        kin = [other for other in range(index) if details[other].about == detail.about]
        true[:, index] &= ~true[:, kin].any(axis=1)
    return true.astype(float)


def _noise(rng: np.random.Generator, rows: int) -> Numbers:
    """What nobody can foresee of the logarithm of a price; one in 20 is far off."""
    spread = np.where(rng.random(rows) < 0.05, 2 * NOISE, 0.9 * NOISE)
    return spread * rng.standard_normal(rows)


def _rounded(rng: np.random.Generator, price: Numbers) -> Numbers:
    """The price as sellers write it, whole dollars within the marketplace's limits; above 20, half end in 0 or 5."""
    to_five = (price > 20) & (rng.random(len(price)) < 0.5)
    return np.where(to_five, 5 * np.round(price / 5), np.round(price)).clip(3, 2000)


class _Dice:
    """Draws for texts, one at a time and fast."""

    def __init__(self, rng: np.random.Generator) -> None:
        self._numbers = self._uniform(rng)

    @staticmethod
    def _uniform(rng: np.random.Generator) -> Iterator[float]:
        while True:
            yield from rng.random(8192).tolist()

    def falls(self, chance: float) -> bool:
        """Whether something of this chance happens."""
        return next(self._numbers) < chance

    def one_of(self, options: Sequence[str]) -> str:
        """One of the options, each as likely."""
        return options[int(next(self._numbers) * len(options))]

    def shuffled(self, items: list[str]) -> list[str]:
        """The items in any order."""
        return [item for _, item in sorted((next(self._numbers), item) for item in items)]


def _phrases(dice: _Dice, details: Sequence[_Detail], true: Numbers, pieces: int, storage: int) -> list[str]:
    """How the seller says what is true of the goods."""
    words = _words()
    said = [dice.one_of(details[index].says) for index in np.flatnonzero(true)]
    if pieces > 1:
        said.append(dice.one_of(words["pieces"]).format(n=pieces))
    if storage:
        said.append(dice.one_of(words["storage"]).format(n=storage))
    return said


def _listing(
    dice: _Dice, market: _Market, goods: _Goods, brand: str | None, phrases: list[str], condition: int
) -> tuple[str, str]:
    """Name and description; each phrase is in either, in both or in neither."""
    words = _words()
    thing, colour = dice.one_of(goods.things), dice.one_of(words["colours"])
    size = dice.one_of(words["sizes"].get(goods.group, [""]))
    in_name = [phrase for phrase in phrases if dice.falls(SAID_IN_NAME)]
    name = _name(dice, brand if dice.falls(0.5) else None, in_name, colour, thing, size)
    if dice.falls(market.no_description):
        return name, NO_DESCRIPTION
    told = [phrase for phrase in phrases if dice.falls(SAID_IN_DESCRIPTION)]
    opening = dice.one_of(words["openings"])
    if brand is None and "{brand}" in opening:
        opening = words["openings"][0]
    sentences = [*told, *(size for _ in range(1) if size and dice.falls(0.5))]
    if dice.falls(0.6):
        sentences.append(dice.one_of(words["conditions"][condition]))
    sentences += [dice.one_of(words["fillers"]) for _ in range(3) if dice.falls(0.5)]
    first = opening.format(thing=thing, colour=colour, brand=brand)
    return name, _written(dice, [first, *dice.shuffled(sentences)])


def _name(dice: _Dice, brand: str | None, phrases: list[str], colour: str, thing: str, size: str) -> str:
    """The title, cut after the last word that the marketplace's limit leaves room for."""
    parts = [brand or "", *phrases[:1], colour if dice.falls(0.4) else "", thing, *phrases[1:]]
    parts.append(size if dice.falls(0.3) else "")
    text = " ".join(part for part in parts if part)
    if dice.falls(0.3):
        text = text.title()
    elif dice.falls(0.1):
        text = text.upper()
    if len(text) > NAME_LENGTH:
        text = text[: NAME_LENGTH + 1].rsplit(" ", 1)[0]
    return text


def _written(dice: _Dice, sentences: list[str]) -> str:
    """One text: sentences with capitals and full stops, or as people type on a phone."""
    if dice.falls(0.5):
        return " ".join(f"{sentence[0].upper()}{sentence[1:]}." for sentence in sentences)
    between = dice.one_of([", ", "! ", " • ", " - ", " "])
    return between.join(sentences)


def _break(rng: np.random.Generator, frame: pd.DataFrame) -> None:
    """Makes a few rows as they must not be."""
    rows = rng.permutation(len(frame))
    frame.loc[rows[:15], "price"] = 0.0
    frame.loc[rows[15:19], "item_description"] = np.nan
    frame.loc[rows[19:24], "item_description"] += " More at https://shop.example/closet"
