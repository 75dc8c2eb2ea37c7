"""Health, version, documentation and the page."""

from __future__ import annotations

import base64
import hashlib
import re

import pytest
from jsonschema import Draft202012Validator

from labline import __version__
from tests.api.conftest import Api

HTML = {"accept": "text/html"}


def test_alive_and_ready(api: Api) -> None:
    assert api.client.get("/healthz").json() == {"status": "ok"}
    ready = api.client.get("/readyz")
    assert (ready.status_code, ready.json()["ready"]) == (200, True)


def test_version_says_what_is_running_and_what_it_was_trained_on(api: Api) -> None:
    version = api.client.get("/version").json()
    assert version["labline"] == __version__
    assert (version["problem"], version["model_version"], version["family"]) == ("obesity", 1, "lightgbm")
    assert version["trained_on"] == "file"
    assert re.fullmatch(r"[0-9a-f]{64}", version["bundle"])
    assert 0.5 < version["holdout"]["accuracy"] < 1


def test_the_openapi_example_works_as_it_stands(api: Api) -> None:
    page = api.client.get("/openapi.json").json()
    record = page["components"]["schemas"]["Record"]
    assert page["paths"]["/predict"]["post"]["requestBody"]["content"]["application/json"]["schema"] == {
        "$ref": "#/components/schemas/Record"
    }
    assert set(api.problem.columns) <= set(record["properties"])
    assert record["properties"]["Gender"]["enum"] == ["Female", "Male"]
    assert record["properties"]["Age"]["minimum"] == 14
    assert "years" in record["properties"]["Age"]["description"]
    assert api.client.post("/predict", json=record["examples"][0]).status_code == 200


def test_the_documentation_loads_nothing_from_elsewhere(api: Api) -> None:
    page = api.client.get("/docs").text
    assert not re.findall(r"""(?:src|href)=["']?(?:https?:)?//""", page)
    for address in re.findall(r"""(?:src|href)=["']([^"']+)""", page):
        assert api.client.get(address).status_code == 200, address


def test_the_page_has_a_field_for_every_column_and_links(api: Api) -> None:
    page = api.client.get("/", headers=HTML).text
    for name in api.problem.columns:
        assert f'name="{name}"' in page
    for address in ("/docs", "/monitor", "/version", "/readyz"):
        assert f'href="{address}"' in page
    assert not re.findall(r"https?://", page)


@pytest.mark.parametrize(("method", "path", "status"), [("GET", "/nothing", 404), ("DELETE", "/predict", 405)])
def test_errors_of_the_protocol_are_problem_details_too(api: Api, method: str, path: str, status: int) -> None:
    answer = api.client.request(method, path)
    assert answer.status_code == answer.json()["status"] == status
    assert answer.headers["content-type"] == "application/problem+json"


def test_every_example_of_the_openapi_page_works_as_it_stands(api: Api) -> None:
    page = api.client.get("/openapi.json").json()
    posted = set()
    for path, item in page["paths"].items():
        for method, operation in item.items():
            if "requestBody" not in operation:
                continue
            body = operation["requestBody"]["content"]["application/json"]
            schema = body["schema"]
            if "$ref" in schema:
                schema = page["components"]["schemas"][schema["$ref"].rpartition("/")[2]]
            example = body["example"] if "example" in body else schema["examples"][0]
            answer = api.client.request(method, path, json=example)
            assert answer.status_code == 200, (path, answer.text)
            posted.add(path)
    assert posted >= {"/predict", "/predict/batch"}


def test_the_schema_takes_what_the_api_takes_and_refuses_what_it_refuses(api: Api) -> None:
    answer = api.client.get("/schema")
    assert answer.headers["content-type"] == "application/schema+json"
    validator = Draft202012Validator(answer.json())
    Draft202012Validator.check_schema(answer.json())
    example = answer.json()["examples"][0]
    for record in (example, example | {"Age": 7}, example | {"Gender": "other"}, example | {"more": 1}, {}):
        assert (api.client.post("/predict", json=record).status_code == 200) is validator.is_valid(record), record


def test_the_pages_run_their_own_scripts_and_no_others(api: Api) -> None:
    policy = api.client.get("/").headers["content-security-policy"]
    assert "'unsafe-inline'" not in policy.partition("script-src")[2].partition(";")[0]
    for script in re.findall(r"<script>(.*?)</script>", api.client.get("/").text, re.DOTALL):
        assert base64.b64encode(hashlib.sha256(script.encode()).digest()).decode() in policy
    report = api.client.get("/monitor/data-drift?window=0").headers["content-security-policy"]
    assert report.startswith("sandbox allow-scripts;")
