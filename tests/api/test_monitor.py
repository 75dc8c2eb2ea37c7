"""GET /monitor and its report pages."""

from __future__ import annotations

import json
from pathlib import Path

import pandas as pd
import pytest

from tests.api.conftest import Api

HTML = {"accept": "text/html,application/xhtml+xml,*/*;q=0.8"}


@pytest.fixture(scope="module")
def busy(api: Api, sample: dict[str, pd.DataFrame]) -> Api:
    """An API that has answered 150 requests."""
    rows = sample["train"].head(150)[list(api.problem.columns)]
    assert api.client.post("/predict/batch", content=rows.to_json(orient="records")).status_code == 200
    return api


def test_too_few_rows_is_an_honest_answer(api: Api) -> None:
    summary = api.client.get("/monitor", params={"window": 5}).json()
    assert summary["status"] == "insufficient_data"
    assert "100 are needed" in summary["reasons"][0]
    assert summary["columns"] == []
    for kind in ("data-drift", "model-performance"):
        answer = api.client.get(f"/monitor/{kind}", params={"window": 5})
        assert answer.status_code == 200
        assert answer.json()["status"] == "insufficient_data"
    assert not list(api.config.settings.reports.glob("obesity/*drift*"))


def test_the_window_is_the_last_rows_of_the_log(busy: Api) -> None:
    summary = busy.client.get("/monitor", params={"window": 120}).json()
    assert (summary["rows"], summary["rows_wanted"], summary["source"]) == (120, 120, "log")
    assert {column["column"] for column in summary["columns"]} == set(busy.problem.columns)
    assert sum(summary["predictions"].values()) == 120
    assert summary["since"] <= summary["until"]
    assert summary["performance"] is None
    assert busy.client.get("/monitor").json()["rows"] == 150  # of 300 wanted there are 150


def test_rows_like_the_training_data_do_not_drift(busy: Api) -> None:
    assert busy.client.get("/monitor").json()["status"] == "ok"


def test_whether_a_classifier_tells_the_rows_from_training_is_in_json_and_on_the_page(busy: Api) -> None:
    told = busy.client.get("/monitor").json()["together"]["classifier"]
    assert (told["rows"], told["drawn"], told["alarm"]) == (150, True, False)
    assert told["null_low"] < told["auc"] < told["null_high"]
    page = busy.client.get("/monitor", headers=HTML).text
    assert f"AUC {told['auc']:.3f}, usual are {told['null_low']:.3f} to {told['null_high']:.3f}" in page
    assert "AUC from 0 to 1, and its usual interval" in page  # the chart


def test_the_current_set_has_labels_and_so_performance(busy: Api) -> None:
    summary = busy.client.get("/monitor", params={"source": "current"}).json()
    assert summary["rows"] == 400
    assert 0.5 < summary["performance"]["accuracy"] < 1
    assert summary["status"] in {"warn", "drift"}
    assert summary["reasons"]


def test_a_browser_gets_a_page_and_a_script_json(busy: Api) -> None:
    page = busy.client.get("/monitor", headers=HTML)
    assert page.headers["content-type"].startswith("text/html")
    assert "rows from the prediction log" in page.text
    assert busy.client.get("/monitor", headers={"accept": "application/json"}).json()["rows"] == 150
    assert busy.client.get("/monitor", headers={"accept": "*/*"}).json()["rows"] == 150


def test_report_pages_are_kept_under_names_of_their_own_and_returned(busy: Api) -> None:
    reports = busy.config.settings.reports
    first = busy.client.get("/monitor/target-drift", params={"source": "current"}).json()
    page = busy.client.get("/monitor/target-drift", params={"source": "current"}, headers=HTML)
    assert (reports / first["path"]).stat().st_size > 100_000
    assert page.headers["content-type"].startswith("text/html")
    assert len(list(reports.glob("obesity/*target-drift*.html"))) == 2
    assert first["rows"] == 400
    assert any(metric.get("column") == "prediction" for metric in first["metrics"])
    json.dumps(first, allow_nan=False)


def test_performance_of_unlabelled_traffic_is_refused_with_the_mend(busy: Api) -> None:
    answer = busy.client.get("/monitor/model-performance")
    assert answer.status_code == 409
    assert "no labels" in answer.json()["detail"]
    assert "source=current" in answer.json()["detail"]


@pytest.mark.parametrize("path", ["/monitor?window=0", "/monitor?window=x", "/monitor?source=y", "/monitor/nothing"])
def test_wrong_parameters_are_named(api: Api, path: str) -> None:
    answer = api.client.get(path)
    assert answer.status_code == 422
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json()["errors"][0]["field"] in {"window", "source", "kind"}


def test_a_missing_current_set_is_told_with_the_mend_and_no_path_of_the_machine(busy: Api) -> None:
    in_use: Path = busy.config.settings.data / "obesity" / "current" / "in-use.json"
    aside = in_use.rename(in_use.with_suffix(".aside"))
    try:
        answer = busy.client.get("/monitor", params={"source": "current"})
    finally:
        aside.rename(in_use)
    assert answer.status_code == 409
    assert "labline data obesity" in answer.json()["detail"]
    assert str(busy.config.settings.root) not in answer.text
