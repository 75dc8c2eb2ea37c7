"""The API while its database server is away, not migrated, and back again."""

from __future__ import annotations

import select
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest
from fastapi.testclient import TestClient
from sqlalchemy import make_url

from labline import pipeline
from labline.api import create_app
from labline.config import load
from labline.contract.examples import example_record
from labline.database import open_database
from labline.migrations import migrate
from labline.monitoring.prediction_log import PredictionLog
from tests.server import serving

SECONDS = 20


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])


@contextmanager
def forwarding(port: int, host: str, to: int) -> Iterator[None]:
    """What comes to the port goes to another machine's, until the block ends: then all connections break."""
    ended = threading.Event()
    threads: list[threading.Thread] = []

    def carry(client: socket.socket) -> None:
        with client, socket.create_connection((host, to)) as server:
            while not ended.is_set():
                for end, other in ((client, server), (server, client)):
                    if select.select([end], [], [], 0.02)[0]:
                        content = end.recv(65536)
                        if not content:
                            return
                        other.sendall(content)

    def listen(listener: socket.socket) -> None:
        while not ended.is_set():
            if select.select([listener], [], [], 0.02)[0]:
                threads.append(threading.Thread(target=carry, args=(listener.accept()[0],), daemon=True))
                threads[-1].start()

    with socket.create_server(("127.0.0.1", port)) as listener:
        threads.append(threading.Thread(target=listen, args=(listener,), daemon=True))
        threads[-1].start()
        try:
            yield
        finally:
            ended.set()
            for thread in threads:
                thread.join()


def within(seconds: float, holds: Callable[[], bool]) -> bool:
    until = time.monotonic() + seconds
    while not holds():
        if time.monotonic() > until:
            return False
        time.sleep(0.1)
    return True


def reasons(client: TestClient) -> str:
    answer = client.get("/readyz")
    assert answer.status_code == (200 if answer.json()["ready"] else 503)
    return " ".join(reason for reason in answer.json()["reasons"] if reason.startswith("prediction log"))


def test_the_api_starts_without_its_database_and_says_so(trained: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    address = f"postgresql+psycopg://labline:hush@127.0.0.1:{free_port()}/labline"
    monkeypatch.setenv("LABLINE_STORAGE__DATABASE_URL", address)
    config = load(trained)
    record = example_record(pipeline.open_problem(config, "obesity"))
    with TestClient(create_app(config, "obesity"), raise_server_exceptions=False) as client:
        assert client.get("/healthz").status_code == 200
        assert client.get("/version").json()["model_version"] == 1
        assert "cannot be used: connection failed" in reasons(client)
        assert client.post("/predict", json=record).status_code == 200
        assert "1 predictions wait on this machine" in reasons(client)
        for answer in (client.get("/monitor"), client.get("/monitor/data-drift")):
            assert answer.status_code == answer.json()["status"] == 503
            assert answer.headers["content-type"] == "application/problem+json"
            assert "hush" not in answer.text
        assert "hush" not in client.get("/readyz").text


def test_a_server_that_says_nothing_is_given_up_within_seconds() -> None:
    with closing(socket.create_server(("127.0.0.1", 0))) as silent:  # takes connections, and never answers
        database = open_database(f"postgresql+psycopg://me:hush@127.0.0.1:{silent.getsockname()[1]}/labline")
        start = time.monotonic()
        with pytest.raises(Exception, match="timeout"):
            PredictionLog(database)
        assert time.monotonic() - start < 8


@pytest.mark.postgres
def test_labline_serve_starts_before_its_database_is_migrated(
    trained: Path, postgres: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    import httpx2

    monkeypatch.setenv("LABLINE_STORAGE__DATABASE_URL", postgres)
    with serving(trained) as server:
        answer = httpx2.get(f"{server.address}/readyz")
        assert any("not migrated yet" in reason and "labline migrate" in reason for reason in answer.json()["reasons"])
        migrate(open_database(postgres))
        assert within(SECONDS, lambda: httpx2.get(f"{server.address}/readyz").json()["reasons"] == [])


@pytest.mark.postgres
def test_answers_given_while_the_database_is_away_are_in_the_log_in_order_when_it_is_back(
    trained: Path, postgres: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    there, port = make_url(postgres), free_port()
    address = there.set(host="127.0.0.1", port=port).render_as_string(hide_password=False)
    monkeypatch.setenv("LABLINE_STORAGE__DATABASE_URL", address)
    config = load(trained)
    record = example_record(pipeline.open_problem(config, "obesity"))
    log = open_database(postgres)
    migrate(log)
    forwarded = (port, there.host or "localhost", there.port or 5432)
    with TestClient(create_app(config, "obesity"), raise_server_exceptions=False) as client:
        assert reasons(client)
        with forwarding(*forwarded):
            assert within(SECONDS, lambda: not reasons(client))
            answered = [client.post("/predict", json=record).json()["prediction_id"]]
            assert client.get("/monitor").json()["status"] == "insufficient_data"
        for _ in range(3):
            answer = client.post("/predict", json=record)
            assert answer.status_code == 200
            answered.append(answer.json()["prediction_id"])
        assert client.get("/monitor").status_code == 503
        assert "3 predictions wait" in reasons(client)
        with forwarding(*forwarded):
            assert within(SECONDS, lambda: not reasons(client))
            answered.append(client.post("/predict", json=record).json()["prediction_id"])
            assert client.get("/monitor").status_code == 200
        assert [row.prediction_id for row in PredictionLog(log).last("obesity", 10)] == answered
