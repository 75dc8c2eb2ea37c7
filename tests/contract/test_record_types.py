"""The request model's dates, texts, lists and open names; and that what the contract makes up, it accepts."""

from __future__ import annotations

import json
from datetime import datetime
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from labline.contract import Problem, columns_from_records, is_missing
from labline.contract.examples import example_record, example_records, example_value
from labline.contract.records import LABELS_MAX, NAME_LENGTH_MAX, request_model
from labline.contract.signature import signature
from tests.contract.test_records import make_problem, refused, taken

DAY = {"type": "datetime", "minimum": "2020-01-01", "maximum": "2024-12-31"}
TAGS = {"type": "labels", "values": ["a", "b", "c"]}
TEXT = {"type": "text", "maximum_length": 20}


def accepted(column: dict[str, Any], value: Any) -> Any:
    """The value, once the model has taken it."""
    return taken({"x": value}, request_model(make_problem({"x": column})))["x"]


def kinds(column: dict[str, Any], value: Any) -> dict[str, str]:
    """Places and kinds of what is wrong with the value."""
    return refused({"x": value}, request_model(make_problem({"x": column})))


# Dates


@pytest.mark.parametrize(
    "value", ["2024-12-31", "2020-01-01T00:00:00", "2024-12-31T01:00:00+02:00", " 2022-05-06 07:08 ", "20220506"]
)
def test_a_date_is_taken_and_stays_as_it_is_written(value: str) -> None:
    assert accepted(DAY, value) == value


@pytest.mark.parametrize("value", ["", "yesterday", "31.12.2024", "2024-13-01", "2023-02-29"])
def test_what_is_no_date_is_refused(value: str) -> None:
    assert kinds(DAY, value) == {"x": "datetime_format"}
    with pytest.raises(ValidationError, match="is no date like 2024-12-31T23:59:59"):
        request_model(make_problem({"x": DAY})).model_validate({"x": value})


@pytest.mark.parametrize("value", [20240101, 1.7e9, None, True, ["2024-01-01"]])
def test_a_date_that_is_no_text_is_refused(value: Any) -> None:
    assert kinds(DAY, value) == {"x": "string_type"}


@pytest.mark.parametrize(
    "value", ["2019-12-31", "2019-12-31T23:59:59", "2024-12-31T00:00:01", "2020-01-01T00:00+01:00"]
)
def test_a_date_out_of_range_is_refused_at_both_ends(value: str) -> None:
    assert kinds(DAY, value) == {"x": "datetime_range"}


@pytest.mark.parametrize("policy", ["clip", "missing"])
def test_a_date_out_of_range_is_taken_where_the_contract_has_another_policy(policy: str) -> None:
    assert accepted(DAY | {"out_of_range": policy}, "1999-01-01") == "1999-01-01"


def test_other_forms_of_dates_are_taken_where_the_contract_names_them() -> None:
    assert accepted(DAY | {"formats": ["%d.%m.%Y"]}, "31.12.2020") == "31.12.2020"
    assert kinds(DAY | {"formats": ["%d.%m.%Y"]}, "31.12.2025") == {"x": "datetime_range"}


# Texts


def test_a_text_is_taken_as_it_is() -> None:
    for value in ("", "said", "  <b>größe</b>\n", "x" * 20):
        assert accepted(TEXT, value) == value


def test_a_text_that_is_too_long_or_none_is_refused() -> None:
    assert kinds(TEXT, "x" * 21) == {"x": "string_too_long"}
    for value in (None, 7, ["said"]):
        assert kinds(TEXT, value) == {"x": "string_type"}


@pytest.mark.parametrize("value", ["see http://a.b", "HTTPS://A.B", "www.a.b"])
def test_a_text_with_an_address_is_refused_where_the_contract_says_so(value: str) -> None:
    assert kinds(TEXT | {"urls": "refuse"}, value) == {"x": "text_url"}
    for policy in ("allow", "remove"):
        assert accepted(TEXT | {"urls": policy}, value) == value


# Lists of labels


@pytest.mark.parametrize("value", [[], ["a"], ["c", "a"], ["a", "a"]])
def test_a_list_of_known_names_is_taken(value: list[str]) -> None:
    assert accepted(TAGS, value) == value


