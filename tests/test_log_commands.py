"""labline log: what was predicted, as a file for other tools; and gone, where it must be."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pandas as pd
import pytest
from typer.testing import CliRunner

from labline.cli import app
from labline.config import Config
from labline.contract import Problem
from labline.contract.examples import example_record
from labline.database import open_database
from labline.monitoring.prediction_log import Logged, PredictionLog, new_prediction_id


@pytest.fixture
def rows(config: Config, problem: Problem, monkeypatch: pytest.MonkeyPatch) -> list[Logged]:
    """Five predictions, a day apart, the last of them today; the workspace is the current one."""
    monkeypatch.setenv("LABLINE_SETTINGS__ROOT", str(config.settings.root))
    record = example_record(problem)
    probabilities = dict.fromkeys(problem.classes, 1 / 7)
    now = datetime.now(UTC)
    made = [
        Logged(
            prediction_id=new_prediction_id(),
            at=now - timedelta(days=4 - day),
            problem="obesity",
            version=1 + day % 2,
            input=record | {"Age": 20.0 + day, "id": day % 3},
            prediction="Normal_Weight",
            probabilities=probabilities,
            row_id=str(day % 3),
        )
        for day in range(5)
    ]
    PredictionLog(open_database(config.storage.database_url.get_secret_value())).add(made)
    return made


def left(config: Config) -> list[str]:
    log = PredictionLog(open_database(config.storage.database_url.get_secret_value()))
    return [row.prediction_id for row in log.last("obesity", 100)]


def labline(*words: str) -> str:
    result = CliRunner().invoke(app, ["log", *words])
    assert result.exit_code == 0, result.output
    return result.output


@pytest.mark.parametrize("ending", ["csv", "jsonl", "parquet"])
def test_the_log_is_exported_with_a_column_for_everything_that_was_sent_and_said(
    rows: list[Logged], problem: Problem, tmp_path: Path, ending: str
) -> None:
    target = tmp_path / f"log.{ending}"
    assert "5 predictions" in labline("export", str(target))
    read = {"csv": pd.read_csv, "jsonl": lambda file: pd.read_json(file, lines=True), "parquet": pd.read_parquet}
    frame = read[ending](target)  # type: ignore[operator]
    assert frame["prediction_id"].tolist() == [row.prediction_id for row in rows]
    assert frame["Age"].tolist() == [20.0, 21.0, 22.0, 23.0, 24.0]
    assert set(problem.columns) < set(frame)
    assert frame["probability_Normal_Weight"].tolist() == pytest.approx([1 / 7] * 5)
    assert pd.to_datetime(frame["at"], utc=True).tolist() == [pd.Timestamp(row.at) for row in rows]


def test_an_export_may_be_of_a_time_and_of_one_version(rows: list[Logged], tmp_path: Path) -> None:
    since = (datetime.now(UTC) - timedelta(days=2, hours=12)).strftime("%Y-%m-%dT%H:%M:%S")
    labline("export", str(tmp_path / "log.jsonl"), "--since", since, "--version", "1")
    lines = [json.loads(line) for line in (tmp_path / "log.jsonl").read_text().splitlines()]
    assert [line["prediction_id"] for line in lines] == [rows[2].prediction_id, rows[4].prediction_id]


def test_a_file_of_another_kind_is_refused_by_name(rows: list[Logged], tmp_path: Path) -> None:
    result = CliRunner().invoke(app, ["log", "export", str(tmp_path / "log.xlsx")])
    assert result.exit_code != 0
    assert ".csv, .jsonl, .parquet" in str(result.exception)
    assert list(tmp_path.glob("*.xlsx*")) == []


def test_what_a_person_asks_to_be_forgotten_is(rows: list[Logged], config: Config) -> None:
    refused = CliRunner().invoke(app, ["log", "erase", "obesity", "--row", "1"], input="n\n")
    assert refused.exit_code == 1
    assert len(left(config)) == 5
    said = labline("erase", "obesity", "--row", "1", "--prediction", rows[2].prediction_id, "--yes")
    assert "3 predictions erased" in said
    assert left(config) == [rows[0].prediction_id, rows[3].prediction_id]


def test_pruning_keeps_so_many_days(rows: list[Logged], config: Config) -> None:
    labline("prune", "--days", "1.5", "--yes")
    assert left(config) == [rows[3].prediction_id, rows[4].prediction_id]
