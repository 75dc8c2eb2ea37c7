"""The check of every type of column and task, and which rows of a file can be trained on."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest

from labline.contract import Problem
from labline.data import Finding, check_frame, split, usable
from labline.data.holdout import hashes_of
from labline.data.leakage import determining_columns
from labline.data.sources.files import frame_of_chunks
from tests.data.contracts import COLUMNS, make_problem

DAY = {"type": "datetime", "minimum": "2020-01-01", "maximum": "2024-12-31", "formats": ["%d.%m.%Y"]}
STRICT: dict[str, dict[str, Any]] = {
    "day": DAY,
    "note": {"type": "text", "urls": "refuse", "maximum_length": 20},
    "tags": {"type": "labels", "values": ["a", "b"]},
    "brand": {"type": "category"},
    "price": {"type": "number", "minimum": 0},
}


def shop(problem: Problem, rows: int = 40, **changes: dict[int, Any]) -> pd.DataFrame:
    """Rows that keep to STRICT, as reading gives them; changes are values by row, counted from 1."""
    number = np.arange(rows)
    frame = pd.DataFrame(
        {
            "day": [f"2024-01-{n % 28 + 1:02}" for n in number],
            "note": [f"note {n}" for n in number],
            "tags": np.where(number % 2, "a,b", "b"),
            "brand": [f"brand {n}" for n in number],
            "price": number.astype(str),
            "y": np.where(number % 3, "yes", "no"),
        },
        dtype="str",
    )
    if problem.task == "regression":
        frame["y"] = (number + 0.5).astype(str)
    if problem.task == "multilabel":
        frame["y"] = np.where(number % 2, "java c#", "sql")
    for name, values in changes.items():
        for row, value in values.items():
            frame.loc[row - 1, name] = value
    return frame_of_chunks([frame], problem, problem.sources.train.dialect)


def errors(frame: pd.DataFrame, problem: Problem) -> list[tuple[str, str, str, tuple[int, ...]]]:
    found = check_frame(frame, problem, with_target=True).findings
    return [(one.column, one.what, one.mend, one.rows) for one in found if one.severity == "error"]


# Types


@pytest.mark.parametrize("task", ["binary", "multilabel", "regression"])
def test_rows_that_keep_to_the_contract_are_found_nothing_against(task: str) -> None:
    problem = make_problem(task, STRICT)

    assert errors(shop(problem), problem) == []


@pytest.mark.parametrize(
    ("column", "value", "what", "mend"),
    [
        ("day", "tomorrow", "'tomorrow': not a date", "2024-12-31T23:59:59 or as %d.%m.%Y"),
        ("day", "31.12.2019", "'2019-12-31 00:00:00': out of range", "from 2020-01-01T00:00:00 to 2024-12-31"),
        ("note", "x" * 21, "21 characters: too long", "20 at most"),
        ("note", "see WWW.shop.example", "'see WWW.shop.example': a web address in it", "urls: remove"),
        ("tags", "a,z", "'z': not allowed", "use some of a, b, or set unknown: missing"),
        ("tags", "[a", "'[a': not a list of names", 'write it like a,b or ["a", "b"]'),
        ("price", "-1", "-1.0: out of range", "it is 0 at least"),
    ],
)
def test_a_violation_is_found_with_value_row_and_mend(column: str, value: str, what: str, mend: str) -> None:
    problem = make_problem(columns=STRICT)
    [found] = errors(shop(problem, **{column: {7: value}}), problem)

    assert (found[0], found[1], found[3]) == (column, what, (7,))
    assert mend in found[2]


def test_what_the_contract_lets_be_is_no_violation() -> None:
    lenient = {
        **STRICT,
        "day": DAY | {"out_of_range": "clip"},
        "note": {"type": "text"},
        "tags": STRICT["tags"] | {"unknown": "missing"},
    }
    problem = make_problem(columns=lenient)
    frame = shop(problem, day={1: "2031-01-01"}, note={1: "http://x.example"}, tags={1: "z"}, brand={1: "unheard of"})

    assert errors(frame, problem) == []


def test_a_long_value_is_cut_in_what_is_said() -> None:
    problem = make_problem(columns=STRICT | {"note": {"type": "text", "urls": "refuse"}})
    [found] = errors(shop(problem, note={1: "http://x.example " + "x" * 5000}), problem)

    assert len(found[1]) < 120


# Targets


def test_labels_of_the_target_are_readable_and_listed_unless_unlisted_ones_are_ignored() -> None:
    frame = shop(make_problem("multilabel", STRICT), y={3: "java cobol", 4: "[java", 5: None})
    found = errors(frame, make_problem("multilabel", STRICT))

    assert [(one[1], one[3]) for one in found] == [
        ("missing", (5,)),
        ("'[java': not a list of names", (4,)),
        ("'cobol': not allowed", (3,)),
    ]
    ignoring = make_problem("multilabel", STRICT, unlisted="ignore")
    assert [one[3] for one in errors(frame, ignoring)] == [(5,), (4,)]


def test_the_class_table_of_a_multilabel_problem_counts_labels() -> None:
    problem = make_problem("multilabel", STRICT)

    assert check_frame(shop(problem), problem, with_target=True).classes == {"c#": 20, "java": 20, "sql": 20}


def test_the_value_of_a_regression_keeps_to_its_range() -> None:
    problem = make_problem("regression", STRICT, value={"minimum": 3, "maximum": 30, "unit": "USD"})
    found = errors(shop(problem), problem)

    assert [(one[1], one[2], one[3]) for one in found] == [
        ("0.5 and 1.5 and 2.5: out of range", "it is from 3 to 30 USD", (1, 2, 3)),
        ("30.5 and 31.5 and 32.5: out of range", "it is from 3 to 30 USD", (31, 32, 33, 34, 35)),
    ]


def test_rows_of_one_class_cannot_be_trained_on_but_can_be_checked() -> None:
    problem = make_problem(columns=STRICT)
    frame = shop(problem, y=dict.fromkeys(range(1, 41), "no"))

    assert check_frame(frame, problem, with_target=True).ok  # as rows of a week may be
    _, report = usable(frame, problem)
    assert not report.ok
    assert "every row is of class 'no'" in str(report.findings[0])


def test_a_class_with_one_row_is_warned_of_in_its_own_words() -> None:
    problem = make_problem(columns=STRICT)
    frame = shop(problem, y={row: "no" for row in range(1, 41) if row != 2})
    [found] = check_frame(frame, problem, with_target=True).findings

    assert (found.severity, found.what) == ("warning", "class 'yes' has 1 row")
    assert "both learned from and measured on" in found.mend


def test_many_rare_classes_are_told_in_one_line() -> None:
    names = [f"class {number}" for number in range(40)]
    problem = make_problem("multiclass", STRICT, classes=names)
    frame = shop(problem, y={row: names[row - 1] for row in range(1, 41)})
    [found] = check_frame(frame, problem, with_target=True).findings

    assert found.what.startswith("40 classes have fewer than 10 rows: 'class 0', ")
    assert found.what.endswith(" and 35 more")


def test_two_rows_are_checked_like_any_others() -> None:
    problem = make_problem(columns=STRICT)

    assert check_frame(shop(problem, 2), problem, with_target=True).classes == {"no": 1, "yes": 1}


# Rows to leave out


def rows_with_faults(problem: Problem) -> pd.DataFrame:
    return shop(problem, price={2: "2kg", 3: "-1"}, day={3: "soon"}, y={5: None})


def test_rows_that_break_the_contract_stop_the_training_unless_it_says_otherwise() -> None:
    problem = make_problem(columns=STRICT)
    frame, report = usable(rows_with_faults(problem), problem)

    assert len(frame) == 40
    assert not report.ok
    missing = next(one for one in report.findings if one.column == "y")
    assert "invalid_rows: drop" in missing.mend


def test_rows_that_break_the_contract_are_left_out_and_told_with_the_reason() -> None:
    problem = make_problem(columns=STRICT, invalid_rows="drop")
    whole = rows_with_faults(problem)
    frame, report = usable(whole, problem)

    assert report.ok
    assert report.rows == len(frame) == 37
    assert frame["note"].tolist() == [f"note {n}" for n in range(40) if n not in {1, 2, 4}]
    assert frame.index.tolist() == list(range(37))
    # what stayed text because of one value is what the contract says, now that it is out
    assert frame["price"].dtype == np.float64
    assert frame["day"].dtype == "datetime64[us]"
    said = {(one.column, one.what, one.rows) for one in report.findings if one.rows}
    assert said >= {
        ("price", "'2kg': not a number: 1 row left out", (2,)),
        ("day", "'soon': not a date: 1 row left out", (3,)),
        ("y", "missing: 1 row left out", (5,)),
    }


def test_after_a_value_that_is_no_number_the_others_are_held_to_their_range() -> None:
    """While "2kg" is there, -1 is not judged; when its row is out, -1 has to go too."""
    problem = make_problem(columns=STRICT, invalid_rows="drop")
    frame, report = usable(shop(problem, price={2: "2kg", 3: "-1"}), problem)

    assert report.ok
    assert frame["price"].min() == 0
    assert len(frame) == 38


def test_rows_found_after_others_are_out_keep_the_numbers_of_the_file() -> None:
    problem = make_problem(columns=STRICT, invalid_rows="drop")
    frame = shop(problem, price={1: "2kg"})
    frame.loc[20, list(STRICT)] = frame.loc[10, list(STRICT)]
    repeated = [one for one in usable(frame, problem)[1].findings if "repeat" in one.what]

    assert [one.rows for one in repeated] == [(21,)]


def test_a_column_that_is_not_there_stays_an_error() -> None:
    problem = make_problem(columns=STRICT, invalid_rows="drop")
    frame, report = usable(rows_with_faults(problem).drop(columns="note"), problem)

    assert len(frame) == 40
    assert not report.ok


def test_where_most_rows_break_the_contract_none_are_left_out() -> None:
    problem = make_problem(columns=STRICT, invalid_rows="drop")
    frame, report = usable(shop(problem, price=dict.fromkeys(range(1, 30), "-1")), problem)

    assert len(frame) == 40
    assert not report.ok
    assert report.findings[0].what == "29 of 40 rows break the contract: too many to leave out"


# Hashes and leaks


def test_every_type_can_be_split_and_a_column_all_missing_too() -> None:
    problem = make_problem(columns=COLUMNS)
    number = np.arange(200)
    raw = pd.DataFrame({"price": number.astype(str), "day": "2024-01-31", "tags": "a;b", "y": "no"}, dtype="str")
    frame = frame_of_chunks([raw], problem, problem.sources.train.dialect)
    frame["mixed"] = [None, 1, "a", 2.5] * 50
    parts = split(frame, problem, np.zeros(200, dtype=np.intp), share=0.2, seed=7)

    assert len(parts.holdout) == 40


def test_hashes_of_frames_as_they_were_before_have_not_moved() -> None:
    """The hold-out of what is trained already hangs on them."""
    frame = pd.DataFrame({"a": [1.5, np.nan], "b": ["x", None], "c": [True, None], "d": [1, 2]})

    assert hashes_of(frame.astype({"b": "str"}), 7).tolist() == [10023465869947396242, 12857427953271694262]


@pytest.mark.parametrize("task", ["binary", "regression", "multilabel"])
def test_the_target_under_another_type_is_a_leak(task: str) -> None:
    rng = np.random.default_rng(0)
    rows = 400
    target = {
        "binary": rng.choice(["no", "yes"], rows),
        "regression": rng.integers(0, 300, rows).astype(str),
        "multilabel": rng.choice(["java c#", "sql", "java"], rows),
    }[task]
    codes = target.astype(float) if task == "regression" else pd.factorize(target)[0]
    columns = {
        "day": {"type": "datetime"},
        "copy": {"type": "text"},
        "honest": {"type": "text"},
        "gone": {"type": "number", "missing": "allow"},
        "absent": {"type": "number", "missing": "allow"},
    }
    problem = make_problem(task, columns)
    raw = pd.DataFrame({"copy": target, "honest": "text", "gone": None, "y": target}, dtype="str")
    frame = frame_of_chunks([raw], problem, problem.sources.train.dialect).drop(columns="absent")
    frame["day"] = pd.Timestamp("2024-01-01") + pd.to_timedelta(codes, unit="D")
    frame["copy"] = frame["y"].astype("str")
    leaks = [leak.column for leak in determining_columns(frame, problem, seed=7)]

    assert leaks == ["day", "copy"]


def test_of_thousands_of_columns_the_leaks_are_found_in_seconds() -> None:
    rng = np.random.default_rng(0)
    names = [f"c{number}" for number in range(3000)]
    frame = pd.DataFrame(rng.normal(size=(1000, 3000)), columns=names)
    frame["y"] = np.where(frame["c0"] + rng.normal(size=1000) > 0, "yes", "no")
    frame["c7"] = np.where(frame["y"] == "yes", 2.0, 1.0)
    problem = make_problem(columns={name: {"type": "number"} for name in names})

    assert [leak.column for leak in determining_columns(frame, problem, seed=7)] == ["c7"]


def test_a_finding_tells_its_place() -> None:
    assert str(Finding("error", "a", "missing", "fill it in", 1, (3,))) == "a: missing (row 3). Mend: fill it in"
