"""The request model: what one record may hold, and what becomes of it."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from pydantic import BaseModel, ValidationError

from labline.contract import Problem, columns_from_records, read_problem, settle
from labline.contract.examples import example_record, example_records
from labline.contract.records import request_model
from labline.data.sources.sample import generate

OBESITY = Path(__file__).parents[2] / "problems" / "obesity"
AGE = {"type": "number", "minimum": 14, "maximum": 100}
CHILDREN = {"type": "integer", "minimum": 0}
GENDER = {"type": "category", "values": ["Female", "Male"]}
SMOKES = {"type": "boolean"}
RECORD = {"Age": 30.5, "Children": 2, "Gender": "Male", "Smokes": False}


def make_problem(columns: dict[str, dict[str, Any]], **parts: Any) -> Problem:
    text = {
        "name": "p",
        "title": "P",
        "task": "binary",
        "target": "y",
        "classes": ["a", "b"],
        "id": "id",
        "metric": "accuracy",
        "sources": {"train": {"csv": "p.csv"}},
    }
    return Problem.model_validate(text | {"columns": columns} | parts)


def model(**changes: dict[str, Any]) -> type[BaseModel]:
    """The model of RECORD; changes are added to its columns' contract."""
    columns = {"Age": AGE, "Children": CHILDREN, "Gender": GENDER, "Smokes": SMOKES}
    return request_model(make_problem({name: column | changes.get(name, {}) for name, column in columns.items()}))


def taken(record: dict[str, Any], of: type[BaseModel] | None = None) -> dict[str, Any]:
    """What the model makes of a record, the same from Python and from JSON."""
    of = of or model()
    from_json = of.model_validate_json(json.dumps(record)).model_dump(by_alias=True)
    assert of.model_validate(record).model_dump(by_alias=True) == from_json
    return from_json


def refused(record: dict[str, Any], of: type[BaseModel] | None = None) -> dict[str, str]:
    """What is wrong, by field, the same from Python and from JSON."""
    of = of or model()
    found = []
    for validate, given in ((of.model_validate, record), (of.model_validate_json, json.dumps(record))):
        with pytest.raises(ValidationError) as caught:
            validate(given)
        found.append({".".join(map(str, error["loc"])): error["type"] for error in caught.value.errors()})
    assert found[0] == found[1]
    return found[0]


# What is taken, what is refused


def test_a_record_that_keeps_to_the_contract_is_taken_as_it_is() -> None:
    assert taken(RECORD) == RECORD | {"id": None}


@pytest.mark.parametrize("value", ["male", "MALE", " Male", "", "Other", "['Female', 'Male']"])
def test_an_unknown_category_is_refused_with_the_allowed_ones(value: str) -> None:
    with pytest.raises(ValidationError, match="'Female' or 'Male'"):
        model().model_validate(RECORD | {"Gender": value})
    assert refused(RECORD | {"Gender": value}) == {"Gender": "literal_error"}


@pytest.mark.parametrize("value", [None, 1, True, ["Male"]])
def test_a_category_that_is_no_name_is_refused(value: Any) -> None:
    assert refused(RECORD | {"Gender": value}) == {"Gender": "literal_error"}


@pytest.mark.parametrize("column", RECORD)
def test_a_column_left_out_is_refused_and_no_default_takes_its_place(column: str) -> None:
    assert refused({name: value for name, value in RECORD.items() if name != column}) == {column: "missing"}


@pytest.mark.parametrize("column", ["Age", "Children"])
@pytest.mark.parametrize("value", ["30", "", "abc", True, None, [30], {"years": 30}])
def test_what_is_no_number_is_refused_where_a_number_is_wanted(column: str, value: Any) -> None:
    assert refused(RECORD | {column: value}) == {column: "float_type"}


@pytest.mark.parametrize("column", ["Age", "Children"])
@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_a_number_that_is_not_finite_is_refused(column: str, value: float) -> None:
    assert refused(RECORD | {column: value}) == {column: "finite_number"}


def test_a_number_too_large_for_a_float_is_refused() -> None:
    with pytest.raises(ValidationError, match="finite"):
        model().model_validate_json(json.dumps(RECORD | {"Children": 10**400}))


@pytest.mark.parametrize(("value", "kind"), [(13.999, "greater_than_equal"), (100.001, "less_than_equal")])
def test_a_number_out_of_range_is_refused_at_both_ends(value: float, kind: str) -> None:
    assert refused(RECORD | {"Age": value}) == {"Age": kind}


@pytest.mark.parametrize("value", [14, 14.0, 100, 100.0])
def test_the_ends_of_the_range_belong_to_it(value: float) -> None:
    assert taken(RECORD | {"Age": value})["Age"] == value


