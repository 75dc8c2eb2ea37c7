"""How long GET /monitor takes over a log of a million rows: real server, real HTTP, medians; 30 days of traffic.

Beside the median stands the CPU time of server and worker for one answer, which other work on the machine changes less.

python benchmarks/monitoring_latency.py            a log of 1,000,000 rows in a temporary folder
python benchmarks/monitoring_latency.py 100000     a smaller one

LABLINE_TEST_POSTGRES names a PostgreSQL to keep the log in, in a schema of its own; without it, it is SQLite.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

from sqlalchemy import NullPool, create_engine, make_url, text

from labline import pipeline
from labline.config import Config, load
from labline.contract.examples import example_records
from labline.database import open_database
from labline.model.bundle import Bundle
from labline.monitoring.log_partitions import make_partitions
from labline.monitoring.prediction_log import PREDICTIONS, Logged, PredictionLog, new_prediction_id

ROOT = Path(__file__).resolve().parents[1]
DAYS = 30
DIFFERENT = 2000  # rows that are different; the others are copies with ids and times of their own
# Copies of the first rows, with ids and times of their own.
COPIES = {
    "sqlite": "WITH RECURSIVE n(i) AS (SELECT {different} UNION ALL SELECT i + 1 FROM n WHERE i + 1 < {rows}) "
    "INSERT INTO predictions (prediction_id, at, problem, version, {names}) "
    "SELECT printf('copy-%010d', n.i), "
    "strftime('%Y-%m-%d %H:%M:%f000', '{begin}', printf('+%f seconds', n.i * {step})), "
    "'obesity', {version}, p.input, p.prediction, p.probabilities "
    "FROM n JOIN predictions p ON p.sequence = 1 + n.i * 7919 % {different}",
    "postgresql": "INSERT INTO predictions (prediction_id, at, problem, version, {names}) "
    "SELECT 'copy-' || lpad(i::text, 10, '0'), timestamptz '{begin}+00' + i * {step} * interval '1 second', "
    "'obesity', {version}, p.input, p.prediction, p.probabilities "
    "FROM generate_series({different}, {rows} - 1) i "
    "JOIN predictions p ON p.sequence = 1 + mod(i * 7919::bigint, {different}) ORDER BY i",
}
GOALS = {"last=1000": 50.0, f"since={DAYS} days ago": 100.0}


def main(rows: int = 1_000_000) -> None:
    """Make a workspace with a champion and a log, serve it, ask."""
    with tempfile.TemporaryDirectory() as folder, log_database() as database:
        root = Path(folder)
        shutil.copytree(ROOT / "problems", root / "problems")
        os.environ["LABLINE_SETTINGS__ROOT"] = folder
        os.environ["LABLINE_TRAINING__BUDGET_SECONDS"] = "30"
        os.environ["LABLINE_MONITORING__WATCH_SECONDS"] = "100000"  # it is asked here, and does not look by itself
        config = load(root)
        pipeline.bring_up(config, pipeline.open_problem(config, "obesity"), source="sample")
        fill(config, rows)
        served = pipeline.champion(config, "obesity")
        print(f"{rows:,} rows in the log over {DAYS} days, {database}")
        began, used = time.perf_counter(), time.process_time()
        pipeline.monitor(config, served)
        used = time.process_time() - used
        print(f"counted once, {1e6 * used / rows:.1f} µs of CPU a row ({time.perf_counter() - began:.0f} s)")
        open_database(config.storage.database_url.get_secret_value()).dispose()
        os.sync()  # what was just written is not to be paid for by who reads
        with serving() as (address, process):
            measure(address, process)


def fill(config: Config, rows: int) -> None:
    """Answers to example records, copied inside the database."""
    served = pipeline.champion(config, "obesity")
    bundle = Bundle.load(served.folder)
    records = example_records(bundle.problem, DIFFERENT)
    begin = datetime.now(UTC) - timedelta(days=DAYS) + timedelta(minutes=1)
    engine = open_database(config.storage.database_url.get_secret_value())
    with engine.begin() as connection:
        make_partitions(connection, begin)  # as it was when these rows came
    answers = bundle.predict(records)
    PredictionLog(engine).add(
        [
            Logged(new_prediction_id(), begin, "obesity", served.version, record, one.prediction, one.probabilities)
            for record, one in zip(records, answers, strict=True)
        ]
    )
    kept = [PREDICTIONS.c.input, PREDICTIONS.c.prediction, PREDICTIONS.c.probabilities]
    names = ", ".join(column.name for column in kept)
    step = DAYS * 86_400 / rows
    with engine.begin() as connection:
        connection.exec_driver_sql(
            COPIES[engine.dialect.name].format(
                names=names,
                rows=rows,
                different=DIFFERENT,
                begin=f"{begin:%Y-%m-%d %H:%M:%S}",
                step=step,
                version=served.version,
            )
        )
        connection.exec_driver_sql("ANALYZE")


@contextmanager
def log_database() -> Iterator[str]:
    """Where the log is kept: SQLite in the workspace, or a schema of its own in the PostgreSQL that is named."""
    address = os.environ.get("LABLINE_TEST_POSTGRES")
    if address is None:
        yield "SQLite"
        return
    schema = f"bench_{uuid.uuid4().hex}"
    server = create_engine(address, isolation_level="AUTOCOMMIT", poolclass=NullPool)
    with server.connect() as connection:
        connection.execute(text(f"CREATE SCHEMA {schema}"))
    url = make_url(address).update_query_dict({"options": f"-csearch_path={schema}"})
    os.environ["LABLINE_STORAGE__DATABASE_URL"] = url.render_as_string(hide_password=False)
    try:
        yield "PostgreSQL"
    finally:
        with server.connect() as connection:
            connection.execute(text(f"DROP SCHEMA {schema} CASCADE"))


@contextmanager
def serving() -> Iterator[tuple[str, int]]:
    """`labline serve` on a free port, and its process."""
    command = [sys.executable, "-m", "labline", "serve", "obesity", "--port", "0"]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, encoding="utf-8"
    ) as process:
        assert process.stdout is not None
        try:
            for line in process.stdout:
                if found := re.search(r"the page\s+(http://\S+)", line):
                    yield found.group(1), process.pid
                    return
            raise SystemExit("the server did not start")
        finally:
            process.terminate()


def below(process: int) -> set[int]:
    """A process's children and theirs, as Linux has it: workers are forked from one of them."""
    own = {int(one) for one in Path(f"/proc/{process}/task/{process}/children").read_text(encoding="ascii").split()}
    return own.union(*map(below, own))


