"""The summary: when it says nothing, when all is well, when it warns, and the reasons it gives."""

from __future__ import annotations

from collections.abc import Collection
from datetime import UTC, datetime
from typing import Any

import numpy as np
import pytest

from labline import pipeline
from labline.config import Config
from labline.contract import Columns, Problem
from labline.errors import DataError
from labline.model.bundle import Bundle
from labline.monitoring.profile import Profile, make_profile
from labline.monitoring.summary import ColumnSummary, Summary, Window, summarise
from labline.pipeline.data import columns_of, split_of
from labline.store import data_folder

ROWS = 300


class Judge:
    """The champion, the rows it was trained on, and windows drawn from them: alike but for what a test changes."""

    def __init__(self, config: Config, problem: Problem) -> None:
        from labline.data import Snapshots

        snapshots = Snapshots(data_folder(config), problem)
        frame = snapshots.read("train", snapshots.need("train").sha256)
        self.settings = config.monitoring
        self.bundle = Bundle.load(pipeline.champion(config, "obesity").folder)
        self.train: Columns = columns_of(problem, frame.iloc[split_of(config, problem, frame).train])
        self.profile = Profile.model_validate_json((self.bundle.folder / "profile.json").read_bytes())

    def columns(self, rows: int = ROWS, seed: int = 0) -> Columns:
        drawn = np.random.default_rng(seed).choice(len(self.train["Age"]), rows, replace=False)
        return {name: values[drawn] for name, values in self.train.items()}

    def summary(self, columns: Columns, *, profile: Profile | None = None, **more: Any) -> Summary:
        predictions = more.pop("predictions", None)
        if predictions is None:
            predictions = self.bundle.task.decisions(self.bundle.scores(columns))
        window = Window("log", columns, predictions, **more)
        return summarise(self.bundle, 4, profile or self.profile, window, 500, self.settings)


@pytest.fixture
def judge(config: Config, problem: Problem) -> Judge:
    return Judge(config, problem)


def row(summary: Summary, name: str) -> ColumnSummary:
    return next(column for column in summary.columns if column.column == name)


def by_itself(summary: Summary, without: Collection[str]) -> dict[str, ColumnSummary]:
    """The rows of all columns but some, without what the correction for all tests together makes of them."""
    return {
        column.column: column.model_copy(update={"corrected_p_value": 1.0, "tests": []})
        for column in summary.columns
        if column.column not in without
    }


def names(values: list[str | None]) -> np.ndarray:
    return np.array(values, dtype=object)


def test_below_the_least_number_of_rows_it_judges_nothing_and_says_how_many_are_needed(judge: Judge) -> None:
    summary = judge.summary(judge.columns(judge.settings.rows_min - 1))
    assert summary.status == "insufficient_data"
    assert summary.reasons == ["99 rows in the window; 100 are needed to say anything"]
    assert (summary.rows, summary.rows_wanted, summary.columns, summary.prediction) == (99, 500, [], None)
    assert summary.predictions == {}


def test_an_empty_window_is_insufficient_too(judge: Judge, problem: Problem) -> None:
    empty = {name: values[:0] for name, values in judge.train.items()}
    summary = judge.summary(empty, predictions=names([]))
    assert (summary.status, summary.rows, summary.since) == ("insufficient_data", 0, None)


def test_with_just_enough_rows_it_judges(judge: Judge) -> None:
    assert judge.summary(judge.columns(judge.settings.rows_min)).status == "ok"


def test_rows_like_the_training_data_are_ok_and_every_column_is_accounted_for(judge: Judge, problem: Problem) -> None:
    summary = judge.summary(judge.columns())
    assert (summary.status, summary.reasons) == ("ok", ["no column and no prediction drifted"])
    assert {column.column for column in summary.columns} == set(problem.columns)
    assert [column.effect for column in summary.columns] == sorted(
        (column.effect for column in summary.columns), reverse=True
    )
    assert not any(column.drifted for column in summary.columns)
    assert (row(summary, "Age").test, row(summary, "CAEC").test) == ("kolmogorov-smirnov", "chi-square")


