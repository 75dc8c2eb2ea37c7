"""What a request may take, and a client: sizes, kinds, rate, concurrency. A small app stands behind the real guard."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any

import httpx2
import pytest
from fastapi import FastAPI, Request
from fastapi.testclient import TestClient

from labline.api.guard import around
from labline.api.limits import CLIENTS_MAX, RateLimit
from labline.api.metrics import Metrics
from labline.config import load
from labline.config.api_keys import new_key, written
from labline.config.serving import Serving
from tests.conftest import ROOT

BODY_MAX, BATCH_MAX = 2000, 5000
JSON = {"content-type": "application/json"}


def guarded(**changed: Any) -> FastAPI:
    """An app that says how many bytes it got, behind the guard."""
    limits = {"body_bytes_max": BODY_MAX, "batch_bytes_max": BATCH_MAX, "access_log": "off", **changed}
    app = FastAPI()
    around(app, Serving.model_validate({**dict(load(ROOT).serving), **limits}), Metrics())
    app.state.waiting = asyncio.Event()

    @app.post("/predict")
    @app.post("/predict/batch")
    async def size(request: Request) -> int:
        return len(await request.body())

    @app.get("/version")
    @app.get("/healthz")
    async def fine() -> str:
        return "fine"

    @app.get("/monitor")
    async def slow() -> None:
        await app.state.waiting.wait()

    @app.get("/schema")
    async def broken() -> None:
        raise RuntimeError("a secret of ours")

    return app


@pytest.fixture
def client() -> Iterator[TestClient]:
    with TestClient(guarded(), raise_server_exceptions=False) as client:
        yield client


def pieces(size: int) -> Iterator[bytes]:
    """A body whose length is not told in advance."""
    for _ in range(size // 100):
        yield b"x" * 100


@pytest.mark.parametrize("body", [lambda size: b"x" * size, pieces], ids=["with its length", "without"])
@pytest.mark.parametrize(("path", "most"), [("/predict", BODY_MAX), ("/predict/batch", BATCH_MAX)])
def test_a_body_may_be_so_large_and_no_larger(
    client: TestClient, body: Callable[[int], Any], path: str, most: int
) -> None:
    assert client.post(path, content=body(most), headers=JSON).json() == most
    refused = client.post(path, content=body(most + 100), headers=JSON)
    assert (refused.status_code, refused.json()["status"]) == (413, 413)


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({}, 200),  # nothing said
        ({"content-type": "application/json; charset=utf-8"}, 200),
        ({"content-type": "text/plain"}, 415),
        ({"content-type": "application/x-www-form-urlencoded"}, 415),
        ({"content-type": "application/json", "content-encoding": "gzip"}, 415),
        ({"content-length": "many"}, 400),
        ({"content-length": "-1"}, 400),
        ({"content-length": "9" * 30}, 400),
    ],
)
def test_a_body_is_json_and_uncompressed(client: TestClient, headers: dict[str, str], status: int) -> None:
    assert client.post("/predict", content=b"{}", headers=headers).status_code == status


def test_a_fault_of_ours_tells_nothing_but_the_requests_id(client: TestClient) -> None:
    answer = client.get("/schema", headers={"x-request-id": "mine-1"})
    assert (answer.status_code, answer.headers["content-type"]) == (500, "application/problem+json")
    assert answer.json() == {
        "type": "about:blank",
        "title": "Internal error",
        "status": 500,
        "detail": "the log of the API says more",
        "errors": [],
        "request_id": "mine-1",
    }


@pytest.mark.parametrize(("given", "kept"), [("mine-1", True), ("a" * 65, False), ("a b", False), ('"}{', False)])
def test_a_request_keeps_its_id_if_that_is_sane(client: TestClient, given: str, kept: bool) -> None:
    said = client.get("/version", headers={"x-request-id": given}).headers["x-request-id"]
    assert (said == given) is kept
    assert kept or re.fullmatch("[0-9a-f]{32}", said)


@pytest.mark.parametrize("path", ["/version", "/nothing", "/schema", "/predict"])
def test_every_answer_has_the_headers_that_keep_browsers_safe(client: TestClient, path: str) -> None:
    headers = client.get(path).headers
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["x-frame-options"] == "DENY"
    assert headers["referrer-policy"] == "no-referrer"
    assert headers["cache-control"] == "no-store"
    assert headers["content-security-policy"] == "default-src 'none'; frame-ancestors 'none'"


def test_a_rate_holds_for_each_client_apart_and_forgets_those_who_wait() -> None:
    limit = RateLimit(per_second=10, burst=3)
    assert [limit.wait("ada", 0.0) for _ in range(3)] == [0, 0, 0]
    assert limit.wait("ada", 0.0) == pytest.approx(0.1)
    assert limit.wait("bob", 0.0) == 0
    assert limit.wait("ada", 0.1) == 0
    assert limit.wait("ada", 0.1) > 0
    for number in range(3 * CLIENTS_MAX):
        limit.wait(f"client {number}", 1.0 + number)
    assert len(limit._due) <= CLIENTS_MAX


def test_a_key_that_asks_too_often_is_told_when_to_come_again_and_others_are_not() -> None:
    keys = {name: new_key() for name in ("ada", "bob")}
    lines = [written(key, name, ["predict"]) for name, key in keys.items()]
    with TestClient(guarded(rate_per_second=0.5, rate_burst=2, api_keys=lines)) as client:
        ada, bob = ({"x-api-key": key} for key in keys.values())
        answers = [client.post("/predict", json=1, headers=ada) for _ in range(3)]
        assert [answer.status_code for answer in answers] == [200, 200, 429]
        assert answers[2].headers["retry-after"] in {"1", "2"}
        assert client.post("/predict", json=1, headers=bob).status_code == 200
        assert {client.get("/healthz").status_code for _ in range(5)} == {200}  # whoever looks after it may always ask


async def test_more_at_once_than_allowed_are_told_to_come_again(anyio_backend: str) -> None:
    async with asked(guarded(concurrency_max=2)) as (app, client):
        waiting = [asyncio.create_task(client.get("/monitor")) for _ in range(2)]
        await asyncio.sleep(0.05)
        refused = await client.post("/predict", json=1)
        assert (refused.status_code, refused.headers["retry-after"]) == (503, "1")
        assert (await client.get("/healthz")).status_code == 200
        app.state.waiting.set()
        assert [(await answer).status_code for answer in waiting] == [200, 200]
        assert (await client.post("/predict", json=1)).status_code == 200


async def test_who_sends_a_body_slowly_takes_no_ones_place(anyio_backend: str) -> None:
    async def trickling() -> AsyncIterator[bytes]:
        yield b"1"
        await asyncio.sleep(0.3)
        yield b"1"

    async with asked(guarded(concurrency_max=1, body_seconds=0.2)) as (_, client):
        slow = asyncio.create_task(client.post("/predict", content=trickling(), headers=JSON))
        await asyncio.sleep(0.05)
        assert (await client.post("/predict", json=1)).status_code == 200
        assert (await slow).status_code == 408


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


pytestmark = pytest.mark.anyio


class asked:
    """The app, and a client of it on the same loop."""

    def __init__(self, app: FastAPI) -> None:
        self._app = app
        self._client = httpx2.AsyncClient(transport=httpx2.ASGITransport(app), base_url="http://testserver")

    async def __aenter__(self) -> tuple[FastAPI, httpx2.AsyncClient]:
        return self._app, self._client

    async def __aexit__(self, *_: object) -> None:
        await self._client.aclose()
