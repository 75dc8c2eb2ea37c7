"""The log's writer: what is acknowledged is on disk, in the database or the spool, and in the log once in the end."""

from __future__ import annotations

import asyncio
import os
import signal
import sqlite3
import subprocess
import sys
import threading
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, closing
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import Engine

from labline.database import open_database
from labline.monitoring.log_writer import LogOptions, LogWriter, NotLoggedError
from labline.monitoring.prediction_log import Logged, PredictionLog, Shadow, new_prediction_id

SECONDS = 20
pytestmark = pytest.mark.anyio


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "labline.db"


@pytest.fixture
def engine(file: Path) -> Engine:
    return open_database(f"sqlite:///{file}")


@pytest.fixture
def options(tmp_path: Path) -> LogOptions:
    return LogOptions("acknowledged", 0.5, tmp_path / "spool", 1_000_000)


def logged(number: int = 0, **changes: object) -> Logged:
    content: dict[str, object] = {
        "prediction_id": new_prediction_id(),
        "at": datetime(2026, 3, 1, 12, tzinfo=UTC) + timedelta(microseconds=number),
        "problem": "obesity",
        "version": 3,
        "input": {"Age": 21.3, "SMOKE": "no", "number": number},
        "prediction": "Normal_Weight",
        "probabilities": {"Normal_Weight": 0.1 + 0.2},
    }
    return Logged(**(content | changes))  # type: ignore[arg-type]


def on_disk(file: Path) -> list[str]:
    with closing(sqlite3.connect(file)) as connection:
        return [row[0] for row in connection.execute("select prediction_id from predictions order by sequence")]


def ids(rows: list[Logged]) -> list[str]:
    return [row.prediction_id for row in rows]


def sql(file: Path, statement: str) -> None:
    with closing(sqlite3.connect(file)) as connection:
        connection.execute(statement)
        connection.commit()


def break_table(file: Path) -> None:
    sql(file, "alter table predictions rename to elsewhere")


def mend_table(file: Path) -> None:
    sql(file, "alter table elsewhere rename to predictions")


@asynccontextmanager
async def writing(engine: Engine, options: LogOptions) -> AsyncIterator[LogWriter]:
    writer = LogWriter(engine, options)
    await writer.start()
    try:
        yield writer
    finally:
        await writer.close()


async def until(holds: Callable[[], bool]) -> None:
    async with asyncio.timeout(SECONDS):
        while not holds():
            await asyncio.sleep(0.02)


async def test_an_answer_is_on_disk_when_it_is_acknowledged(engine: Engine, options: LogOptions, file: Path) -> None:
    async with writing(engine, options) as writer:
        for number in range(20):
            row = logged(number)
            await writer.add([row])
            assert on_disk(file)[-1] == row.prediction_id


async def test_many_at_once_share_commits_and_keep_the_order_they_came_in(
    engine: Engine, options: LogOptions, file: Path
) -> None:
    async with writing(engine, options) as writer:
        rows = [logged(number) for number in range(1500)]
        await asyncio.gather(*(writer.add([row]) for row in rows))
    assert on_disk(file) == ids(rows)


async def test_close_writes_what_was_handed_in(engine: Engine, options: LogOptions, file: Path) -> None:
    rows = [logged(number) for number in range(300)]
    async with writing(engine, replace(options, durability="background")) as writer:
        for row in rows:
            await writer.add([row])
    assert on_disk(file) == ids(rows)


async def test_without_durability_nothing_is_written(engine: Engine, options: LogOptions, file: Path) -> None:
    PredictionLog(engine)
    async with writing(engine, replace(options, durability="none")) as writer:
        await writer.add([logged()])
        assert writer.status().writable
    assert on_disk(file) == []
    assert not options.spool.exists()


async def test_while_the_database_fails_answers_are_spooled_and_written_in_order_once_it_is_mended(
    engine: Engine, options: LogOptions, file: Path
) -> None:
    rows = [logged(number) for number in range(200)]
    async with writing(engine, options) as writer:
        await writer.add(rows[:1])
        break_table(file)
        for start in range(1, 150, 10):
            await writer.add(rows[start : start + 10])
        status = writer.status()
        assert status.failure is not None and status.writable
        assert status.spooled == 150
        mend_table(file)
        for row in rows[151:]:
            await writer.add([row])
        await until(lambda: writer.status().spooled == 0)
        assert writer.status().failure is None
        assert on_disk(file) == ids(rows)


