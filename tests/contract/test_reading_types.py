"""Reading contracts with dates, texts, lists, targets that have a scale, and sources of every kind."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

import pytest

from labline.contract import DateTimeColumn, LabelsColumn, Problem, TextColumn, read_problem
from labline.errors import ContractError

# Lines are counted in the tests: the first is 1.
PRICES = """\
name: prices
title: Prices
task: regression
target: price
value: {unit: USD, minimum: 3, maximum: 2000, log: true, interval: 0.8}
invalid_rows: drop
baseline_by: [brand, shipping]
metric: rmsle
sources:
  train: {file: train.tsv.gz, dialect: {decimal: ",", thousands: ".", encoding: latin-1, missing: ["-"]}}
  current: {sql: {query: SELECT * FROM sales, url_variable: SALES_URL}}
columns:
  brand: {type: category, missing: allow}
  shipping: {type: boolean}
  said: {type: text, html: true, urls: refuse, hashed: true, maximum_length: 500, example: well}
  sold: {type: datetime, formats: ["%d.%m.%Y"], minimum: 2010-01-01, maximum: "2025-12-31T12:00+02:00"}
  tags: {type: labels, values: [new, used], separator: "|", unknown: missing, example: [new]}
"""
TAGS = """\
name: tags
title: Tags
task: multilabel
target: tags
classes: [a]
separator: " "
unlisted: ignore
metric: jaccard
sources:
  train: {csv: train.csv}
columns:
  said: {type: text}