def test_a_list_with_an_unknown_name_is_refused_and_its_place_told() -> None:
    assert kinds(TAGS, ["a", "z"]) == {"x.1": "literal_error"}
    assert accepted(TAGS | {"unknown": "missing"}, ["a", "z"]) == ["a", "z"]


@pytest.mark.parametrize("value", ["a", "a,b", '["a"]', None, {"a": 1}, 7])
def test_only_a_list_is_a_list(value: Any) -> None:
    assert kinds(TAGS, value) == {"x": "list_type"}


def test_an_open_list_takes_any_name_but_only_so_many_and_so_long() -> None:
    column = {"type": "labels"}
    assert accepted(column, ["anything", "größe"]) == ["anything", "größe"]
    assert kinds(column, ["a"] * (LABELS_MAX + 1)) == {"x": "too_long"}
    assert kinds(column, ["a" * (NAME_LENGTH_MAX + 1)]) == {"x.0": "string_too_long"}
    assert kinds(column, [7]) == {"x.0": "string_type"}


# Open names


def test_an_open_category_takes_any_name() -> None:
    for value in ("", "anything", "größe"):
        assert accepted({"type": "category"}, value) == value
    assert kinds({"type": "category"}, 7) == {"x": "string_type"}
    assert kinds({"type": "category"}, "a" * (NAME_LENGTH_MAX + 1)) == {"x": "string_too_long"}


@pytest.mark.parametrize("column", [DAY, TAGS, TEXT, {"type": "category"}], ids=lambda column: column["type"])
def test_what_may_be_missing_may_be_null_or_left_out(column: dict[str, Any]) -> None:
    of = request_model(make_problem({"x": column | {"missing": "allow"}}))
    assert taken({"x": None}, of)["x"] is None
    assert taken({}, of)["x"] is None
    assert refused({}, request_model(make_problem({"x": column}))) == {"x": "missing"}


# The page that shows it


def test_the_schema_of_the_page_says_what_the_contract_says_of_every_type() -> None:
    problem = make_problem(
        {
            "day": DAY,
            "local": DAY | {"formats": ["%d.%m.%Y"]},
            "tags": TAGS,
            "said": TEXT | {"description": "what was said"},
            "brand": {"type": "category"},
            "known": {"type": "category", "values": ["a"], "unknown": "missing"},
        }
    )
    found = request_model(problem).model_json_schema(by_alias=True)["properties"]

    assert (found["day"]["type"], found["day"]["format"]) == ("string", "date-time")
    assert "format" not in found["local"]
    assert (found["tags"]["type"], found["tags"]["items"]["enum"]) == ("array", ["a", "b", "c"])
    assert (found["said"]["maxLength"], found["said"]["description"]) == (20, "what was said")
    assert (found["brand"]["type"], found["brand"].get("enum")) == ("string", None)
    assert found["known"]["known"] == ["a"]
    for name, value in example_record(problem).items():
        assert found[name]["examples"] == [value]


def test_the_signature_says_what_the_model_takes_and_gives() -> None:
    columns = {"day": DAY, "tags": TAGS, "said": TEXT | {"missing": "allow"}, "n": {"type": "number"}}
    price = make_problem(
        columns, task="regression", classes=[], metric="rmse", value={"minimum": 0, "log": True, "interval": 0.8}
    )
    found = signature(price).to_dict()
    inputs = {column["name"]: column for column in json.loads(found["inputs"])}
    assert {name: column["type"] for name, column in inputs.items()} == {
        "day": "datetime",
        "tags": "array",
        "said": "string",
        "n": "double",
    }
    assert [name for name, column in inputs.items() if not column["required"]] == ["said"]
    assert [c["name"] for c in json.loads(found["outputs"])] == ["prediction", "low", "high"]

    tagged = signature(make_problem(columns, task="multilabel", metric="jaccard")).to_dict()
    outputs = json.loads(tagged["outputs"])
    assert [(column["name"], column["type"]) for column in outputs] == [
        ("prediction", "array"),
        ("a", "double"),
        ("b", "double"),
    ]


# Made-up records, of any column there may be

