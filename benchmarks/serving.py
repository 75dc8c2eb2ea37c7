"""Requests per second and latency of POST /predict, beside bare FastAPI, a pandas pipeline, and `mlflow models serve`.

Run it as `python benchmarks/serving.py [--families lightgbm,…] [--turns 12]` on a machine with nothing else to do and
`wrk` on it; LABLINE_REAL_DATA names the folder with `obesity/train.csv`. Each server has one worker. All of them are up
at once and pinned to one core, where those that are not asked are stopped; wrk is on another and asks one after the
other for a second or two, in all turns again, so that a slow moment of the machine is not one server's alone. The
tables have each one's median over the turns. All answer the same record with 300 rounds (or trees).
"""

from __future__ import annotations

import argparse
import json
import os
import re
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, NamedTuple
from urllib.error import URLError
from urllib.request import Request, urlopen

import champions

from labline.contract.examples import example_record
from labline.pipeline.problem import open_problem

FAMILIES = ("lightgbm", "xgboost", "catboost", "random_forest", "blend")
SERVER_CORE, CLIENT_CORE = "0", "1"
START_SECONDS = 120
QUIET = 0.05  # of a core: what a server takes that has done with its start
BARE_LABEL, PANDAS_LABEL = "bare FastAPI, no model", "FastAPI over a pandas pipeline"
MLFLOW_LABEL = "mlflow models serve"
HEAD = f"{'':40} {'median, 1':>11} {'req/s, 1':>8} {'req/s, 16':>9}"
# `mlflow models serve` looks for uvicorn by name
PATH = {"PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"}

BARE = """
import os
from pathlib import Path
from fastapi import FastAPI
from labline.api.schemas import ModelName, Prediction
from labline.contract import read_problem
from labline.contract.records import request_model

problem = read_problem(Path(os.environ["PROBLEM"]))
Record = request_model(problem)
share = dict.fromkeys(problem.classes, 1 / len(problem.classes))
app = FastAPI()

@app.post("/predict", response_model=Prediction)
async def predict(record: Record):
    name = ModelName(name=problem.name, version=1)
    return Prediction(prediction_id="0" * 36, prediction=problem.classes[0], probabilities=share, model=name)
"""

PANDAS = """
import os
from pathlib import Path
import joblib
import pandas as pd
from fastapi import FastAPI
from labline.contract import read_problem
from labline.contract.records import request_model

problem = read_problem(Path(os.environ["PROBLEM"]))
Record = request_model(problem)
pipeline = joblib.load(os.environ["PIPELINE"])
app = FastAPI()

@app.post("/predict")
async def predict(record: Record):
    frame = pd.DataFrame([record.model_dump(by_alias=True, exclude_none=True)])
    [shares] = pipeline.predict_proba(frame)
    return dict(zip(pipeline.classes_, shares.tolist()))
"""


class Server(NamedTuple):
    """What is started, and what it is asked."""

    label: str
    command: list[str]
    environment: dict[str, str]
    port: int
    path: str
    body: bytes


class Figures(NamedTuple):
    """Of one server."""

    median_ms: float
    one: float
    sixteen: float
    refused: int


def pipeline_files(folder: Path) -> None:
    """A scikit-learn pipeline with the same booster, as joblib and as MLflow model."""
    import joblib
    import mlflow.sklearn
    from lightgbm import LGBMClassifier
    from sklearn.compose import ColumnTransformer
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import OneHotEncoder

    rows = champions.rows().drop(columns="id")
    target = rows.pop("NObeyesdad")
    names = list(rows.select_dtypes(exclude="number"))
    encode = ColumnTransformer(
        [("names", OneHotEncoder(handle_unknown="ignore", sparse_output=False), names)], remainder="passthrough"
    ).set_output(transform="pandas")
    booster = LGBMClassifier(
        n_estimators=champions.ROUNDS, num_leaves=12, learning_rate=0.08, n_jobs=1, random_state=7, verbose=-1
    )
    model = make_pipeline(encode, booster).fit(rows, target)
    joblib.dump(model, folder / "pipeline.joblib")
    mlflow.sklearn.save_model(
        model, folder / "mlflow", serialization_format="cloudpickle", pyfunc_predict_fn="predict_proba"
    )


