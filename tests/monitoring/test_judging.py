"""Columns judged: shares beside distributions, texts by several measures, and one bad column that spoils no other."""

from __future__ import annotations

import json

import numpy as np
import pytest

from labline.config import load
from labline.contract import as_given, settle
from labline.monitoring.judging import ColumnSummary, judge_columns
from labline.monitoring.outside import lenient
from labline.monitoring.profile import Profile, make_profile
from labline.monitoring.tally import tally
from tests.conftest import ROOT
from tests.model.test_tasks import BINARY
from tests.monitoring.test_tally import PROBLEM, sent

SETTINGS = load(ROOT).monitoring


def made(*, told: bool) -> Profile:
    """The profile of rows a few of which the contract does not allow; with `told`, of how many."""
    rows = sent(3000, 0)
    given = as_given(lenient(PROBLEM), rows) if told else None
    scores = BINARY.scores(np.random.default_rng(0).uniform(size=1500))
    return make_profile(PROBLEM, settle(PROBLEM, rows), BINARY, scores, {}, given=given)


@pytest.fixture(scope="module")
def profile() -> Profile:
    return Profile.model_validate_json(made(told=True).model_dump_json())


def judged(
    profile: Profile, rows: dict[str, list[object]], answers: list[str] | None = None, without: str = ""
) -> dict[str, ColumnSummary]:
    count = len(rows["x"])
    said = np.array(answers or ["no", "yes"] * (count // 2), dtype=object)
    columns, given = settle(PROBLEM, rows), as_given(PROBLEM, rows)
    for side in (columns, given):
        side.pop(without, None)
    found = judge_columns(PROBLEM, profile, tally(profile, PROBLEM, columns, said, given=given), SETTINGS)
    assert [row.column for row in found] == [*PROBLEM.columns, "prediction"]
    return {row.column: row for row in found}


def alarms(found: dict[str, ColumnSummary]) -> dict[str, list[str]]:
    return {name: list(row.alarms) for name, row in found.items() if row.alarms}


@pytest.mark.parametrize("size", [100, 300, 1000])
def test_rows_like_those_of_training_raise_no_alarm_though_the_contract_does_not_allow_all_of_them(
    profile: Profile, size: int
) -> None:
    assert sum(bool(alarms(judged(profile, sent(size, seed)))) for seed in range(1, 31)) <= 2


def test_how_many_training_rows_the_contract_does_not_allow_has_to_be_told() -> None:
    found = judged(made(told=False), sent(300, 1))
    assert "out of range" in found["name"].alarms
    assert found["name"].out_of_range_share == pytest.approx(0.05, abs=0.03)


def test_values_missing_unlisted_and_out_of_range_are_alarms_of_their_own(profile: Profile) -> None:
    rows = sent(300, 1)
    rows["x"][:60] = [None] * 60
    rows["name"][:60] = ["elsewhere"] * 60
    found = judged(profile, rows)
    assert "missing" in found["x"].alarms
    assert found["x"].missing_share == pytest.approx(0.2, abs=0.02)
    assert {"out of range", "missing"} <= set(found["name"].alarms)
    assert found["name"].new_categories == ["elsewhere", "strange"]
    rows = sent(300, 1)
    rows["x"] = [None if value is None else 9.0 for value in rows["x"]]
    assert {"distribution", "out of range"} <= set(judged(profile, rows)["x"].alarms)


def test_of_a_text_the_measure_that_moved_is_named(profile: Profile) -> None:
    rows = sent(300, 1)
    rows["said"] = [None if text is None else str(text).upper() for text in rows["said"]]
    found = judged(profile, rows)
    assert alarms(found) == {"said": ["distribution"]}
    assert found["said"].measure == "capitals"
    rows["said"] = [None if text is None else "etwas andere Wörter"[: len(str(text))] for text in rows["said"]]
    moved = {test.measure for test in judged(profile, rows)["said"].tests if test.alarm}
    assert "familiar words" in moved


@pytest.mark.parametrize("spoil", ["missing", "constant", "wild", "absent", "new"])
def test_one_bad_column_spoils_no_other(profile: Profile, spoil: str) -> None:
    rows = sent(300, 1)
    usual = judged(profile, rows)
    rows["grade"] = {
        "missing": [None] * 300,
        "constant": [2] * 300,
        "wild": [*rows["grade"][:-1], 100_000],
        "absent": rows["grade"],
        "new": [7, 8, 9] * 100,
    }[spoil]
    found = judged(profile, rows, without="grade" if spoil == "absent" else "")
    assert json.loads(json.dumps([row.model_dump(mode="json") for row in found.values()], allow_nan=False))
    for name, row in found.items():
        if name != "grade":
            changed = {"corrected_p_value": 1.0, "tests": []}
            assert row.model_copy(update=changed) == usual[name].model_copy(update=changed)
    expected = {"missing": ["missing"], "constant": ["distribution"], "wild": [], "absent": [], "new": ["distribution"]}
    assert found["grade"].alarms == expected[spoil]
    assert found["grade"].logged == (spoil != "absent")


def test_reference_and_window_can_be_drawn_over_each_other(profile: Profile) -> None:
    found = judged(profile, sent(300, 1))
    for row in found.values():
        assert row.curve is not None
        assert len(row.curve.at) == len(row.curve.reference) == len(row.curve.window) <= 64
    steps, bars = found["x"].curve, found["name"].curve
    assert steps is not None
    assert bars is not None
    assert steps.kind == "steps"
    assert steps.reference == sorted(steps.reference)
    assert steps.reference[-1] == 1
    assert bars.kind == "bars"
    assert bars.at[0] == "a"
    assert sum(bars.reference) == pytest.approx(1, abs=0.001)
