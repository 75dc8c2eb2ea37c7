"""The prediction log: what is told to be written is on disk, in order, and a failure is told and gets over."""

from __future__ import annotations

import sqlite3
import time
import uuid
from contextlib import closing
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import pytest
from sqlalchemy import Engine, inspect, make_url
from sqlalchemy.exc import SQLAlchemyError

from labline.database import open_database
from labline.migrations import migrate
from labline.monitoring.log_rows import read_rows
from labline.monitoring.prediction_log import Logged, PredictionLog, Shadow, new_prediction_id

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "labline.db"


@pytest.fixture
def engine(file: Path) -> Engine:
    return open_database(f"sqlite:///{file}")


@pytest.fixture
def log(engine: Engine) -> PredictionLog:
    return PredictionLog(engine)


def logged(number: int = 0, problem: str = "obesity", **changes: object) -> Logged:
    content: dict[str, object] = {
        "prediction_id": new_prediction_id(),
        "at": NOON + timedelta(seconds=number),
        "problem": problem,
        "version": 3,
        "input": {"Age": 21.3, "SMOKE": "no", "Height": None, "number": number},
        "prediction": "Normal_Weight",
        "probabilities": {"Normal_Weight": 0.1 + 0.2, "Obesity_Type_I": 0.7},
    }
    return Logged(**(content | changes))  # type: ignore[arg-type]


def on_disk(file: Path) -> list[str]:
    """The ids in the file, read by another connection."""
    with closing(sqlite3.connect(file)) as connection:
        return [row[0] for row in connection.execute("select prediction_id from predictions order by sequence")]


def test_what_was_written_is_read_back_to_the_last_bit(log: PredictionLog) -> None:
    rows = [logged(0), logged(1, prediction=71.30000000000001, probabilities={}), logged(2, version=4)]
    log.add(rows)
    assert log.last("obesity", 10) == rows


def test_times_are_read_back_in_utc(log: PredictionLog) -> None:
    log.add([logged(at=datetime(2026, 3, 1, 12, 30, 0, 123456, tzinfo=UTC))])
    (found,) = log.last("obesity", 1)
    assert found.at.utcoffset() == timedelta(0)
    assert found.at.microsecond == 123456


def test_the_last_rows_are_the_last_that_were_written_the_oldest_of_them_first(log: PredictionLog) -> None:
    rows = [logged(-number) for number in range(30)]  # the clock may run backwards: the order of arrival counts
    for row in rows:
        log.add([row])
    assert log.last("obesity", 5) == rows[-5:]
    assert log.last("obesity", 100) == rows


def test_each_problem_has_its_own_last_rows(log: PredictionLog) -> None:
    rows = [logged(number, problem=("obesity", "churn")[number % 2]) for number in range(20)]
    log.add(rows)
    assert log.last("churn", 3) == rows[1::2][-3:]
    assert log.last("obesity", 3) == rows[0::2][-3:]
    assert (log.count("churn"), log.count("obesity"), log.count("nothing")) == (10, 10, 0)
    assert log.last("nothing", 3) == []


def test_rows_are_written_all_or_none(log: PredictionLog, file: Path) -> None:
    twice = logged()
    with pytest.raises(SQLAlchemyError):
        log.add([logged(1), twice, twice])
    assert on_disk(file) == []


def test_the_log_is_still_there_when_it_is_opened_again(log: PredictionLog, file: Path) -> None:
    row = logged()
    log.add([row])
    assert PredictionLog(open_database(f"sqlite:///{file}")).last("obesity", 1) == [row]


def test_ids_never_repeat_and_sort_by_the_time_they_were_made() -> None:
    ids = [new_prediction_id() for _ in range(10_000)]
    assert len(set(ids)) == 10_000
    assert [one[:13] for one in ids] == sorted(one[:13] for one in ids)
    made = uuid.UUID(ids[0])
    assert (made.version, made.variant) == (7, uuid.RFC_4122)
    assert abs((made.int >> 80) / 1000 - time.time()) < 60


def test_readers_do_not_wait_for_a_writer(log: PredictionLog, file: Path) -> None:
    row = logged()
    log.add([row])
    with closing(sqlite3.connect(file, isolation_level=None)) as other:
        other.execute("begin immediate")
        assert log.last("obesity", 1) == [row]