@contextmanager
def served(server: Server) -> Iterator[int]:
    """The server's process group, stopped once it answers and has done with its start, until the block ends."""
    with (
        tempfile.TemporaryFile() as log,
        subprocess.Popen(
            ["taskset", "-c", SERVER_CORE, *server.command],
            env=os.environ | PATH | server.environment, stdout=log, stderr=log, start_new_session=True,
        ) as process,
    ):  # fmt: skip
        try:
            until = time.monotonic() + START_SECONDS
            while not _answers(server) or not _is_quiet(process.pid):
                if time.monotonic() > until or process.poll() is not None:
                    log.seek(0)
                    raise RuntimeError(log.read().decode()[-2000:])
            os.killpg(process.pid, signal.SIGSTOP)
            yield process.pid
        finally:
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGTERM)
                os.killpg(process.pid, signal.SIGCONT)


@contextmanager
def at_work(group: int) -> Iterator[None]:
    """A stopped process group that goes on until the block ends."""
    os.killpg(group, signal.SIGCONT)
    try:
        yield
    finally:
        os.killpg(group, signal.SIGSTOP)


def _answers(server: Server) -> bool:
    request = Request(f"http://127.0.0.1:{server.port}{server.path}", server.body, {"content-type": "application/json"})
    try:
        with urlopen(request, timeout=5) as answer:
            return bool(answer.status == 200)
    except (URLError, OSError):
        time.sleep(0.5)
        return False


def _is_quiet(session: int) -> bool:
    """Whether its processes take next to nothing for a second."""
    before, seconds = _cpu_seconds(session), 1.0
    time.sleep(seconds)
    return _cpu_seconds(session) - before < QUIET * seconds


def _cpu_seconds(session: int) -> float:
    """What the processes of a session have taken so far; see proc(5)."""
    ticks = 0
    for file in Path("/proc").glob("[0-9]*/stat"):
        try:
            told = file.read_text().rpartition(")")[2].split()
        except (FileNotFoundError, ProcessLookupError):  # it has ended meanwhile
            continue
        if int(told[3]) == session:
            ticks += int(told[11]) + int(told[12])
    return ticks / os.sysconf("SC_CLK_TCK")


def measure(server: Server, seconds: int) -> Figures:
    """With one connection, and with sixteen."""
    with tempfile.TemporaryDirectory() as scratch:
        (Path(scratch) / "body").write_bytes(server.body)
        script = Path(scratch) / "post.lua"
        script.write_text(
            f'wrk.method = "POST"\nwrk.body = io.open("{scratch}/body"):read("*a")\n'
            'wrk.headers["content-type"] = "application/json"\n'
        )
        found = {}
        for connections in (1, 16):
            told = subprocess.run(
                ["taskset", "-c", CLIENT_CORE, "wrk", "-t1", f"-c{connections}", f"-d{seconds}s", "--latency",
                 "-s", str(script), f"http://127.0.0.1:{server.port}{server.path}"],
                capture_output=True, text=True, check=True,
            ).stdout  # fmt: skip
            found[connections] = told
    wrong = sum(int(n) for told in found.values() for n in re.findall(r"Non-2xx or 3xx responses: (\d+)", told))
    return Figures(_milliseconds(found[1]), *(_rate(found[n]) for n in (1, 16)), wrong)


def _milliseconds(told: str) -> float:
    value, unit = re.search(r"50%\s+([\d.]+)(us|ms|s)", told).groups()  # type: ignore[union-attr]
    return float(value) * {"us": 0.001, "ms": 1, "s": 1000}[unit]


def _rate(told: str) -> float:
    return float(re.search(r"Requests/sec:\s+([\d.]+)", told)[1])  # type: ignore[index]


def _port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])