"""


def read(folder: Path, text: str) -> Problem:
    (folder / "problem.yaml").write_text(text, encoding="utf-8")
    return read_problem(folder / "problem.yaml")


def in_prices(old: str, new: str) -> str:
    assert PRICES.count(old) == 1
    return PRICES.replace(old, new)


def in_tags(old: str, new: str) -> str:
    assert TAGS.count(old) == 1
    return TAGS.replace(old, new)


def test_a_contract_says_all_there_is_to_say_of_a_price(tmp_path: Path) -> None:
    problem = read(tmp_path, PRICES)

    assert problem.value.model_dump() == {"unit": "USD", "minimum": 3, "maximum": 2000, "log": True, "interval": 0.8}
    assert (problem.invalid_rows, problem.baseline_by) == ("drop", ("brand", "shipping"))
    train, current = problem.sources.train, problem.sources.current
    assert (train.file, train.address) == ("train.tsv.gz", "train.tsv.gz")
    assert train.dialect.model_dump() == {
        "separator": None,
        "decimal": ",",
        "thousands": ".",
        "encoding": "latin-1",
        "missing": ("-",),
    }
    assert current is not None
    assert current.sql is not None
    assert (current.sql.query, current.sql.url_variable, current.address) == ("SELECT * FROM sales", "SALES_URL", None)
    assert problem.columns["brand"].is_open
    assert problem.columns["said"] == TextColumn(
        type="text", html=True, urls="refuse", hashed=True, maximum_length=500, example="well"
    )
    assert problem.columns["sold"] == DateTimeColumn(
        type="datetime", formats=("%d.%m.%Y",), minimum=datetime(2010, 1, 1), maximum=datetime(2025, 12, 31, 10)
    )
    tags = problem.columns["tags"]
    assert isinstance(tags, LabelsColumn)
    assert (tags.values, tags.separator, tags.unknown, tags.example) == (("new", "used"), "|", "missing", ("new",))


def test_a_multilabel_problem_may_have_a_single_class_and_leaves_out_others_where_told(tmp_path: Path) -> None:
    problem = read(tmp_path, TAGS)
    assert (problem.classes, problem.separator, problem.unlisted) == (("a",), " ", "ignore")


def test_a_contract_that_is_written_and_read_again_is_the_same(tmp_path: Path) -> None:
    for text in (PRICES, TAGS):
        problem = read(tmp_path, text)
        assert Problem.model_validate(problem.model_dump(mode="json", exclude_unset=True)) == problem


WRONG = {
    "unknown among any name": (
        in_prices("brand: {type: category,", "brand: {type: category, unknown: missing,"),
        (13, "columns.brand.unknown", "no name is listed, so none can be unknown", "list values"),
    ),
    "an example that is too long": (
        in_prices("maximum_length: 500", "maximum_length: 3"),
        (15, "columns.said.example", "it has more than 3 characters", "shorten it"),
    ),
    "no date": (
        in_prices("minimum: 2010-01-01", "minimum: soon"),
        (16, "columns.sold.minimum", "'soon' is no date", "write it like 2024-12-31"),
    ),
    "a day that is not there": (
        in_prices("minimum: 2010-01-01", "minimum: 2010-02-30"),
        (16, "columns.sold.minimum", "'2010-02-30' is no date", "write it like"),
    ),
    "dates the wrong way round": (
        in_prices("minimum: 2010-01-01", "minimum: 2026-01-01"),
        (16, "columns.sold.minimum", "minimum 2026-01-01 is not before maximum 2025-12-31T10:00:00", "correct them"),
    ),
    "an example out of time": (
        in_prices("minimum: 2010-01-01", "minimum: 2010-01-01, example: 2009-12-31"),
        (16, "columns.sold.example", "2009-12-31 is outside minimum and maximum", "choose one inside"),
    ),
    "no form of a date": (
        in_prices('"%d.%m.%Y"', '"%d.%m.%Q"'),
        (16, "columns.sold.formats", "'%d.%m.%Q' is no format of strptime", "write it like %d.%m.%Y"),
    ),
    "an example that no list allows": (
        in_prices("example: [new]", "example: [new, old]"),
        (17, "columns.tags.example", "'old' is not one of values", "choose some of them"),
    ),
    "a range the wrong way round": (
        in_prices("minimum: 3, maximum: 2000", "minimum: 3, maximum: 2"),
        (5, "value.minimum", "minimum 3 is not below maximum 2", "correct them"),
    ),
    "a logarithm of what may be negative": (
        in_prices("minimum: 3, maximum: 2000", "maximum: 2000"),
        (5, "value.log", "log needs a minimum of 0 or more", "give one"),
    ),
    "an interval that covers everything": (
        in_prices("interval: 0.8", "interval: 1"),
        (5, "value.interval", "less than 1", "correct the value"),
    ),
    "rmsle of what may be negative": (
        in_prices("{unit: USD, minimum: 3, maximum: 2000, log: true, interval: 0.8}", "{unit: USD}"),
        (8, "metric", "rmsle needs targets of 0 or more", "value: {minimum: 0}"),
    ),
    "a rule by what is no column": (
        in_prices("[brand, shipping]", "[brand, colour]"),
        (7, "baseline_by", "there is no column 'colour'", "name columns of the contract"),
    ),
    "a sign for two things": (
        in_prices('thousands: "."', 'thousands: ","'),
        (10, "sources.train.dialect.decimal", "',' cannot stand for two things", "correct it"),
    ),
    "an encoding nobody knows": (
        in_prices("encoding: latin-1", "encoding: klingon"),
        (10, "sources.train.dialect.encoding", "there is no encoding 'klingon'", "use utf-8, latin-1"),
    ),
    "a database's address in the file": (
        in_prices("SALES_URL", "postgresql://me:secret@host/db"),
        (11, "sources.current.sql.url_variable", "string should match", "correct the value"),
    ),
    "no classes": (
        in_tags("classes: [a]\n", ""),
        (1, "classes", "0 given", "task multilabel takes 1 to 1000"),
    ),
    "a metric of one class": (
        in_tags("jaccard", "accuracy"),
        (8, "metric", "'accuracy' does not fit task multilabel", "f1_weighted, f1_micro, f1_macro, jaccard, log_loss"),
    ),
    "a rule for lists": (
        in_tags("metric: jaccard", "metric: jaccard\nbaseline_by: [said]"),
        (9, "baseline_by", "there is no such rule for multilabel", "take it out"),
    ),
    "a value of lists": (
        in_tags("metric: jaccard", "metric: jaccard\nvalue: {unit: m}"),
        (9, "value", "task multilabel predicts no value", "take it out"),
    ),
}


@pytest.mark.parametrize("wrong", WRONG)
def test_what_cannot_hold_is_refused_with_line_what_and_mend(wrong: str, tmp_path: Path) -> None:
    text, (line, place, what, mend) = WRONG[wrong]
    with pytest.raises(ContractError) as caught:
        read(tmp_path, text)

    assert caught.value.where == f"{tmp_path / 'problem.yaml'}:{line}"
    assert caught.value.what.startswith(place)
    assert what in caught.value.what
    assert mend in str(caught.value.mend)
