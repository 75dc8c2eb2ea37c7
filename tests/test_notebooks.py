"""The notebooks: committed without outputs, and executed here from a copy in a workspace of the test's own."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import papermill
import pytest
import yaml

from labline import pipeline
from labline.config import load
from labline.contract import read_problem
from labline.data.sources.sample import generate
from tests.conftest import ROOT
from tests.model.text_problems import MAKE

FOLDER = ROOT / "notebooks"
NAMES = ("01-eda", "02-features", "03-experiments", "04-promotion", "05-monitoring")
KERNEL = "labline-test"
START_SECONDS = 300  # until a kernel answers, on a machine that is busy with other tests
BUDGET = {"03-experiments": 6, "04-promotion": 6, "05-monitoring": 6}

# A binary problem with a column of every type, and its own generator.
LOANS: dict[str, Any] = {
    "name": "loans",
    "title": "Loans that are paid back",
    "task": "binary",
    "target": "paid",
    "classes": ["no", "yes"],
    "metric": "roc_auc",
    "sources": {"train": {"kaggle": {"competition": "loans", "file": "loans.csv"}}},  # without credentials, the sample
    "columns": {
        "income": {
            "type": "number",
            "unit": "EUR/month",
            "minimum": 0,
            "maximum": 20000,
            "log": True,
            "missing": "allow",
        },
        "children": {"type": "integer", "minimum": 0, "maximum": 12},
        "town": {"type": "category"},
        "purpose": {"type": "category", "values": ["car", "house", "other"], "missing": "allow"},
        "owner": {"type": "boolean", "missing": "allow"},
        "asked": {"type": "datetime"},
        "reason": {"type": "text", "missing": "allow"},
        "securities": {"type": "labels", "values": ["car", "house", "salary"], "missing": "allow"},
    },
}
SAMPLE = '''
"""Made-up loans."""

import numpy as np
import pandas as pd


def train(seed):
    """Rows in which income and ownership decide."""
    random = np.random.default_rng(seed)
    rows = 500
    income = random.lognormal(7.6, 0.5, rows).round()
    owner = random.random(rows) < 0.4
    chance = 1 / (1 + np.exp(-2 * (np.log(income) - 7.6) - 1.5 * (owner - 0.4)))
    return pd.DataFrame(
        {
            "income": np.where(random.random(rows) < 0.1, np.nan, income),
            "children": random.integers(0, 5, rows),
            "town": random.choice([f"town {n}" for n in range(12)], rows),
            "purpose": random.choice(np.array(["car", "house", "other", None], dtype=object), rows),
            "owner": owner,
            "asked": pd.Timestamp("2023-01-01") + pd.to_timedelta(random.integers(0, 600, rows), unit="D"),
            "reason": random.choice(np.array(["new roof", "a car for work", None], dtype=object), rows),
            "securities": random.choice(np.array(["car", "car,house", "[]", None], dtype=object), rows),
            "paid": np.where(random.random(rows) < chance, "yes", "no"),
        }
    )
'''
LOANS_FEATURES = '''
def income_per_head(income, children):
    """Income for each child and the one who asks, EUR/month."""
    return income / (1 + children)
'''

Execute = Callable[..., dict[str, Any]]


@pytest.fixture
def execute(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Execute:
    """Executes a notebook from a copy, in a kernel that is this very interpreter, whatever kernels the machine has."""
    spec = tmp_path / "jupyter" / "kernels" / KERNEL
    spec.mkdir(parents=True)
    command = [sys.executable, "-m", "ipykernel_launcher", "-f", "{connection_file}"]
    (spec / "kernel.json").write_text(
        json.dumps({"argv": command, "display_name": KERNEL, "language": "python"}), encoding="utf-8"
    )
    monkeypatch.setenv("JUPYTER_PATH", str(tmp_path / "jupyter"))
    monkeypatch.setenv("JUPYTER_RUNTIME_DIR", str(tmp_path / "runtime"))
    monkeypatch.setenv("IPYTHONDIR", str(tmp_path / "ipython"))

    def run(name: str, root: Path, **parameters: Any) -> dict[str, Any]:
        monkeypatch.setenv("LABLINE_SETTINGS__ROOT", str(root))
        copy = root / "notebooks"
        shutil.copytree(FOLDER, copy, dirs_exist_ok=True)
        if name in BUDGET:
            parameters = {"budget_seconds": BUDGET[name]} | parameters
        papermill.execute_notebook(
            copy / f"{name}.ipynb",
            copy / f"{name}-executed.ipynb",
            parameters=parameters,
            kernel_name=KERNEL,
            cwd=copy,
            progress_bar=False,
            start_timeout=START_SECONDS,
        )
        return json.loads((copy / f"{name}-executed.ipynb").read_text(encoding="utf-8"))  # type: ignore[no-any-return]

    return run


def outputs(notebook: dict[str, Any], kind: str) -> list[str]:
    """What the cells show, of one MIME type."""
    shown = [output for cell in notebook["cells"] for output in cell.get("outputs", ())]
    return ["".join(output["data"][kind]) for output in shown if kind in output.get("data", {})]


def read(name: str) -> dict[str, Any]:
    return json.loads((FOLDER / f"{name}.ipynb").read_text(encoding="utf-8"))  # type: ignore[no-any-return]


def test_there_are_five() -> None:
    assert sorted(file.stem for file in FOLDER.glob("*.ipynb")) == sorted(NAMES)


@pytest.mark.parametrize("name", NAMES)
def test_a_committed_notebook_has_no_outputs_and_says_what_can_be_changed(name: str) -> None:
    cells = read(name)["cells"]
    code = [cell for cell in cells if cell["cell_type"] == "code"]
    assert [cell for cell in code if cell["outputs"] or cell["execution_count"] is not None] == []
    (parameters,) = [cell for cell in code if "parameters" in cell["metadata"].get("tags", ())]
    assert re.search(r"^problem = None\b", "".join(parameters["source"]), re.MULTILINE)


def test_nbstripout_would_change_nothing() -> None:
    files = [str(file) for file in FOLDER.glob("*.ipynb")]
    command = [sys.executable, "-m", "nbstripout", "--verify", *files]
    said = subprocess.run(command, capture_output=True, text=True, check=False)
    assert said.returncode == 0, said.stdout + said.stderr


@pytest.mark.parametrize("name", NAMES)
def test_no_column_of_a_problem_stands_in_a_notebook(name: str) -> None:
    contracts = [read_problem(file) for file in ROOT.glob("problems/*/problem.yaml")]
    columns = {column for contract in contracts for column in (*contract.columns, contract.target)} - {"name", "price"}
    text = "\n".join("".join(cell["source"]) for cell in read(name)["cells"])
    assert [column for column in columns if re.search(rf"\b{re.escape(column)}\b", text)] == []


@pytest.mark.parametrize(
    "name", ["01-eda", pytest.param("02-features", marks=pytest.mark.thorough), *NAMES[2:3], NAMES[4]]
)
def test_it_tells_the_story_of_obesity_from_a_champion_on(name: str, trained: Path, execute: Execute) -> None:
    found = execute(name, trained)
    assert len(outputs(found, "image/png")) >= 3
    assert "GENERATED SAMPLE" not in "\n".join(outputs(found, "text/markdown"))  # these rows came from a file
    config = load(trained)
    versions, ledger = pipeline.history(config, pipeline.open_problem(config, "obesity"))
    assert [version.number for version in versions] == ([2, 1] if name == "03-experiments" else [1])
    assert [(entry.action, entry.version) for entry in ledger] == [("promoted", 1)]


@pytest.mark.thorough
def test_promotion_is_told_with_a_rollback_where_that_is_asked_for(trained: Path, execute: Execute) -> None:
    config = load(trained)
    problem = pipeline.open_problem(config, "obesity")
    pipeline.train(config, problem)
    pipeline.promote(config, problem, force=True)
    found = execute("04-promotion", trained, roll_back=True)
    assert len(outputs(found, "image/png")) >= 3
    versions, ledger = pipeline.history(config, problem)
    assert [version.number for version in versions] == [3, 2, 1]  # a challenger was made, for there was none
    compared = next(entry for entry in ledger if entry.action != "rolled back")
    assert 3 in {compared.version, compared.other}
    assert (ledger[0].action, ledger[0].reason) == ("rolled back", "tried out in a notebook")


@pytest.mark.thorough
@pytest.mark.parametrize("name", NAMES)
def test_it_runs_alone_in_a_fresh_workspace_on_another_problem_and_says_that_the_rows_are_generated(
    name: str, tmp_path: Path, execute: Execute
) -> None:
    root = tmp_path / "workspace"
    folder = root / "problems" / "loans"
    folder.mkdir(parents=True)
    (folder / "problem.yaml").write_text(yaml.safe_dump(LOANS, sort_keys=False), encoding="utf-8")
    (folder / "sample.py").write_text(SAMPLE, encoding="utf-8")
    (folder / "features.py").write_text(LOANS_FEATURES, encoding="utf-8")
    settings = {"training": {"folds": 2}, "monitoring": {"rows_min": 20}}
    (root / "labline.yaml").write_text(yaml.safe_dump(settings), encoding="utf-8")
    found = execute(name, root, problem="loans")
    assert "GENERATED SAMPLE" in "\n".join(outputs(found, "text/markdown"))
    assert len(outputs(found, "image/png")) >= 3


@pytest.mark.thorough
@pytest.mark.parametrize("problem", ["mercari", "stackoverflow"])
@pytest.mark.parametrize("name", NAMES[:2])
def test_it_tells_of_texts_and_of_other_tasks_too(name: str, problem: str, workspace: Path, execute: Execute) -> None:
    generate(ROOT / "problems" / problem, "train", seed=7).head(600).to_csv(workspace / "rows.csv", index=False)
    config = load(workspace)
    pipeline.prepare(config, pipeline.open_problem(config, problem), files={"train": str(workspace / "rows.csv")})
    found = execute(name, workspace, problem=problem, rows_shown=400)
    assert len(outputs(found, "image/png")) >= 3


@pytest.mark.thorough
@pytest.mark.parametrize(("name", "problem"), [("03-experiments", "tickets"), ("04-promotion", "adverts")])
def test_it_trains_and_compares_where_there_are_several_labels_or_a_price(
    name: str, problem: str, tmp_path: Path, execute: Execute
) -> None:
    contract, rows = MAKE[problem]
    root = tmp_path / "workspace"
    folder = root / "problems" / problem
    folder.mkdir(parents=True)
    rows(300, 1).to_csv(folder / "train.csv", index=False)
    sources = {"train": {"file": "train.csv"}}
    (folder / "problem.yaml").write_text(yaml.safe_dump(contract | {"sources": sources}, sort_keys=False), "utf-8")
    (root / "labline.yaml").write_text("training: {folds: 2}\n", encoding="utf-8")
    found = execute(name, root, problem=problem)
    assert len(outputs(found, "image/png")) >= 3
