"""What changed between two contracts, and whom it breaks."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from labline.contract import Problem, read_problem
from labline.contract.diff import Change, compare

ROOT = Path(__file__).parent.parent.parent
BASE = read_problem(ROOT / "problems" / "obesity" / "problem.yaml")


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