def cpu_seconds(processes: set[int]) -> float:
    """CPU time that processes have used."""
    spent = [Path(f"/proc/{one}/stat").read_text(encoding="utf-8").rpartition(")")[2].split() for one in processes]
    return sum(int(ticks) for fields in spent for ticks in fields[11:13]) / os.sysconf("SC_CLK_TCK")


def ask(address: str) -> bytes:
    """The answer's body."""
    with urllib.request.urlopen(address) as answer:
        body: bytes = answer.read()
    return body


def measure(address: str, process: int) -> None:
    """Medians of each question, after a first one that loads the worker."""
    time.sleep(10)  # until the worker that asks the registry is there
    others = below(process)
    ask(f"{address}/monitor?last=300")
    working = {process} | below(process) - others
    since = datetime.now(UTC) - timedelta(days=DAYS)
    questions = {
        "last=1000": "last=1000",
        "last=300": "last=300",
        "last=20000": "last=20000",
        "last=1000000": "last=1000000",
        f"since={DAYS} days ago": f"since={since:%Y-%m-%dT%H:%M:%SZ}",
        "since=1 hour ago": f"since={datetime.now(UTC) - timedelta(hours=1):%Y-%m-%dT%H:%M:%SZ}",
        "last=1000&segment=Gender:Female": "last=1000&segment=Gender:Female",
    }
    print(f"{'GET /monitor?':36} {'rows':>9} {'median ms':>10} {'goal':>6} {'CPU ms':>7}")
    for name, question in questions.items():
        times, used = [], 0.0
        for turn in range(21):
            used = cpu_seconds(working) if turn == 1 else used
            began = time.perf_counter()
            body = ask(f"{address}/monitor?{question}")
            times.append(1000 * (time.perf_counter() - began))
        found = json.loads(body)
        used, goal = 1000 * (cpu_seconds(working) - used) / (len(times) - 1), GOALS.get(name, "")
        print(f"{name:36} {found['rows']:9,} {statistics.median(times[1:]):10.1f} {goal:>6} {used:7.1f}")


if __name__ == "__main__":
    main(*map(int, sys.argv[1:2]))
