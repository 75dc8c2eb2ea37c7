"""labline compare: agreement of champion and challenger on real requests and, with labels, who was better."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from itertools import cycle

import pytest
from sqlalchemy import Engine
from typer.testing import CliRunner

from labline import pipeline
from labline.cli import app
from labline.config import Config
from labline.contract import Problem
from labline.database import open_database
from labline.errors import DataError
from labline.monitoring.labels import Told, keep
from labline.monitoring.prediction_log import Logged, PredictionLog, Shadow, new_prediction_id

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
TRUE, WRONG = "Normal_Weight", "Obesity_Type_I"


@pytest.fixture
def engine(config: Config) -> Engine:
    return open_database(config.storage.database_url.get_secret_value())


def answered(number: int, prediction: str, version: int = 1) -> Logged:
    at = NOW + timedelta(seconds=number)
    return Logged(new_prediction_id(), at, "obesity", version, {"Age": 20}, prediction, {})


def label(engine: Engine, rows: list[Logged]) -> None:
    keep(engine, "obesity", [Told(row.prediction_id, TRUE, NOW) for row in rows], NOW)


def test_a_challenger_nobody_has_asked_cannot_be_compared(config: Config, problem: Problem) -> None:
    with pytest.raises(DataError, match="no challenger has answered anything"):
        pipeline.compare(config, problem)


def test_in_shadow_agreement_needs_no_labels_and_who_is_better_does(
    config: Config, problem: Problem, engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    log = PredictionLog(engine)
    # the champion is wrong once in two, the challenger once in ten
    ours, theirs = cycle([TRUE, WRONG]), cycle([TRUE] * 9 + [WRONG])
    rows = [answered(number, next(ours)) for number in range(200)]
    shadows = [Shadow(row.prediction_id, 2, row.at, "obesity", next(theirs), {}) for row in rows]
    log.add([*rows, *shadows])
    found = pipeline.compare(config, problem)
    same = sum(row.prediction == shadow.prediction for row, shadow in zip(rows, shadows, strict=True)) / 200
    assert (found.how, found.rows, found.agreement) == ("shadow", 200, same)
    assert found.difference is None and "30 are needed" in found.verdict
    label(engine, rows[:100])
    found = pipeline.compare(config, problem)
    assert (found.champion.loss, found.challenger.loss, found.champion.labelled) == (0.5, 0.1, 100)
    assert found.difference is not None
    assert found.difference[0] == pytest.approx(0.4)
    assert 0.2 < found.difference[1] < 0.4 < found.difference[2] < 0.6
    assert found.verdict == "the challenger is better"
    monkeypatch.setenv("LABLINE_SETTINGS__ROOT", str(config.settings.root))
    said = CliRunner().invoke(app, ["compare", "obesity", "--json"])
    assert json.loads(said.stdout)["verdict"] == "the challenger is better"
    assert "the challenger's gain: +0.4000" in CliRunner().invoke(app, ["compare", "obesity"]).stdout


def test_as_canary_each_is_judged_on_its_own_requests_of_the_same_time(
    config: Config, problem: Problem, engine: Engine
) -> None:
    log = PredictionLog(engine)
    before = [answered(-1000 + number, WRONG) for number in range(50)]  # before there was a challenger
    champion = [answered(number, TRUE) for number in range(1, 101)]
    canary = [answered(number, WRONG if number % 2 else TRUE, version=2) for number in range(100)]
    log.add([*before, *champion, *canary])
    label(engine, [*before, *champion, *canary])
    found = pipeline.compare(config, problem)
    assert (found.how, found.agreement) == ("canary", None)
    assert (found.champion.loss, found.challenger.loss) == (0.0, 0.5)
    assert found.verdict == "the champion is better"
