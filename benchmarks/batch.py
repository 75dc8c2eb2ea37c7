"""Rows a second and peak memory of files scored by `labline predict`, beside a pandas pipeline and the bare model.

Run it as `LABLINE_REAL_DATA=… python benchmarks/batch.py [rows]`; with `memory` in place of rows, one and ten million
rows are scored by the fast model. Every figure is of a process of its own, from the loaded model to the whole file.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import yaml

ROOT = Path(__file__).parent.parent
sys.path.insert(0, str(ROOT / "src"))

from labline import pipeline  # noqa: E402
from labline.config import load  # noqa: E402
from labline.data.batches.reading import open_source  # noqa: E402
from labline.model.bundle import Bundle  # noqa: E402
from labline.model.families.lightgbm import LightGBMMember  # noqa: E402

FAMILIES = ("linear", "lightgbm")
KINDS = ("csv", "parquet")
TARGET = "NObeyesdad"


def prepare(root: Path, rows: int, kinds: tuple[str, ...] = KINDS) -> None:
    """Files of real rows, drawn again and again; a champion and a pandas pipeline of each family."""
    real = Path(os.environ["LABLINE_REAL_DATA"]) / "obesity"
    draw(pd.read_csv(real / "train.csv", dtype=str, keep_default_na=False), root, rows, kinds)
    for family in FAMILIES:
        workspace = root / family
        shutil.copytree(ROOT / "problems", workspace / "problems")
        (workspace / "problems" / "obesity" / "features.py").unlink()  # the pandas pipeline has none either
        training = {"families": [family], "folds": 2, "selection": "none", "trials": 0, "blend": False, "seeds": 1}
        (workspace / "labline.yaml").write_text(yaml.safe_dump({"training": training | {"explained_rows": 0}}))
        config = load(workspace)
        problem = pipeline.open_problem(config, "obesity")
        files = {role: str(real / f"{role}.csv") for role in ("train", "current")}
        pipeline.prepare(config, problem, files=files)  # type: ignore[arg-type]
        pipeline.train(config, problem)
        pipeline.promote(config, problem)


def draw(frame: pd.DataFrame, root: Path, rows: int, kinds: tuple[str, ...]) -> None:
    """Rows of the frame, numbered anew, as files."""
    random = np.random.default_rng(0)
    part = 1_000_000
    for at in range(0, rows, part):
        drawn = frame.iloc[random.integers(0, len(frame), min(part, rows - at))].drop(columns=TARGET)
        drawn["id"] = np.arange(at, at + len(drawn)).astype(str)
        drawn.to_csv(root / f"rows-{rows}.csv", index=False, header=at == 0, mode="a")
    if "parquet" in kinds:
        pd.read_csv(root / f"rows-{rows}.csv").to_parquet(root / f"rows-{rows}.parquet", index=False)


def bundle_of(root: Path, family: str) -> Bundle:
    """The champion of a family."""
    return Bundle.load(pipeline.champion(load(root / family), "obesity").folder)


def labline(root: Path, family: str, source: Path, target: Path) -> Callable[[], object]:
    """What is measured of Labline."""
    bundle, config = bundle_of(root, family), load(root / family)
    return lambda: pipeline.predict_file(config, bundle, str(source), target)


def pandas_pipeline(root: Path, family: str, source: Path, target: Path) -> Callable[[], object]:
    """One-hot names and the same model on all cores, from a frame to a frame, as most would write it."""
    import lightgbm
    from sklearn.compose import make_column_transformer
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import OneHotEncoder, StandardScaler

    rounds = bundle_of(root, family).ensemble.rounds
    frame = pd.read_csv(Path(os.environ["LABLINE_REAL_DATA"]) / "obesity" / "train.csv")
    features = frame.drop(columns=["id", TARGET])
    names = list(features.select_dtypes(exclude="number"))
    numbers = list(features.select_dtypes("number"))
    encoder = make_column_transformer((OneHotEncoder(handle_unknown="ignore"), names), (StandardScaler(), numbers))
    model = (
        LogisticRegression(max_iter=200)
        if family == "linear"
        else lightgbm.LGBMClassifier(
            n_estimators=rounds, num_leaves=12, learning_rate=0.08, colsample_bytree=0.4, n_jobs=-1, verbose=-1
        )
    )
    fitted = make_pipeline(encoder, model).fit(features, frame[TARGET])

    def run() -> None:
        rows = pd.read_csv(source) if source.suffix == ".csv" else pd.read_parquet(source)
        scores = fitted.predict_proba(rows.drop(columns="id"))
        out = pd.DataFrame(scores, columns=fitted.classes_)
        out.insert(0, "prediction", fitted.classes_[scores.argmax(axis=1)])
        out.insert(0, "id", rows["id"])
        if target.suffix == ".csv":
            out.to_csv(target, index=False)
        else:
            out.to_parquet(target, index=False)

    return run


def native(root: Path, family: str, source: Path, target: Path) -> Callable[[], object]:
    """The library's own predict on a matrix that is ready, on all cores, and nothing written."""
    del target
    bundle = bundle_of(root, family)
    [part] = bundle.ensemble.parts
    matrices = []
    with open_source(str(source), bundle.problem) as opened:
        for block in opened.blocks(0):
            batch = opened.batch(block)
            assert batch is not None
            derived = bundle._derived(batch.columns)
            matrices.append(np.asarray(part.encoder.transform(derived, batch.repeated)))
    matrix = np.concatenate(matrices)
    if isinstance(part.member, LightGBMMember):  # which, read back, does without its library
        [booster] = part.member.boosters
        return lambda: booster.predict(matrix, num_threads=0)
    return lambda: part.member.predict(matrix)


