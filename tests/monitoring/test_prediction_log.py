"""The prediction log: what is told to be written is on disk, in order, and a failure is told and gets over."""

from __future__ import annotations

import sqlite3
import threading
import time
from concurrent.futures import Future
from contextlib import closing
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import pytest
from sqlalchemy import Engine
from sqlalchemy.exc import SQLAlchemyError

from labline.database import open_database
from labline.monitoring.prediction_log import PROBE_SECONDS, Logged, LogWriter, PredictionLog, new_prediction_id

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
SECONDS = 20


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


def test_ids_never_repeat() -> None:
    assert len({new_prediction_id() for _ in range(10_000)}) == 10_000


def test_a_row_is_on_disk_when_its_future_is_done(engine: Engine, file: Path) -> None:
    writer = LogWriter(engine)
    for number in range(20):
        row = logged(number)
        writer.submit([row]).result(SECONDS)
        assert on_disk(file)[-1] == row.prediction_id
    writer.close()


def test_many_threads_lose_nothing_and_each_finds_its_own_rows_in_its_own_order(engine: Engine, file: Path) -> None:
    writer = LogWriter(engine)
    handed: dict[int, list[str]] = {}

    def hand_in(thread: int) -> None:
        rows = [logged(number) for number in range(50)]
        handed[thread] = [row.prediction_id for row in rows]
        for row in rows:
            future = writer.submit([row])
        future.result(SECONDS)

    threads = [threading.Thread(target=hand_in, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    written = on_disk(file)
    assert len(written) == len(set(written)) == 8 * 50
    for ids in handed.values():
        assert [one for one in written if one in set(ids)] == ids
    writer.close()


def test_the_rows_of_one_batch_stay_together_and_in_order(engine: Engine, file: Path) -> None:
    writer = LogWriter(engine)
    batches = [[logged(number) for number in range(size)] for size in (3, 1, 5)]
    futures = [writer.submit(batch) for batch in batches]
    for future in futures:
        future.result(SECONDS)
    assert on_disk(file) == [row.prediction_id for batch in batches for row in batch]
    writer.close()


def test_close_writes_what_was_handed_in(engine: Engine, file: Path) -> None:
    writer = LogWriter(engine)
    futures = [writer.submit([logged(number)]) for number in range(300)]
    writer.close()
    assert all(future.done() for future in futures)
    assert len(on_disk(file)) == 300


def test_a_database_that_fails_is_told_to_whoever_waits_and_to_whoever_asks_until_it_works_again(
    engine: Engine, file: Path
) -> None:
    writer = LogWriter(engine)
    assert writer.failure is None
    _sql(file, "alter table predictions rename to elsewhere")
    lost: Future[None] = writer.submit([logged()])
    assert isinstance(lost.exception(SECONDS), SQLAlchemyError)
    assert writer.failure == "rows are refused: OperationalError"
    _sql(file, "alter table elsewhere rename to predictions")
    row = logged(1)
    writer.submit([row]).result(SECONDS)
    assert writer.failure is None
    assert on_disk(file) == [row.prediction_id]
    writer.close()


def test_a_database_that_is_mended_is_found_without_a_row_to_write(engine: Engine, file: Path) -> None:
    writer = LogWriter(engine)
    _sql(file, "alter table predictions rename to elsewhere")
    assert writer.submit([logged()]).exception(SECONDS) is not None
    time.sleep(1.5 * PROBE_SECONDS)
    assert writer.failure is not None and "no such table" in writer.failure
    _sql(file, "alter table elsewhere rename to predictions")
    until = time.monotonic() + SECONDS
    while writer.failure is not None and time.monotonic() < until:
        time.sleep(0.1)
    assert writer.failure is None
    assert on_disk(file) == []  # what was tried was taken back
    writer.close()


def test_a_writer_waits_for_another_process_that_holds_the_file(engine: Engine, file: Path) -> None:
    writer = LogWriter(engine)
    with closing(sqlite3.connect(file, isolation_level=None)) as other:
        other.execute("begin immediate")
        future = writer.submit([logged()])
        with pytest.raises(TimeoutError):
            future.result(0.3)
        other.execute("commit")
        future.result(SECONDS)
    assert len(on_disk(file)) == 1
    writer.close()


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


def _sql(file: Path, statement: str) -> None:
    with closing(sqlite3.connect(file)) as connection:
        connection.execute(statement)
        connection.commit()


def test_a_request_that_gives_up_waiting_neither_loses_its_rows_nor_stops_the_writer(
    engine: Engine, file: Path
) -> None:
    writer = LogWriter(engine)
    with closing(sqlite3.connect(file)) as lock:
        lock.execute("begin immediate")  # the writer waits for this
        waiting = [writer.submit([logged(number)]) for number in range(3)]
        for future in waiting:
            future.cancel()
        lock.rollback()
    writer.submit([logged(3)]).result(SECONDS)
    writer.close()
    assert len(on_disk(file)) == 4
    assert writer.failure is None


def test_an_error_in_the_database_shows_nothing_of_what_people_told(log: PredictionLog) -> None:
    row = logged(0)
    log.add([row])
    with pytest.raises(SQLAlchemyError) as caught:
        log.add([row])
    assert "21.3" not in str(caught.value)


def test_the_last_rows_can_be_those_of_one_version(log: PredictionLog) -> None:
    log.add([logged(number, version=3 + number % 2) for number in range(6)])
    assert [row.input["number"] for row in log.last("obesity", 2, version=3)] == [2, 4]
