"""Requests for minutes while everything around the API changes or fails; then every acknowledged answer is looked up.

Run it as `python benchmarks/endurance.py [--seconds 300]`; LABLINE_TEST_POSTGRES names a database to write to. Two
workers answer 16 connections as fast as they can. Meanwhile the champion changes twenty times, the database cannot be
reached for a tenth of the time, and one worker is killed. What counts: answers other than 200 and what they were, and
whether each id that was answered with 200 is in the log exactly once.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import re
import signal
import subprocess
import sys
import tempfile
import time
import uuid
from collections import Counter
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

from sqlalchemy import NullPool, create_engine, make_url, text

from labline import pipeline
from labline.config import load
from labline.contract.examples import example_record
from labline.database import open_database
from labline.migrations import migrate
from labline.model.registry import Registry

CONNECTIONS = 16
CHANGES = 20
PATIENCE = 20.0  # seconds for an answer


@dataclass
class Seen:
    """What the clients saw."""

    ids: list[str] = field(default_factory=list)
    statuses: Counter[str] = field(default_factory=Counter)
    versions: Counter[int] = field(default_factory=Counter)
    slowest: float = 0.0


class Forwarder:
    """A port before the database, which can be closed: then all its connections break, and none is made."""

    def __init__(self, host: str, port: int) -> None:
        self._to = (host, port)
        self._open = True
        self._writers: set[asyncio.StreamWriter] = set()
        self.port = 0

    async def start(self) -> None:
        """Listen on a free port."""
        server = await asyncio.start_server(self._carry, "127.0.0.1", 0)
        self.port = server.sockets[0].getsockname()[1]

    def close(self) -> None:
        """Break all connections, and let none be made."""
        self._open = False
        for writer in self._writers:
            writer.transport.abort()

    def open(self) -> None:
        """Carry again what comes."""
        self._open = True

    async def _carry(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if not self._open:
            writer.transport.abort()
            return
        there_reader, there_writer = await asyncio.open_connection(*self._to)
        both = {writer, there_writer}
        self._writers |= both

        async def pump(source: asyncio.StreamReader, target: asyncio.StreamWriter) -> None:
            try:
                while data := await source.read(65536):
                    target.write(data)
                    await target.drain()
            except ConnectionError:
                pass  # it is broken on purpose
            target.close()

        try:
            await asyncio.gather(pump(reader, there_writer), pump(there_reader, writer))
        except asyncio.CancelledError:
            return  # the end of the run
        self._writers -= both


async def client(port: int, request: bytes, until: float, seen: Seen) -> None:
    """Ask again and again over one connection, and over a new one when it breaks."""
    reader = writer = None
    while time.monotonic() < until:
        try:
            if writer is None or reader is None:
                reader, writer = await asyncio.open_connection("127.0.0.1", port)
            started = time.monotonic()
            writer.write(request)
            async with asyncio.timeout(PATIENCE):
                head = await reader.readuntil(b"\r\n\r\n")
                length = int(re.search(rb"content-length: (\d+)", head, re.IGNORECASE)[1])  # type: ignore[index]
                body = await reader.readexactly(length)
        except (OSError, TimeoutError, asyncio.IncompleteReadError) as error:
            seen.statuses[f"no answer ({type(error).__name__})"] += 1
            writer = None
            await asyncio.sleep(0.05)
            continue
        seen.slowest = max(seen.slowest, time.monotonic() - started)
        status = head.split(b" ", 2)[1].decode()
        seen.statuses[status] += 1
        if status == "200":
            said = json.loads(body)
            seen.ids.append(said["prediction_id"])
            seen.versions[said["model"]["version"]] += 1
        elif b"connection: close" in head.lower():
            writer = None


def change(root: str, number: int) -> float:
    """Make a version the champion; gives when it was done."""
    config = load(Path(root))
    pipeline.promote(config, pipeline.open_problem(config, "obesity"), number=number, force=True)
    return time.time()


async def changes(root: Path, until: float, processes: ProcessPoolExecutor) -> tuple[int, int]:
    """Twenty changes of the champion over the time, and how many were not possible as the database was away."""
    done = refused = 0
    while done < CHANGES and (left := until - time.monotonic()) > 0:
        due = time.monotonic() + left / (CHANGES - done + 2)  # what the outage cost is made up for
        try:
            await asyncio.get_running_loop().run_in_executor(processes, change, str(root), 2 - done % 2)
            done += 1
        except Exception as error:  # noqa: BLE001 - told
            refused += 1
            print(f"  a promotion was refused: {str(error)[:100]}", flush=True)
        await asyncio.sleep(max(0.0, due - time.monotonic()))
    return done, refused


async def run(seconds: float, root: Path, address: str) -> None:
    """The whole of it."""
    url = make_url(address)
    database = Forwarder(url.host or "127.0.0.1", url.port or 5432)
    await database.start()
    through = url.set(host="127.0.0.1", port=database.port).render_as_string(hide_password=False)
    os.environ["LABLINE_STORAGE__DATABASE_URL"] = through
    config = load(root)
    problem = pipeline.open_problem(config, "obesity")
    with ProcessPoolExecutor(1) as processes:
        loop = asyncio.get_running_loop()
        await loop.run_in_executor(processes, change, str(root), 1)
        server = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "labline", "serve", "obesity", "--port", "0",
            env=os.environ | {"LABLINE_SETTINGS__ROOT": str(root), "LABLINE_SERVING__WORKERS": "2", "COLUMNS": "200",
                              "LABLINE_SERVING__ACCESS_LOG": "off"},
            stdout=subprocess.PIPE, stderr=(root / "server.log").open("wb"),
        )  # fmt: skip
        assert server.stdout is not None
        port = 0
        while not port:
            found = re.search(rb"the page +http://\S+:(\d+)", await server.stdout.readline())
            port = int(found[1]) if found else 0
        await asyncio.sleep(3)
        body = json.dumps(example_record(problem)).encode()
        request = b"POST /predict HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n%b"
        seen, until = Seen(), time.monotonic() + seconds
        clients = [client(port, request % (len(body), body), until, seen) for _ in range(CONNECTIONS)]
        at_work = asyncio.gather(*clients, changes(root, until, processes))
        await asyncio.sleep(seconds * 0.3)
        database.close()
        print(f"  the database is away for {seconds * 0.1:.0f} s", flush=True)
        await asyncio.sleep(seconds * 0.1)
        database.open()
        await asyncio.sleep(seconds * 0.2)
        workers = subprocess.run(["pgrep", "-P", str(server.pid), "-f", "spawn_main"], capture_output=True, check=True)
        os.kill(int(workers.stdout.split()[0]), signal.SIGKILL)
        print("  a worker is killed", flush=True)
        *_, (done, refused) = await at_work
        await asyncio.sleep(5)
        print("  the server is told to stop", flush=True)
        server.terminate()
        await server.wait()
        print((root / "server.log").read_text()[-int(os.environ.get("TAIL", "0")) :])
    told(seen, seconds, done, refused, address)


def told(seen: Seen, seconds: float, done: int, refused: int, address: str) -> None:
    """The figures."""
    with open_database(address).connect() as connection:
        counted = connection.execute(text("SELECT prediction_id, count(*) FROM predictions GROUP BY 1")).all()
    counts = {row[0]: row[1] for row in counted}
    missing = [one for one in seen.ids if one not in counts]
    print(f"requests/s                     {len(seen.ids) / seconds:,.0f}")
    print(f"answers                        {dict(seen.statuses)}")
    print(f"slowest answer                 {seen.slowest * 1000:,.0f} ms")
    print(f"changes of the champion        {done} ({refused} refused); answers by version {dict(seen.versions)}")
    print(f"acknowledged and not in the log {len(missing)}")
    print(f"in the log more than once      {sum(number > 1 for number in counts.values())}")
    print(f"in the log, never acknowledged {len(set(counts) - set(seen.ids))}")


def workspace(root: Path) -> None:
    """A champion on sample data, and the same bundle once more as version 2."""
    import shutil

    shutil.copytree(Path(__file__).parent.parent / "problems", root / "problems")
    subprocess.run(
        [sys.executable, "-m", "labline", "up", "obesity", "--source", "sample", "--no-serve"],
        env=os.environ | {"LABLINE_SETTINGS__ROOT": str(root)}, check=True, capture_output=True,
    )  # fmt: skip
    registry = Registry(load(root).storage, "obesity")
    first = registry.version(1)
    registry.register(first.run_id, first.source, first.tags)


def main() -> None:
    """Print what became of every answer."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=300)
    seconds = parser.parse_args().seconds
    address = os.environ["LABLINE_TEST_POSTGRES"]
    schema = f"endurance_{uuid.uuid4().hex[:8]}"
    server = create_engine(address, isolation_level="AUTOCOMMIT", poolclass=NullPool)
    with server.connect() as connection:
        connection.execute(text(f"CREATE SCHEMA {schema}"))
    mine = make_url(address).update_query_dict({"options": f"-csearch_path={schema}"})
    try:
        with tempfile.TemporaryDirectory() as scratch:
            workspace(Path(scratch))
            migrate(open_database(mine.render_as_string(hide_password=False)))
            asyncio.run(run(seconds, Path(scratch), mine.render_as_string(hide_password=False)))
    finally:
        with server.connect() as connection:
            connection.execute(text(f"DROP SCHEMA {schema} CASCADE"))


if __name__ == "__main__":
    main()
