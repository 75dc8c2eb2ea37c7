"""Retraining: when the rule asks for it and when not, and a challenger that has learned from labelled traffic."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from typer.testing import CliRunner

from labline import pipeline
from labline.cli import app
from labline.config import Config, load
from labline.config.monitoring import Monitoring
from labline.contract import Problem
from labline.errors import DataError, LablineError
from labline.model.registry import Registry
from labline.monitoring.estimation import Estimate
from labline.monitoring.labels import Told, keep
from labline.monitoring.outcome_hours import count_labels
from labline.monitoring.retraining import Measured, Past, claim, decide, last_retraining
from labline.pipeline.divided import ready_rows
from tests.monitoring.traffic import NOON, Traffic

NOW = datetime(2026, 5, 1, tzinfo=UTC)


@pytest.fixture
def settings(config: Config) -> Monitoring:
    return config.monitoring.model_copy(update={"retrain_new_labels": 1000, "retrain_cooldown_hours": 24.0})


def measured(value: float, spread: float, *, metric: str = "accuracy", rows: int = 400) -> Measured:
    return Measured(metric, rows, Estimate(value=value, low=value - spread, high=value + spread), 0.9, 400)


def past(hours: float, labels: int = 0) -> Past:
    return Past(1, NOW - timedelta(hours=hours), labels, 2)


def test_performance_that_fell_by_more_than_both_figures_noise_is_a_reason(settings: Monitoring) -> None:
    fell = decide(settings, None, measured(0.84, 0.04), 400, NOW)
    assert fell.due
    assert fell.reason.startswith("accuracy of 400 labelled rows is 0.8400, on the hold-out 0.9000")
    noise = decide(settings, None, measured(0.85, 0.04), 400, NOW)  # outside its own interval, inside both
    assert not noise.due
    assert "400 new labels of 1,000" in noise.reason
    assert not decide(settings, None, measured(0.95, 0.01), 400, NOW).due
    assert decide(settings, None, measured(1.1, 0.05, metric="log_loss"), 400, NOW).due  # there less is better
    assert not decide(settings, None, measured(0.5, 0.05, metric="log_loss"), 400, NOW).due


def test_enough_new_labels_are_a_reason_those_of_the_last_retraining_are_not_new(settings: Monitoring) -> None:
    assert decide(settings, None, None, 1000, NOW).due
    assert not decide(settings, past(100, labels=500), None, 1499, NOW).due
    assert decide(settings, past(100, labels=500), None, 1500, NOW).due
    never = settings.model_copy(update={"retrain_new_labels": None})
    assert not decide(never, None, None, 10**6, NOW).due


def test_within_the_cool_down_nothing_is_a_reason(settings: Monitoring) -> None:
    found = decide(settings, past(23.5), measured(0.1, 0.01), 10**6, NOW)
    assert not found.due
    assert found.reason == "the last retraining began 23.5 hours ago; 24 are to be between two"
    assert decide(settings, past(24), measured(0.1, 0.01), 10**6, NOW).due


def labelled_traffic(config: Config, frame: pd.DataFrame, rows: int, wrong: float = 0.0) -> Traffic:
    """A log of labelled answers; in some part of them the champion was wrong."""
    traffic = Traffic.of(config, frame)
    logged = traffic.log(traffic.rows(rows))
    classes = traffic.problem.classes
    answers = [str(row.prediction) for row in logged]
    labels = [
        classes[(classes.index(one) + 1) % len(classes)] if index < wrong * rows else one
        for index, one in enumerate(answers)
    ]
    told = [Told(row.prediction_id, label, NOON) for row, label in zip(logged, labels, strict=True)]
    keep(traffic.engine, "obesity", told, NOON)
    count_labels(traffic.engine, traffic.problem, traffic.bundle.task, NOON)
    return traffic


def test_drift_alone_is_never_a_reason(config: Config, problem: Problem, sample: dict[str, pd.DataFrame]) -> None:
    traffic = Traffic.of(config, sample["train"].assign(Age=90.0))
    traffic.log(traffic.rows(400))
    assert pipeline.monitor(config, traffic.served).status != "ok"
    done = pipeline.retrain(config, problem, if_needed=True)
    assert not done.decision.due
    assert done.decision.reason == ("fewer than 300 labelled rows to measure the champion on; 0 new labels of 5,000")
    with pytest.raises(DataError, match="no label is known"):
        pipeline.retrain(config, problem)
    with traffic.engine.connect() as connection:
        assert last_retraining(connection, "obesity") is None  # what failed is no reason to wait


def test_of_two_that_begin_at_once_one_does(config: Config, sample: dict[str, pd.DataFrame]) -> None:
    engine = Traffic.of(config, sample["train"]).engine
    claim(engine, "obesity", None, "asked for", 1, NOW)
    with pytest.raises(LablineError, match="another retraining has begun"):
        claim(engine, "obesity", None, "asked for", 1, NOW)


def test_a_row_that_the_training_data_has_too_is_not_learned_from_again(
    config: Config, problem: Problem, sample: dict[str, pd.DataFrame], monkeypatch: pytest.MonkeyPatch
) -> None:
    """All rows of the log are rows of the training data, some of them held out: none is taken."""
    labelled_traffic(config, sample["train"], 200)
    kept: list[Any] = []

    def ready(*_: Any, labelled: Any, **__: Any) -> Any:
        kept.append(ready_rows(config, problem, accept_leaks=False, labelled=labelled))
        raise KeyboardInterrupt

    monkeypatch.setattr("labline.pipeline.retraining.train", ready)
    with pytest.raises(KeyboardInterrupt):
        pipeline.retrain(config, problem)
    assert kept[0].labelled.rows == 200
    _, target, _ = kept[0].rows.labelled
    assert len(target) == 0
    without = ready_rows(config, problem, accept_leaks=False)
    assert kept[0].key != without.key
    np.testing.assert_array_equal(kept[0].rows.holdout_target, without.rows.holdout_target)


def test_a_fall_trains_a_challenger_from_the_log_and_then_there_is_a_pause(
    trained: Path, problem: Problem, sample: dict[str, pd.DataFrame], monkeypatch: pytest.MonkeyPatch
) -> None:
    config = load(trained)
    fast = config.training.model_copy(update={"families": ("linear",)})
    config = config.model_copy(update={"training": fast})
    labelled_traffic(config, sample["current"], 320, wrong=0.4)
    done = pipeline.retrain(config, problem, if_needed=True)
    assert done.decision.due
    assert done.trained is not None
    data = done.trained.bundle.manifest.data
    assert data.labelled_origin == "log:obesity, 320 labelled rows"
    assert 0 < data.labelled_rows <= 320
    assert Registry(config.storage, "obesity").challenger().number == done.trained.version.number == 2
    assert pipeline.champion(config, "obesity").version == 1  # it is promote that decides
    monkeypatch.setenv("LABLINE_SETTINGS__ROOT", str(trained))
    said = CliRunner().invoke(app, ["retrain", "obesity", "--if-needed", "--json"], catch_exceptions=False)
    answer = json.loads(said.stdout)
    assert (said.exit_code, answer["retrained"], answer["version"]) == (0, False, None)
    assert "the last retraining began 0.0 hours ago" in answer["reason"]


def test_monitor_ends_with_a_status_for_schedulers_and_writes_its_page(
    trained: Path, config: Config, sample: dict[str, pd.DataFrame], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    traffic = Traffic.of(config, sample["train"].assign(Age=90.0))
    monkeypatch.setenv("LABLINE_SETTINGS__ROOT", str(trained))

    def run(*options: str) -> Any:
        return CliRunner().invoke(app, ["monitor", "obesity", *options])

    few = run("--fail-on", "warn")
    assert (few.exit_code, few.stdout.splitlines()[0]) == (0, "insufficient_data: 0 rows from log, version 1")
    traffic.log(traffic.rows(150))
    page = tmp_path / "page.html"
    warned = run("--last", "150", "--fail-on", "warn", "--html", str(page))
    assert warned.exit_code == 3
    assert warned.stdout.startswith("warn: 150 rows")
    assert "Age drifted" in page.read_text(encoding="utf-8")
    assert run("--last", "150", "--fail-on", "drift").exit_code == 0
    assert run("--last", "150").exit_code == 0
    assert json.loads(run("--since", "2026-03-01", "--segment", "Gender:Male", "--json").stdout)["rows"] < 150
    for wrong in (["--since", "soon"], ["--last", "5", "--since", "2026-03-01"], ["--segment", "Colour:red"]):
        assert isinstance(run(*wrong).exception, LablineError)
