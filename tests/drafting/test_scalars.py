"""What is written by hand reads back as it was, whatever stands in it."""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory

import yaml
from hypothesis import example, given, settings
from hypothesis import strategies as st

from labline.contract import CategoryColumn, NumberColumn, read_problem
from labline.contract.source import Source
from labline.drafting import scalars
from labline.drafting.contract import problem_yaml
from labline.drafting.draft import Draft
from labline.drafting.guess import Guess
from labline.drafting.target import Target

NAMES = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=30)
AWKWARD = [
    "no",
    "yes",
    "null",
    "~",
    "on",
    "1",
    "1.0",
    "0x1f",
    "1e5",
    ".inf",
    "2024-01-31",
    "a: b",
    "a #b",
    "- a",
    "=",
    "<<",
]
AWKWARD += [
    "'",
    '"',
    "\\",
    "{x}",
    "[x]",
    "a,b",
    "*a",
    "&a",
    "!a",
    "%a",
    "@a",
    "`a",
    "|",
    ">",
    "?",
    "?a",
    " a",
    "a ",
    "\t",
    "\n",
]
AWKWARD += [
    "class",
    "def",
    "für 🦊",
    "1st",
    "\u2028",
    "\u0085",
    "\ufeff",
    "\x00",
    "\x7f",
    "12:30:45",
    "1_000",
    "True",
    "NaN",
]


@given(
    NAMES, st.lists(NAMES, min_size=2, max_size=8, unique=True), st.lists(NAMES, min_size=2, max_size=4, unique=True)
)
@example("no", AWKWARD, AWKWARD[::-1])
@example("x" * 1500, ["a", "b"], ["yes", "no"])
@settings(max_examples=150)
def test_any_name_stands_in_the_contract_as_it_is(name: str, values: list[str], classes: list[str]) -> None:
    column = CategoryColumn(type="category", values=tuple(values), example=values[-1])
    target = Target("multiclass", "accuracy", "why: #", tuple(classes), look=(f"see {name}",))
    draft = Draft(
        *("awkward", f"Of {name}", Source(file=f"../{name}.csv"), "rows.csv", 100, f"t{name}", target),
        (
            Guess(name, "why", column, (f"look at {name}",)),
            Guess(f"{name}2", f"like {name}"),
            Guess(f"{name}3", "", is_id=True),
        ),
        notes=(f"note {name}",),
    )
    with TemporaryDirectory() as folder:
        file = Path(folder) / "problem.yaml"
        file.write_text(problem_yaml(draft), encoding="utf-8")
        problem = read_problem(file)
    assert problem.columns == {name: column}
    assert (problem.target, problem.classes, problem.id) == (f"t{name}", tuple(classes), f"{name}3")
    assert (problem.title, problem.sources.train.file) == (f"Of {name}", f"../{name}.csv")


@given(st.floats(allow_nan=False, allow_infinity=False))
@example(1e16)
@example(1e-7)
@example(-0.0)
def test_any_number_is_read_as_the_same_number(value: float) -> None:
    read = yaml.safe_load(scalars.number(value))
    assert isinstance(read, int | float)
    assert read == value


def test_long_lists_are_broken_into_lines_of_the_usual_width() -> None:
    column = CategoryColumn(type="category", values=tuple(f"value number {i}" for i in range(200)))
    said = {"type": column.type, "values": list(column.values)}
    lines = scalars.mapping(said, "    ")
    assert max(map(len, lines)) <= scalars.WIDTH
    assert yaml.safe_load("x:\n" + "\n".join(lines)) == {"x": said}


def test_a_comment_never_ends_early() -> None:
    lines = scalars.comment("a\nb: c\u2028d " + "long " * 60, "  ")
    assert all(line.startswith("  # ") for line in lines)
    assert max(map(len, lines)) <= scalars.WIDTH


def test_ranges_and_units_stand_in_the_contract() -> None:
    column = NumberColumn(type="number", unit="km/h", minimum=-0.5, maximum=1e20, example=3.25)
    draft = Draft(
        *("n", "N", Source(file="a.csv"), "a.csv", 10, "y", Target("regression", "rmse", "")),
        (Guess("x", "", column),),
    )
    assert yaml.safe_load(problem_yaml(draft))["columns"]["x"] == {
        **{"type": "number", "unit": "km/h", "minimum": -0.5, "maximum": 1e20, "example": 3.25}
    }
