"""Hourly tallies: they add up to the rows of the log, whoever counts them, in whatever order the rows are committed."""

from __future__ import annotations

from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from sqlalchemy import delete, select, text

from labline.config import Config
from labline.database import open_database
from labline.migrations import migrate
from labline.model.bundle import PROFILE_FILE, Bundle
from labline.monitoring.labels import Told, keep
from labline.monitoring.log_rows import read_rows
from labline.monitoring.prediction_log import PREDICTIONS, PredictionLog, lock_commits
from labline.monitoring.profile import Profile
from labline.monitoring.tables import DAY_TALLIES, LABELS, utc
from labline.monitoring.tally import Tally
from labline.monitoring.tally_hours import count_rows
from labline.monitoring.tally_store import Counting, read_tally, rows_by_hour
from tests.forked import FORKED
from tests.monitoring.traffic import NOON, Traffic

HOUR = timedelta(hours=1)
MIDNIGHT = NOON.replace(hour=0)


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.postgres)])
def traffic(request: pytest.FixtureRequest, config: Config, sample: dict[str, pd.DataFrame]) -> Traffic:
    if request.param == "sqlite":
        return Traffic.of(config, sample["train"])
    url = str(request.getfixturevalue("postgres"))
    migrate(open_database(url))
    return Traffic.of(config, sample["train"], url)


def whole(traffic: Traffic) -> Tally:
    """All hours together."""
    with traffic.engine.connect() as connection:
        return read_tally(connection, traffic.counting)


def by_hour(traffic: Traffic) -> dict[datetime, int]:
    with traffic.engine.connect() as connection:
        return rows_by_hour(connection, traffic.counting)


def recounted(traffic: Traffic) -> Tally:
    """The tally of all rows of the log, read at once."""
    with traffic.engine.connect() as connection:
        return traffic.counting.tally(read_rows(connection, "obesity", traffic.served.version))


def days(traffic: Traffic) -> list[datetime]:
    """Those that were added up."""
    with traffic.engine.connect() as connection:
        return [utc(day) for day in connection.execute(select(DAY_TALLIES.c.day).order_by(DAY_TALLIES.c.day)).scalars()]


def assert_same(traffic: Traffic, since: datetime | None = None, until: datetime | None = None) -> None:
    """The tallies say what the rows say."""
    where = ([PREDICTIONS.c.at >= since] if since else []) + ([PREDICTIONS.c.at < until] if until else [])
    with traffic.engine.connect() as connection:
        found = read_tally(connection, traffic.counting, since, until)
        rows = read_rows(connection, "obesity", traffic.served.version, *where)
    assert found.rows == len(rows)
    if len(rows):
        np.testing.assert_allclose(found.figures, traffic.counting.tally(rows).figures)