WAYS = {"labline": labline, "pandas": pandas_pipeline, "native": native}


def measure(way: str, root: Path, family: str, source: Path, target: Path) -> None:
    """One figure, as JSON."""
    run = WAYS[way](root, family, source, target)
    started, cpu = time.perf_counter(), time.process_time()
    run()
    seconds, cpu = time.perf_counter() - started, time.process_time() - cpu
    print(json.dumps({"seconds": seconds, "cpu": cpu, "peak": peak()}))


def peak() -> float:
    """MB that this process had in memory at the most; what getrusage says may be its parent's."""
    [line] = [line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("VmHWM")]
    return int(line.split()[1]) / 1024


def measured(way: str, root: Path, family: str, source: Path) -> dict[str, float]:
    """One figure of a process of its own."""
    target = root / f"{way}-predictions{source.suffix}"
    command = [sys.executable, __file__, "measure", way, str(root), family, str(source), str(target)]
    done = subprocess.run(command, check=True, stdout=-1, text=True, env=os.environ | {"OMP_WAIT_POLICY": "PASSIVE"})
    found: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return found


def tell(what: str, rows: int, found: dict[str, float], against: dict[str, float] | None = None) -> None:
    """A line of the table."""
    times = f"{found['seconds'] / against['seconds']:8.2f} x the seconds" if against else ""
    rate = rows / found["seconds"]
    print(
        f"{what:44} {found['seconds']:8.2f} s {found['cpu']:8.2f} s of CPU {rate:10,.0f} rows/s "
        f"{found['peak']:6.0f} MB {times}",
        flush=True,
    )


def speed(root: Path, rows: int) -> None:
    """Labline beside the others, by family and kind of file."""
    prepare(root, rows)
    for family in FAMILIES:
        for kind in KINDS:
            source = root / f"rows-{rows}.{kind}"
            ours = measured("labline", root, family, source)
            tell(f"{family}, {kind}: labline", rows, ours)
            tell(f"{family}, {kind}: pandas pipeline", rows, measured("pandas", root, family, source), ours)
        tell(f"{family}: native predict, matrix ready", rows, measured("native", root, family, source), ours)


def memory(root: Path) -> None:
    """Peak memory of one and of ten million rows."""
    prepare(root, 1_000_000, ("csv",))
    with (root / "rows-1000000.csv").open("rb") as once, (root / "rows-10000000.csv").open("wb") as repeated:
        repeated.write(once.readline())
        begins = once.tell()
        for _ in range(10):
            once.seek(begins)
            shutil.copyfileobj(once, repeated, 2**22)
    for rows in (1_000_000, 10_000_000):
        tell(
            f"linear, csv: labline, {rows:,} rows", rows, measured("labline", root, "linear", root / f"rows-{rows}.csv")
        )


def main(arguments: list[str]) -> None:
    """Everything, or one figure of it."""
    if arguments[:1] == ["measure"]:
        way, root, family, source, target = arguments[1:]
        measure(way, Path(root), family, Path(source), Path(target))
        return
    with tempfile.TemporaryDirectory() as scratch:
        print("load before:", *(f"{load:.1f}" for load in os.getloadavg()), "on", os.cpu_count(), "cores", flush=True)
        if arguments == ["memory"]:
            memory(Path(scratch))
        else:
            speed(Path(scratch), int(arguments[0]) if arguments else 1_000_000)
        print("load after:", *(f"{load:.1f}" for load in os.getloadavg()))


if __name__ == "__main__":
    main(sys.argv[1:])