def test_a_time_in_another_zone_is_the_same_moment(log: PredictionLog) -> None:
    east = datetime(2026, 3, 1, 15, tzinfo=timezone(timedelta(hours=3)))
    log.add([logged(at=east)])
    assert log.last("obesity", 1)[0].at == east


def test_an_error_in_the_database_shows_nothing_of_what_people_told(log: PredictionLog) -> None:
    row = logged(0)
    log.add([row])
    with pytest.raises(SQLAlchemyError) as caught:
        log.add([row])
    assert "21.3" not in str(caught.value)


def test_the_last_rows_can_be_those_of_one_version(log: PredictionLog) -> None:
    log.add([logged(number, version=3 + number % 2) for number in range(6)])
    assert [row.input["number"] for row in log.last("obesity", 2, version=3)] == [2, 4]


def test_rows_that_are_there_already_are_left_as_they_are_when_written_again(log: PredictionLog) -> None:
    rows = [logged(number) for number in range(3)]
    log.add(rows[:2])
    log.add(rows, again=True)
    assert log.last("obesity", 10) == rows


def test_pages_give_every_row_of_a_time_once_in_the_order_of_arrival(
    log: PredictionLog, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("labline.monitoring.prediction_log.PAGE", 4)
    rows = [logged(number, version=3 + number // 8) for number in range(10)]
    log.add(rows)
    log.add([logged(problem="churn")])
    assert [row for page in log.pages("obesity") for row in page] == rows
    some = log.pages("obesity", since=rows[2].at, until=rows[9].at, version=3)
    assert [row for page in some for row in page] == rows[2:8]


def test_what_is_erased_is_gone_with_what_others_would_have_said(log: PredictionLog, file: Path) -> None:
    rows = [logged(number, row_id=f"person {number % 2}") for number in range(4)]
    log.add([*rows, Shadow(rows[1].prediction_id, 4, rows[1].at, "obesity", "Obesity_Type_I", {})])
    ids = log.ids_of_row("obesity", "person 1")
    assert ids == [rows[1].prediction_id, rows[3].prediction_id]
    assert log.erase("churn", ids) == 0
    assert log.erase("obesity", ids) == 2
    assert log.last("obesity", 10) == [rows[0], rows[2]]
    with closing(sqlite3.connect(file)) as connection:
        assert connection.execute("select count(*) from shadows").fetchone() == (0,)


def test_pruning_removes_what_is_older_and_nothing_else(log: PredictionLog) -> None:
    rows = [logged(number) for number in range(4)]
    log.add(rows)
    log.prune(rows[2].at)
    assert log.last("obesity", 10) == rows[2:]


@pytest.mark.postgres
def test_a_server_keeps_the_log_by_month_and_drops_months_that_are_over(postgres: str) -> None:
    engine = open_database(postgres)
    migrate(engine)
    log = PredictionLog(engine)
    log.prepare(datetime(2026, 1, 31, tzinfo=UTC))
    log.prepare(datetime(2026, 3, 1, tzinfo=UTC))
    months = {"predictions_2026_01", "predictions_2026_02", "predictions_2026_03", "predictions_2026_04"}
    assert months <= set(inspect(engine).get_table_names())
    rows = [logged(at=datetime(2026, month, 15, tzinfo=UTC)) for month in (1, 2, 3, 7)]
    log.add(rows)
    log.prepare(datetime(2026, 7, 1, tzinfo=UTC))  # July's rows came before July's table, and stay where they are
    log.prune(datetime(2026, 2, 20, tzinfo=UTC))
    assert log.last("obesity", 10) == rows[2:]
    assert "predictions_2026_01" not in inspect(engine).get_table_names()
    assert "predictions_2026_02" in inspect(engine).get_table_names()


@pytest.mark.postgres
def test_times_are_read_whatever_style_and_zone_the_server_is_set_to(postgres: str) -> None:
    migrate(open_database(postgres))
    url = make_url(postgres)
    style = f"{url.query['options']} -cDateStyle=SQL,DMY -cTimeZone=Asia/Kolkata"
    engine = open_database(url.update_query_dict({"options": style}).render_as_string(hide_password=False))
    row = logged(at=datetime(2026, 3, 4, 23, 5, 6, 70, tzinfo=UTC))
    PredictionLog(engine).add([row])
    with engine.connect() as connection:
        rows = read_rows(connection, "obesity", None)
    assert (rows.first, rows.last) == (row.at, row.at)
