"""Against services that run already, at LABLINE_TEST_API and LABLINE_TEST_MLFLOW."""

from __future__ import annotations

import json
import os
from typing import Any
from urllib.request import Request, urlopen

import pytest

from labline.config import load
from labline.model.mlflow_store import MlflowStore
from labline.model.registry import Registry

API, MLFLOW = os.environ.get("LABLINE_TEST_API"), os.environ.get("LABLINE_TEST_MLFLOW")
pytestmark = [
    pytest.mark.services,
    pytest.mark.skipif(not (API and MLFLOW), reason="LABLINE_TEST_API and LABLINE_TEST_MLFLOW are not set"),
]


def ask(path: str, body: Any = None) -> Any:
    data = None if body is None else json.dumps(body).encode()
    headers = {"content-type": "application/json"}
    with urlopen(Request(f"{API}{path}", data=data, headers=headers), timeout=60) as answer:
        return json.loads(answer.read())


@pytest.fixture
def registry(workspace, monkeypatch: pytest.MonkeyPatch) -> Registry:
    monkeypatch.setenv("LABLINE_STORAGE__TRACKING_URI", str(MLFLOW))
    return Registry(load(workspace).storage, ask("/version")["problem"])


def test_what_the_api_serves_is_the_registrys_champion(registry: Registry) -> None:
    assert ask("/version")["model_version"] == registry.champion().number


def test_the_example_of_the_apis_own_page_is_answered_by_the_champion(registry: Registry) -> None:
    record = ask("/openapi.json")["components"]["schemas"]["Record"]["examples"][0]
    answer = ask("/predict", record)
    assert answer["model"] == {"name": registry.problem, "version": registry.champion().number}
    assert answer["prediction_id"]


def test_the_last_predictions_are_monitored() -> None:
    assert ask("/monitor")["source"] == "log"


def test_an_artifact_comes_back_from_the_server_as_it_was_written(registry: Registry) -> None:
    MlflowStore.round_trip(registry.store, registry.problem)