@pytest.mark.parametrize("value", [2, 2.0, 0, 2**53])
def test_a_whole_number_may_be_written_with_or_without_a_point(value: float) -> None:
    assert taken(RECORD | {"Children": value})["Children"] == value


@pytest.mark.parametrize("value", [2.5, 2.0000000001, 0.1, 5_000_000_000.5])
def test_a_fraction_is_refused_where_a_whole_number_is_wanted(value: float) -> None:
    assert refused(RECORD | {"Children": value}) == {"Children": "multiple_of"}


def test_a_number_that_is_no_integer_column_takes_whole_numbers_too() -> None:
    assert taken(RECORD | {"Age": 21})["Age"] == 21.0


@pytest.mark.parametrize("value", [0, 1, "true", "yes", None])
def test_only_true_and_false_are_booleans(value: Any) -> None:
    assert refused(RECORD | {"Smokes": value}) == {"Smokes": "bool_type"}


@pytest.mark.parametrize("name", ["Hight", "age", "column_0", "row_id", "y"])
def test_a_field_that_is_no_column_is_refused(name: str) -> None:
    assert refused(RECORD | {name: 1}) == {name: "extra_forbidden"}


@pytest.mark.parametrize("value", [7, "7", "007", "a-7", None])
def test_an_id_may_be_given_and_is_kept(value: Any) -> None:
    assert taken(RECORD | {"id": value})["id"] == value


@pytest.mark.parametrize("value", ["a" * 1001, "7" * 1001, "0" * 1001, 10**30, 1.5, [7]])
def test_an_id_that_is_too_long_or_no_name_is_refused(value: Any) -> None:
    assert all(field.startswith("id") for field in refused(RECORD | {"id": value}))


def test_all_that_is_wrong_is_told_at_once() -> None:
    wrong = {"Age": 5, "Children": 1.5, "Gender": "male", "extra": 1}
    assert set(refused(wrong)) == {"Age", "Children", "Gender", "Smokes", "extra"}


# Policies


@pytest.mark.parametrize("column", RECORD)
def test_a_value_that_may_be_missing_is_none_whether_null_or_left_out(column: str) -> None:
    may_miss = model(**{column: {"missing": "allow"}})

    assert taken(RECORD | {column: None}, may_miss)[column] is None
    assert taken({name: value for name, value in RECORD.items() if name != column}, may_miss)[column] is None
    assert taken(RECORD, may_miss) == RECORD | {"id": None}


def test_what_may_be_missing_is_otherwise_held_to_the_contract_as_before() -> None:
    may_miss = model(**{name: {"missing": "allow"} for name in RECORD})

    assert {field.partition(".")[0] for field in refused(RECORD | {"Age": 13, "Gender": "male"}, may_miss)} == {
        "Age",
        "Gender",
    }


def test_an_unknown_category_is_missing_to_the_model_where_the_contract_says_so() -> None:
    problem = make_problem({"Gender": GENDER | {"unknown": "missing"}})
    record = taken({"Gender": "Divers"}, request_model(problem))

    assert record["Gender"] == "Divers"  # kept for the prediction log
    assert columns_from_records(problem, [record, {"Gender": "Male"}])["Gender"].tolist() == [None, "Male"]


@pytest.mark.parametrize(
    ("policy", "becomes"), [("clip", [14.0, 14.0, 50.0, 100.0, 100.0]), ("missing", [None, 14.0, 50.0, 100.0, None])]
)
def test_a_number_out_of_range_is_clipped_or_missing_where_the_contract_says_so(
    policy: str, becomes: list[float | None]
) -> None:
    problem = make_problem({"Age": AGE | {"out_of_range": policy}})
    records = [taken({"Age": age}, request_model(problem)) for age in (-3, 14, 50, 100, 1e9)]
    settled = columns_from_records(problem, records)["Age"]

    assert settled.dtype == np.float64
    assert [None if np.isnan(value) else value for value in settled] == becomes
    assert refused({"Age": math.inf}, request_model(problem)) == {"Age": "finite_number"}


def test_a_limit_on_one_side_leaves_the_other_open() -> None:
    problem = make_problem({"low": {"type": "number", "minimum": 0, "out_of_range": "clip"}})

    assert settle(problem, {"low": [-5, 1e300]})["low"].tolist() == [0.0, 1e300]


def test_every_kind_of_missing_is_settled_to_one() -> None:
    problem = make_problem({name: c | {"missing": "allow"} for name, c in (("n", AGE), ("c", GENDER), ("b", SMOKES))})
    settled = settle(problem, {"n": [None, np.nan, 20], "c": [None, np.nan, pd.NA], "b": [None, np.nan, True]})

    np.testing.assert_array_equal(settled["n"], [np.nan, np.nan, 20.0])
    np.testing.assert_array_equal(settled["b"], [np.nan, np.nan, 1.0])
    assert settled["c"].tolist() == [None, None, None]


