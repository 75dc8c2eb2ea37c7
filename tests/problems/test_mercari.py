"""The Mercari problem: its contract, derived features and generated listings."""

from functools import cache
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from labline.contract import columns_from_records, read_problem, settle
from labline.contract.examples import example_record, example_records
from labline.contract.records import request_model
from labline.data import check_frame, read_frame, usable, write_frame
from labline.data.sources.files import frame_of_chunks
from labline.data.sources.sample import generate
from labline.features import read_features

FOLDER = Path(__file__).parents[2] / "problems" / "mercari"
PROBLEM = read_problem(FOLDER / "problem.yaml")
FEATURES = read_features(FOLDER / "features.py", PROBLEM)
TITLES = ["category_department", "category_middle", "category_kind"]
LISTING = {
    "name": "Nike running tights",
    "item_condition_id": 2,
    "category_name": "Women/Athletic Apparel/Pants",
    "brand_name": "Nike",
    "shipping": 1,
    "item_description": "Worn once, black.",
}


def feature(wanted, /, **said):
    """The feature's value for one listing."""
    return FEATURES.only([wanted])(columns_from_records(PROBLEM, [LISTING | said]))[wanted].item()


@cache
def rows(role="train", seed=0):
    return generate(FOLDER, role, seed)


@cache
def priced():
    """The rows that do not break the contract."""
    frame = rows()
    return frame[(frame["price"] > 0) & frame["item_description"].notna()].reset_index(drop=True)


def derived(frame):
    return FEATURES(settle(PROBLEM, {name: frame[name].to_numpy(object) for name in PROBLEM.columns}))


# The contract


def test_the_contract_is_that_of_the_issue():
    assert (PROBLEM.task, PROBLEM.metric, PROBLEM.target, PROBLEM.id) == ("regression", "rmsle", "price", "train_id")
    assert (PROBLEM.value.minimum, PROBLEM.value.maximum, PROBLEM.value.log) == (3, 2000, True)
    assert 0 < PROBLEM.value.interval < 1
    assert PROBLEM.baseline_by == ("category_name", "brand_name")
    assert [name for name, column in PROBLEM.columns.items() if column.missing == "allow"] == [
        "category_name",
        "brand_name",
    ]


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("item_condition_id", 0),
        ("item_condition_id", 6),
        ("item_condition_id", 2.5),
        ("shipping", 2),
        ("name", "more at https://shop.example"),
        ("item_description", "see www.shop.example/me"),
        ("item_description", None),
    ],
)
def test_a_listing_that_breaks_a_rule_is_refused(name, value):
    record = request_model(PROBLEM)
    record.model_validate(example_record(PROBLEM))
    with pytest.raises(ValueError, match=name):
        record.model_validate(example_record(PROBLEM) | {name: value})


def test_any_brand_and_category_will_do_and_so_will_none():
    record = request_model(PROBLEM)
    record.model_validate(LISTING | {"brand_name": "Nobody Knows It", "category_name": "New/One"})
    record.model_validate(LISTING | {"brand_name": None, "category_name": None})


# Derived features


@pytest.mark.parametrize("name", FEATURES.names)
def test_feature_says_what_it_is_and_in_what(name):
    (one,) = [found for found in FEATURES.only([name])._features if found.name == name]
    assert any(
        said in one.function.__doc__ for said in ("1 or 0", "a name", "characters", "number of", "gigabytes", "0 to 1")
    )


@pytest.mark.parametrize(
    ("category", "levels"),
    [
        ("Women/Athletic Apparel/Pants", ["Women", "Athletic Apparel", "Pants"]),
        ("Electronics/Computers/iPad/Tablet/eBook", ["Electronics", "Computers", "iPad/Tablet/eBook"]),
        ("Women", ["Women", None, None]),
        ("Women//Pants", ["Women", None, "Pants"]),
        ("Men / Tops ", ["Men", "Tops", None]),
        ("/", [None, None, None]),
        ("", [None, None, None]),
        (None, [None, None, None]),
    ],
)
def test_category_is_split_into_three_levels(category, levels):
    assert [feature(name, category_name=category) for name in TITLES] == levels


def test_brand_features_tell_missing_from_unnamed():
    assert feature("brand_is_missing") == 0
    assert feature("brand_is_missing", brand_name=None) == 1
    assert feature("brand_in_name") == 1
    assert feature("brand_in_name", name="NIKE TIGHTS") == 1
    assert feature("brand_in_name", name="running tights") == 0
    assert np.isnan(feature("brand_in_name", brand_name=None))


@pytest.mark.parametrize("text", ["No description yet", " no description yet\n", "", "   "])
def test_a_description_that_says_nothing_counts_as_none(text):
    assert feature("description_is_missing", item_description=text) == 1
    assert feature("description_length", item_description=text) == 0
    assert feature("description_words", item_description=text) == 0


