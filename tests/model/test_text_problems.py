"""Several labels, and a price, predicted from texts, dates, lists and open names: each problem taken the whole way."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import mlflow
import numpy as np
import pandas as pd
import pytest
from fastapi.testclient import TestClient
from scipy import sparse

from labline import pipeline
from labline.api import create_app
from labline.contract import as_list, columns_from_records
from labline.database import open_database
from labline.model.bundle import Bundle
from labline.monitoring.kinds import ReportKind, ReportResult
from labline.monitoring.prediction_log import Logged, PredictionLog, new_prediction_id
from labline.monitoring.profile import CategoryProfile, NumberProfile, Profile
from labline.monitoring.windows import Wanted
from labline.pipeline.data import columns_of
from labline.pipeline.divided import holdout_frame
from tests.conftest import take_store
from tests.model.text_problems import CURRENT_ROWS, MAKE, TOPICS, TRAIN_ROWS, Way, take_the_way


@pytest.fixture(scope="module")
def ways(tmp_path_factory: pytest.TempPathFactory, empty_store: Path) -> dict[str, Way]:
    return {name: take_the_way(take_store(tmp_path_factory.mktemp(name), empty_store), name) for name in MAKE}


@pytest.fixture(params=list(MAKE))
def way(request: pytest.FixtureRequest, ways: dict[str, Way]) -> Way:
    return ways[request.param]


@pytest.fixture
def labelled(ways: dict[str, Way]) -> Way:
    return ways["tickets"]


@pytest.fixture
def priced(ways: dict[str, Way]) -> Way:
    return ways["adverts"]


# Training


def test_training_finds_what_the_words_tell_and_beats_every_baseline(way: Way) -> None:
    metric, tried = way.problem.metric, {one.family: one.mean(way.problem.metric) for one in way.trained.fitted.tried}
    reached, simple = way.trained.evaluation.metrics[metric], way.trained.baseline[metric]
    if way.problem.task == "multilabel":
        assert reached > 0.85 > simple
        assert tried["majority"] < tried["tree"] < tried["linear"]
    else:
        assert reached < 0.85 * simple
        assert tried["mean"] > tried["rule"] > tried["linear"]  # alike in brand and state: worth something, not much


def test_thresholds_and_offsets_were_learned_on_rows_that_are_not_the_held_out_ones(labelled: Way, priced: Way) -> None:
    rule = labelled.bundle.task.rule
    assert len(rule.thresholds) == 4
    assert all(0 < threshold < 1 for threshold in rule.thresholds)
    assert rule == labelled.trained.fitted.rule == labelled.trained.fitted.best.rule
    low, high = priced.bundle.task.rule.offsets or (0, 0)
    assert low < 0 < high
    assert priced.trained.evaluation.metrics["interval_coverage"] == pytest.approx(0.8, abs=0.12)


def test_rows_that_break_the_contract_were_left_out_where_it_says_so(priced: Way) -> None:
    data = priced.bundle.manifest.data
    profile = Profile.model_validate_json((priced.bundle.folder / "profile.json").read_bytes())
    assert (data.rows, profile.rows + data.holdout_rows) == (TRAIN_ROWS, TRAIN_ROWS - 4)
    assert len(holdout_frame(priced.config, priced.bundle)) == data.holdout_rows


def test_the_matrix_of_texts_is_sparse_from_the_encoder_to_the_member(way: Way) -> None:
    bundle, columns = way.bundle, columns_of(way.problem, way.current)
    matrix = bundle.ensemble.parts[0].encoder.transform(bundle._derived(columns))
    assert isinstance(matrix, sparse.csr_matrix)
    assert matrix.data.nbytes < 0.2 * matrix.shape[0] * matrix.shape[1] * 8


def test_a_bundle_says_the_figures_its_answers_were_measured_with(way: Way) -> None:
    bundle, frame = way.bundle, holdout_frame(way.config, way.bundle)
    scores = bundle.scores(columns_of(way.problem, frame))
    found = bundle.task.metrics(bundle.task.encode(frame[way.problem.target]), scores)
    assert found == bundle.manifest.holdout == way.trained.evaluation.metrics


def test_a_record_is_answered_like_the_same_row_of_a_file_to_the_last_bit(way: Way) -> None:
    frame = way.current.head(60)
    records = way.records(frame)
    assert any(None in record.values() for record in records)
    together = way.bundle.task.answers(way.bundle.scores(columns_of(way.problem, frame)))
    assert way.bundle.predict(records) == together
    assert [way.bundle.predict([record])[0] for record in records] == together


# Files and MLflow


def test_a_file_is_scored_row_by_row(way: Way, tmp_path: Path) -> None:
    folder = way.config.settings.problems / way.problem.name
    for ending in ("csv", "parquet"):
        target = tmp_path / f"scored.{ending}"
        assert pipeline.predict(way.config, way.problem, str(folder / "current.csv"), target).rows == CURRENT_ROWS
        found = pd.read_csv(target, float_precision="round_trip") if ending == "csv" else pd.read_parquet(target)
        answers = way.bundle.predict(way.records(way.current))
        assert found["number"].tolist() == way.current["number"].tolist()
        if way.problem.task == "regression":
            assert list(found.columns) == ["number", "prediction", "low", "high"]
            assert found["prediction"].tolist() == [answer.prediction for answer in answers]
            ends = [answer.interval for answer in answers]
            assert list(found[["low", "high"]].itertuples(index=False, name=None)) == ends
        else:
            assert list(found.columns) == ["number", "prediction", *way.problem.classes]
            given = found["prediction"].map(json.loads) if ending == "csv" else found["prediction"].map(list)
            assert given.tolist() == [answer.prediction for answer in answers]


def test_mlflow_alone_gives_the_same_predictions(way: Way) -> None:
    uri = way.config.storage.tracking_uri.get_secret_value()
    mlflow.set_tracking_uri(uri)
    mlflow.set_registry_uri(uri)
    model = mlflow.pyfunc.load_model(f"models:/{way.problem.name}@champion")
    frame = way.current.head(40)
    given = frame[list(way.problem.columns)].copy()
    for name in ("opened", "listed"):
        if name in given:
            given[name] = pd.to_datetime(given[name])
    (lists,) = (name for name, column in way.problem.columns.items() if column.type == "labels")
    given[lists] = pd.Series([record[lists] for record in way.records(frame)], frame.index, dtype=object)
    assert given[lists].isna().any()
    found = model.predict(given)
    answers = way.bundle.predict(way.records(frame.loc[given.index]))
    assert found["prediction"].tolist() == [answer.prediction for answer in answers]
    figures = [list(answer.probabilities.values() or answer.interval or ()) for answer in answers]
    assert found.drop(columns="prediction").to_numpy().tolist() == figures


# Monitoring


def test_rows_like_the_training_data_are_ok_and_every_column_is_accounted_for(way: Way) -> None:
    summary = pipeline.monitor(way.config, way.served, source="current")
    assert (summary.status, summary.rows) == ("ok", CURRENT_ROWS)
    tests = {row.column: row.test for row in summary.columns}
    assert (
        tests
        == {
            "tickets": {
                "title": "kolmogorov-smirnov",
                "body": "kolmogorov-smirnov",
                "opened": "kolmogorov-smirnov",
                "products": "chi-square",
                "customer": "chi-square",
            },
            "adverts": {
                "name": "kolmogorov-smirnov",
                "brand": "chi-square",
                "listed": "kolmogorov-smirnov",
                "extras": "chi-square",
                "new": "kolmogorov-smirnov",
            },
        }[way.problem.name]
    )
    assert summary.performance is not None
    assert summary.performance.keys() == summary.holdout.keys() == way.trained.evaluation.metrics.keys()
    assert list(summary.predictions) == list(way.problem.classes)


def test_labels_are_counted_one_by_one_whatever_rows_they_stand_in(labelled: Way) -> None:
    summary = pipeline.monitor(labelled.config, labelled.served, source="current")
    answers = labelled.bundle.predict(labelled.records(labelled.current))
    given = [name for answer in answers for name in answer.prediction]  # type: ignore[union-attr]
    assert summary.predictions == {name: given.count(name) for name in labelled.problem.classes}
    assert sum(summary.predictions.values()) > CURRENT_ROWS


def test_the_profile_has_lists_by_name_texts_by_length_and_days_as_numbers(labelled: Way) -> None:
    profile = Profile.model_validate_json((labelled.bundle.folder / "profile.json").read_bytes())
    assert set(profile.numbers) == {"title", "body", "opened"}
    assert set(profile.categories) == {"products", "customer"}
    assert set(profile.categories["products"].counts) == {"app", "web", "api"}
    assert profile.categories["products"].rows == profile.rows
    assert isinstance(profile.prediction, CategoryProfile)
    assert set(profile.prediction.counts) == {*TOPICS}
    assert not any(word in profile.model_dump_json() for word in ("invoice", "segfault"))  # no text of a row is in it


def log_rows(way: Way, frame: pd.DataFrame) -> None:
    """Write the rows into the prediction log as answered by the champion."""
    records = way.records(frame)
    log = PredictionLog(open_database(way.config.storage.database_url.get_secret_value()))
    log.add(
        [
            Logged(
                prediction_id=new_prediction_id(),
                at=datetime.now(UTC),
                problem=way.problem.name,
                version=1,
                input={name: value for name, value in record.items() if value is not None},
                prediction=answer.prediction,
                probabilities=answer.probabilities,
            )
            for record, answer in zip(records, way.bundle.predict(records), strict=True)
        ]
    )


def test_other_topics_and_other_lists_are_caught_and_days_gone_by_are_not(labelled: Way) -> None:
    frame = labelled.current.copy()
    crashes = frame["topics"].str.contains("crash")
    frame = pd.concat([frame[crashes]] * 4)
    frame["opened"] = "31.12.2025"
    frame["products"] = as_list(("api",))
    log_rows(labelled, frame)
    summary = pipeline.monitor(labelled.config, labelled.served, Wanted(last=len(frame)))
    rows = {row.column: row for row in summary.columns}
    assert rows["products"].drifted
    assert rows["opened"].effect > 0.9
    assert not rows["opened"].drifted  # time goes on by itself
    assert summary.prediction is not None
    assert summary.prediction.drifted
    assert max(summary.predictions, key=summary.predictions.__getitem__) == "crash"


def test_other_prices_and_longer_texts_are_caught(priced: Way) -> None:
    leather = priced.current[priced.current["name"].str.contains("leather")]
    frame = pd.concat([leather] * 3, ignore_index=True).head(150)
    frame["name"] = "a very very long advert of a " + frame["name"]
    frame.loc[:30, "brand"] = "nobody has heard of it"
    log_rows(priced, frame)
    summary = pipeline.monitor(priced.config, priced.served, Wanted(last=len(frame)))
    rows = {row.column: row for row in summary.columns}
    assert rows["name"].drifted
    assert rows["brand"].drifted
    assert rows["brand"].new_categories == []  # of an open column a new name is no news
    assert summary.prediction is not None
    assert summary.prediction.drifted
    assert isinstance(
        Profile.model_validate_json((priced.bundle.folder / "profile.json").read_bytes()).prediction, NumberProfile
    )


def test_what_policies_clip_or_drop_is_counted_as_it_was_given(priced: Way) -> None:
    frame = priced.current.copy()
    frame.loc[:49, "listed"] = "2031-05-06"
    frame.loc[:24, "extras"] = as_list(("box", "ribbon"))
    log_rows(priced, frame)
    summary = pipeline.monitor(priced.config, priced.served, Wanted(last=len(frame)))
    rows = {row.column: row for row in summary.columns}
    assert rows["listed"].out_of_range_share == pytest.approx(50 / CURRENT_ROWS)
    assert rows["extras"].new_categories == ["ribbon"]
    assert "extras is not what the contract allows in 10% of the rows" in summary.reasons
    missing = frame["extras"].isna().mean()
    assert rows["extras"].missing_share == pytest.approx(missing)  # an empty list is none that is missing


@pytest.mark.thorough
@pytest.mark.parametrize("kind", list(ReportKind))
def test_every_page_can_be_made_of_it(way: Way, kind: ReportKind) -> None:
    page = pipeline.report(way.config, way.served, kind, source="current")
    assert isinstance(page, ReportResult)
    assert page.path.stat().st_size > 100_000
    assert page.notes == []
    assert page.metrics
    about = {metric.get("column") for metric in page.metrics}
    if kind in {ReportKind.DATA_DRIFT, ReportKind.DATA_QUALITY}:
        assert {*way.problem.columns} <= about
    if kind is ReportKind.TARGET_DRIFT:
        assert about == {"prediction", way.problem.target}
    if kind is ReportKind.MODEL_PERFORMANCE:
        performance = pipeline.monitor(way.config, way.served, source="current").performance
        assert performance is not None
        values = {metric["name"].split("(")[0]: metric["value"] for metric in page.metrics}
        if way.problem.task == "regression":
            assert values["RMSE"] == pytest.approx(performance["rmse"])
        else:  # of decisions on labels that were given or true
            assert values["F1Score"] == pytest.approx(performance["f1_micro"])


# The registry


def test_a_challenger_under_another_rule_is_compared_on_what_it_answers(labelled: Way) -> None:
    from labline.model.evaluation import Judged
    from labline.model.promotion import compare
    from labline.model.tasks import AnswerRule

    bundle, frame = labelled.bundle, holdout_frame(labelled.config, labelled.bundle)
    target = bundle.task.encode(frame["topics"])
    scores = bundle.scores(columns_of(labelled.problem, frame))
    generous = bundle.task.ruled_by(AnswerRule(thresholds=(0.01,) * 4))
    ours, theirs = Judged(bundle.task, target, scores), Judged(generous, target, scores)
    limits = labelled.config.promotion
    assert compare("f1_weighted", ours, theirs, {}, 7, limits).promote
    assert not compare("f1_weighted", theirs, ours, {}, 7, limits).promote
    assert not compare("log_loss", ours, theirs, {}, 7, limits).promote  # the probabilities are the same


# The API


@pytest.fixture(scope="module", params=list(MAKE))
def api(request: pytest.FixtureRequest, ways: dict[str, Way]) -> Iterator[tuple[Way, TestClient]]:
    way = ways[request.param]
    with TestClient(create_app(way.config, way.problem.name)) as client:
        yield way, client


def test_a_record_is_answered_with_labels_or_a_price_and_its_interval(api: tuple[Way, TestClient]) -> None:
    way, client = api
    record = way.records(way.current)[0]
    answer = client.post("/predict", json=record).json()
    (expected,) = way.bundle.predict([record])
    assert answer["prediction"] == expected.prediction
    assert answer["probabilities"] == expected.probabilities
    if way.problem.task == "multilabel":
        assert isinstance(answer["prediction"], list)
        assert list(answer["probabilities"]) == ["crash", "speed", "login", "billing"]
        assert answer["interval"] is None
    else:
        low, high = answer["interval"]
        assert 0 < low < answer["prediction"] < high
    [logged] = PredictionLog(open_database(way.config.storage.database_url.get_secret_value())).last(
        way.problem.name, 1
    )
    assert logged.prediction_id == answer["prediction_id"]
    assert logged.prediction == answer["prediction"]
    assert logged.input == {name: value for name, value in record.items() if value is not None}


def test_traffic_is_answered_in_batches_and_judged(api: tuple[Way, TestClient]) -> None:
    way, client = api
    records = way.records(way.current)
    answers = client.post("/predict/batch", json=records).json()["predictions"]
    assert [answer["prediction"] for answer in answers] == [a.prediction for a in way.bundle.predict(records)]
    summary = client.get("/monitor", params={"window": len(records)}).json()
    assert (summary["status"], summary["rows"], summary["source"]) == ("ok", CURRENT_ROWS, "log")
    assert {column["column"] for column in summary["columns"]} == set(way.problem.columns)
    page = client.get("/monitor", params={"window": len(records)}, headers={"accept": "text/html"})
    assert page.headers["content-type"].startswith("text/html")
    home = client.get("/", headers={"accept": "text/html"})
    assert home.status_code == 200
    assert all(name in home.text for name in way.problem.columns)


REFUSED: dict[str, list[tuple[dict[str, Any], str]]] = {
    "tickets": [
        ({"opened": "soon"}, "opened 'soon' is no date like 2024-12-31T23:59:59; allowed: 2020-01-01 or later"),
        ({"opened": "31.12.2019"}, "opened '31.12.2019' is out of range; allowed: 2020-01-01 or later"),
        ({"products": "app"}, "products 'app' is not a list; allowed: app, web, api"),
        ({"products": ["app", "shop"]}, "products.1 'shop' is not an allowed value; allowed: app, web, api"),
        ({"title": 7}, "title 7 is not a text; allowed: 100,000 characters at most"),
        ({"customer": None}, "customer is not a text"),
        ({"topics": []}, "topics is no column of the contract"),
    ],
    "adverts": [
        ({"name": "see www.a.b"}, "name 'see www.a.b' has a web address in it, which is not allowed"),
        ({"name": "x" * 201}, f"name '{'x' * 100}…' is too long; allowed: 200 characters at most"),
        (
            {"listed": "1999-12-32"},
            "listed '1999-12-32' is no date like 2024-12-31T23:59:59; allowed: 2030-01-01 or earlier",
        ),
        ({"new": "yes"}, "new 'yes' is neither true nor false"),
    ],
}


def test_a_record_outside_the_contract_is_refused_with_what_is_allowed(api: tuple[Way, TestClient]) -> None:
    way, client = api
    record = way.records(way.current)[0]
    for change, said in REFUSED[way.problem.name]:
        response = client.post("/predict", json=record | change)
        assert response.status_code == 422
        assert response.json()["detail"].startswith(said), response.json()["detail"]


def test_what_may_be_missing_may_be_left_out_and_strange_names_are_answered(api: tuple[Way, TestClient]) -> None:
    way, client = api
    record = way.records(way.current)[0]
    for name, column in way.problem.columns.items():
        if column.missing == "allow":
            del record[name]
    strange = record | ({"customer": "nobody", "title": ""} if way.problem.name == "tickets" else {"brand": "nobody"})
    for sent in (record, strange):
        answer = client.post("/predict", json=sent)
        assert answer.status_code == 200, answer.text
        assert np.isfinite(way.bundle.scores(columns_from_records(way.problem, [sent]))).all()


def test_the_page_shows_what_the_contract_takes_and_its_example_is_answered(api: tuple[Way, TestClient]) -> None:
    way, client = api
    schema = client.get("/openapi.json").json()["components"]["schemas"]["Record"]
    assert set(schema["properties"]) == {*way.problem.columns, "number"}
    assert client.post("/predict", json=schema["examples"][0]).status_code == 200


def test_a_bundle_is_loaded_again_as_it_was(way: Way) -> None:
    again = Bundle.load(way.served.folder)
    assert again.task.rule == way.bundle.task.rule
    assert again.digest == way.bundle.digest
    assert {file.name for file in again.folder.rglob("*")} >= {"rule.json", "encoder.json", "features.py"}