def test_it_says_what_is_judged_by_whom_against_what(judge: Judge) -> None:
    columns = judge.columns()
    noon, later = datetime(2026, 3, 1, 12, tzinfo=UTC), datetime(2026, 3, 1, 13, tzinfo=UTC)
    summary = judge.summary(columns, since=noon, until=later, performance={"accuracy": 0.5})
    assert (summary.problem, summary.model_version, summary.source) == ("obesity", 4, "log")
    assert (summary.rows, summary.rows_wanted, summary.since, summary.until) == (ROWS, 500, noon, later)
    assert summary.reference_rows == len(judge.train["Age"])
    assert summary.holdout == judge.bundle.manifest.holdout
    assert summary.performance == {"accuracy": 0.5}
    assert summary.trained_on == "file"
    assert Summary.model_validate_json(summary.model_dump_json()) == summary


def test_the_predictions_are_counted_by_class_in_the_contracts_order(judge: Judge, problem: Problem) -> None:
    summary = judge.summary(judge.columns())
    assert tuple(summary.predictions) == problem.classes
    assert sum(summary.predictions.values()) == ROWS


def test_a_column_or_two_that_drifted_are_a_warning_that_names_them_with_test_and_effect(judge: Judge) -> None:
    columns = judge.columns()
    summary = judge.summary(columns | {"Age": columns["Age"] + 8})
    assert summary.status == "warn"
    assert row(summary, "Age").drifted
    assert summary.columns[0].column == "Age"
    said = next(reason for reason in summary.reasons if reason.startswith("Age "))
    assert said.startswith(f"Age drifted (kolmogorov-smirnov, effect {row(summary, 'Age').effect:.2f}, p ")


def test_from_three_columns_in_ten_on_it_is_drift(judge: Judge, problem: Problem) -> None:
    columns = judge.columns()
    many = judge.settings.rules[0]
    assert (many.when, many.status) == ("columns drifted", "drift")
    needed = int(np.ceil((many.share or 0) * len(problem.columns)))
    low = {"Age": 60.0, "Height": 1.3, "FCVC": 1.0, "NCP": 1.0, "CH2O": 3.0}
    constant = {name: np.full(ROWS, value) for name, value in low.items()}
    assert needed == len(constant) == 5
    predictions = judge.bundle.task.decisions(judge.bundle.scores(columns))  # as they were
    summary = judge.summary(columns | constant, predictions=predictions)
    assert (summary.status, {column.column for column in summary.columns if column.drifted}) == ("drift", set(low))
    just = many.model_copy(update={"share": 5 / 16})  # as many as are needed
    judge.settings = judge.settings.model_copy(update={"rules": (just, *judge.settings.rules[1:])})
    assert judge.summary(columns | constant, predictions=predictions).status == "drift"
    del constant["CH2O"]
    assert judge.summary(columns | constant, predictions=predictions).status == "warn"


def test_a_difference_too_small_to_matter_is_no_drift_however_sure(judge: Judge) -> None:
    many = judge.columns(1200)
    older = many | {"Age": np.where(np.arange(1200) < 96, 99.0, many["Age"])}  # moves 8 % of the distribution
    strict = judge.settings.model_copy(update={"effect_floor": 0.0})
    found = row(judge.summary(older), "Age")
    assert found.p_value < 0.01
    assert found.effect < judge.settings.effect_floor
    assert not found.drifted
    judge.settings = strict
    assert row(judge.summary(older), "Age").drifted


def test_predictions_that_changed_are_a_warning_of_their_own(judge: Judge, problem: Problem) -> None:
    summary = judge.summary(judge.columns(), predictions=names([problem.classes[0]] * ROWS))
    assert summary.status == "warn"
    assert summary.prediction is not None
    assert summary.prediction.drifted
    assert len(summary.reasons) == 1
    assert summary.reasons[0].startswith("the predictions drifted (effect 0.")
    assert not any(column.drifted for column in summary.columns)


def test_a_category_that_training_never_saw_is_named(judge: Judge, problem: Problem) -> None:
    known = {name: values[:] for name, values in judge.train.items()}
    seen = known["MTRANS"] != "Walking"
    profile = make_profile(
        problem,
        {name: values[seen] for name, values in known.items()},
        judge.bundle.task,
        judge.bundle.scores(known),
        {},
    )
    columns = judge.columns()
    assert (columns["MTRANS"] == "Walking").any()
    summary = judge.summary(columns, profile=profile)
    assert row(summary, "MTRANS").new_categories == ["Walking"]
    assert "MTRANS has new categories: Walking" in summary.reasons
    assert summary.status == "warn"
    assert row(summary, "CAEC").new_categories == []