async def test_a_slow_database_is_not_waited_for_and_no_row_is_there_twice(
    engine: Engine, options: LogOptions, file: Path
) -> None:
    rows = [logged(number) for number in range(30)]
    async with writing(engine, replace(options, patience_seconds=0.1)) as writer:
        await writer.add(rows[:1])
        with closing(sqlite3.connect(file, isolation_level=None)) as other:
            other.execute("begin immediate")  # the database neither takes rows nor refuses them
            async with asyncio.timeout(2):
                for row in rows[1:]:
                    await writer.add([row])
            assert "has not answered for 100 ms" in (writer.status().failure or "")
            other.execute("commit")
        await until(lambda: writer.status().spooled == 0)
    assert on_disk(file) == ids(rows)


async def test_looking_for_the_database_does_not_get_in_the_way_of_a_commit(
    engine: Engine, options: LogOptions, file: Path
) -> None:
    async with writing(engine, options) as writer:
        with closing(sqlite3.connect(file, isolation_level=None)) as other:
            other.execute("begin immediate")
            commit = asyncio.create_task(writer.add([logged()]))
            await asyncio.sleep(0.05)  # it waits for the file
            look = asyncio.create_task(writer._probe())
            next_commit = asyncio.create_task(writer.add([logged(1)]))
            await asyncio.sleep(0.05)
            other.execute("commit")
            async with asyncio.timeout(SECONDS):
                await asyncio.gather(commit, look, next_commit)
    assert len(on_disk(file)) == 2


async def test_what_is_spooled_is_written_by_the_next_process_that_starts(
    engine: Engine, options: LogOptions, file: Path
) -> None:
    rows = [logged(number) for number in range(5)]
    shadow = Shadow(rows[0].prediction_id, 9, rows[0].at, "obesity", "Obesity_Type_I", {})
    async with writing(engine, options) as writer:
        break_table(file)
        await writer.add([*rows, shadow])
    mend_table(file)
    assert on_disk(file) == []
    async with writing(engine, options) as writer:
        await until(lambda: writer.status().spooled == 0)
    assert on_disk(file) == ids(rows)
    with closing(sqlite3.connect(file)) as connection:
        assert connection.execute("select version from shadows").fetchall() == [(9,)]


async def test_a_process_that_lives_writes_what_one_that_died_has_left(
    engine: Engine, options: LogOptions, file: Path
) -> None:
    rows = [logged(number) for number in range(5)]
    async with writing(engine, options) as first, writing(engine, options) as second:
        break_table(file)
        await first.add(rows[:1])
        await second.add(rows[1:])
        assert len(list(options.spool.iterdir())) == 2
        await first.close()  # what it had is in its folder, and nobody holds that
        mend_table(file)
        await until(lambda: len(on_disk(file)) == 5)
    assert sorted(on_disk(file)) == sorted(ids(rows))


async def test_an_answer_that_finds_no_room_is_refused_and_nothing_else_is_lost(
    engine: Engine, options: LogOptions, file: Path
) -> None:
    rows = [logged(number) for number in range(100)]
    kept = []
    async with writing(engine, replace(options, spool_bytes=5000)) as writer:
        break_table(file)
        for row in rows:
            try:
                await writer.add([row])
                kept.append(row)
            except NotLoggedError as error:
                assert "no room" in error.what
                assert "21.3" not in str(error)
        assert 0 < len(kept) < 100
        assert not writer.status().writable or writer.status().spooled_bytes < 5000
        mend_table(file)
        await until(lambda: writer.status().spooled == 0)
    assert on_disk(file) == ids(kept)


async def test_in_the_background_what_finds_no_room_is_counted_as_lost(
    engine: Engine, options: LogOptions, file: Path
) -> None:
    async with writing(engine, replace(options, durability="background", spool_bytes=300)) as writer:
        break_table(file)
        for number in range(10):
            await writer.add([logged(number)])
            await asyncio.sleep(0.02)
        await until(lambda: writer.status().queued == 0)
        assert writer.status().lost + writer.status().spooled == 10
        assert writer.status().lost > 0