def test_texts_are_counted():
    assert feature("description_is_missing") == 0
    assert feature("description_length") == len("Worn once, black.")
    assert feature("description_words") == 3
    assert feature("name_length", name="") == 0
    assert feature("name_capitals", name="NIKE tigh 7") == 0.5
    assert feature("name_capitals", name="123 ❤") == 0
    assert feature("removed_prices", item_description="Paid [rm], not [rm]!") == 2


@pytest.mark.parametrize(
    ("name", "description", "count"),
    [
        ("Lot of 3 shirts", "new", 3),
        ("shirts", "a BUNDLE OF 4 of them", 4),
        ("12 pack pens", "lot of 3", 12),
        ("6-pack", "x", 6),
        ("10pcs beads", "x", 10),
        ("5 items", "x", 5),
        ("set of 1", "set of 2", 2),
        ("set of 1", "x", 1),
        ("size 8 shirt", "x", 1),
        ("parking lot of dreams", "2017", 1),
    ],
)
def test_pieces_are_read_from_the_name_then_the_description(name, description, count):
    assert feature("pieces", name=name, item_description=description) == count


def test_storage_is_read_where_it_is_said():
    assert feature("storage", name="Phone 64GB", item_description="128 gb card with it") == 64
    assert feature("storage", name="Phone", item_description="it has 16 gb") == 16
    assert np.isnan(feature("storage", name="Phone", item_description="0gb"))


@pytest.mark.parametrize(
    ("name", "unused"), [("dress NWT", 1), ("BNIB headset", 1), ("brand new top", 1), ("new top", 0), ("bnwtx", 0)]
)
def test_unused_goods_are_told_by_the_marketplaces_words(name, unused):
    assert feature("says_unused", name=name) == unused
    assert feature("says_unused", name="top", item_description=name) == unused


texts = st.text(max_size=40) | st.sampled_from(["No description yet", "Lot of 3 NWT 64gb [rm]", "", "İSTANBUL ß"])
names = st.none() | st.text(max_size=30) | st.sampled_from(["Women/Shoes/Boots", "//", "Nike"])
listings = st.fixed_dictionaries(
    {
        "name": texts,
        "item_condition_id": st.integers(1, 5),
        "category_name": names,
        "brand_name": names,
        "shipping": st.integers(0, 1),
        "item_description": texts,
    }
)


@given(st.lists(listings, min_size=1, max_size=6))
@example([LISTING, LISTING | {"category_name": None, "brand_name": None}])
@settings(max_examples=100)
def test_one_listing_gives_what_it_gives_within_a_batch(batch):
    together = FEATURES(columns_from_records(PROBLEM, batch))
    for index, record in enumerate(batch):
        alone = FEATURES(columns_from_records(PROBLEM, [record]))
        for name in FEATURES.names:
            assert alone[name].dtype == (object if name in TITLES else np.float64), name
            np.testing.assert_array_equal(alone[name], together[name][index : index + 1], name)


def test_no_rows_give_no_values():
    for name, values in FEATURES(columns_from_records(PROBLEM, [])).items():
        assert values.shape == (0,), name


def test_missing_texts_give_missing_counts():
    columns = columns_from_records(PROBLEM, example_records(PROBLEM, 4)) | {
        name: np.full(4, None) for name in ("name", "item_description")
    }
    of_texts = {"name_length", "name_capitals", "removed_prices", "pieces", "storage", "says_unused", "brand_in_name"}
    values = FEATURES(columns)
    for name in of_texts:
        assert np.isnan(values[name]).all(), name


# Generated listings


def test_rows_have_the_published_columns_in_their_order():
    published = ["train_id", "name", "item_condition_id", "category_name", "brand_name", "price", "shipping"]
    for role, count in (("train", 20_000), ("current", 4_000)):
        assert list(rows(role).columns) == [*published, "item_description"]
        assert len(rows(role)) == count
        assert rows(role)["train_id"].is_unique
    assert rows()["train_id"].tolist() == list(range(20_000))


@pytest.mark.parametrize("role", ["train", "current"])
def test_a_seed_gives_the_same_rows_again_and_another_seed_others(role):
    first = generate(FOLDER, role, 7)
    pd.testing.assert_frame_equal(first, generate(FOLDER, role, 7))
    assert (first["item_description"] != generate(FOLDER, role, 8)["item_description"]).mean() > 0.9


def test_current_obeys_the_contract():
    assert check_frame(
        frame_of_chunks([rows("current")], PROBLEM, PROBLEM.sources.train.dialect), PROBLEM, with_target=True
    ).ok


def test_train_breaks_the_contract_in_a_few_rows_as_the_published_file_does():
    found = check_frame(frame_of_chunks([rows()], PROBLEM, PROBLEM.sources.train.dialect), PROBLEM, with_target=True)
    errors = {finding.column: finding.count for finding in found.findings if finding.severity == "error"}
    assert errors["price"] == 15
    assert set(errors) == {"price", "item_description"}
    assert rows()["item_description"].isna().sum() == 4
    assert rows()["item_description"].str.contains("https://", na=False).sum() == 5


