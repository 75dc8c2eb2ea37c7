"""The lock that lets one promotion at a time through: between processes, and free when its holder is killed."""

from __future__ import annotations

import multiprocessing
import os
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from multiprocessing.synchronize import Event
from pathlib import Path

import pytest
from sqlalchemy import text

from labline.database import open_database
from labline.errors import DatabaseError, RegistryError
from labline.model.promotion_lock import promotion_lock


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.postgres)])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """A database of each kind."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path}/labline.db"
    return str(request.getfixturevalue("postgres"))


def hold(url: str, problem: str, held: Event, release: Event) -> None:
    with promotion_lock(open_database(url), problem):
        held.set()
        release.wait(60)


@contextmanager
def held_elsewhere(url: str, problem: str) -> Iterator[tuple[multiprocessing.process.BaseProcess, Event]]:
    """Another process has the lock, until the event is set."""
    processes = multiprocessing.get_context("spawn")
    held, release = processes.Event(), processes.Event()
    process = processes.Process(target=hold, args=(url, problem, held, release))
    process.start()
    try:
        assert held.wait(60)
        yield process, release
    finally:
        if process.is_alive():  # one that was killed would be waited for
            release.set()
        process.join(60)


def test_who_comes_second_waits_until_the_first_is_done(url: str) -> None:
    with held_elsewhere(url, "obesity") as (_, release):
        with (
            pytest.raises(RegistryError, match=r"'obesity' has not ended after 0\.2 s") as refused,
            promotion_lock(open_database(url), "obesity", wait_seconds=0.2),
        ):
            pass
        assert refused.value.mend
        release.set()
        with promotion_lock(open_database(url), "obesity", wait_seconds=30) as held:
            held.check()


def test_another_problem_does_not_wait(url: str) -> None:
    with held_elsewhere(url, "obesity"), promotion_lock(open_database(url), "mercari", wait_seconds=0.2):
        pass


def test_the_lock_of_a_holder_that_was_killed_is_free(url: str) -> None:
    with held_elsewhere(url, "obesity") as (process, _):
        assert process.pid is not None
        os.kill(process.pid, signal.SIGKILL)
        process.join(30)
        with promotion_lock(open_database(url), "obesity", wait_seconds=20):
            pass


def test_the_prediction_log_can_be_written_to_while_the_lock_is_held(url: str) -> None:
    engine = open_database(url)
    with engine.begin() as connection:
        connection.execute(text("CREATE TABLE log (x INTEGER)"))
    with held_elsewhere(url, "obesity"):
        started = time.monotonic()
        with engine.begin() as connection:
            connection.execute(text("INSERT INTO log VALUES (1)"))
        assert time.monotonic() - started < 5


def test_what_goes_wrong_under_the_lock_frees_it(url: str) -> None:
    engine = open_database(url)
    with pytest.raises(KeyError), promotion_lock(engine, "obesity"):
        raise KeyError
    with promotion_lock(engine, "obesity", wait_seconds=0.2):
        pass


@pytest.mark.postgres
def test_a_lock_that_is_lost_with_its_connection_is_noticed(postgres: str) -> None:
    engine = open_database(postgres)
    with promotion_lock(engine, "obesity") as held:
        pid = held.connection.execute(text("SELECT pg_backend_pid()")).scalar_one()
        with engine.connect() as other:
            other.execute(text("SELECT pg_terminate_backend(:pid, 5000)"), {"pid": pid})
        with pytest.raises(DatabaseError, match="cannot be used"):
            held.check()
