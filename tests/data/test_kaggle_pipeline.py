"""From Kaggle to checked snapshots: `auto` takes Kaggle's files where there are credentials."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pandas as pd
import pytest
from kagglesdk import kaggle_env

from labline import pipeline
from labline.config import load
from labline.errors import DataError
from tests.data.kaggle_server import KEY, USERNAME, KaggleServer, kaggle_server


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[KaggleServer]:
    """A stand-in for Kaggle, and the credentials it takes."""
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("NO_PROXY", "*")
    monkeypatch.setenv("KAGGLE_USERNAME", USERNAME)
    monkeypatch.setenv("KAGGLE_KEY", KEY)
    with kaggle_server() as state:
        monkeypatch.setitem(kaggle_env._env_to_endpoint, kaggle_env.KaggleEnv.PROD, state.url)
        yield state


def test_with_credentials_auto_takes_kaggles_files_and_they_pass_the_check(
    workspace: Path, server: KaggleServer, sample: dict[str, pd.DataFrame]
) -> None:
    config = load(workspace)
    problem = pipeline.open_problem(config, "obesity")
    for role, frame in sample.items():
        source = getattr(problem.sources, role).kaggle
        place = source.competition or source.dataset
        server.serve(place, source.file, frame.to_csv(index=False).encode())
    kept = pipeline.prepare(config, problem)
    assert [(snapshot.kind, snapshot.is_sample) for snapshot in kept] == [("kaggle", False)] * 2
    assert kept[0].origin == "kaggle:playground-series-s4e2/train.csv"
    assert [snapshot.rows for snapshot in kept] == [len(sample["train"]), len(sample["current"])]
    assert all(checked.ok for checked in pipeline.check(config, problem))
    again = pipeline.prepare(config, problem)
    assert [snapshot.sha256 for snapshot in again] == [snapshot.sha256 for snapshot in kept]


def test_when_kaggle_refuses_auto_does_not_take_the_sample_in_silence(workspace: Path, server: KaggleServer) -> None:
    config = load(workspace)
    problem = pipeline.open_problem(config, "obesity")
    assert server is not None  # it knows no file at all
    with pytest.raises(DataError, match="playground-series-s4e2"):
        pipeline.prepare(config, problem)
    assert not (config.settings.data / "obesity").exists()