NAMES = st.text(st.characters(codec="utf-8", exclude_categories=["Cs", "Cc"]), min_size=1, max_size=8)
FINITE = st.floats(-1e6, 1e6).map(lambda number: round(number, 3))
MOMENTS = st.datetimes(datetime(1, 1, 1), datetime(9980, 1, 1))
POLICIES = st.sampled_from(["refuse", "clip", "missing"])


@st.composite
def limits(draw: Any, values: Any) -> dict[str, Any]:
    """A minimum and a maximum, either, or neither."""
    low, high = sorted(draw(st.lists(values, min_size=2, max_size=2, unique=True)))
    kept = draw(st.sets(st.sampled_from(["minimum", "maximum"])))
    return {name: limit for name, limit in (("minimum", low), ("maximum", high)) if name in kept}


@st.composite
def columns(draw: Any) -> dict[str, Any]:
    """Any column of the contract."""
    kind = draw(st.sampled_from(["number", "integer", "category", "boolean", "datetime", "text", "labels"]))
    column: dict[str, Any] = {"type": kind, "missing": draw(st.sampled_from(["refuse", "allow"]))}
    if kind == "number":
        column |= draw(limits(FINITE)) | {"out_of_range": draw(POLICIES)}
    elif kind == "integer":
        column |= draw(limits(st.integers(-(10**6), 10**6).map(lambda whole: whole + 0.5)))
    elif kind == "datetime":
        column |= draw(limits(MOMENTS.map(datetime.isoformat))) | {"out_of_range": draw(POLICIES)}
    elif kind == "text":
        column |= {
            "maximum_length": draw(st.integers(1, 40)),
            "urls": draw(st.sampled_from(["allow", "refuse", "remove"])),
            "html": draw(st.booleans()),
        }
    elif kind in {"category", "labels"} and draw(st.booleans()):
        column |= {
            "values": draw(st.lists(NAMES, min_size=1, max_size=5, unique=True)),
            "unknown": draw(st.sampled_from(["refuse", "missing"])),
        }
    return column


@st.composite
def problems(draw: Any) -> Problem:
    """A contract of a few columns."""
    chosen = draw(st.lists(columns(), min_size=1, max_size=4))
    return make_problem({f"x{index}": column for index, column in enumerate(chosen)})


@settings(max_examples=300)
@given(problems(), st.integers(0, 100))
def test_what_the_contract_makes_up_the_request_model_accepts(problem: Problem, seed: int) -> None:
    of = request_model(problem)
    records = [example_record(problem), *example_records(problem, 5, seed)]

    for record in records:
        assert of.model_validate_json(json.dumps(record)).model_dump(by_alias=True, exclude_unset=True) == record
    settled = columns_from_records(problem, records)
    for name, column in problem.columns.items():
        assert settled[name].shape == (6,)
        if column.missing == "refuse":
            assert not is_missing(settled[name]).any()


def test_an_example_of_the_contracts_own_is_the_one_that_is_shown() -> None:
    problem = make_problem(
        {
            "day": DAY | {"example": "2022-03-04"},
            "tags": TAGS | {"example": ["b", "c"]},
            "said": TEXT | {"example": "well said"},
            "brand": {"type": "category", "example": "acme"},
        }
    )
    assert example_record(problem) == {
        "day": "2022-03-04T00:00:00",
        "tags": ["b", "c"],
        "said": "well said",
        "brand": "acme",
    }


def test_made_up_texts_are_made_of_the_examples_words_and_differ() -> None:
    problem = make_problem({"said": TEXT | {"example": "red green blue", "maximum_length": 100}})
    texts = [record["said"] for record in example_records(problem, 50)]
    assert {word for text in texts for word in text.split()} == {"red", "green", "blue"}
    assert len(set(texts)) > 20


def test_made_up_dates_spread_over_the_whole_range() -> None:
    days = np.array([record["x"] for record in example_records(make_problem({"x": DAY}), 300)], dtype="datetime64[D]")
    assert days.min() < np.datetime64("2020-02-01")
    assert days.max() > np.datetime64("2024-12-01")


def test_the_example_of_a_column_is_one_value() -> None:
    problem = make_problem({"x": {"type": "labels"}})
    assert example_value(problem.columns["x"]) == ["one"]