def _peers(scratch: Path, wanted: str, record: dict[str, Any], body: bytes) -> Iterator[Server]:
    contract = champions.ROOT / "problems" / "obesity" / "problem.yaml"
    shared = {"PROBLEM": str(contract), "PIPELINE": str(scratch / "pipeline.joblib")}

    def uvicorn(label: str, name: str, code: str) -> Server:
        (scratch / f"{name}.py").write_text(code)
        port = _port()
        command = [sys.executable, "-m", "uvicorn", f"{name}:app", "--app-dir", str(scratch), "--port", str(port),
                   "--no-access-log", "--log-level", "warning"]  # fmt: skip
        return Server(label, command, shared, port, "/predict", body)

    yield uvicorn(BARE_LABEL, "bare", BARE)
    if wanted == "all":
        pipeline_files(scratch)
        yield uvicorn(PANDAS_LABEL, "frames", PANDAS)
        port = _port()
        command = [sys.executable, "-m", "mlflow", "models", "serve", "-m", str(scratch / "mlflow"),
                   "-p", str(port), "--env-manager", "local", "--workers", "1"]  # fmt: skip
        yield Server(
            MLFLOW_LABEL, command, shared, port, "/invocations", json.dumps({"dataframe_records": [record]}).encode()
        )


def _labline(root: Path, family: str, durability: str, body: bytes) -> Server:
    environment = {
        "LABLINE_SETTINGS__ROOT": str(root),
        "LABLINE_SERVING__DURABILITY": durability,
        "LABLINE_SERVING__ACCESS_LOG": "off",
        # what ten of them do by themselves would be ten times what one does
        "LABLINE_SERVING__CHAMPION_POLL_SECONDS": "3600",
        "LABLINE_MONITORING__WATCH_SECONDS": "3600",
    }
    port = _port()
    command = [sys.executable, "-m", "labline", "serve", "obesity", "--port", str(port)]
    return Server(f"labline, {family}, log {durability}", command, environment, port, "/predict", body)


def _asked() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--families", default=",".join(FAMILIES))
    parser.add_argument("--seconds", type=int, default=1)
    parser.add_argument("--turns", type=int, default=12)
    parser.add_argument("--peers", choices=["all", "bare"], default="all")
    return parser.parse_args()


def main() -> None:
    """Print the tables."""
    said = _asked()
    found: defaultdict[str, list[Figures]] = defaultdict(list)
    with tempfile.TemporaryDirectory() as name, ExitStack() as running:
        scratch = Path(name)
        configs = {family: champions.workspace(scratch / family, family) for family in said.families.split(",")}
        record = example_record(open_problem(next(iter(configs.values())), "obesity"))
        body = json.dumps(record).encode()
        servers = [
            *_peers(scratch, said.peers, record, body),
            *(
                _labline(scratch / family, family, durability, body)
                for family in configs
                for durability in ("none", "acknowledged")
            ),
        ]
        groups = [running.enter_context(served(server)) for server in servers]
        print(f"one turn\n{HEAD}")
        for turn in range(said.turns):
            started = list(zip(servers, groups, strict=True))
            first = turn % len(started)  # so that none always comes after the same other
            for server, group in started[first:] + started[:first]:
                with at_work(group):
                    found[server.label].append(measure(server, said.seconds))
                if not turn:
                    print(_line(server.label, found[server.label][-1]), flush=True)
    medians = {label: _median(each) for label, each in found.items()}
    print(f"\nmedians of {said.turns} turns\n{HEAD}")
    for label, figures in medians.items():
        print(_line(label, figures))
    _ratios(medians)


def _median(each: Sequence[Figures]) -> Figures:
    medians = Figures(*map(statistics.median, zip(*each, strict=True)))
    return medians._replace(refused=sum(one.refused for one in each))


def _line(label: str, told: Figures) -> str:
    refused = f"  {told.refused} refused" if told.refused else ""
    return f"{label:40} {told.median_ms:8.2f} ms {told.one:8,.0f} {told.sixteen:8,.0f}{refused}"


def _ratios(found: dict[str, Figures]) -> None:
    bare = found[BARE_LABEL]
    print(f"\n{'':40} {'median / bare':>13} {'16: / bare':>11} {'/ pandas':>9} {'/ mlflow':>9}")
    for label, one in found.items():
        if label.startswith("labline"):
            peers = (found.get(PANDAS_LABEL), found.get(MLFLOW_LABEL))
            against = [f"{one.sixteen / peer.sixteen:9.1f}" if peer else f"{'-':>9}" for peer in peers]
            print(
                f"{label:40} {one.median_ms / bare.median_ms:13.1f} {one.sixteen / bare.sixteen:11.2f} "
                f"{' '.join(against)}"
            )


if __name__ == "__main__":
    main()
