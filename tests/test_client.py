"""The Python client against the real server, and against one that fails in every way a network has."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from labline import pipeline
from labline.client import ApiError, Client, Label
from labline.config import load
from labline.config.api_keys import new_key, written
from labline.contract.examples import example_record, example_records
from tests.server import serving

KEY = new_key()


@pytest.fixture(scope="module")
def root(trained_template: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return Path(shutil.copytree(trained_template, tmp_path_factory.mktemp("client") / "trained"))


@pytest.fixture(scope="module")
def address(root: Path) -> Iterator[str]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("LABLINE_SERVING__API_KEYS", written(KEY, "tests", ["predict", "monitor"]))
        with serving(root) as server:
            yield server.address


@pytest.fixture
def client(address: str) -> Iterator[Client]:
    with Client(address, key=KEY) as client:
        yield client


def test_one_record_and_many_are_answered_alike_and_in_order(client: Client, root: Path) -> None:
    problem = pipeline.open_problem(load(root), "obesity")
    records = example_records(problem, 7)
    many = list(client.predict_batch(iter(records), rows=3))
    assert [answer.prediction for answer in many] == [client.predict(record).prediction for record in records]
    assert len({answer.prediction_id for answer in many}) == 7
    assert {answer.version for answer in many} == {1}


def test_what_the_contract_refuses_is_told_by_field(client: Client, root: Path) -> None:
    record = example_record(pipeline.open_problem(load(root), "obesity"))
    with pytest.raises(ApiError, match="Age 7 is out of range") as caught:
        client.predict(record | {"Age": 7})
    assert (caught.value.status, caught.value.errors[0]["field"]) == (422, "Age")
    assert caught.value.request_id


def test_version_schema_and_monitoring(client: Client) -> None:
    assert client.version()["model_version"] == 1
    assert "Age" in client.schema()["properties"]
    assert client.monitor(source="current")["rows"] > 0


def test_without_a_key_it_says_so(address: str) -> None:
    with Client(address) as stranger, pytest.raises(ApiError, match="needs an API key") as caught:
        stranger.monitor()
    assert caught.value.status == 401


@pytest.fixture
def failing() -> Iterator[tuple[str, list[Any], list[Any]]]:
    """A server that answers as it is told, one after the other; what it was asked is kept."""
    plan: list[Any] = []
    asked: list[Any] = []

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["content-length"])))
            asked.append((time.monotonic(), body))
            step = plan.pop(0)
            if step == "hang up":
                self.close_connection = True
                self.connection.close()
                return
            status, headers, said = step
            data = json.dumps(said).encode()
            self.send_response(status)
            for name, value in {**headers, "content-length": str(len(data))}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(data)

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}", plan, asked
    server.shutdown()
    server.server_close()


FINE = {"prediction_id": "1", "prediction": "a", "probabilities": {}, "interval": None, "model": {"version": 3}}


def test_it_sends_again_what_failed_and_waits_as_long_as_it_is_told(failing: Any) -> None:
    address, plan, asked = failing
    plan += ["hang up", (503, {"retry-after": "1"}, {}), (429, {}, {}), (200, {}, FINE)]
    assert Client(address).predict({}).version == 3
    times = [at for at, _ in asked]
    assert times[2] - times[1] >= 1


def test_it_gives_up_in_the_end_and_says_what_was_answered(failing: Any) -> None:
    address, plan, asked = failing
    plan += [(503, {}, {"title": "Busy", "detail": "come again"})] * 3
    with pytest.raises(ApiError, match="Busy: come again") as caught:
        Client(address, tries=3).predict({})
    assert (caught.value.status, len(asked)) == (503, 3)


def test_a_refusal_is_not_sent_again_and_a_redirect_is_not_followed(failing: Any) -> None:
    address, plan, asked = failing
    plan += [(422, {}, {"title": "no"}), (307, {"location": "http://127.0.0.1:9/"}, {})]
    with pytest.raises(ApiError):
        Client(address).predict({})
    with pytest.raises(ApiError):
        Client(address).predict({})
    assert len(asked) == 2


def test_labels_are_sent_in_parts_as_the_api_takes_them(failing: Any) -> None:
    address, plan, asked = failing
    plan += [(200, {}, {"kept": 2}), (200, {}, {"kept": 1})]
    moment = datetime(2026, 11, 24, tzinfo=UTC)
    labels = [Label("1", "a", moment), Label("2", "b"), Label("3", "a")]
    assert Client(address).feedback(labels, rows=2) == [{"kept": 2}, {"kept": 1}]
    assert asked[0][1] == [
        {"prediction_id": "1", "label": "a", "at": "2026-11-24T00:00:00+00:00"},
        {"prediction_id": "2", "label": "b"},
    ]


def test_nobody_there_is_said_in_a_sentence() -> None:
    with pytest.raises(ApiError, match="does not answer"):
        Client("http://127.0.0.1:9", tries=2).version()


def test_it_needs_nothing_of_the_server() -> None:
    code = "import sys, labline.client; print({'fastapi', 'pydantic', 'numpy', 'lightgbm'} & set(sys.modules))"
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert said.strip() == "set()"
