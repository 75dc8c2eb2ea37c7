"""What changed between two contracts, and whom it breaks."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from labline.contract import Problem, read_problem
from labline.contract.diff import Change, compare

ROOT = Path(__file__).parent.parent.parent
# without segments: a column that they name cannot be taken out
BASE = read_problem(ROOT / "problems" / "obesity" / "problem.yaml").model_copy(update={"segments": ()})


def changed(path: str, value: Any) -> Problem:
    """The shipped contract with one key changed; None takes the key out."""
    content = BASE.model_dump(mode="json")
    *way, last = path.split(".")
    place = content
    for key in way:
        place = place[key]
    if value is None:
        del place[last]
    else:
        place[last] = value
    return Problem.model_validate(content)


def test_a_contract_does_not_differ_from_itself() -> None:
    assert compare(BASE, BASE) == []


@pytest.mark.parametrize(
    ("path", "value", "breaking", "back"),
    [
        ("columns.Age", None, True, True),
        ("columns.Extra", {"type": "number"}, True, True),
        ("columns.Extra", {"type": "number", "missing": "allow"}, False, True),
        ("columns.Age.minimum", 18, True, False),
        ("columns.Weight.minimum", None, False, True),
        ("columns.Age.maximum", 120, False, True),
        ("columns.Age.unit", "months", True, True),
        ("columns.Age.type", "integer", True, False),
        ("columns.Age.missing", "allow", False, True),
        ("columns.Age.out_of_range", "clip", False, True),
        ("columns.Age.description", "how old", False, False),
        ("columns.Age.log", False, False, False),
        ("columns.CALC.values", ["no", "Sometimes", "Frequently"], True, False),
        ("columns.CALC.unknown", "missing", False, True),
        ("target", "weight_class", True, True),
        ("classes", [*BASE.classes, "Obesity_Type_IV"], True, True),
        ("id", None, True, False),
        ("metric", "log_loss", False, False),
        ("title", "Weight classes", False, False),
        ("segments", ["CALC"], False, False),
    ],
)
def test_a_change_breaks_clients_or_does_not_there_and_back(path: str, value: Any, breaking: bool, back: bool) -> None:
    if path == "columns.CALC.values":
        new = changed("columns.CALC", {"type": "category", "values": value})
        old = changed("columns.CALC", {"type": "category", "values": ["no", "Sometimes", "Frequently", "Always"]})
    else:
        old, new = BASE, changed(path, value)
    there, again = compare(old, new), compare(new, old)
    assert there
    assert [any(change.breaking for change in found) for found in (there, again)] == [breaking, back]
    assert all(change.where in path or change.where in {"Extra"} for change in there)


def test_a_narrower_range_breaks_no_one_where_values_outside_are_clipped() -> None:
    old = changed("columns.Age.out_of_range", "clip")
    content = old.model_dump(mode="json")
    content["columns"]["Age"]["maximum"] = 60
    assert compare(old, Problem.model_validate(content)) == [Change("Age", "maximum 100 → 60", breaking=False)]


PRICES = Problem.model_validate(
    {
        "name": "prices",
        "title": "Prices",
        "task": "regression",
        "target": "price",
        "metric": "mae",
        "value": {"unit": "USD", "minimum": 0, "interval": 0.8},
        "sources": {"train": {"csv": "train.csv"}},
        "columns": {
            "said": {"type": "text", "maximum_length": 100},
            "sold": {"type": "datetime", "minimum": "2020-01-01", "formats": ["%d.%m.%Y"]},
            "tags": {"type": "labels", "values": ["new", "used"]},
            "brand": {"type": "category"},
        },
    }
)


@pytest.mark.parametrize(
    ("path", "value", "breaking", "back"),
    [
        ("value.unit", "EUR", True, True),
        ("value.interval", None, True, False),
        ("value.interval", 0.9, False, False),
        ("value.maximum", 100, False, False),
        ("value.log", True, False, False),
        ("invalid_rows", "drop", False, False),
        ("reference_rows", "kept", False, False),
        ("baseline_by", ["brand"], False, False),
        ("columns.said.maximum_length", 50, True, False),
        ("columns.said.urls", "refuse", True, False),
        ("columns.said.urls", "remove", False, False),
        ("columns.said.html", True, False, False),
        ("columns.said.hashed", True, False, False),
        ("columns.said.example", "well", False, False),
        ("columns.said.type", "category", True, True),
        ("columns.sold.minimum", "2021-01-01", True, False),
        ("columns.sold.minimum", None, False, True),
        ("columns.sold.maximum", "2030-01-01", True, False),
        ("columns.sold.out_of_range", "missing", False, True),
        ("columns.sold.formats", [], True, False),
        ("columns.sold.formats", ["%d.%m.%Y", "%Y"], False, True),
        ("columns.tags.values", ["new"], True, False),
        ("columns.tags.values", None, False, True),
        ("columns.tags.unknown", "missing", False, True),
        ("columns.brand.values", ["acme"], True, False),
    ],
)
def test_of_dates_texts_lists_and_targets_too_a_change_breaks_clients_or_does_not(
    path: str, value: Any, breaking: bool, back: bool
) -> None:
    content = PRICES.model_dump(mode="json", exclude_unset=True)
    *way, last = path.split(".")
    place = content
    for key in way:
        place = place[key]
    if value is None:
        del place[last]
    else:
        place[last] = value
    if path == "columns.said.type":
        del place["maximum_length"]
    new = Problem.model_validate(content)
    there, again = compare(PRICES, new), compare(new, PRICES)
    assert there
    assert [any(change.breaking for change in found) for found in (there, again)] == [breaking, back]
    assert all(change.where in path for change in there)


def test_another_separator_or_what_becomes_of_unlisted_labels_breaks_no_one() -> None:
    content = PRICES.model_dump(mode="json", exclude_unset=True) | {"task": "multilabel", "classes": ["a", "b"]}
    del content["value"]
    old = Problem.model_validate(content | {"metric": "jaccard"})
    new = Problem.model_validate(content | {"metric": "jaccard", "separator": "|", "unlisted": "ignore"})
    assert [str(change) for change in compare(old, new)] == ["safe: separator: changed", "safe: unlisted: changed"]


def test_changes_of_dates_are_told_as_dates() -> None:
    content = PRICES.model_dump(mode="json", exclude_unset=True)
    content["columns"]["sold"]["minimum"] = "2021-02-03T04:05:06"
    (change,) = compare(PRICES, Problem.model_validate(content))
    assert change == Change("sold", "minimum 2020-01-01T00:00:00 → 2021-02-03T04:05:06", breaking=True)