def test_rows_that_break_the_contract_are_left_out_and_told():
    kept, report = usable(frame_of_chunks([rows()], PROBLEM, PROBLEM.sources.train.dialect), PROBLEM)
    assert report.ok
    assert len(kept) == 20_000 - 15 - 4 - 5
    assert check_frame(kept, PROBLEM, with_target=True).ok


def test_rows_come_back_from_a_tab_separated_file_as_they_were(tmp_path):
    write_frame(rows("current"), tmp_path / "train.tsv")
    found = read_frame(str(tmp_path / "train.tsv"), PROBLEM)
    pd.testing.assert_frame_equal(found, rows("current"), check_dtype=False)


def test_shares_are_those_of_the_docstring():
    frame = rows()
    assert 0.38 < frame["brand_name"].isna().mean() < 0.46
    assert 0.002 < frame["category_name"].isna().mean() < 0.01
    assert 0.04 < (frame["item_description"] == "No description yet").mean() < 0.07
    assert set(frame["item_condition_id"]) == {1, 2, 3, 4, 5}
    assert frame["name"].str.len().between(1, 40).all()
    values = derived(frame.dropna(subset="item_description"))
    hidden = values["brand_is_missing"] == 1
    assert 0.4 < np.nanmean(values["brand_in_name"][~hidden]) < 0.6
    assert 0.02 < (values["pieces"] > 1).mean() < 0.1


def test_prices_are_those_of_a_marketplace():
    prices = priced()["price"]
    assert prices.between(3, 2000).all()
    assert (prices % 1 == 0).all()
    assert 14 < prices.median() < 22
    assert abs(np.log1p(prices).skew()) < 1


@pytest.mark.parametrize(
    ("said", "factor"),
    [(r"\b14k", 1.5), (r"\bsample size\b", 0.75), (r"\bfor parts\b", 0.6), (r"(?<!faux )(?<!vegan )\bleather\b", 1.5)],
)
def test_words_move_the_price_within_a_category(said, factor):
    frame = priced()
    usual = np.log(frame["price"]).groupby(frame["category_name"]).transform("median")
    text = frame["name"] + " " + frame["item_description"]
    moved = np.exp((np.log(frame["price"]) - usual)[text.str.contains(said, case=False)].median())
    assert moved > factor if factor > 1 else moved < factor


def test_worse_condition_costs_less():
    frame = priced()
    medians = frame.groupby("item_condition_id")["price"].median()
    assert medians.is_monotonic_decreasing


def test_prices_are_lower_where_the_seller_pays_for_shipping():
    means = np.log(priced()["price"]).groupby(priced()["shipping"]).mean()
    assert means[1] - means[0] == pytest.approx(np.log(0.85), abs=0.06)


def test_current_differs_from_train_as_its_docstring_says():
    before, after = (rows(role)["category_name"].str.split("/").str[0] for role in ("train", "current"))
    assert (after == "Electronics").mean() > 1.5 * (before == "Electronics").mean()
    assert (after == "Women").mean() < 0.75 * (before == "Women").mean()
    assert (before == "Pet Supplies").sum() == 0
    assert 0.03 < (after == "Pet Supplies").mean() < 0.07
    assert 0.46 < rows("current")["brand_name"].isna().mean() < 0.54


def rmsle(true, predicted):
    return np.sqrt(np.mean((np.log1p(true) - np.log1p(predicted)) ** 2))


def test_reading_the_texts_beats_the_median_by_category_and_brand_by_15_percent():
    from sklearn.compose import make_column_transformer
    from sklearn.feature_extraction.text import TfidfVectorizer
    from sklearn.linear_model import Ridge
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import OneHotEncoder

    known, held_out = priced()[:16_000], priced()[16_000:]
    columns = ["category_name", "brand_name"]
    medians = known.groupby(columns, dropna=False)["price"].median().rename("rule").reset_index()
    rule = held_out.merge(medians, how="left", on=columns)["rule"].fillna(known["price"].median())
    words = {"ngram_range": (1, 2), "min_df": 3}
    model = make_pipeline(
        make_column_transformer(
            (OneHotEncoder(handle_unknown="ignore"), [*columns, "item_condition_id", "shipping"]),
            (TfidfVectorizer(**words), "name"),
            (TfidfVectorizer(**words), "item_description"),
        ),
        Ridge(alpha=2, solver="sparse_cg"),
    )
    model.fit(known, np.log1p(known["price"]))
    by_rule = rmsle(held_out["price"].to_numpy(), rule.to_numpy())
    by_model = rmsle(held_out["price"], np.expm1(model.predict(held_out)))
    assert 0.5 < by_rule < 0.7
    assert 0.38 < by_model < 0.85 * by_rule
