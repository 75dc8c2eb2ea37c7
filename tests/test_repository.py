"""What holds for the project as a whole: its walls, its words, its files."""

from __future__ import annotations

import ast
import re
import subprocess
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

from labline.contract import read_problem

ROOT = Path(__file__).parent.parent
SOURCE = ROOT / "src" / "labline"
# A room imports only from rooms before it (docs/architecture.md); those on one line know nothing of each other.
ROOMS = [
    {"errors", "progress", "atomic"},
    {"database"},
    {"migrations"},
    {"config"},
    {"contract", "store"},
    {"data", "features"},
    {"drafting"},
    {"model"},
    {"monitoring"},
    {"exploring", "pipeline"},
    {"ui"},
    {"api", "doctor", "console"},
    {"serving"},
    {"cli"},
    {"__main__"},
]
RANK = {room: rank for rank, rooms in enumerate(ROOMS) for room in rooms}


def imported_rooms(file: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        names: list[str] = []
        if isinstance(node, ast.ImportFrom) and node.module:
            names = [node.module]
            if node.module == "labline":
                names = [f"labline.{alias.name}" for alias in node.names]
        elif isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        for name in names:
            parts = name.split(".")
            if parts[0] == "labline" and len(parts) > 1 and parts[1] != "__version__":
                yield parts[1]


def test_rooms_import_only_from_rooms_above_them() -> None:
    wrong = []
    for file in SOURCE.rglob("*.py"):
        room = file.relative_to(SOURCE).parts[0].removesuffix(".py")
        if room != "__init__":
            wrong += [
                f"{file.relative_to(ROOT)} imports {other}"
                for other in imported_rooms(file)
                if other != room and RANK[other] >= RANK[room]
            ]
    assert wrong == []


def test_no_column_name_stands_in_code_outside_problems() -> None:
    columns = {name for file in ROOT.glob("problems/*/problem.yaml") for name in read_problem(file).columns}
    telling = {name for name in columns if len(name) > 3 and name not in {"Weight", "Height", "name"}}
    pattern = re.compile(r"\b(" + "|".join(map(re.escape, sorted(telling))) + r")\b")
    found = [
        f"{file.relative_to(ROOT)}: {match.group()}"
        for file in [*SOURCE.rglob("*.py"), *SOURCE.rglob("*.html"), *SOURCE.rglob("*.yaml")]
        for match in pattern.finditer(file.read_text(encoding="utf-8"))
    ]
    assert found == []


def test_every_direct_dependency_has_its_line_in_the_docs() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    wanted = [
        *project["project"]["dependencies"],
        *(name for extra in project["project"]["optional-dependencies"].values() for name in extra),
        *(name for group in project["dependency-groups"].values() for name in group),
    ]
    lines = (ROOT / "docs" / "dependencies.md").read_text(encoding="utf-8").splitlines()
    named = " ".join(line.split("|")[1] for line in lines if "|" in line)
    names = {re.split(r"[\[<>=; ]", one)[0] for one in wanted} - {"labline"}  # an extra of ours may include another
    missing = [name for name in names if name not in named]
    assert missing == []


def test_requirements_are_locked_with_hashes_and_hold_every_direct_dependency() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    for file in ("requirements.txt", "requirements-dev.txt", "requirements-research.txt"):
        text = (ROOT / file).read_text(encoding="utf-8")
        pins = re.findall(r"^([a-z0-9_.-]+)==.*\\\n    --hash=sha256:[0-9a-f]{64}", text, re.MULTILINE)
        assert len(pins) == len(re.findall(r"^[a-z0-9]", text, re.MULTILINE))
        for one in project["project"]["dependencies"]:
            assert re.split(r"[\[<>=; ]", one)[0] in pins


def test_what_is_generated_or_secret_is_ignored_by_git() -> None:
    paths = [
        "data/x.parquet",
        "models/mlflow.db",
        "reports/x.html",
        ".env",
        ".env.k3j2",
        "kaggle.json",
        "mlruns/0",
        ".venv/x",
    ]
    asked = subprocess.run(["git", "check-ignore", *paths], cwd=ROOT, capture_output=True, text=True, check=False)
    if asked.returncode == 128:
        pytest.skip("not a git checkout")
    assert asked.stdout.split() == paths


def test_every_make_target_is_in_its_help_with_the_same_by_hand() -> None:
    help_ = subprocess.run(["make", "help"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    for target in ("run", "test", "test-thorough", "lint", "setup"):
        line = next(line for line in help_.splitlines() if line.startswith(f"{target} "))
        assert re.search(r"labline|python -m|pre-commit", line)
