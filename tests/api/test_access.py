"""Who is let in: keys, scopes, browsers of other sites, and paths that are spelled to deceive."""

from __future__ import annotations

import base64
import json
import shutil
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from fastapi.routing import APIRoute
from fastapi.testclient import TestClient
from loguru import logger
from starlette.routing import Mount, Route

from labline import pipeline
from labline.api import create_app, paths
from labline.config import load
from labline.config.api_keys import new_key, written
from tests.api.conftest import Api

TODAY = datetime.now(UTC).date()
KEYS = {name: new_key() for name in ("predicts", "monitors", "admin", "ended", "unknown")}
PROBLEM = "application/problem+json"


@pytest.fixture(scope="module")
def api(tmp_path_factory: pytest.TempPathFactory, trained_template: Path) -> Iterator[Api]:
    root = Path(shutil.copytree(trained_template, tmp_path_factory.mktemp("access") / "trained"))
    lines = [
        written(KEYS["predicts"], "predicts", ["predict"], TODAY),
        written(KEYS["monitors"], "monitors", ["monitor"]),
        written(KEYS["admin"], "admin", ["admin"]),
        written(KEYS["ended"], "ended", ["predict"], TODAY - timedelta(days=1)),
    ]
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("LABLINE_SERVING__API_KEYS", " ".join(lines))
        patch.setenv("LABLINE_SERVING__ALLOWED_HOSTS", '["testserver", "api.example.org"]')
        patch.setenv("LABLINE_SERVING__CORS_ORIGINS", '["https://app.example.org"]')
        config = load(root)
    with TestClient(create_app(config, "obesity")) as client:
        yield Api(client, config, pipeline.open_problem(config, "obesity"))


def bearer(name: str) -> dict[str, str]:
    return {"authorization": f"Bearer {KEYS[name]}"}


def test_a_key_is_taken_in_either_header(api: Api) -> None:
    assert api.client.post("/predict", json=api.record, headers=bearer("predicts")).status_code == 200
    assert api.client.post("/predict", json=api.record, headers={"x-api-key": KEYS["predicts"]}).status_code == 200


@pytest.mark.parametrize(
    ("headers", "says"),
    [
        ({}, "needs an API key"),
        (bearer("unknown"), "not known"),
        ({"authorization": "Bearer "}, "not known"),
        ({"authorization": KEYS["predicts"]}, "needs an API key"),
        ({"authorization": "Basic !!!"}, "not known"),
        ({"x-api-key": KEYS["predicts"][:-1]}, "not known"),
        ({"x-api-key": "ÿ".encode("latin-1")}, "not known"),
        (bearer("ended"), "ended with"),
    ],
)
def test_no_key_or_a_wrong_one_is_401(api: Api, headers: dict[str, str], says: str) -> None:
    answer = api.client.post("/predict", json=api.record, headers=headers)
    assert (answer.status_code, answer.headers["content-type"]) == (401, PROBLEM)
    assert answer.headers["www-authenticate"] == "Bearer"
    assert says in answer.json()["detail"]
    assert answer.json()["request_id"] == answer.headers["x-request-id"]


@pytest.mark.parametrize(
    ("name", "method", "path", "status"),
    [
        ("predicts", "GET", "/monitor", 403),
        ("predicts", "GET", "/metrics", 403),
        ("monitors", "GET", "/metrics", 200),
        ("monitors", "POST", "/predict", 403),
        ("monitors", "POST", "/predict/batch", 403),
        ("admin", "GET", "/metrics", 200),
        ("predicts", "DELETE", "/predictions/1", 403),  # what no one has named needs admin
        ("admin", "DELETE", "/predictions/1", 404),
    ],
)
def test_a_key_does_what_its_scopes_say(api: Api, name: str, method: str, path: str, status: int) -> None:
    assert api.client.request(method, path, headers=bearer(name)).status_code == status


def test_every_route_is_either_open_on_purpose_or_wants_a_key(api: Api) -> None:
    pages = api.client.get("/openapi.json").json()["paths"]
    asked = {path for path in pages if api.client.get(path).status_code != 401}
    assert asked <= set(paths.OPEN)
    for path in paths.OPEN:
        assert api.client.get(path).status_code == 200, path


def test_a_browser_is_asked_for_a_key_and_may_give_it_as_a_password(api: Api) -> None:
    page = api.client.get("/monitor?source=current", headers={"accept": "text/html"})
    assert page.headers["www-authenticate"].startswith("Basic ")
    given = base64.b64encode(f"ada:{KEYS['monitors']}".encode()).decode()
    assert api.client.get("/metrics", headers={"authorization": f"Basic {given}"}).status_code == 200


