"""The files beside the contract: README, features.py with one example, a test that stands on the contract alone."""

from __future__ import annotations

import keyword

from labline.contract import NumberColumn
from labline.drafting.draft import Draft
from labline.drafting.guess import Guess


def readme(draft: Draft) -> str:
    """What the problem is, what was guessed, and what to do next."""
    target = draft.target
    looks = [f"- `{_code(guess.name)}`: {sentence}" for guess in draft.features for sentence in guess.look]
    looks = [f"- {sentence}" for sentence in (*draft.notes, *target.look, *draft.breaks)] + looks
    left_out = [f"- `{_code(guess.name)}`: {guess.why}" for guess in draft.left_out]
    parts = [
        f"# {_code(draft.title)}",
        f"Predicts `{_code(draft.target_name)}` ({target.task}, judged by {target.metric}) from "
        f"{len(draft.features)} columns of `{_code(draft.origin)}`. `labline new` drafted it from {draft.rows:,} rows; "
        "what it could not know is guessed.",
        "## Have a look",
        _list(looks, "Nothing stood out. Ranges are those of the rows, widened to round numbers."),
        "## Left out",
        _list(left_out, "No column."),
        "## Next",
        "\n".join(
            (
                "```sh",
                f"labline up {draft.name}      # train, promote, serve",
                f"labline check {draft.name}   # hold the rows against problem.yaml after you changed it",
                f"pytest problems/{draft.name}",
                "```",
            )
        ),
        "`problem.yaml` is the contract: correct what is guessed wrongly. `features.py` is the place for derived "
        "features.",
    ]
    return "\n\n".join(parts) + "\n"


def _list(lines: list[str], none: str, shown: int = 30) -> str:
    more = [f"- and {len(lines) - shown:,} more, in `problem.yaml`"] if len(lines) > shown else []
    return "\n".join([*lines[:shown], *more]) or none


def _code(name: str) -> str:
    return " ".join(name.replace("`", "'").split())


def features_py(draft: Draft) -> str:
    """No feature, and one worked example in comments, over columns of the contract."""
    docstring = "\n".join(
        (
            f'"""Derived features of the problem {draft.name}; none yet.',
            "",
            "Every public function is a feature: its parameters name the columns of problem.yaml, or other features,",
            "that it reads. It gets NumPy arrays with one value a row: float64 with NaN for missing, names with None",
            "for missing. It returns float64, or names, of the same shape.",
            '"""',
        )
    )
    return f"{docstring}\n\n# For example:\n#\n{_example(draft)}"


def _example(draft: Draft) -> str:
    usable = [guess for guess in draft.features if _can_be_parameter(guess.name)]
    numbers = [guess for guess in usable if isinstance(guess.column, NumberColumn)]
    if len(numbers) >= 2:
        return _ratio(*numbers[:2])
    if len(usable) < 2:
        return "".join(
            f"# {line}\n"
            for line in (
                "No two columns of this problem have names that Python takes for parameters. Rename them in the",
                "file and in problem.yaml to derive features from them.",
            )
        )
    first, second = usable[0].name, usable[1].name
    return "".join(
        f"# {line}".rstrip() + "\n"
        for line in (
            "from numpy import array",
            "",
            f"def pair({first}, {second}):",
            f'    """{first} and {second} as one name."""',
            f"    return array([f'{{a}} {{b}}' for a, b in zip({first}, {second})], dtype=object)",
        )
    )


def _ratio(first: Guess, second: Guess) -> str:
    over, under = first.name, second.name
    return "".join(
        f"# {line}".rstrip() + "\n"
        for line in (
            "from numpy import nan, where",
            "",
            f"def {over}_per_{under}({over}, {under}):",
            f'    """{over} for each {under}; NaN where {under} is 0."""',
            f"    return where({under} != 0, {over} / where({under} != 0, {under}, 1), nan)",
        )
    )


def _can_be_parameter(name: str) -> bool:
    plain = name.isidentifier() and name.isascii() and len(name) <= 40
    return plain and not keyword.iskeyword(name) and name not in {"array", "nan", "where"}


def test_py(draft: Draft) -> str:
    """Tests that need nothing but the contract, and the rows where they are there."""
    return TEST.format(name=draft.name)


TEST = '''"""What must hold of the problem {name}: its contract reads, takes its own example, and fits its rows."""

import os
from pathlib import Path

import pytest

from labline.config import load
from labline.contract import read_problem
from labline.contract.examples import example_record
from labline.contract.records import request_model
from labline.data import usable
from labline.data.sources import take

FOLDER = Path(__file__).parent
PROBLEM = read_problem(FOLDER / "problem.yaml")


def rows_are_here():
    """Whether the training rows can be read from this machine."""
    source = PROBLEM.sources.train
    if source.sql:
        return source.sql.url_variable in os.environ
    return "://" in source.address or (FOLDER / source.address).is_file()


def test_example_record_is_accepted():
    request_model(PROBLEM).model_validate(example_record(PROBLEM))


@pytest.mark.skipif(not rows_are_here(), reason="the training rows are not here")
def test_training_rows_fit():
    taken = take(PROBLEM, "train", "auto", load(FOLDER.parents[1]))
    _, report = usable(taken.frame, PROBLEM)
    assert [str(finding) for finding in report.findings if finding.severity == "error"] == []
'''
