"""Training that is interrupted or killed: what was found is kept, the stores can be read, and --resume finishes."""

from __future__ import annotations

import json
import os
import random
import signal
import sqlite3
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import yaml
from loguru import logger
from sqlalchemy.orm.util import AliasedInsp

from labline import pipeline
from labline.config import Config, load
from labline.contract import Problem
from labline.errors import LablineError
from labline.model.registry import Registry
from labline.model.search import Journal
from labline.model.search.studies import Studies
from tests.server import environment

SECONDS_MAX = 8.0  # after which a kill comes at the latest


@pytest.fixture
def churn(workspace: Path) -> tuple[Config, Problem]:
    """A small problem of two classes, its rows taken, and settings under which a search goes through all its stages."""
    random_ = np.random.default_rng(5)
    frame = pd.DataFrame({name: random_.normal(size=500) for name in ("tenure", "spend", "calls", "age", "visits")})
    frame["churned"] = np.where(frame["tenure"] - frame["spend"] + random_.normal(0, 1, 500) < 0, "yes", "no")
    folder = workspace / "problems" / "churn"
    folder.mkdir()
    frame.to_csv(folder / "train.csv", index=False)
    contract = {
        "name": "churn",
        "title": "Churn",
        "task": "binary",
        "target": "churned",
        "classes": ["no", "yes"],
        "metric": "accuracy",
        "sources": {"train": {"csv": "train.csv"}},
        "columns": {name: {"type": "number"} for name in frame if name != "churned"},
    }
    (folder / "problem.yaml").write_text(yaml.safe_dump(contract, sort_keys=False), encoding="utf-8")
    training = {"folds": 3, "families": ["linear", "lightgbm"], "selection": "sequential", "trials": 4, "seeds": 2}
    (workspace / "labline.yaml").write_text(yaml.safe_dump({"training": training}), encoding="utf-8")
    config = load(workspace)
    problem = pipeline.open_problem(config, "churn")
    pipeline.prepare(config, problem)
    return config, problem


def begin(config: Config, *words: str) -> subprocess.Popen[str]:
    """Training in a process of its own."""
    command = [sys.executable, "-m", "labline", "train", "churn", "--budget", "120s", *words]
    root = config.settings.root
    return subprocess.Popen(command, env=environment(root), cwd=root, stdout=-1, stderr=subprocess.STDOUT, text=True)


def unfinished(config: Config) -> list[Path]:
    return sorted((config.settings.models / "searches" / "churn").glob("*"))


def see_that_all_can_be_read(config: Config, problem: Problem) -> None:
    """Runs, registry, studies and journals."""
    Registry(config.storage, problem.name).versions()
    pipeline.leaderboard(config, problem)
    Studies(config.storage.studies_url.get_secret_value()).names()
    for folder in unfinished(config):
        journal = Journal(folder)
        assert all(tried.fold_metrics for tried in journal.tried)
    for name in ("mlflow.db", "studies.db"):
        file = config.settings.models / name
        if file.is_file():
            with sqlite3.connect(file) as connection:
                assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)


@pytest.mark.parametrize("kills", [2, pytest.param(20, marks=pytest.mark.thorough)])
def test_killed_at_random_moments_the_stores_can_be_read_and_resume_finishes(
    kills: int, churn: tuple[Config, Problem]
) -> None:
    config, problem = churn
    dice = random.Random(os.urandom(8))
    found = 0
    for _ in range(kills):
        process = begin(config, *(["--resume"] if unfinished(config) else []))
        time.sleep(dice.uniform(0.5, SECONDS_MAX))
        process.kill()
        output, _ = process.communicate()
        assert process.returncode in {0, -signal.SIGKILL}, output
        see_that_all_can_be_read(config, problem)
        if unfinished(config):
            tried = len(Journal(unfinished(config)[-1]).tried)
            assert tried >= (found if process.returncode else 0)  # nothing that was found is lost
            found = tried
        else:
            found = 0
    process = begin(config, *(["--resume"] if unfinished(config) else []))
    output, _ = process.communicate(timeout=180)
    assert process.returncode == 0, output
    assert "is the challenger" in output
    assert unfinished(config) == []
    version = Registry(config.storage, problem.name).challenger()
    rows = pipeline.leaderboard(config, problem)
    assert {row.family for row in rows} == {"majority", "tree", "linear", "lightgbm"}
    assert version.number in {row.version for row in rows}
    assert {"defaults", "selected", "tuned"} <= {row.stage for row in rows}
    with Registry(config.storage, problem.name).store.client() as client:
        subsets = {model.name for model in client.search_registered_models()} - {problem.name}
        assert subsets <= {"churn-linear-columns", "churn-lightgbm-columns"}
        (subset,) = client.search_model_versions(f"name = '{min(subsets)}'", max_results=1)
        columns = subset.tags["labline.subset"].split(", ")
        assert 1 <= len(columns) <= 2  # of five, 10 % to 40 %
        assert {*columns} <= {*problem.columns}