def test_one_record_and_many_settle_to_arrays_of_one_value_a_row() -> None:
    problem = read_problem(OBESITY / "problem.yaml")
    records = example_records(problem, 3)

    one, many = columns_from_records(problem, records[:1]), columns_from_records(problem, records)
    for name in problem.columns:
        assert one[name].shape == (1,)
        assert many[name].shape == (3,)
        assert one[name].dtype == many[name].dtype
        assert one[name][0] == many[name][0]


# Names

AWKWARD = [
    "Height in cm",
    "größe",
    "身長",
    "class",
    "lambda",
    "2nd",
    "model_config",
    "model_fields",
    "__class__",
    "_private",
    "self",
    "column_0",
    "row_id",
    "copy",
    "schema",
    "a.b",
    "a\"b'c",
    " ",
]


@pytest.mark.parametrize("name", AWKWARD)
def test_a_column_may_have_any_name(name: str) -> None:
    of = request_model(make_problem({name: AGE}))

    assert taken({name: 20}, of)[name] == 20
    assert list(refused({name: 5}, of)) == [name]
    assert refused({}, of) == {name: "missing"}
    assert of.model_json_schema(by_alias=True)["required"] == [name]


def test_columns_of_all_these_names_stand_side_by_side() -> None:
    problem = make_problem(dict.fromkeys(AWKWARD, AGE), id="id of the row")
    record = {name: 20.0 + index for index, name in enumerate(AWKWARD)} | {"id of the row": 7}

    assert taken(record, request_model(problem)) == record


# The page that shows it


def test_the_schema_of_the_page_says_what_the_contract_says() -> None:
    schema = request_model(read_problem(OBESITY / "problem.yaml")).model_json_schema(by_alias=True)
    age, gender = schema["properties"]["Age"], schema["properties"]["Gender"]

    assert (age["type"], age["minimum"], age["maximum"], age["examples"]) == ("number", 14, 100, [24])
    assert "[years]" in age["description"]
    assert gender["enum"] == ["Female", "Male"]
    assert "default" not in gender
    assert schema["additionalProperties"] is False
    children = model().model_json_schema(by_alias=True)["properties"]["Children"]
    assert (children["type"], children["minimum"], children["multipleOf"]) == ("number", 0, 1)


# Real rows


@pytest.mark.parametrize("role", ["train", "current"])
def test_every_row_of_the_sample_round_trips_through_the_model(role: str, sample: dict[str, pd.DataFrame]) -> None:
    problem = read_problem(OBESITY / "problem.yaml")
    of = request_model(problem)
    names = [name for name in (problem.id, *problem.columns) if name in sample[role]]
    records = sample[role][names].head(500).to_dict("records")

    assert len(records) >= 400
    for record in records:
        assert of.model_validate_json(json.dumps(record)).model_dump(by_alias=True, exclude_unset=True) == record


@pytest.mark.parametrize("role", ["train", "current"])
def test_every_value_of_the_sample_is_taken_in_its_column(role: str) -> None:
    problem = read_problem(OBESITY / "problem.yaml")
    frame = generate(OBESITY, role, seed=7)
    of = request_model(problem)
    record = example_record(problem)

    for name in problem.columns:
        for value in frame[name].unique().tolist():
            given = record | {name: value}
            assert of.model_validate(given).model_dump(by_alias=True, exclude_unset=True)[name] == value


# Made-up records

MIXED = make_problem(
    {
        "free": {"type": "number"},
        "low": {"type": "number", "minimum": -0.5},
        "high": {"type": "number", "maximum": -7},
        "whole": {"type": "integer", "minimum": 0.5, "maximum": 2.5},
        "name": GENDER | {"missing": "allow"},
        "flag": SMOKES | {"missing": "allow"},
    }
)


@pytest.mark.parametrize("problem", [read_problem(OBESITY / "problem.yaml"), MIXED], ids=["obesity", "mixed"])
def test_made_up_records_keep_to_the_contract(problem: Problem) -> None:
    of = request_model(problem)
    records = example_records(problem, 200)

    assert len(records) == 200
    for record in [*records, example_record(problem)]:
        assert of.model_validate_json(json.dumps(record)).model_dump(by_alias=True, exclude_unset=True) == record
    assert example_records(problem, 200) == records
    assert example_records(problem, 200, seed=1) != records


def test_made_up_records_reach_every_value_and_missing_where_it_is_allowed() -> None:
    records = example_records(MIXED, 200)

    assert {record["name"] for record in records} == {"Female", "Male", None}
    assert {record["flag"] for record in records} == {True, False, None}
    assert {record["whole"] for record in records} == {1.0, 2.0}
