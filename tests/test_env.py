"""`make env`: the passwords of the stack."""

from __future__ import annotations

import os
import re
import shutil
import stat
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
NAMES = ("POSTGRES_PASSWORD", "MLFLOW_DB_PASSWORD", "OPTUNA_DB_PASSWORD", "LABLINE_DB_PASSWORD", "JUPYTER_TOKEN")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "docker").mkdir()
    shutil.copy(ROOT / "docker" / "env.py", tmp_path / "docker")
    shutil.copy(ROOT / ".env.template", tmp_path)
    return tmp_path


def made(folder: Path) -> dict[str, str]:
    subprocess.run([sys.executable, "docker/env.py"], cwd=folder, check=True, capture_output=True)
    text = (folder / ".env").read_text(encoding="utf-8")
    return dict(line.split("=", 1) for line in text.splitlines() if re.match("[A-Z]", line))


def test_every_password_is_random_and_fit_for_an_address(folder: Path) -> None:
    first = made(folder)
    (folder / ".env").unlink()
    second = made(folder)
    for name in NAMES:
        assert first[name] != second[name]
        assert re.fullmatch(r"[A-Za-z0-9_-]{32}", first[name])
    assert len({first[name] for name in NAMES}) == len(NAMES)


def test_the_template_holds_no_value_that_could_be_left_standing() -> None:
    settings = re.findall(r"^([A-Z_]+)=(.*)$", (ROOT / ".env.template").read_text(encoding="utf-8"), re.MULTILINE)
    assert dict(settings) == dict.fromkeys(NAMES, "")


def test_what_is_there_is_never_changed_and_what_is_missing_is_added(folder: Path) -> None:
    kept = "# mine\nPOSTGRES_PASSWORD=chosen\nMLFLOW_DB_PASSWORD=\nKAGGLE_KEY=key\nAWS_ENDPOINT_URL="
    (folder / ".env").write_text(kept, encoding="utf-8")
    found = made(folder)
    assert (found["POSTGRES_PASSWORD"], found["KAGGLE_KEY"], found["AWS_ENDPOINT_URL"]) == ("chosen", "key", "")
    assert all(found[name] for name in NAMES)
    assert (folder / ".env").read_text(encoding="utf-8").startswith("# mine\nPOSTGRES_PASSWORD=chosen\n")
    assert made(folder) == found


@pytest.mark.skipif(os.name != "posix", reason="file modes are POSIX's")
def test_only_its_owner_who_owns_the_folder_can_read_it(folder: Path) -> None:
    if os.getuid() == 0:
        os.chown(folder, 1234, 1234)
    found = made(folder)
    state = (folder / ".env").stat()
    assert stat.S_IMODE(state.st_mode) == 0o600
    assert state.st_uid == folder.stat().st_uid
    assert found["LABLINE_UID"] == str(folder.stat().st_uid)


def test_what_cannot_be_put_in_place_leaves_no_passwords_behind(folder: Path) -> None:
    (folder / ".env").mkdir()
    ended = subprocess.run([sys.executable, "docker/env.py"], cwd=folder, capture_output=True, check=False)
    assert ended.returncode != 0
    assert sorted(path.name for path in folder.iterdir()) == [".env", ".env.template", "docker"]
