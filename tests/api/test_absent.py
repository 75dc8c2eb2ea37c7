"""What is not imported where requests are answered, whatever the family of the champion."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import pandas as pd

from labline.config import load
from labline.contract.examples import example_record
from labline.features import Encoder, read_features
from labline.model.bundle import Contents, Manifest, Provenance, write_bundle
from labline.model.ensemble import Ensemble, Part
from labline.model.families import FAMILIES, Fit
from labline.model.tasks import AnswerRule, task_of
from labline.pipeline.champion import Served, keep_served
from labline.pipeline.data import columns_of
from labline.pipeline.problem import open_problem
from tests.server import environment

# apps as a serving process makes them, each asked once; then its modules, and whether one can still be imported
ASKED = """
import importlib, json, sys
from pathlib import Path
from labline.config import load
from labline.serving import _app
from fastapi.testclient import TestClient

record, *roots = json.loads(sys.stdin.read())
statuses = []
for root in roots:
    with TestClient(_app(load(Path(root)), "obesity")) as client:
        statuses.append(client.post("/predict", json=record).status_code)
there = {name.partition(".")[0] for name in sys.modules} & {"pandas", "sklearn", "mlflow", "catboost", "optuna"}
try:
    importlib.import_module("pandas")
except ModuleNotFoundError as error:
    print(json.dumps([statuses, sorted(there), str(error)]))
"""

# what a worker process makes comes back without the libraries that made it
REPORTED = """
import json, sys
from labline.config import load
from labline.serving import _app
from fastapi.testclient import TestClient

if __name__ == "__main__":
    with TestClient(_app(load(), "obesity")) as client:
        pages = ("/monitor", "/monitor/data-drift", "/monitor/model-performance", "/monitor/history")
        statuses = [client.get(f"{page}?source=current").status_code for page in pages]
    there = {name.partition(".")[0] for name in sys.modules} & {"pandas", "sklearn", "mlflow"}
    print(json.dumps([statuses, sorted(there)]))
"""


def champion_of(family: str, root: Path, frame: pd.DataFrame) -> None:
    """A small champion of the family, as if this machine had served it before."""
    config = load(root)
    problem = open_problem(config, "obesity")
    task, columns = task_of(problem), columns_of(problem, frame)
    columns = read_features(root / "problems" / "obesity" / "features.py", problem)(columns)
    encoder = Encoder.fit(problem, (), FAMILIES[family].encoding, columns)
    target = task.encode(frame[problem.target])
    fit = Fit(task, encoder.transform(columns), target, encoder.categorical_features, seed=7, rounds=5)
    ensemble = Ensemble([Part(family, encoder, FAMILIES[family].fit(fit), 1.0, 7)])
    data = Provenance(
        kind="sample", origin="here", sha256="", rows=len(frame), holdout_rows=0, seed=7, holdout_share=0.1
    )
    manifest = Manifest(problem="obesity", labline="0", made_at=datetime.now(UTC), data=data)
    folder = config.settings.models / "cache" / "obesity" / "1-test"
    write_bundle(folder, Contents(root / "problems" / "obesity", ensemble, AnswerRule(), manifest))
    keep_served(config, "obesity", Served(1, folder))


def test_a_start_loads_nothing_that_only_some_champions_or_databases_need() -> None:
    unwanted = "{'scipy', 'lightgbm', 'xgboost', 'jinja2', 'psycopg', 'sqlalchemy.dialects.postgresql'}"
    code = f"import sys, labline.api; print({unwanted} & set(sys.modules))"
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=120)
    assert said.stdout.strip() == "set()"


def test_a_process_that_answers_has_imported_neither_pandas_nor_scikit_learn_nor_mlflow(
    workspace: Path, sample: dict[str, pd.DataFrame], tmp_path: Path
) -> None:
    roots = [Path(shutil.copytree(workspace, tmp_path / family)) for family in FAMILIES]
    for family, root in zip(FAMILIES, roots, strict=True):
        champion_of(family, root, sample["train"].head(400))
    record = example_record(open_problem(load(workspace), "obesity"))
    said = subprocess.run(
        [sys.executable, "-c", ASKED],
        input=json.dumps([record, *map(str, roots)]),
        env=environment(workspace),
        capture_output=True,
        text=True,
        check=True,
        timeout=120,
    )
    statuses, there, refused = json.loads(said.stdout.splitlines()[-1])
    assert (statuses, there) == ([200] * len(FAMILIES), [])
    assert refused == "pandas is not imported in a process that answers requests"


def test_report_pages_are_told_of_without_the_libraries_that_made_them(trained: Path, tmp_path: Path) -> None:
    script = tmp_path / "reported.py"  # a worker process imports the main one's file
    script.write_text(REPORTED, encoding="utf-8")
    said = subprocess.run(
        [sys.executable, str(script)],
        env=environment(trained),
        capture_output=True,
        text=True,
        check=True,
        timeout=120,
    )
    assert json.loads(said.stdout.splitlines()[-1]) == [[200, 200, 200, 200], []]
