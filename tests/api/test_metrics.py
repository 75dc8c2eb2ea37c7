"""/metrics as Prometheus reads it, of one process and of several together."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families

from labline.api.metrics import FOLDER, Metrics
from tests.api.conftest import Api

Numbers = dict[tuple[str, frozenset[tuple[str, str]]], float]


def parsed(text: str) -> Numbers:
    return {
        (sample.name, frozenset(sample.labels.items())): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


@pytest.fixture
def grown(api: Api) -> Iterator[Callable[..., float]]:
    """By how much a number has grown since the test began."""
    before = parsed(api.client.get("/metrics").text)

    def difference(name: str, **labels: str) -> float:
        key = (name, frozenset(labels.items()))
        return parsed(api.client.get("/metrics").text).get(key, 0) - before.get(key, 0)

    yield difference


def test_requests_are_counted_by_route_status_and_version(api: Api, grown: Callable[..., float]) -> None:
    answers = [api.client.post("/predict", json=api.record).json() for _ in range(3)]
    api.client.post("/predict/batch", json=[api.record] * 5)
    api.client.post("/predict", json={})
    api.client.get("/made/up/one")
    api.client.get("/made/up/two")
    assert grown("labline_requests_total", route="/predict", method="POST", status="200") == 3
    assert grown("labline_requests_total", route="/predict", method="POST", status="422") == 1
    assert grown("labline_requests_total", route="other", method="GET", status="404") == 2
    assert grown("labline_request_seconds_count", route="/predict", version="1") == 3
    assert 0 < grown("labline_request_seconds_sum", route="/predict", version="1") < 5
    assert grown("labline_predictions_total", version="1", prediction=answers[0]["prediction"]) == 3 + 5


def test_gauges_show_champion_and_log(api: Api) -> None:
    numbers = parsed(api.client.get("/metrics").text)
    assert numbers["labline_champion_version", frozenset()] == 1
    for name in ("log_queue_rows", "log_spooled_rows", "log_lost_rows", "log_failing"):
        assert numbers[f"labline_{name}", frozenset()] == 0


def test_a_clients_made_up_method_cannot_fill_the_memory(api: Api, grown: Callable[..., float]) -> None:
    for number in range(3):
        api.client.request(f"MADE{number}", "/predict")
    assert grown("labline_requests_total", route="/predict", method="other", status="405") == 3


WORKER = """
import sys
from types import SimpleNamespace as S
from labline.api.metrics import Metrics, State
metrics = Metrics()
version = int(sys.argv[1])
for _ in range(10):
    answer = S(prediction="Normal_Weight", model=S(version=version))
    metrics.answered("POST", "/predict", 200, 0.004, [answer])
metrics.show(State(version, log_queue_rows=2, log_spooled_rows=3, log_lost_rows=0, log_failing=False))
print("ready", flush=True)
sys.stdin.read()
"""


def test_any_worker_shows_the_numbers_of_all_and_forgets_the_gauges_of_the_dead(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(FOLDER, str(tmp_path))
    workers = [
        subprocess.Popen(
            [sys.executable, "-c", WORKER, version], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        for version in ("1", "2")
    ]
    for worker in workers:
        assert worker.stdout is not None
        assert worker.stdout.readline() == "ready\n"
    both = parsed(Metrics().render().decode())
    assert (
        both["labline_requests_total", frozenset({("route", "/predict"), ("method", "POST"), ("status", "200")})] == 20
    )
    assert both["labline_request_seconds_count", frozenset({("route", "/predict"), ("version", "2")})] == 10
    assert both["labline_log_queue_rows", frozenset()] == 4
    champions = {value for (name, _), value in both.items() if name == "labline_champion_version"}
    assert champions == {1, 2}

    workers[0].kill()
    workers[0].communicate()
    left = parsed(Metrics().render().decode())
    assert left["labline_log_queue_rows", frozenset()] == 2
    assert (
        left["labline_requests_total", frozenset({("route", "/predict"), ("method", "POST"), ("status", "200")})] == 20
    )
    workers[1].communicate()
