"""The check of a frame against the contract: what is found, in which rows, with which values and what mend."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest

from labline.contract import Problem
from labline.data import CheckReport, Finding, check_frame
from labline.errors import DataError

COLUMNS: dict[str, dict[str, Any]] = {
    "Weight": {"type": "number", "unit": "kg", "minimum": 20, "maximum": 300},
    "Children": {"type": "integer", "minimum": 0},
    "Balance": {"type": "number", "maximum": 10},
    "Diet": {"type": "category", "values": ["meat", "vegan"]},
    "Smokes": {"type": "boolean"},
}


def make_problem(task: str = "binary", **changes: dict[str, Any]) -> Problem:
    """The contract of COLUMNS; changes are added to them."""
    return Problem.model_validate(
        {
            "name": "people",
            "title": "People",
            "task": task,
            "target": "ill",
            "classes": [] if task == "regression" else ["no", "yes"],
            "id": "id",
            "metric": "rmse" if task == "regression" else "accuracy",
            "sources": {"train": {"csv": "people.csv"}},
            "columns": {name: column | changes.get(name, {}) for name, column in COLUMNS.items()},
        }
    )


def people(rows: int = 40, **changes: dict[int, Any]) -> pd.DataFrame:
    """Rows that keep to the contract, no two alike; changes are values by row, counted from 1."""
    number = np.arange(rows)
    frame = pd.DataFrame(
        {
            "id": number,
            "Weight": 60 + number / 10,
            "Children": number % 4 * 1.0,
            "Balance": -1.0 * number,
            "Diet": np.where(number % 2, "meat", "vegan"),
            "Smokes": number % 3 == 0,
            "ill": np.where(number % 2, "yes", "no"),
        }
    )
    for name, values in changes.items():
        column = frame[name].astype(object)
        for row, value in values.items():
            column[row - 1] = value
        # as reading gives it: numbers where all are numbers, booleans as objects, else names
        kinds = {bool: object, str: "str", type(None): object}
        frame[name] = column.astype(kinds.get(type(next(iter(values.values()))), "float64"))
    return frame


def check(frame: pd.DataFrame, problem: Problem | None = None, *, with_target: bool = True) -> CheckReport:
    return check_frame(frame, problem or make_problem(), with_target=with_target)


def errors(frame: pd.DataFrame, problem: Problem | None = None) -> list[Finding]:
    report = check(frame, problem)
    assert report.ok is False
    return [finding for finding in report.findings if finding.severity == "error"]


def warnings(frame: pd.DataFrame, problem: Problem | None = None) -> list[Finding]:
    report = check(frame, problem)
    assert report.ok
    return list(report.findings)


def test_rows_that_keep_to_the_contract_are_found_nothing_against() -> None:
    report = check(people())

    assert report == CheckReport(rows=40, findings=(), classes={"no": 20, "yes": 20}, unused=())
    assert report.ok
    report.need_ok("people.csv")


# Violations

VIOLATIONS: dict[str, tuple[dict[str, dict[int, Any]], tuple[str, str, str, tuple[int, ...]]]] = {
    "below the range": (
        {"Weight": {3: 19.5, 7: -1.0}},
        ("Weight", "19.5 and -1.0: out of range", "it is from 20 to 300 kg", (3, 7)),
    ),
    "above the range": ({"Weight": {40: 301.0}}, ("Weight", "301.0: out of range", "from 20 to 300 kg", (40,))),
    "below the only limit": ({"Children": {1: -1.0}}, ("Children", "-1.0: out of range", "it is 0 at least", (1,))),
    "above the only limit": ({"Balance": {1: 11.0}}, ("Balance", "11.0: out of range", "it is 10 at most", (1,))),
    "not a whole number": (
        {"Children": {2: 1.5}},
        ("Children", "1.5: not a whole number", "round it, or make the column's type number", (2,)),
    ),
    "not a number": ({"Weight": {5: "60kg"}}, ("Weight", "'60kg': not a number", "correct the value", (5,))),
    "no number for an integer": ({"Children": {5: "two"}}, ("Children", "'two': not a number", "correct", (5,))),
    "not finite": ({"Balance": {4: -np.inf}}, ("Balance", "-inf: not a number", "correct the value", (4,))),
    "unknown category": (
        {"Diet": {1: "Vegan", 2: "fish"}},
        ("Diet", "'Vegan' and 'fish': not allowed", "use one of meat, vegan", (1, 2)),
    ),
    "not a boolean": ({"Smokes": {9: "often"}}, ("Smokes", "'often': not a boolean", "correct the value", (9,))),
    "missing number": ({"Weight": {6: np.nan}}, ("Weight", "missing", "fill it in, or set missing: allow", (6,))),
    "missing name": ({"Diet": {6: None}}, ("Diet", "missing", "fill it in, or set missing: allow", (6,))),
    "missing boolean": ({"Smokes": {6: None}}, ("Smokes", "missing", "fill it in, or set missing: allow", (6,))),
    "missing target": ({"ill": {6: None}}, ("ill", "missing", "fill it in", (6,))),
    "unknown class": ({"ill": {6: "perhaps"}}, ("ill", "'perhaps': not allowed", "use one of no, yes", (6,))),
}


@pytest.mark.parametrize("kind", VIOLATIONS)
def test_a_violation_is_found_with_column_value_row_and_mend(kind: str) -> None:
    changes, (column, what, mend, rows) = VIOLATIONS[kind]
    [found] = errors(people(**changes))

    assert (found.column, found.what, found.rows, found.count) == (column, what, rows, len(rows))
    assert mend in found.mend
    assert f"(row{'s' * (len(rows) > 1)} {', '.join(map(str, rows))})" in str(found)


@pytest.mark.parametrize("column", [*COLUMNS, "ill"])
def test_a_column_that_is_not_there_is_found(column: str) -> None:
    [found] = errors(people().drop(columns=column))

    assert (found.column, found.what) == (column, "the column is missing")
    assert "add it" in found.mend


def test_all_violations_are_found_at_once() -> None:
    changes = {"Weight": {1: 1.0, 2: np.nan}, "Diet": {3: "fish"}, "Smokes": {4: "often"}, "ill": {5: "perhaps"}}
    found = errors(people(**changes).drop(columns="Balance"))

    assert sorted((one.column, one.rows) for one in found) == [
        ("Balance", ()),
        ("Diet", (3,)),
        ("Smokes", (4,)),
        ("Weight", (1,)),
        ("Weight", (2,)),
        ("ill", (5,)),
    ]


def test_where_a_value_is_no_number_missing_ones_of_the_column_are_found_and_nothing_more() -> None:
    found = errors(people(Weight={1: "x", 2: None, 3: "500"}))

    assert [(one.what, one.rows) for one in found] == [("'x': not a number", (1,)), ("missing", (2,))]


def test_of_many_rows_five_are_shown_and_all_are_counted() -> None:
    [found] = errors(people(Weight={row: float(-row) for row in range(10, 30)}))

    assert (found.rows, found.count) == ((10, 11, 12, 13, 14), 20)
    assert "(rows 10, 11, 12, 13, 14 and 15 more)" in str(found)
    assert found.what == "-10.0 and -11.0 and -12.0: out of range"  # and three values


def test_rows_are_counted_from_the_first_one_whatever_the_index_says() -> None:
    frame = people(Weight={1: -1.0, 40: -2.0}).sort_index(ascending=False)
    frame.index += 1000

    assert [one.rows for one in errors(frame)] == [(1, 40)]


def test_what_a_policy_settles_is_no_violation() -> None:
    lenient = make_problem(
        Weight={"out_of_range": "clip", "missing": "allow"},
        Children={"out_of_range": "missing"},
        Diet={"unknown": "missing", "missing": "allow"},
        Smokes={"missing": "allow"},
    )
    changes = {
        "Weight": {1: -1.0, 2: np.nan},
        "Children": {1: -1.0},
        "Diet": {1: "fish", 2: None},
        "Smokes": {1: None},
    }

    assert warnings(people(**changes), lenient) == []
    assert [one.what for one in errors(people(Weight={1: np.inf}), lenient)] == ["inf: not a number"]


def test_whole_numbers_of_any_type_suit_an_integer_column() -> None:
    assert warnings(people().astype({"Children": "int64"})) == []
    assert warnings(people().astype({"Children": "Int8"})) == []


def test_two_columns_of_one_name_are_found() -> None:
    frame = people()
    frame = pd.concat([frame, frame[["Weight", "ill"]]], axis=1)

    assert [(one.column, one.what) for one in errors(frame)] == [
        ("Weight", "two columns have this name"),
        ("ill", "two columns have this name"),
    ]


def test_the_target_of_a_regression_is_a_finite_number() -> None:
    problem = make_problem("regression")
    frame = people(ill={row: float(row) for row in range(1, 41)})

    assert check(frame, problem) == CheckReport(rows=40)
    for value, what in ((np.inf, "inf: not a number"), (np.nan, "missing")):
        [found] = errors(frame.assign(ill=frame["ill"].where(frame["ill"] != 3, value)), problem)
        assert (found.column, found.what, found.rows) == ("ill", what, (3,))
    assert [one.what for one in errors(people(ill={1: "high"}), problem)] == ["'high' and 'yes' and 'no': not a number"]


def test_without_target_neither_its_column_nor_its_values_matter() -> None:
    assert check(people().drop(columns="ill"), with_target=False) == CheckReport(rows=40)
    assert check(people(ill={1: "perhaps"}), with_target=False).ok


# What else a person should know


def test_rows_that_repeat_others_are_warned_of() -> None:
    frame = people()
    frame.loc[[4, 9], list(COLUMNS)] = frame.loc[[0, 0], list(COLUMNS)].to_numpy()  # of the same class, or not
    repeated, torn = warnings(frame)

    assert repeated.what == "2 rows repeat an earlier one in every feature"
    assert repeated.rows == (5, 10)
    assert torn.what == "3 rows are alike in every feature but not in the target"
    assert torn.rows == (1, 5, 10)


def test_copies_that_agree_in_the_target_are_warned_of_only_once() -> None:
    frame = people()
    frame.loc[4, list(COLUMNS)] = frame.loc[0, list(COLUMNS)].to_numpy()

    assert [(one.rows, one.count) for one in warnings(frame)] == [((5,), 1)]
    assert [one.rows for one in check(frame, with_target=False).findings] == [(5,)]


def test_copies_are_found_where_values_are_missing_too() -> None:
    lenient = make_problem(Weight={"missing": "allow"}, Diet={"missing": "allow"})
    frame = people(Weight={1: np.nan, 5: np.nan, 6: np.nan}, Diet={1: None, 5: None, 6: None})
    frame.loc[[4, 5], ["Children", "Balance", "Smokes"]] = frame.loc[[0, 0], ["Children", "Balance", "Smokes"]].values

    assert [one.rows for one in warnings(frame, lenient)] == [(5, 6), (1, 5, 6)]


def test_an_id_that_names_two_rows_is_warned_of() -> None:
    [found] = warnings(people(id={7: 0, 8: 1}))

    assert (found.column, found.rows) == ("id", (7, 8))
    assert "names a row twice" in found.what


def test_a_rare_class_is_warned_of_and_so_is_one_that_is_not_there() -> None:
    frame = people(ill={row: "no" for row in range(1, 41) if row not in {2, 4}})
    report = check(frame)

    assert report.ok
    assert report.classes == {"no": 38, "yes": 2}
    assert [(one.column, one.what) for one in report.findings] == [("ill", "class 'yes' has 2 rows")]
    assert "class 'yes' has 0 rows" in [one.what for one in warnings(people(10, ill=dict.fromkeys(range(1, 11), "no")))]
    assert [one.what for one in warnings(people(20))] == []
    assert [one.what for one in warnings(people(19))] == ["class 'yes' has 9 rows"]


def test_columns_that_the_contract_does_not_know_are_named_and_let_be() -> None:
    report = check(people().assign(note="x", other=np.nan))

    assert report.ok
    assert report.unused == ("note", "other")


# The refusal


def test_rows_with_errors_are_refused_with_the_first_few_findings() -> None:
    frame = people(Weight={1: 1.0}).drop(columns=["Balance", "Diet", "Smokes", "Children", "ill"])
    with pytest.raises(DataError) as caught:
        check(frame).need_ok("people.csv")

    lines = str(caught.value).splitlines()
    assert caught.value.where == "people.csv"
    assert len(lines) == 7
    assert all("Mend: " in line for line in lines[1:6])
    assert lines[-1] == "  and 1 more findings"
