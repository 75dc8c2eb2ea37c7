"""Traces: none, and nothing imported for them, unless the setting asks; then a span reaches the collector."""

from __future__ import annotations

import queue
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from labline.api import create_app
from labline.api.tracing import telemetry
from labline.config import load
from labline.contract.examples import example_record
from labline.pipeline.problem import open_problem


@pytest.fixture
def collector(monkeypatch: pytest.MonkeyPatch) -> Iterator[queue.Queue[bytes]]:
    """An OTLP collector that keeps what it is sent."""
    got: queue.Queue[bytes] = queue.Queue()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            got.put(self.rfile.read(int(self.headers["content-length"])))
            self.send_response(200)
            self.send_header("content-length", "0")
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    server = HTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", f"http://127.0.0.1:{server.server_port}")
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_COMPRESSION", "none")
    monkeypatch.setenv("OTEL_BSP_SCHEDULE_DELAY", "50")
    yield got
    server.shutdown()
    server.server_close()


def test_a_request_becomes_a_span_of_the_service(collector: queue.Queue[bytes]) -> None:
    app = FastAPI(telemetry=telemetry(wanted=True))

    @app.get("/version")
    async def fine() -> str:
        return "fine"

    with TestClient(app) as client:
        client.get("/version")
        sent = ExportTraceServiceRequest.FromString(collector.get(timeout=10))
    [resource] = sent.resource_spans
    attributes = {entry.key: entry.value.string_value for entry in resource.resource.attributes}
    [span] = resource.scope_spans[0].spans
    assert attributes["service.name"] == "labline"
    assert "/version" in span.name


def test_an_answer_is_the_same_with_a_span_as_without(
    collector: queue.Queue[bytes], trained: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    answers = []
    for traced in ("false", "true"):  # without, the way to it is another one
        monkeypatch.setenv("LABLINE_SERVING__TRACING", traced)
        config = load(trained)
        with TestClient(create_app(config, "obesity")) as client:
            answer = client.post("/predict", json=example_record(open_problem(config, "obesity")))
            answers.append({**answer.json(), "prediction_id": "", "at": answer.headers["content-security-policy"]})
    assert answers[0] == answers[1]
    names: set[str] = set()
    while "POST /predict" not in names:
        sent = ExportTraceServiceRequest.FromString(collector.get(timeout=10))
        names |= {span.name for of in sent.resource_spans for scope in of.scope_spans for span in scope.spans}


def test_without_the_setting_nothing_of_it_is_imported() -> None:
    # FastAPI takes the small interface up where it finds it; what makes and sends spans are these
    code = "import sys, labline.api; print([n for n in sys.modules if n.split('.')[:2] in PARTS])"
    code = code.replace("PARTS", str([["opentelemetry", part] for part in ("sdk", "exporter", "instrumentation")]))
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert said.strip() == "[]"
