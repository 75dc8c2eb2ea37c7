"""POST /feedback, and what GET /monitor and its history say of labels."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from fastapi.testclient import TestClient

from labline import pipeline
from labline.api import create_app
from labline.config import load
from tests.api.conftest import Api

HTML = {"accept": "text/html,*/*;q=0.8"}


@pytest.fixture(scope="module")
def labelled(
    tmp_path_factory: pytest.TempPathFactory, trained_template: Path, sample: dict[str, pd.DataFrame]
) -> Iterator[tuple[Api, list[dict[str, Any]]]]:
    """An API that has answered 240 requests, of 200 of which the truth was told: 150 were right."""
    root = Path(shutil.copytree(trained_template, tmp_path_factory.mktemp("feedback") / "trained"))
    config = load(root)
    with TestClient(create_app(config, "obesity")) as client:
        api = Api(client, config, pipeline.open_problem(config, "obesity"))
        rows = sample["train"].head(240)[list(api.problem.columns)]
        answers = client.post("/predict/batch", content=rows.to_json(orient="records")).json()["predictions"]
        classes = api.problem.classes
        labels = [
            {
                "prediction_id": one["prediction_id"],
                "label": one["prediction"]
                if index < 150
                else classes[(classes.index(one["prediction"]) + 1) % len(classes)],
            }
            for index, one in enumerate(answers[:200])
        ]
        said = client.post("/feedback", json=labels)
        assert said.json() == {"kept": 200, "changed": 0, "repeated": 0, "unknown": []}
        yield api, answers


def test_labelled_performance_is_exact_and_has_an_interval(labelled: tuple[Api, list[dict[str, Any]]]) -> None:
    summary = labelled[0].client.get("/monitor?last=240").json()
    labelling = summary["labelling"]
    assert labelling["rows"] == 200
    assert summary["performance"]["accuracy"] == labelling["metrics"]["accuracy"]["value"] == 0.75
    assert 0.65 < labelling["metrics"]["accuracy"]["low"] < 0.75 < labelling["metrics"]["accuracy"]["high"] < 0.85
    assert 0 <= labelling["delay_seconds"] < 60
    assert labelling["drift"]["column"] == labelled[0].problem.target
    assert "performance fell" in [rule["rule"] for rule in summary["rules"]]


def test_the_history_has_the_performance_by_day(labelled: tuple[Api, list[dict[str, Any]]]) -> None:
    history = labelled[0].client.get("/monitor/history").json()
    assert [(day["rows"], day["labelled"]) for day in history["periods"]] == [(240, 200)]
    assert history["periods"][0]["metrics"]["accuracy"]["value"] == 0.75
    hours = labelled[0].client.get("/monitor/history?by=hour").json()["periods"]
    assert sum(hour["rows"] for hour in hours) == 240


def test_one_wrong_label_and_none_is_kept(labelled: tuple[Api, list[dict[str, Any]]]) -> None:
    api, answers = labelled
    good = {"prediction_id": answers[220]["prediction_id"], "label": answers[220]["prediction"]}
    refused = api.client.post("/feedback", json=[good, good | {"label": "Thin"}])
    assert refused.status_code == 422
    assert refused.headers["content-type"] == "application/problem+json"
    assert refused.json()["errors"][0]["field"] == "1.label"
    assert "'Thin' is not an allowed value; allowed: Insufficient_Weight" in refused.json()["detail"]
    for body in ("[]", "{}", "no json", '[{"prediction_id": "x"}]'):
        assert api.client.post("/feedback", content=body).status_code == 422
    late = (datetime.now(UTC) + timedelta(days=3)).isoformat()
    assert "is in the future" in api.client.post("/feedback", json=[good | {"at": late}]).json()["detail"]
    assert api.client.get("/monitor?last=240").json()["labelling"]["rows"] == 200


def test_unknown_ids_are_listed_and_told_labels_again_change_nothing(
    labelled: tuple[Api, list[dict[str, Any]]],
) -> None:
    api, answers = labelled
    at = "2026-01-01T00:00:00Z"  # before it was told first
    again = [{"prediction_id": answers[0]["prediction_id"], "label": api.problem.classes[0], "at": at}]
    unknown = [{"prediction_id": "nobody", "label": api.problem.classes[0]}]
    said = api.client.post("/feedback", json=again + unknown).json()
    assert said == {"kept": 1, "changed": 0, "repeated": 1, "unknown": ["nobody"]}
    assert api.client.get("/monitor?last=240").json()["performance"]["accuracy"] == 0.75


def test_a_segment_has_its_own_figures(labelled: tuple[Api, list[dict[str, Any]]]) -> None:
    api, _ = labelled
    parts = [
        api.client.get("/monitor", params={"last": 240, "segment": f"Gender:{name}"}).json()
        for name in ("Female", "Male")
    ]
    assert sum(part["rows"] for part in parts) == 240
    assert sum(part["labelling"]["rows"] for part in parts) == 200
    assert "only Gender: Female" in parts[0]["notes"]
    both = api.client.get("/monitor", params={"last": 240, "segment": ["Gender:Female", "FAVC:yes"]}).json()
    assert 0 < both["rows"] < parts[0]["rows"]
    young = api.client.get("/monitor", params={"last": 240, "segment": "Age:below 20"})
    assert young.status_code == 409
    assert "there are: below" in young.json()["detail"]
    wrong = api.client.get("/monitor", params={"segment": "Colour:red"})
    assert wrong.status_code == 422
    assert "COLUMN:PART" in wrong.json()["detail"]


def test_a_window_by_time_holds_what_was_answered_in_it(labelled: tuple[Api, list[dict[str, Any]]]) -> None:
    api, _ = labelled
    now = datetime.now(UTC)
    hour_ago = (now - timedelta(hours=1)).isoformat()
    assert api.client.get("/monitor", params={"since": hour_ago}).json()["rows"] == 240
    before = api.client.get("/monitor", params={"until": hour_ago}).json()
    assert (before["rows"], before["status"]) == (0, "insufficient_data")
    both = api.client.get("/monitor", params={"last": 5, "since": hour_ago})
    assert both.status_code == 422
    assert both.json()["errors"][0]["field"] == "last"
    assert api.client.get("/monitor?since=yesterday").status_code == 422


def test_the_page_says_the_same_and_stands_alone(labelled: tuple[Api, list[dict[str, Any]]]) -> None:
    page = labelled[0].client.get("/monitor?last=240", headers=HTML)
    assert len(page.content) < 300_000
    assert "of 200 rows with labels" in page.text
    assert "labline retrain obesity" in page.text
    assert page.text.count("<svg") >= len(labelled[0].problem.columns)
    assert "http://" not in page.text
    assert "https://" not in page.text


def test_the_performance_page_is_of_labelled_rows_and_is_listed(labelled: tuple[Api, list[dict[str, Any]]]) -> None:
    api, _ = labelled
    assert api.client.get("/monitor/reports").json() == []
    made = api.client.get("/monitor/model-performance?last=240").json()
    assert made["rows"] == 200
    [kept] = api.client.get("/monitor/reports").json()
    assert kept["kind"] == "model-performance"
    index = api.client.get("/monitor/reports", headers=HTML).text
    assert f"/monitor/reports/{kept['name']}" in index
    page = api.client.get(f"/monitor/reports/{kept['name']}")
    assert page.headers["content-type"].startswith("text/html")
    assert len(page.content) == kept["size"]
    for name in ("nothing.html", "..%2F..%2Flabline.yaml", kept["name"].replace("model", "modal")):
        assert api.client.get(f"/monitor/reports/{name}").status_code == 404


def test_the_description_of_the_api_shows_the_labels_of_the_contract(
    labelled: tuple[Api, list[dict[str, Any]]],
) -> None:
    described = labelled[0].client.get("/openapi.json").json()
    body = described["paths"]["/feedback"]["post"]["requestBody"]["content"]["application/json"]["schema"]
    item = described["components"]["schemas"][body["items"]["$ref"].rsplit("/", 1)[1]]
    assert item["properties"]["label"]["enum"] == list(labelled[0].problem.classes)


def test_what_monitoring_found_is_among_the_numbers_for_prometheus(
    labelled: tuple[Api, list[dict[str, Any]]],
) -> None:
    api, _ = labelled
    app: Any = api.client.app
    assert api.client.portal is not None
    api.client.portal.call(app.state.watching.look)
    numbers = api.client.get("/metrics").text
    assert 'labline_drift_status{problem="obesity",status="drift",version="1"} 1.0' in numbers
    assert 'labline_labelled_performance{metric="accuracy",problem="obesity",version="1"} 0.75' in numbers
    assert 'labline_drift_score{column="Age",problem="obesity",version="1"} ' in numbers
    assert numbers.count("# TYPE labline_drift_score gauge") == 1
    assert "labline_requests_total" in numbers
    history = api.client.get("/monitor/history").json()
    assert [one["status"] for one in history["judgements"]] == ["drift"]
