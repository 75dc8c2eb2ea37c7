"""POST /predict and /predict/batch."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pandas as pd
import pytest

from labline.contract import CategoryColumn
from labline.database import open_database
from labline.errors import DatabaseError, LablineError
from labline.monitoring.prediction_log import PredictionLog
from tests.api.conftest import Api


def wait_until(holds: Callable[[], bool]) -> None:
    until = time.monotonic() + 20
    while not holds():
        assert time.monotonic() < until
        time.sleep(0.05)


def log_of(api: Api) -> PredictionLog:
    return PredictionLog(open_database(api.config.storage.database_url.get_secret_value()))


def test_an_answer_has_class_probabilities_id_and_version(api: Api) -> None:
    answer = api.client.post("/predict", json=api.record).json()
    assert set(answer) == {"prediction_id", "prediction", "probabilities", "interval", "model"}
    assert list(answer["probabilities"]) == list(api.problem.classes)
    assert sum(answer["probabilities"].values()) == pytest.approx(1)
    assert answer["prediction"] == max(answer["probabilities"], key=answer["probabilities"].get)
    assert answer["interval"] is None
    assert answer["model"] == {"name": "obesity", "version": 1}


def test_every_answer_is_in_the_log_with_its_input(api: Api) -> None:
    record = api.record | {"Age": 33.25, "id": 17}
    answer = api.client.post("/predict", json=record).json()
    [logged] = log_of(api).last("obesity", 1)
    assert logged.prediction_id == answer["prediction_id"]
    assert logged.input == record
    assert logged.version == 1
    assert logged.prediction == answer["prediction"]
    assert logged.probabilities == answer["probabilities"]


@pytest.mark.parametrize(
    ("error", "status"),
    [(LablineError("it cannot be", where="/secret/place"), 409), (DatabaseError("away", where="/secret/place"), 503)],
)
def test_what_cannot_be_answered_is_told_without_places(
    api: Api, monkeypatch: pytest.MonkeyPatch, error: LablineError, status: int
) -> None:
    async def refuse(*_: object) -> None:
        raise error

    monkeypatch.setattr("labline.api.together.Together.predict", refuse)
    answer = api.client.post("/predict", json=api.record)
    assert answer.status_code == answer.json()["status"] == status
    assert answer.headers["content-type"] == "application/problem+json"
    assert error.what in answer.json()["detail"]
    assert "secret" not in answer.text


def test_the_same_record_gets_the_same_answer_and_another_id(api: Api) -> None:
    first, second = (api.client.post("/predict", json=api.record).json() for _ in range(2))
    assert first["probabilities"] == second["probabilities"]
    assert first["prediction_id"] != second["prediction_id"]


@pytest.mark.parametrize(
    ("change", "field", "said"),
    [
        ({"Gender": "female"}, "Gender", ["'female' is not an allowed value", "Female, Male"]),
        ({"Gender": None}, "Gender", ["is not an allowed value", "Female, Male"]),
        ({"Age": "24"}, "Age", ["'24' is not a number"]),
        ({"Age": True}, "Age", ["is not a number"]),
        ({"Age": 13.9}, "Age", ["13.9 is out of range", "14 to 100 years"]),
        ({"Height": 0}, "Height", ["0 is out of range", "1.2 to 2.3 m"]),
        ({"Weight": 1e400}, "Weight", ["is not a finite number"]),
        ({"Wieght": 80}, "Wieght", ["is no column of the contract"]),
        ({"NObeyesdad": "Obesity_Type_I"}, "NObeyesdad", ["is no column of the contract"]),
    ],
)
def test_a_record_outside_the_contract_is_refused_with_field_value_and_what_is_allowed(
    api: Api, change: dict[str, Any], field: str, said: list[str]
) -> None:
    body = json.dumps(api.record | change).replace("Infinity", "1e400")
    response = api.client.post("/predict", content=body)
    assert response.status_code == 422
    assert response.headers["content-type"] == "application/problem+json"
    details = response.json()
    assert details["errors"][0]["field"] == field
    for part in said:
        assert part in details["detail"]


def test_a_missing_column_is_named(api: Api) -> None:
    record = api.record
    del record["SMOKE"]
    details = api.client.post("/predict", json=record).json()
    assert details["detail"] == "SMOKE is missing; allowed: no, yes"


def test_all_that_is_wrong_is_told_at_once(api: Api) -> None:
    details = api.client.post("/predict", json=api.record | {"Age": -1, "CALC": "Never", "TUE": 9}).json()
    assert {error["field"] for error in details["errors"]} == {"Age", "CALC", "TUE"}
    assert "(and 2 more)" in details["detail"]


@pytest.mark.parametrize("body", ["", "{", "[]", "null", "7", '"x"', '{"Age": NaN}', "\x00", "[" * 5000])
def test_a_body_that_is_no_record_is_refused(api: Api, body: str) -> None:
    response = api.client.post("/predict", content=body)
    assert response.status_code == 422
    assert response.json()["title"] == "The record breaks the contract"


def test_a_batch_is_answered_in_order(api: Api) -> None:
    records = [api.record | {"Weight": weight} for weight in (45.0, 140.0, 70.0)]
    single = [api.client.post("/predict", json=record).json()["probabilities"] for record in records]
    answers = api.client.post("/predict/batch", json=records).json()["predictions"]
    assert [answer["probabilities"] for answer in answers] == single
    assert len({answer["prediction_id"] for answer in answers}) == 3


def test_one_wrong_record_in_a_batch_is_named_and_none_is_answered(api: Api) -> None:
    before = log_of(api).count("obesity")
    response = api.client.post("/predict/batch", json=[api.record, api.record | {"Age": 5}])
    assert response.status_code == 422
    assert response.json()["errors"][0]["field"] == "1.Age"
    assert log_of(api).count("obesity") == before


def test_a_batch_has_at_least_one_and_at_most_the_configured_number_of_records(api: Api) -> None:
    limit = api.config.serving.batch_rows_max
    assert api.client.post("/predict/batch", json=[]).status_code == 422
    assert api.client.post("/predict/batch", json=[api.record] * limit).status_code == 200
    refused = api.client.post("/predict/batch", json=[api.record] * (limit + 1))
    assert refused.status_code == 422
    assert str(limit) in refused.json()["detail"]


def test_every_training_row_is_accepted(api: Api, sample: dict[str, pd.DataFrame]) -> None:
    for frame in sample.values():
        distinct = [frame.drop_duplicates(name) for name in api.problem.columns]
        rows = pd.concat([frame.head(500), *distinct]).drop_duplicates()
        records = json.loads(rows[list(api.problem.columns)].to_json(orient="records", double_precision=15))
        for start in range(0, len(records), 1000):
            response = api.client.post("/predict/batch", json=records[start : start + 1000])
            assert response.status_code == 200, response.json()


def test_every_value_the_contract_lists_is_accepted(api: Api) -> None:
    for name, column in api.problem.columns.items():
        values = column.values if isinstance(column, CategoryColumn) else (column.minimum, column.maximum)
        for value in values:
            assert api.client.post("/predict", json=api.record | {name: value}).status_code == 200, (name, value)


def ready(api: Api) -> bool:
    answer = api.client.get("/readyz")
    assert answer.status_code == (200 if answer.json()["ready"] else 503)
    return answer.status_code == 200 and not answer.json()["reasons"]


def test_while_the_database_is_away_answers_are_given_and_are_in_the_log_afterwards(api: Api) -> None:
    engine = log_of(api)._engine
    with engine.begin() as connection:
        connection.exec_driver_sql("ALTER TABLE predictions RENAME TO away")
    try:
        answers = [api.client.post("/predict", json=api.record) for _ in range(3)]
        assert [answer.status_code for answer in answers] == [200] * 3
        told = api.client.get("/readyz")
        assert told.status_code == 200
        assert any("3 predictions wait on this machine" in reason for reason in told.json()["reasons"])
    finally:
        with engine.begin() as connection:
            connection.exec_driver_sql("ALTER TABLE away RENAME TO predictions")
    wait_until(lambda: ready(api))
    ids = [answer.json()["prediction_id"] for answer in answers]
    assert [row.prediction_id for row in log_of(api).last("obesity", 3)] == ids


def test_an_answer_that_can_be_kept_nowhere_is_not_given(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    services = api.client.app.state.services  # type: ignore[attr-defined]
    monkeypatch.setattr(services.log._aside.spool, "_bytes_max", 10)
    engine = log_of(api)._engine
    before = log_of(api).count("obesity")
    with engine.begin() as connection:
        connection.exec_driver_sql("ALTER TABLE predictions RENAME TO away")
    try:
        response = api.client.post("/predict", json=api.record)
        assert response.status_code == 503
        assert response.headers["retry-after"] == "5"
        assert "no room for more" in response.json()["detail"]
    finally:
        with engine.begin() as connection:
            connection.exec_driver_sql("ALTER TABLE away RENAME TO predictions")
    wait_until(lambda: ready(api))
    assert log_of(api).count("obesity") == before


def test_columns_that_are_not_to_be_logged_are_not(api: Api) -> None:
    services = api.client.app.state.services  # type: ignore[attr-defined]
    loaded = services.champion.current
    services.champion.current = replace(loaded, unlogged=frozenset({"Age", "Weight"}))
    try:
        answer = api.client.post("/predict", json={**api.record, "id": 7})
    finally:
        services.champion.current = loaded
    [row] = log_of(api).last("obesity", 1)
    assert row.prediction_id == answer.json()["prediction_id"]
    assert set(api.record) - set(row.input) == {"Age", "Weight"}
    assert row.row_id == "7"
