"""Leaks in the hands of a user: what `labline check` shows, what training refuses, what `labline new` leaves out."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from loguru import logger
from rich.console import Console
from typer.testing import CliRunner, Result

from labline import console, pipeline
from labline.cli import app
from labline.config import Config, load
from labline.contract import Problem
from labline.data.leakage import Leak
from labline.errors import DataError
from labline.pipeline.drafting import draft

ROWS = 400


@pytest.fixture
def at(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A workspace with one problem, whose target is the sum of two columns, and its rows taken."""
    monkeypatch.setenv("LABLINE_SETTINGS__ROOT", str(tmp_path))
    monkeypatch.setattr(console, "OUT", Console(width=300))
    random = np.random.default_rng(0)
    casual, registered = random.poisson(30, ROWS), random.poisson(60, ROWS)
    frame = pd.DataFrame({"casual": casual, "registered": registered, "wind": random.normal(5, 1, ROWS).round(2)})
    frame.assign(rentals=casual + registered).to_csv(tmp_path / "bikes.csv", index=False)
    folder = tmp_path / "problems" / "bikes"
    folder.mkdir(parents=True)
    (folder / "problem.yaml").write_text(
        "name: bikes\ntitle: Bikes\ntask: regression\ntarget: rentals\nmetric: rmse\n"
        "sources: {train: {file: ../../bikes.csv}}\n"
        "columns:\n  casual: {type: integer}\n  registered: {type: integer}\n  wind: {type: number}\n",
        encoding="utf-8",
    )
    run("data", "bikes")
    return tmp_path


def run(*words: str) -> Result:
    return CliRunner().invoke(app, list(words), catch_exceptions=False)


def opened(at: Path) -> tuple[Config, Problem]:
    config = load(at)
    return config, pipeline.open_problem(config, "bikes")


def test_check_shows_a_leak_as_a_table_and_ends_with_1(at: Path) -> None:
    result = run("check", "bikes")

    assert result.exit_code == 1
    assert "train: 400 rows, NOT OK" in result.stdout
    assert "how sure" in result.stdout
    [line] = [line for line in result.stdout.splitlines() if line.startswith("error")]
    assert "the target is casual + registered" in line
    assert "casual and registered" in line
    assert "certain (1.000)" in line
    assert "take both out of the contract" in line


def test_check_shows_a_leak_as_json_for_scripts(at: Path) -> None:
    [leak] = json.loads(run("check", "bikes", "--json").stdout)[0]["leaks"]

    assert leak["kind"] == "derivable"
    assert leak["columns"] == ["casual", "registered"]
    assert (leak["score"], leak["sure"], leak["severity"]) == (1.0, "certain", "refuse")
    assert leak["what"]
    assert leak["mend"]


def test_training_is_refused_with_the_columns_named(at: Path) -> None:
    config, problem = opened(at)
    [checked] = pipeline.check(config, problem)

    with pytest.raises(DataError, match=r"the target is casual \+ registered.*--accept-leaks"):
        checked.need_no_leaks(accepted=False)
    with pytest.raises(DataError, match=r"casual \+ registered"):
        pipeline.train(config, problem)


def test_leaks_that_are_accepted_are_warned_of(at: Path) -> None:
    assert warnings_of(pipeline.check(*opened(at))[0], accepted=True)[0].startswith("bikes: the target is casual +")


def test_what_is_no_reason_to_refuse_is_warned_of_and_is_ok(at: Path) -> None:
    frame = pd.read_csv(at / "bikes.csv").assign(registered=lambda rows: rows["registered"][::-1].to_numpy())
    frame.sort_values("rentals").to_csv(at / "bikes.csv", index=False)
    run("data", "bikes")
    [checked] = pipeline.check(*opened(at))

    assert [leak.severity for leak in checked.leaks] == ["warn"]
    assert checked.ok
    assert run("check", "bikes").exit_code == 0
    assert "the order of the rows explains" in warnings_of(checked, accepted=False)[0]


def test_columns_that_say_all_by_themselves_are_listed_with_their_scores(at: Path) -> None:
    checked = pipeline.check(*opened(at))[0]
    leaks = [Leak("determines", (name,), 0.9994, "refuse", "said", "mend") for name in ("a", "b")]
    alone = pipeline.Checked(checked.snapshot, checked.report, tuple(leaks))

    with pytest.raises(DataError, match=r"the target can be read off single columns: a \(0.999\), b \(0.999\)"):
        alone.need_no_leaks(accepted=False)


def test_new_leaves_both_columns_of_a_pair_out_and_says_why(at: Path) -> None:
    drafted = draft(load(at), "rides", str(at / "bikes.csv"), target="rentals")

    assert list(drafted.problem.columns) == ["wind"]
    why = {guess.name: guess.why for guess in drafted.draft.left_out}
    assert "casual + registered" in why["casual"]
    assert "casual + registered" in why["registered"]


def warnings_of(checked: pipeline.Checked, *, accepted: bool) -> list[str]:
    said: list[str] = []
    sink = logger.add(lambda message: said.append(message.record["message"]), level="WARNING")
    try:
        checked.need_no_leaks(accepted=accepted)
    finally:
        logger.remove(sink)
    return said
