"""The status: which rules apply to what was found, and what they say."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from labline.config import load
from labline.config.monitoring import Rule
from labline.monitoring.dependence import PairChange, Pairs
from labline.monitoring.domain import Separation
from labline.monitoring.estimation import Estimate
from labline.monitoring.judging import ColumnSummary, ColumnTest, What
from labline.monitoring.rules import Findings, status_of
from labline.monitoring.together import Together
from tests.conftest import ROOT


def column(name: str, *alarms: What, **more: Any) -> ColumnSummary:
    tests = [
        ColumnTest(what=what, measure="value", p_value=1e-6, corrected_p_value=1e-5, effect=0.25, alarm=True)
        for what in alarms
    ]
    usual = {"missing_share": 0.3, "reference_missing_share": 0.01, "out_of_range_share": 0.04}
    return ColumnSummary(
        column=name,
        test="chi-square",
        statistic=3.0,
        p_value=1e-6,
        effect=0.25,
        drifted="distribution" in alarms,
        alarms=list(alarms),
        tests=tests,
        **usual | more,
    )


def found(*columns: ColumnSummary, **more: Any) -> Findings:
    usual = {
        "columns": columns,
        "prediction": column("prediction"),
        "together": None,
        "metric": "accuracy",
        "holdout": 0.9,
        "performance": None,
        "estimated": None,
    }
    return Findings(**usual | more)


RULES = load(ROOT).monitoring.rules
QUIET = [column(name) for name in "abcd"]


def test_where_no_rule_applies_all_is_well() -> None:
    assert status_of(found(*QUIET), RULES) == ("ok", [])


@pytest.mark.parametrize(
    ("alarm", "rule", "reason"),
    [
        ("distribution", "a column drifted", "x drifted (chi-square, effect 0.25, p 1.0e-05)"),
        ("missing", "values are missing", "x is missing in 30% of the rows, in training in 1%"),
        ("new categories", "new categories", "x has new categories: ä, b"),
        ("out of range", "values out of range", "x is not what the contract allows in 4% of the rows"),
    ],
)
def test_an_alarm_of_a_column_is_a_warning_that_names_its_rule(alarm: What, rule: str, reason: str) -> None:
    status, fired = status_of(found(column("x", alarm, new_categories=["ä", "b"]), *QUIET), RULES)
    assert status == "warn"
    assert [(one.rule, one.status, one.reasons) for one in fired] == [(rule, "warn", [reason])]


def test_the_worst_of_the_rules_is_the_status_and_all_are_told() -> None:
    status, fired = status_of(found(column("x", "distribution"), column("y", "distribution"), *QUIET), RULES)
    assert status == "drift"
    assert [one.rule for one in fired] == ["many columns drifted", "a column drifted"]
    assert fired[0].reasons == ["2 of 6 columns: x, y"]
    assert len(fired[1].reasons) == 2


def test_a_share_is_of_the_columns_that_the_log_holds() -> None:
    unlogged = [column(name, logged=False) for name in "mnopq"]
    drifted = column("x", "distribution")
    assert status_of(found(drifted, *QUIET[:2], *unlogged), RULES)[0] == "drift"  # one of three
    assert status_of(found(drifted, *QUIET), RULES)[0] == "warn"  # one of five


def test_a_rule_may_ask_for_a_number_of_columns() -> None:
    rule = Rule(name="two", when="values missing", columns=2, status="drift")
    one, other = column("x", "missing"), column("y", "missing")
    assert status_of(found(one, *QUIET), [rule]) == ("ok", [])
    assert status_of(found(one, other, *QUIET), [rule])[1][0].reasons == ["2 of 6 columns: x, y"]


def test_predictions_and_columns_together_have_rules_of_their_own() -> None:
    pair = PairChange(first="Height", second="Weight", reference=0.42, window=0.01, deviations=-6.5)
    pairs = Pairs(statistic=6.5, null_low=0, null_high=4.4, p_value=1e-8, alarm=True, changed=[pair])
    together = Together(alarm=True, pairs=pairs, classifier=None)
    status, fired = status_of(found(*QUIET, together=together, prediction=column("prediction", "distribution")), RULES)
    assert status == "warn"
    assert fired[0].reasons == ["the predictions drifted (effect 0.25, p 1.0e+00)"]
    assert fired[1].reasons == ["columns go together otherwise than in training: Height with Weight (+0.42 → +0.01)"]
    told = Separation(
        auc=0.7, null_low=0.4, null_high=0.6, p_value=1e-8, alarm=True, rows=300, drawn=True, columns={"Age": 0.9}
    )
    by_classifier = Together(alarm=True, pairs=pairs.model_copy(update={"alarm": False}), classifier=told)
    assert status_of(found(*QUIET, together=by_classifier), RULES)[1][0].reasons == [
        "columns go together otherwise than in training: a classifier tells them apart, "
        "AUC 0.700, usual are 0.400 to 0.600, by Age 90%"
    ]
    calm = together.model_copy(update={"alarm": False})
    assert status_of(found(*QUIET, together=calm), RULES) == ("ok", [])


@pytest.mark.parametrize(
    ("metric", "holdout", "figure", "status"),
    [
        ("accuracy", 0.9, Estimate(value=0.80), "drift"),
        ("accuracy", 0.9, Estimate(value=0.82), "ok"),
        ("accuracy", 0.9, Estimate(value=0.80, low=0.7, high=0.83), "ok"),  # chance may explain it
        ("accuracy", 0.9, Estimate(value=0.70, low=0.65, high=0.75), "drift"),
        ("rmse", 10.0, Estimate(value=11.5), "drift"),
        ("rmse", 10.0, Estimate(value=9.0), "ok"),
        ("rmse", 10.0, Estimate(value=11.5, low=10.5, high=12.5), "ok"),
    ],
)
def test_performance_with_labels_is_held_against_the_hold_out(
    metric: str, holdout: float, figure: Estimate, status: str
) -> None:
    said, fired = status_of(found(*QUIET, metric=metric, holdout=holdout, performance=figure), RULES)
    assert said == status
    if fired:
        assert fired[0].reasons == [f"{metric} is {figure.value:.3f}, on the hold-out {holdout:.3f}"]


def test_an_estimate_that_fell_is_a_warning_only() -> None:
    status, fired = status_of(found(*QUIET, estimated=Estimate(value=0.7, low=0.66, high=0.74)), RULES)
    assert (status, fired[0].rule) == ("warn", "estimated performance fell")
    assert fired[0].reasons == ["estimated accuracy is 0.700, on the hold-out 0.900"]
    assert status_of(found(*QUIET, holdout=None, estimated=Estimate(value=0.1)), RULES) == ("ok", [])


@pytest.mark.parametrize(
    "wrong",
    [
        {"when": "performance fell"},
        {"when": "columns drifted", "by": 0.1},
        {"when": "predictions drifted", "share": 0.5},
        {"when": "columns drifted", "share": 0.5, "columns": 2},
        {"when": "anything"},
    ],
)
def test_a_rule_whose_parts_do_not_fit_is_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        Rule.model_validate({"name": "r", "status": "warn"} | wrong)
