"""The challenger's trial: in shadow nobody is told; as canary it answers a share of the keys, and always the same."""

from __future__ import annotations

from pathlib import Path

import pytest
from fastapi.testclient import TestClient
from sqlalchemy import select

from labline import pipeline
from labline.api import create_app
from labline.config import Config, load
from labline.contract import Problem
from labline.contract.examples import example_record
from labline.database import open_database
from labline.monitoring.prediction_log import SHADOWS, PredictionLog
from tests.api.test_champion import register_twin, wait_for


def in_trial(config: Config, monkeypatch: pytest.MonkeyPatch, how: str, share: float) -> Config:
    monkeypatch.setenv("LABLINE_SERVING__CHALLENGER", how)
    monkeypatch.setenv("LABLINE_SERVING__CHALLENGER_SHARE", str(share))
    return load(Path(config.settings.root))


def challenger(client: TestClient) -> int | None:
    loaded = client.app.state.services.champion.challenger  # type: ignore[attr-defined]
    return None if loaded is None else int(loaded.version)


def test_in_shadow_the_challenger_answers_as_well_and_only_the_log_knows(
    config: Config, problem: Problem, monkeypatch: pytest.MonkeyPatch
) -> None:
    number = register_twin(config, problem)
    config = in_trial(config, monkeypatch, "shadow", 1)
    log = open_database(config.storage.database_url.get_secret_value())

    def shadows() -> list[tuple[str, int]]:
        with log.connect() as connection:
            found = connection.execute(select(SHADOWS.c.prediction_id, SHADOWS.c.version)).all()
        return sorted((one.prediction_id, one.version) for one in found)

    with TestClient(create_app(config, "obesity")) as client:
        wait_for(lambda: challenger(client) == number, "the challenger")
        answers = [client.post("/predict", json=example_record(problem)).json() for _ in range(5)]
        answers += client.post("/predict/batch", json=[example_record(problem)] * 3).json()["predictions"]
        assert {answer["model"]["version"] for answer in answers} == {1}
        wanted = sorted((answer["prediction_id"], number) for answer in answers)
        wait_for(lambda: shadows() == wanted, "the shadows")
        pipeline.promote(config, problem, number=number, force=True)
        wait_for(lambda: challenger(client) is None, "the trial's end: a champion is no challenger")


def test_as_canary_a_share_of_the_keys_gets_the_challenger_and_each_keeps_its_model(
    config: Config, problem: Problem, monkeypatch: pytest.MonkeyPatch
) -> None:
    number = register_twin(config, problem)
    config = in_trial(config, monkeypatch, "canary", 0.3)
    record = example_record(problem)
    with TestClient(create_app(config, "obesity")) as client:
        wait_for(lambda: challenger(client) == number, "the challenger")

        def versions() -> dict[int, int]:
            rows = [{**record, "id": key} for key in range(400)]
            found = client.post("/predict/batch", json=rows).json()["predictions"]
            return {key: answer["model"]["version"] for key, answer in enumerate(found)}

        first = versions()
        assert 70 < sum(version == number for version in first.values()) < 170
        assert versions() == first
        for key in range(20):
            answer = client.post("/predict", json={**record, "id": key}).json()
            assert answer["model"]["version"] == first[key]
    logged = PredictionLog(open_database(config.storage.database_url.get_secret_value())).last("obesity", 800)
    assert {row.row_id: row.version for row in logged} == {str(key): version for key, version in first.items()}


def test_without_a_trial_the_challenger_is_not_even_loaded(config: Config, problem: Problem) -> None:
    register_twin(config, problem)
    with TestClient(create_app(config, "obesity")) as client:
        wait_for(lambda: client.get("/readyz").json()["reasons"] == [], "the registry's answer")
        assert challenger(client) is None


def test_servers_that_share_a_cache_change_over_together_though_one_alone_asks_the_registry(
    config: Config, problem: Problem, monkeypatch: pytest.MonkeyPatch
) -> None:
    number = register_twin(config, problem)
    with TestClient(create_app(config, "obesity")) as first, TestClient(create_app(config, "obesity")) as second:
        apps = [client.app.state.services.champion for client in (first, second)]  # type: ignore[attr-defined]
        wait_for(lambda: sum(one._turn._lock.is_locked for one in apps) == 1, "one that asks")
        wait_for(lambda: all(one.trouble is None for one in apps), "the registry's answer, told to both")
        pipeline.promote(config, problem, number=number, force=True)
        wait_for(lambda: apps[0].current.version == apps[1].current.version == number, "the new champion")
        assert abs((apps[0].current.since - apps[1].current.since).total_seconds()) < 2
        before = apps[0].previous.bundle
        pipeline.rollback(config, problem)
        wait_for(lambda: apps[0].current.bundle is before, "the old champion, which was never forgotten")