async def test_a_row_the_database_refuses_for_what_it_is_is_set_aside_and_the_others_are_written(
    engine: Engine, options: LogOptions, file: Path
) -> None:
    PredictionLog(engine)
    sql(
        file,
        "create trigger no before insert on predictions when new.version = 13 begin select raise(abort, 'no'); end",
    )
    rows = [logged(number, version=13 if number == 2 else 3) for number in range(5)]
    async with writing(engine, options) as writer:
        await writer.add(rows)
        await until(lambda: writer.status().spooled == 0)
        assert writer.status().failure is None
    assert on_disk(file) == ids([row for row in rows if row.version == 3])
    [refused] = options.spool.rglob("refused.jsonl")
    assert refused.read_text().count("\n") == 1 and rows[2].prediction_id in refused.read_text()


async def test_a_request_that_gives_up_waiting_neither_loses_its_rows_nor_stops_the_writer(
    engine: Engine, options: LogOptions, file: Path
) -> None:
    async with writing(engine, options) as writer:
        waiting = [asyncio.create_task(writer.add([logged(number)])) for number in range(3)]
        await asyncio.sleep(0)
        for task in waiting:
            task.cancel()
        await writer.add([logged(3)])
    assert len(on_disk(file)) == 4


async def test_the_spool_and_the_database_both_away_is_told(engine: Engine, tmp_path: Path, file: Path) -> None:
    (tmp_path / "file").write_text("in the way of a folder")
    options = LogOptions("acknowledged", 0.5, tmp_path / "file", 1_000_000)
    async with writing(engine, options) as writer:
        await writer.add([logged()])
        break_table(file)
        with pytest.raises(NotLoggedError, match="spool cannot be used"):
            await writer.add([logged()])
        assert not writer.status().writable


KILLED = """
import asyncio, sys
from pathlib import Path
from tests.monitoring.test_log_writer import logged
from labline.database import open_database
from labline.monitoring.log_writer import LogOptions, LogWriter

async def main():
    options = LogOptions("acknowledged", 0.05, Path(sys.argv[2]), 10**8)
    writer = LogWriter(open_database(f"sqlite:///{sys.argv[1]}"), options)
    await writer.start()
    async def client(number):
        while True:
            row = logged(number)
            await writer.add([row])
            print(row.prediction_id, flush=True)
    await asyncio.gather(*(client(number) for number in range(8)))

asyncio.run(main())
"""


@pytest.mark.parametrize("slow", [False, True], ids=["database there", "database slow now and then"])
async def test_what_was_acknowledged_is_in_the_log_once_although_the_process_is_killed(
    engine: Engine, options: LogOptions, file: Path, *, slow: bool
) -> None:
    PredictionLog(engine)
    root = Path(__file__).parents[2]
    environment = os.environ | {"PYTHONPATH": f"{root}{os.pathsep}{os.environ.get('PYTHONPATH', '')}"}
    command = [sys.executable, "-c", KILLED, str(file), str(options.spool)]
    acknowledged: list[str] = []
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment, cwd=root) as process:
        assert process.stdout is not None
        reader = threading.Thread(target=lambda: acknowledged.extend(line.strip() for line in process.stdout or ()))
        reader.start()
        await until(lambda: len(acknowledged) > 50)
        if slow:
            with closing(sqlite3.connect(file, isolation_level=None)) as other:
                other.execute("begin immediate")
                seen = len(acknowledged)
                await until(lambda: len(acknowledged) > seen + 100)
                process.send_signal(signal.SIGKILL)
                other.execute("rollback")
        else:
            process.send_signal(signal.SIGKILL)
        process.wait()
        reader.join()
    whole = [one for one in acknowledged if len(one) == 36]  # the last line may be cut
    if not slow:
        assert set(whole) <= set(on_disk(file))
    async with writing(engine, options) as writer:
        await until(lambda: writer.status().spooled == 0)
    written = on_disk(file)
    assert set(whole) <= set(written)
    assert len(written) == len(set(written))