def test_the_page_asks_for_a_key(api: Api) -> None:
    assert 'id="key"' in api.client.get("/").text


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"origin": "https://elsewhere.example"}, 403),
        ({"origin": "null"}, 403),
        ({"origin": "http://["}, 403),
        ({"sec-fetch-site": "cross-site", "origin": "http://testserver"}, 403),
        ({"sec-fetch-site": "cross-site"}, 403),
        ({"sec-fetch-site": "same-origin", "origin": "http://testserver"}, 200),
        ({"origin": "http://testserver"}, 200),
        ({"origin": "https://app.example.org", "sec-fetch-site": "cross-site"}, 200),
    ],
)
def test_pages_of_other_sites_may_not_send_unless_they_are_named(
    api: Api, headers: dict[str, str], status: int
) -> None:
    answer = api.client.post("/predict", json=api.record, headers=bearer("predicts") | headers)
    assert answer.status_code == status
    allowed = answer.headers.get("access-control-allow-origin")
    assert allowed == ("https://app.example.org" if "app.example" in headers.get("origin", "") else None)


def test_only_a_named_site_is_told_in_advance_that_it_may(api: Api) -> None:
    asks = {"access-control-request-method": "POST", "access-control-request-headers": "x-api-key"}
    named = api.client.options("/predict", headers=asks | {"origin": "https://app.example.org"})
    other = api.client.options("/predict", headers=asks | {"origin": "https://elsewhere.example"})
    assert (named.status_code, other.status_code) == (200, 400)
    assert "access-control-allow-origin" not in other.headers


@pytest.mark.parametrize(
    ("host", "status"), [("api.example.org:8443", 200), ("API.example.org", 200), ("rebound.example", 421)]
)
def test_the_server_answers_to_its_own_names(api: Api, host: str, status: int) -> None:
    assert api.client.get("/version", headers={"host": host}).status_code == status


@pytest.mark.parametrize(
    "path",
    [
        "/docs/../predict",
        "/static-offline-docs/..%2f..%2fpyproject.toml",
        "/static-offline-docs/%2e%2e/%2e%2e/core.py",
        "/static-offline-docs/..%5c..%5ccore.py",
        "//predict",
        "//elsewhere.example/predict",
        "/predict/",
        "/predict%00",
        "/healthz%2f..%2fpredict",
        "/healthz/../predict",
        "/%70redict/..;/monitor",
        "/monitor/../../../../etc/passwd",
        "/monitor/%2e%2e%2f%2e%2e%2fetc%2fpasswd",
        "/monitor/data-drift%00",
        "/PREDICT",
    ],
)
@pytest.mark.parametrize("method", ["GET", "POST"])
def test_no_spelling_of_a_path_leads_around_the_key_or_out_of_the_folder(api: Api, path: str, method: str) -> None:
    for headers in ({}, bearer("admin")):
        request = api.client.build_request(method, "http://testserver/", headers=headers)
        request.url = request.url.copy_with(raw_path=path.encode())  # as it is: clients would straighten it out
        answer = api.client.send(request)
        assert answer.status_code in {400, 401, 403, 404, 405, 422}, (path, headers)
        assert answer.headers["content-type"] == PROBLEM
        assert "root:" not in answer.text


def test_the_log_names_the_keys_holder_and_never_the_key_or_the_body(api: Api) -> None:
    lines: list[str] = []
    handler = logger.add(
        lambda message: lines.append(json.dumps(message.record["extra"]) + message), format="{message}"
    )
    try:
        api.client.post("/predict", json=api.record, headers=bearer("predicts") | {"x-request-id": "abc-1"})
        api.client.post("/predict", json=api.record, headers=bearer("unknown"))
    finally:
        logger.remove(handler)
    said = "".join(lines)
    assert '"route": "/predict", "status": 200' in said
    assert '"key": "predicts"' in said
    assert '"status": 401' in said
    assert not any(key[8:] in said for key in KEYS.values())
    assert "Gender" not in said


def test_the_table_of_paths_names_only_routes_that_are_there(api: Api) -> None:
    there = {route.path for route in api.client.app.routes if isinstance(route, APIRoute | Route | Mount)}
    there |= set(api.client.get("/openapi.json").json()["paths"])
    assert set(paths.KNOWN) - there <= {"/feedback", "/"}
