"""The API follows the registry's alias: at start, when it changes, and when something is wrong with it."""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable
from pathlib import Path

from fastapi.testclient import TestClient

from labline import pipeline
from labline.api import create_app
from labline.config import Config, load
from labline.contract import Problem
from labline.contract.examples import example_record
from labline.model.registry import Registry

PATIENCE = 40.0  # seconds; a worker process has to import MLflow first


def wait_for(condition: Callable[[], bool], what: str) -> None:
    end = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < end, f"waited in vain: {what}"
        time.sleep(0.05)


def version(client: TestClient) -> int | None:
    return client.get("/version").json()["model_version"]


def register_twin(config: Config, problem: Problem) -> int:
    """Register the champion's bundle once more; gives the version's number."""
    registry = Registry(config.storage, problem.name)
    first = registry.version(1)
    return registry.register(first.run_id, first.source, first.tags).number


def test_a_promotion_changes_the_api_over_without_a_failed_request_and_rollback_back(
    config: Config, problem: Problem
) -> None:
    record = example_record(problem)
    with TestClient(create_app(config, "obesity")) as client:
        assert version(client) == 1
        statuses: set[int] = set()

        def changed_to(number: int) -> bool:
            answer = client.post("/predict", json=record)
            statuses.add(answer.status_code)
            return answer.json()["model"]["version"] == number

        number = register_twin(config, problem)
        pipeline.promote(config, problem, number=number, force=True)
        wait_for(lambda: changed_to(number), "the new champion")
        pipeline.rollback(config, problem)
        wait_for(lambda: changed_to(1), "the old champion")
        assert statuses == {200}


def test_without_a_champion_the_api_starts_says_why_and_takes_the_first_one(
    workspace: Path, trained_template: Path
) -> None:
    config = load(workspace)
    problem = pipeline.open_problem(config, "obesity")
    with TestClient(create_app(config, "obesity")) as client:
        wait_for(lambda: "labline train" in client.get("/readyz").text, "the registry's answer")
        assert client.get("/readyz").status_code == 503
        refused = client.post("/predict", json=example_record(problem))
        assert (refused.status_code, refused.json()["title"]) == (503, "No champion")
        assert "There is no champion yet" in client.get("/").text
        assert client.get("/openapi.json").json()["components"]["schemas"]["Record"]
        files = {role: str(trained_template / f"{role}.csv") for role in ("train", "current")}
        pipeline.prepare(config, problem, files=files)  # type: ignore[arg-type]
        pipeline.train(config, problem)
        pipeline.promote(config, problem)
        wait_for(lambda: client.get("/readyz").status_code == 200, "the first champion")
        assert client.post("/predict", json=example_record(problem)).status_code == 200


def test_a_bundle_that_was_altered_is_refused_and_the_old_one_serves_on(config: Config, problem: Problem) -> None:
    with TestClient(create_app(config, "obesity")) as client:
        number = register_twin(config, problem)
        registry = Registry(config.storage, "obesity")
        twin = registry.version(number)
        folder = registry.fetch(twin, config.settings.models / "cache")
        (folder / "members" / "0" / "lightgbm.txt").write_text("not a booster", encoding="utf-8")
        registry.crown(twin)  # past promotion's own check, as a disk that fails would be
        wait_for(lambda: f"version {number} is refused" in client.get("/readyz").text, "the refusal")
        assert "lightgbm.txt was altered" in client.get("/readyz").text
        assert client.get("/readyz").status_code == 200
        assert client.post("/predict", json=example_record(problem)).json()["model"]["version"] == 1


def test_with_the_registry_away_the_champion_served_last_serves_and_says_so(config: Config, problem: Problem) -> None:
    away = config.settings.models / "mlflow.db"
    shutil.move(away, away.with_suffix(".away"))
    away.mkdir()  # nothing can be opened there
    with TestClient(create_app(config, "obesity")) as client:
        assert client.post("/predict", json=example_record(problem)).status_code == 200
        wait_for(lambda: "out of reach" in client.get("/readyz").text, "the registry's silence")
        assert client.get("/readyz").status_code == 200


def test_a_bundle_of_an_unknown_family_is_refused_like_an_altered_one(config: Config, problem: Problem) -> None:
    with TestClient(create_app(config, "obesity")) as client:
        number = register_twin(config, problem)
        registry = Registry(config.storage, "obesity")
        twin = registry.version(number)
        manifest = registry.fetch(twin, config.settings.models / "cache") / "manifest.json"
        manifest.write_text(
            manifest.read_text(encoding="utf-8").replace('"lightgbm"', '"perceptron"'), encoding="utf-8"
        )
        registry.crown(twin)
        wait_for(lambda: "'perceptron' is not known" in client.get("/readyz").text, "the refusal")
        registry.crown(registry.version(1))
        wait_for(lambda: client.get("/readyz").json()["reasons"] == [], "the old champion's return")
        assert client.post("/predict", json=example_record(problem)).status_code == 200
