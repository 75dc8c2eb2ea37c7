"""Traces: none, and nothing imported for them, unless the setting asks; then a span reaches the collector."""

from __future__ import annotations

import queue
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from labline.api.tracing import telemetry


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


def test_without_the_setting_nothing_of_it_is_imported() -> None:
    # FastAPI takes the small interface up where it finds it; what makes and sends spans are these
    code = "import sys, labline.api; print([n for n in sys.modules if n.split('.')[:2] in PARTS])"
    code = code.replace("PARTS", str([["opentelemetry", part] for part in ("sdk", "exporter", "instrumentation")]))
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert said.strip() == "[]"
