"""What a table becomes with `labline new --yes` and `labline up`: how good, against the best baseline, and how soon.

Run it as `python benchmarks/own_data.py`; LABLINE_REAL_DATA names the folder with the StackOverflow questions.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import tempfile
import time
import urllib.request
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

ROOT = Path(__file__).parent.parent
sys.path.insert(0, str(ROOT / "src"))

from labline.contract import read_problem  # noqa: E402
from labline.contract.examples import example_record  # noqa: E402


def labline(root: Path, *command: str) -> str:
    """Run a command in a workspace; gives its output."""
    environment = os.environ | {"LABLINE_SETTINGS__ROOT": str(root)}
    done = subprocess.run(
        [sys.executable, "-m", "labline", *command], env=environment, check=True, stdout=-1, text=True
    )
    return done.stdout


def trained(root: Path, name: str) -> dict[str, Any]:
    """The figures of one training, as JSON gives them."""
    found: dict[str, Any] = json.loads(labline(root, "train", name, "--json"))
    return found


def stackoverflow(root: Path) -> None:
    """Weighted F1 over the 100 tags of the real questions, with the default budget."""
    folder = os.environ.get("LABLINE_REAL_DATA")
    if not folder:
        print("StackOverflow questions: LABLINE_REAL_DATA is not set, so this was not measured")
        return
    labline(root, "new", "so", "--data", f"{folder}/stackoverflow/questions.tsv", "--target", "tags", "--yes")
    labline(root, "data", "so")
    tell("StackOverflow questions, 100 tags", trained(root, "so"), "f1_weighted")


def mercari(root: Path) -> None:
    """RMSLE of generated listings against the rule: median by category and brand."""
    (root / "problems").mkdir(exist_ok=True)
    subprocess.run(["cp", "-r", str(ROOT / "problems" / "mercari"), str(root / "problems")], check=True)
    labline(root, "data", "mercari", "--source", "sample")
    figures = trained(root, "mercari")
    tell("generated Mercari listings", figures, "rmsle")
    ours, rule = figures["holdout"]["rmsle"], figures["baseline"]["holdout"]["rmsle"]
    print(f"  {1 - ours / rule:.1%} less than the best baseline")


def tell(what: str, figures: dict[str, Any], metric: str) -> None:
    """Print one training's figures."""
    ours, simple = figures["holdout"][metric], figures["baseline"]["holdout"][metric]
    headline = figures["headline"]
    print(
        f"{what}: {metric} {ours:.4f} [{headline['low']:.4f}, {headline['high']:.4f}] on {figures['holdout_rows']:,} "
        f"held-out rows; baseline ({figures['baseline']['name']}) {simple:.4f}; {figures['seconds']:.0f} s"
    )


def first_answer(root: Path, rows: int = 20_000) -> None:
    """Seconds from `labline new` to the first answered prediction, for a table of numbers, names, dates and gaps."""
    random = np.random.default_rng(5)
    frame = pd.DataFrame({f"measure_{index}": random.normal(index, 2, rows).round(3) for index in range(8)})
    frame["plan"] = random.choice(["free", "basic", "pro", "team"], rows, p=[0.5, 0.25, 0.15, 0.1])
    frame["city"] = random.choice([f"city {index}" for index in range(300)], rows)
    frame["joined"] = (pd.Timestamp("2022-01-01") + pd.to_timedelta(random.integers(0, 1000, rows), unit="D")).astype(
        str
    )
    frame.loc[random.random(rows) < 0.1, "measure_3"] = np.nan
    odds = frame["measure_0"] + (frame["plan"] == "free") * 2 - frame["measure_1"] / 2
    frame["left"] = np.where(random.random(rows) < 1 / (1 + np.exp(-odds)), "yes", "no")
    frame.to_csv(root / "table.csv", index=False)
    started = time.perf_counter()
    labline(root, "new", "table", "--data", str(root / "table.csv"), "--target", "left", "--yes")
    drafted = time.perf_counter() - started
    record = example_record(read_problem(root / "problems" / "table" / "problem.yaml"))
    environment = os.environ | {"LABLINE_SETTINGS__ROOT": str(root), "COLUMNS": "200"}
    command = [sys.executable, "-m", "labline", "up", "table", "--port", "0"]
    with subprocess.Popen(command, env=environment, stdout=-1, stderr=-3, text=True) as server:
        assert server.stdout is not None
        address = next(m.group(1) for line in server.stdout if (m := re.search(r"the page\s+(http://\S+)", line)))
        body = json.dumps(record).encode()
        request = urllib.request.Request(f"{address}/predict", body, {"content-type": "application/json"})
        with urllib.request.urlopen(request) as answer:
            answer.read()
        seconds = time.perf_counter() - started
        server.terminate()
    size = f"{rows:,} rows × {frame.shape[1]} columns"
    print(f"{size}: `new` {drafted:.1f} s, first answered prediction after {seconds:.1f} s")


def main() -> None:
    """Measure all three, each in a workspace of its own."""
    for measure in (first_answer, mercari, stackoverflow):
        with tempfile.TemporaryDirectory() as folder:
            measure(Path(folder))


if __name__ == "__main__":
    main()