def test_hours_add_up_to_the_rows_however_often_they_are_counted(
    traffic: Traffic, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("labline.monitoring.tally_hours.ROWS_AT_ONCE", 50)
    assert count_rows(traffic.engine, traffic.counting) == 0
    traffic.log(traffic.rows(130))
    assert count_rows(traffic.engine, traffic.counting) == 130
    assert count_rows(traffic.engine, traffic.counting) == 0
    late = traffic.log(traffic.rows(20, begin=NOON))  # replayed: of an hour that was counted before
    assert count_rows(traffic.engine, traffic.counting) == len(late)
    assert by_hour(traffic) == {NOON: 80, NOON + HOUR: 60, NOON + 2 * HOUR: 10}
    np.testing.assert_allclose(whole(traffic).figures, recounted(traffic).figures)


def test_only_the_hours_asked_for_are_read(traffic: Traffic) -> None:
    traffic.log(traffic.rows(150))
    count_rows(traffic.engine, traffic.counting)
    with traffic.engine.connect() as connection:
        assert read_tally(connection, traffic.counting, since=NOON + HOUR, until=NOON + 2 * HOUR).rows == 60
        assert read_tally(connection, traffic.counting, since=NOON + 3 * HOUR).rows == 0
        assert list(rows_by_hour(connection, traffic.counting, since=NOON + HOUR)) == [NOON + HOUR, NOON + 2 * HOUR]


def test_days_that_are_over_stand_for_their_hours(traffic: Traffic) -> None:
    rows = [
        row
        for day in (0, 1, 3, 4)
        for row in traffic.log(traffic.rows(130, begin=NOON + timedelta(days=day, hours=10)))  # until after midnight
    ]
    count_rows(traffic.engine, traffic.counting)
    assert days(traffic) == [MIDNIGHT + timedelta(days=day) for day in range(5)]
    assert_same(traffic)
    with traffic.engine.begin() as connection:
        connection.execute(delete(DAY_TALLIES))  # as in a database that was made before there were days
    assert_same(traffic)
    late = traffic.log(traffic.rows(20, begin=NOON))  # replayed: of a day that was added up before
    count_rows(traffic.engine, traffic.counting)
    assert days(traffic) == [MIDNIGHT + timedelta(days=day) for day in range(5)]
    assert_same(traffic)
    gone = [row.prediction_id for row in rows[130:260] if row.at < MIDNIGHT + timedelta(days=2)]
    PredictionLog(traffic.engine).erase("obesity", [*gone, late[0].prediction_id])
    count_rows(traffic.engine, traffic.counting)
    assert_same(traffic)
    for since, until in [(10, 25), (13, 100), (24, 72), (25, 26), (0, 48), (36, 200), (99, 99)]:
        assert_same(traffic, MIDNIGHT + since * HOUR, MIDNIGHT + until * HOUR)


def test_another_versions_answers_are_not_counted(traffic: Traffic) -> None:
    traffic.log([replace(row, version=9) for row in traffic.rows(10)] + traffic.rows(5))
    assert count_rows(traffic.engine, traffic.counting) == 5
    assert by_hour(traffic) == {NOON: 5}


def test_another_profile_has_everything_counted_again(traffic: Traffic) -> None:
    traffic.log(traffic.rows(30))
    count_rows(traffic.engine, traffic.counting)
    other = replace(traffic.counting, digest="another")
    assert count_rows(traffic.engine, other) == 30
    assert by_hour(traffic) == {NOON: 30}
    assert count_rows(traffic.engine, other) == 0


def test_erased_rows_are_gone_from_their_hour_alone(traffic: Traffic) -> None:
    rows = traffic.log(traffic.rows(130))
    count_rows(traffic.engine, traffic.counting)
    erased = [row.prediction_id for row in rows[:10] + rows[120:]]
    keep(traffic.engine, "obesity", [Told(name, traffic.problem.classes[0], NOON) for name in erased[1:]], NOON)
    assert PredictionLog(traffic.engine).erase("obesity", erased) == 20
    count_rows(traffic.engine, traffic.counting)
    assert by_hour(traffic) == {NOON: 50, NOON + HOUR: 60}
    np.testing.assert_allclose(whole(traffic).figures, recounted(traffic).figures)
    with traffic.engine.connect() as connection:
        assert connection.execute(select(LABELS.c.prediction_id)).all() == []


def test_what_was_counted_outlives_the_rows_and_their_labels_do_not(traffic: Traffic) -> None:
    rows = traffic.log(traffic.rows(130))
    labels = [Told(row.prediction_id, str(row.prediction), NOON) for row in rows]
    keep(traffic.engine, "obesity", labels, NOON + HOUR)
    count_rows(traffic.engine, traffic.counting)
    PredictionLog(traffic.engine).prune(NOON + 2 * HOUR)
    count_rows(traffic.engine, traffic.counting)
    assert by_hour(traffic) == {NOON: 60, NOON + HOUR: 60, NOON + 2 * HOUR: 10}
    with traffic.engine.connect() as connection:
        assert len(connection.execute(select(LABELS.c.prediction_id)).all()) == 10


def _count(work: tuple[str, Path, int]) -> int:
    url, folder, times = work
    bundle = Bundle.load(folder)
    profile = Profile.model_validate_json((folder / PROFILE_FILE).read_bytes())
    counting = Counting(bundle.problem, 1, profile, bundle.digest)
    return sum(count_rows(open_database(url), counting) for _ in range(times))


@pytest.mark.thorough
def test_processes_that_count_while_rows_come_count_each_row_once(traffic: Traffic) -> None:
    url = traffic.engine.url.render_as_string(hide_password=False)
    with ProcessPoolExecutor(3, FORKED) as pool:
        work = [pool.submit(_count, (url, traffic.served.folder, 30)) for _ in range(3)]
        for _ in range(30):
            traffic.log(traffic.rows(20))
        counted = sum(one.result() for one in work)
    counted += count_rows(traffic.engine, traffic.counting)
    assert counted == 600
    np.testing.assert_allclose(whole(traffic).figures, recounted(traffic).figures)


@pytest.mark.postgres
def test_a_row_that_is_committed_after_one_with_a_higher_sequence_is_counted(
    postgres: str, config: Config, sample: dict[str, pd.DataFrame]
) -> None:
    migrate(open_database(postgres))
    traffic = Traffic.of(config, sample["train"], postgres)
    slow, fast = traffic.rows(2)
    values = {name: value for name, value in vars(slow).items() if name in PREDICTIONS.c}
    with traffic.engine.connect() as writing:
        lock_commits(writing, shared=True)
        writing.execute(PREDICTIONS.insert(), values)  # has its sequence, and is not committed
        PredictionLog(traffic.engine).add([fast])
        with ProcessPoolExecutor(1, FORKED) as pool:
            counted = pool.submit(_count, (postgres, traffic.served.folder, 1))
            _until_someone_waits(traffic)
            assert not counted.done()
            writing.commit()
            assert counted.result() == 2


def _until_someone_waits(traffic: Traffic) -> None:
    """Until the counting has come to where it must wait for those that write."""
    deadline = datetime.now(UTC) + timedelta(seconds=30)
    waiting = text("SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND NOT granted")
    while datetime.now(UTC) < deadline:
        with traffic.engine.connect() as connection:
            if connection.execute(waiting).scalar_one():
                return
    raise AssertionError("no one waits")
