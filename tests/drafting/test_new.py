"""`labline new` as it is typed: what it prints, what it asks, how it ends."""

from __future__ import annotations

import json
import os
import pty
import random
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from typer.testing import CliRunner

from labline.cli import app
from labline.contract import read_problem
from tests.server import environment

RANDOM = random.Random(13)
ROWS = 120


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A workspace with a file of customers in it."""
    monkeypatch.setenv("LABLINE_SETTINGS__ROOT", str(tmp_path))
    monkeypatch.setenv("COLUMNS", "200")
    monkeypatch.chdir(tmp_path)
    frame = pd.DataFrame(
        {
            "tenure_months": [RANDOM.randrange(70) for _ in range(ROWS)],
            "plan": [RANDOM.choice(["basic", "plus"]) for _ in range(ROWS)],
            "country": ["SE"] * ROWS,
            "side": [RANDOM.choice(["left hand", "right hand"]) for _ in range(ROWS)],
        }
    )
    frame.to_csv(tmp_path / "customers.csv", index=False)
    return tmp_path


def test_new_prints_what_it_decided_and_why_and_the_next_command(root: Path) -> None:
    done = CliRunner().invoke(app, ["new", "sides", "--data", "customers.csv", "--target", "side", "--yes"])
    assert done.exit_code == 0, done.output
    for words in (
        ("task", "binary, by roc_auc"),
        ("tenure_months", "integer"),
        ("country", "left out", "'SE' in every row"),
        ("look: tenure_months", "unit is guessed"),
        ("next: labline up sides",),
    ):
        assert any(all(word in line for word in words) for line in done.stdout.splitlines()), words
    assert "read the rows: 120" in done.stderr
    assert read_problem(root / "problems" / "sides" / "problem.yaml").name == "sides"
    assert sorted(path.name for path in (root / "problems").iterdir()) == ["sides"]
    assert {path.name for path in (root / "problems" / "sides").iterdir()} == {
        *("problem.yaml", "features.py", "README.md", "test_sides.py")
    }


@pytest.mark.usefixtures("root")
def test_new_as_json_is_for_scripts() -> None:
    words = ["new", "sides", "--data", "customers.csv", "--target", "side", "--title", "Which hand", "--json"]
    said = json.loads(CliRunner().invoke(app, words).stdout)
    assert (said["problem"]["title"], said["rows"]) == ("Which hand", ROWS)
    assert {"about": "country", "decided": "left out", "why": "it is 'SE' in every row"} in said["decisions"]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--data", "customers.csv"], "one of tenure_months, plan, country, side"),
        (["--target", "side"], "give --data FILE, or both of --query and --sql-variable"),
        (["--data", "customers.csv", "--query", "SELECT 1", "--target", "side"], "not clear"),
        (["--query", "SELECT 1", "--sql-variable", "a-b", "--target", "side"], "environment variable"),
        (["--query", "SELECT 1", "--sql-variable", "NOT_SET", "--target", "side"], "NOT_SET"),
    ],
)
def test_what_is_not_clear_ends_with_status_2_and_one_line(root: Path, words: list[str], said: str) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "labline", "new", "sides", *words],
        env=environment(root),
        cwd=root,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 2
    error = [line for line in done.stderr.splitlines() if line.startswith("error:")]
    assert len(error) == 1
    assert said in error[0]
    assert "Traceback" not in done.stderr


def test_a_terminal_is_asked_for_the_target_and_the_positive_class(root: Path) -> None:
    ours, theirs = pty.openpty()
    command = [sys.executable, "-m", "labline", "new", "sides", "--data", "customers.csv"]
    with subprocess.Popen(
        command, env=environment(root) | {"TERM": "xterm"}, cwd=root, stdin=theirs, stdout=theirs, stderr=theirs
    ) as running:
        os.close(theirs)
        shown = b""
        for question, answer in ((b"to be predicted?", b"hand\nside\n"), (b"the one to find?", b"left hand\n")):
            while question not in shown:
                shown += os.read(ours, 4096)
            os.write(ours, answer)
        try:
            while more := os.read(ours, 4096):
                shown += more
        except OSError:  # how Linux says that the other side has closed
            pass
    os.close(ours)
    assert running.returncode == 0, shown.decode()
    assert b"'hand' is none of these" in shown
    assert read_problem(root / "problems" / "sides" / "problem.yaml").classes == ("right hand", "left hand")


@pytest.mark.thorough
def test_2_million_rows_are_read_in_bounded_memory_with_progress(root: Path) -> None:
    rows = 2_000_000
    random = np.random.default_rng(1)
    frame = pd.DataFrame(
        {"a": random.integers(0, 1000, rows), "b": random.integers(0, 5, rows), "y": np.arange(rows) % 2}
    )
    frame.to_csv(root / "large.csv", index=False)
    # of the process itself: what the system keeps of children may be another one's
    code = "from labline.cli import app; app(standalone_mode=False); print(open('/proc/self/status').read())"
    done = subprocess.run(
        [sys.executable, "-c", code, "new", "large", "--data", "large.csv", "--target", "y", "--yes"],
        env=environment(root),
        cwd=root,
        capture_output=True,
        text=True,
        check=True,
    )
    assert "2,000,000 rows" in done.stdout
    assert "read the rows: 1,000,000" in done.stderr
    peak = int(done.stdout.split("VmHWM:")[1].split()[0])  # kB
    assert peak < 600_000


def test_a_full_disk_ends_with_one_line_and_leaves_nothing_behind(root: Path) -> None:
    limited = (
        "import resource; resource.setrlimit(resource.RLIMIT_FSIZE, (200, 200)); from labline.cli import main; main()"
    )
    command = ["new", "sides", "--data", "customers.csv", "--target", "side", "--yes"]
    done = subprocess.run(
        [sys.executable, "-c", limited, *command],
        env=environment(root),
        check=False,
        capture_output=True,
        text=True,
        encoding="utf-8",
    )
    assert done.returncode == 2, done.stderr
    assert "Traceback" not in done.stderr
    (error,) = [line for line in done.stderr.splitlines() if line.startswith("error:")]
    assert "cannot be written: File too large" in error
    assert "that there is room" in error
    assert list((root / "problems").iterdir()) == []