def test_a_column_that_is_missing_altogether_has_nothing_to_test_and_leaves_the_others_as_they_were(
    judge: Judge,
) -> None:
    columns = judge.columns()
    predictions = judge.bundle.task.decisions(judge.bundle.scores(columns))
    before = judge.summary(columns, predictions=predictions)
    gone = {"Age": np.full(ROWS, np.nan), "CAEC": names([None] * ROWS)}
    summary = judge.summary(columns | gone, predictions=predictions)
    for name in gone:
        found = row(summary, name)
        assert (found.test, found.p_value, found.drifted, found.missing_share) == ("none", 1.0, False, 1.0)
        assert found.reference_missing_share == 0
    assert summary.status == "warn"
    assert summary.reasons == [
        "Age is missing in 100% of the rows, in training in 0%",
        "CAEC is missing in 100% of the rows, in training in 0%",
    ]
    assert by_itself(summary, without=gone) == by_itself(before, without=gone)


def test_missing_values_are_told_beside_those_of_the_training_data(judge: Judge, problem: Problem) -> None:
    train = dict(judge.train) | {"Age": judge.train["Age"].copy()}
    train["Age"][::10] = np.nan
    profile = make_profile(problem, train, judge.bundle.task, judge.bundle.scores(judge.columns()), {})
    columns = judge.columns()
    for holes, status in ((30, "ok"), (45, "ok"), (66, "warn")):
        holed = columns | {"Age": np.where(np.arange(ROWS) < holes, np.nan, columns["Age"])}
        summary = judge.summary(holed, profile=profile)
        found = row(summary, "Age")
        assert found.missing_share == pytest.approx(holes / ROWS)
        assert found.reference_missing_share == pytest.approx(0.1, abs=0.001)
        assert summary.status == status
    assert summary.reasons == ["Age is missing in 22% of the rows, in training in 10%"]


def test_a_few_more_missing_values_than_usual_may_be_chance_in_a_small_window(judge: Judge, problem: Problem) -> None:
    train = dict(judge.train) | {"Age": judge.train["Age"].copy()}
    train["Age"][::2] = np.nan
    profile = make_profile(problem, train, judge.bundle.task, judge.bundle.scores(judge.columns()), {})
    columns = judge.columns(100)
    for holes, status in ((61, "ok"), (72, "warn")):  # ten of the hundred are two standard errors
        holed = columns | {"Age": np.where(np.arange(100) < holes, np.nan, columns["Age"])}
        assert judge.summary(holed, profile=profile).status == status


def test_numbers_outside_the_contracts_range_are_counted(judge: Judge) -> None:
    columns = judge.columns()
    columns["Height"] = np.where(np.arange(ROWS) < 3, 3.5, columns["Height"])
    summary = judge.summary(columns)
    assert row(summary, "Height").out_of_range_share == pytest.approx(0.01)
    assert row(summary, "Weight").out_of_range_share == 0


def test_labels_bring_the_performance_and_without_them_there_is_none(
    judge: Judge, config: Config, problem: Problem
) -> None:
    served = pipeline.champion(config, "obesity")
    current = pipeline.monitor(config, served, source="current")
    assert current.source == "current"
    assert current.performance is not None
    assert current.performance.keys() == current.holdout.keys()
    assert judge.summary(judge.columns()).performance is None


def test_an_empty_prediction_log_is_told_as_not_enough_data(config: Config) -> None:
    summary = pipeline.monitor(config, pipeline.champion(config, "obesity"))
    assert (summary.status, summary.source, summary.rows) == ("insufficient_data", "log", 0)
    assert summary.rows_wanted == config.monitoring.window


def test_any_rows_can_be_judged_as_if_they_had_been_met(config: Config, problem: Problem) -> None:
    served = pipeline.champion(config, problem.name)
    current = pipeline.open_rows(config, problem, "current")
    assert current is not None
    assert pipeline.monitor_frame(config, served, current.frame) == pipeline.monitor(config, served, source="current")
    with pytest.raises(DataError, match="break the contract"):
        pipeline.monitor_frame(config, served, current.frame.assign(Age=-1.0))