def test_ctrl_c_keeps_what_was_found_and_says_how_to_go_on(churn: tuple[Config, Problem]) -> None:
    config, problem = churn
    process = begin(config)
    started = time.monotonic()
    while not any(list(folder.glob("tried-*")) for folder in unfinished(config)) and time.monotonic() - started < 60:
        time.sleep(0.1)
    process.send_signal(signal.SIGINT)
    output, _ = process.communicate(timeout=60)
    assert process.returncode == 130, output
    assert "labline train churn --resume goes on with it" in output
    assert "Traceback" not in output
    tried = Journal(unfinished(config)[-1]).tried
    assert tried
    rows = pipeline.leaderboard(config, problem)
    assert {row.family for row in rows} >= {one.family for one in tried[:-1]}  # the last may not be logged yet


def test_ctrl_c_in_the_middle_of_a_statement_ends_the_runs_as_killed(
    churn: tuple[Config, Problem], monkeypatch: pytest.MonkeyPatch
) -> None:
    config, problem = churn

    def interrupted(*_: object, **__: object) -> None:
        monkeypatch.undo()
        raise KeyboardInterrupt

    def told(*_: object) -> None:
        # made between a statement and its rows: the statement stays open
        monkeypatch.setattr(AliasedInsp, "__init__", interrupted)

    with pytest.raises(KeyboardInterrupt):
        pipeline.train(config, problem, tried=told)
    registry = Registry(config.storage, problem.name)
    with registry.store.client() as client:
        runs = client.search_runs([registry.store.experiment(client, problem.name)])
    assert sorted(run.info.status for run in runs) == ["FINISHED", "KILLED", "KILLED"]


def test_ctrl_c_is_ctrl_c_though_a_library_makes_an_error_of_it(churn: tuple[Config, Problem]) -> None:
    config, problem = churn

    def told(*_: object) -> None:
        try:
            signal.raise_signal(signal.SIGINT)
        except KeyboardInterrupt as error:  # as SQLAlchemy may, in the middle of a commit
            raise AssertionError from error

    before = signal.getsignal(signal.SIGINT)
    with pytest.raises(KeyboardInterrupt):
        pipeline.train(config, problem, tried=told)
    assert signal.getsignal(signal.SIGINT) is before
    registry = Registry(config.storage, problem.name)
    with registry.store.client() as client:
        runs = client.search_runs([registry.store.experiment(client, problem.name)])
    assert sorted(run.info.status for run in runs) == ["FINISHED", "KILLED", "KILLED"]


def test_ctrl_c_is_ctrl_c_though_mlflow_cannot_be_told(churn: tuple[Config, Problem]) -> None:
    config, problem = churn
    said: list[str] = []

    def told(*_: object) -> None:
        (config.settings.models / "mlflow.db").write_bytes(b"no database any more")
        raise KeyboardInterrupt

    sink = logger.add(lambda message: said.append(message.record["message"]), level="WARNING")
    with pytest.raises(KeyboardInterrupt):
        pipeline.train(config, problem, tried=told)
    logger.remove(sink)
    assert any("MLflow was not told that training has ended" in line for line in said)


def test_without_an_unfinished_search_resume_says_so(churn: tuple[Config, Problem]) -> None:
    config, problem = churn
    with pytest.raises(LablineError, match="there is no unfinished search of 'churn' to go on with"):
        pipeline.train(config, problem, resume=True)


# Several processes at one study


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.postgres)])
def shared(request: pytest.FixtureRequest, churn: tuple[Config, Problem], monkeypatch: pytest.MonkeyPatch) -> Config:
    """The workspace with its studies in a database of each kind."""
    root = churn[0].settings.root
    if request.param == "postgresql":
        monkeypatch.setenv("LABLINE_STORAGE__STUDIES_URL", str(request.getfixturevalue("postgres")))
    return load(root)


def test_two_processes_work_at_one_study(shared: Config, churn: tuple[Config, Problem]) -> None:
    from labline.model.search.tuning import CLOSED
    from labline.model.tracking import TrainingRun
    from labline.pipeline.divided import ready_rows

    problem = churn[1]
    ready = ready_rows(shared, problem, accept_leaks=False)
    run = TrainingRun(Registry(shared.storage, problem.name), "file", ready.snapshot.sha256)
    about = {"family": "linear", "feature_set": "raw", "columns": list(problem.columns), "key": ready.key}
    studies = Studies(shared.storage.studies_url.get_secret_value())
    study = studies.begin("churn-linear-here", about | {"run_id": run.begin("search"), CLOSED: False}, None)
    command = [sys.executable, "-m", "labline", "tune-worker", "churn", "--study", study.study_name, "--trials", "6"]
    root = shared.settings.root
    workers = [
        subprocess.Popen(command, env=environment(root), cwd=root, stdout=-1, stderr=subprocess.STDOUT, text=True)
        for _ in range(2)
    ]
    for worker in workers:
        output, _ = worker.communicate(timeout=120)
        assert worker.returncode == 0, output
        assert "locked" not in output
    trials = studies.join(study.study_name).trials
    assert len(trials) == 12
    assert all(trial.state.is_finished() for trial in trials)
    assert len({json.dumps(trial.params, sort_keys=True) for trial in trials}) >= 11  # both may begin with the defaults
    tuned = [row for row in pipeline.leaderboard(shared, problem) if row.stage == "tuned"]
    assert tuned  # the workers' trials stand below the search's run
    study.set_user_attr(CLOSED, True)
    with pytest.raises(LablineError, match="is closed: its search has ended"):
        pipeline.tune(shared, problem, study.study_name)
