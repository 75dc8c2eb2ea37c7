"""The doctor: every failure is provoked for real, and found with its mend."""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from urllib.error import URLError
from urllib.request import urlopen

import pytest
from sqlalchemy import make_url, text
from typer.testing import CliRunner, Result

from labline.cli import app
from labline.config import load
from labline.database import open_database
from labline.doctor import CHECKS, Finding, examine
from labline.migrations import REVISION, VERSION_TABLE
from labline.model.registry import Registry
from tests.conftest import ROOT
from tests.server import environment, serving

SETPRIV, UNSHARE = shutil.which("setpriv"), shutil.which("unshare")


def findings(root: Path, *only: str) -> dict[str, Finding]:
    return {found.check: found for found in examine(lambda: load(root), "obesity", only)}


def find(root: Path, check: str) -> Finding:
    """The one finding of one check."""
    return findings(root, check)[check]


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])


def run(root: Path, *words: str, prefix: tuple[str, ...] = (), **variables: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*prefix, sys.executable, "-m", "labline", "doctor", *words],
        env=environment(root) | variables,
        capture_output=True,
        text=True,
        encoding="utf-8",
        check=False,
        timeout=60,
    )


# How it is asked


def invoke(root: Path, *words: str) -> Result:
    return CliRunner().invoke(app, ["doctor", *words], env=environment(root), catch_exceptions=False)


def test_a_healthy_workspace_is_found_healthy(trained: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LABLINE_SERVING__PORT", str(free_port()))
    result = invoke(trained, "obesity", "--json")
    found = [Finding(**one) for one in json.loads(result.stdout)]
    assert [one for one in found if not one.ok or one.mend] == []
    assert [one.check for one in found] == list(CHECKS)
    assert result.exit_code == 0


def test_only_the_checks_that_are_named_are_run_in_either_spelling(workspace: Path) -> None:
    for words in (("--only", "folders,gpu"), ("--only", "gpu", "--only", "folders")):
        result = invoke(workspace, *words, "--json")
        assert [one["check"] for one in json.loads(result.stdout)] == ["folders", "gpu"]
        assert result.exit_code == 0
    assert not (workspace / "models" / "labline.db").exists()


def test_an_unknown_check_is_refused_with_the_known_ones(workspace: Path) -> None:
    result = run(workspace, "--only", "folders,ports")
    assert result.returncode == 2
    assert f"there is no check 'ports'. Mend: use some of {', '.join(CHECKS)}" in result.stderr
    assert result.stdout == ""


def test_a_health_check_of_folders_and_database_loads_neither_mlflow_nor_pandas(workspace: Path) -> None:
    code = (
        "import sys; from labline.cli import app; app(standalone_mode=False); "
        "sys.exit(any(name in sys.modules for name in ('mlflow', 'pandas', 'alembic', 'lightgbm')))"
    )
    words = [sys.executable, "-c", code, "doctor", "--only", "folders,database"]
    findings(workspace, "database")  # the first to open it makes the tables
    asked = subprocess.run(words, env=environment(workspace), capture_output=True, text=True, check=False)
    assert asked.returncode == 0, asked.stderr


def test_the_table_is_readable_in_100_columns(workspace: Path) -> None:
    result = run(workspace, COLUMNS="100", LABLINE_SERVING__PORT=str(free_port()))
    assert result.returncode == 1
    assert max(map(len, result.stdout.splitlines())) <= 100
    assert "\n                       Mend: labline up obesity --no-serve" in result.stdout
    assert "Traceback" not in result.stderr


# Configuration and contract


def test_settings_that_do_not_load_are_a_finding_and_the_only_one(workspace: Path) -> None:
    (workspace / "labline.yaml").write_text("serving: {port: [", encoding="utf-8")
    for words in ((), ("--only", "gpu")):
        result = invoke(workspace, *words, "--json")
        (found,) = json.loads(result.stdout)
        assert (found["check"], found["ok"], found["mend"]) == ("configuration", False, "correct the line")
        assert "labline.yaml:1: not YAML" in found["said"]
        assert result.exit_code == 1


def test_a_contract_that_does_not_hold_hides_no_check_that_does_not_need_it(workspace: Path) -> None:
    contract = workspace / "problems" / "obesity" / "problem.yaml"
    contract.write_text(contract.read_text().replace("name: obesity", "name: obesty"), encoding="utf-8")
    found = findings(workspace, "contract", "disk", "artifacts")
    assert found["disk"].ok
    assert found["contract"].mend == "use one name"
    assert found["artifacts"].said == "not looked at, for contract failed"
    assert not (workspace / "models" / "artifacts").exists()


def test_a_check_that_breaks_is_a_finding_and_its_text_is_not_shown(
    workspace: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LABLINE_STORAGE__TRACKING_URI", "nonsense://ada:hush@there")
    found = find(workspace, "tracking")
    assert not found.ok
    assert "hush" not in found.said + found.mend


# This machine


def test_a_busy_port_is_found(workspace: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        monkeypatch.setenv("LABLINE_SERVING__PORT", str(listener.getsockname()[1]))
        found = find(workspace, "port")
    assert not found.ok
    assert "in use" in found.said
    assert "--port" in found.mend
    assert find(workspace, "port").ok


@pytest.mark.parametrize("host", ["127.0.0.1", "0.0.0.0"])
def test_our_own_api_on_the_port_is_well(host: str, trained: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")
    with serving(trained) as server:
        monkeypatch.setenv("LABLINE_SERVING__HOST", host)
        monkeypatch.setenv("LABLINE_SERVING__PORT", str(make_url(server.address).port))
        found = find(trained, "port")
    assert found.ok
    assert "with obesity version 1 answers there" in found.said


def test_a_folder_of_another_user_is_named_with_both_uids_and_the_mend(workspace: Path) -> None:
    folder = workspace / "models" / "cache"
    folder.mkdir(parents=True)
    as_root = os.geteuid() == 0
    if as_root and SETPRIV is None:
        pytest.skip("root may write everywhere, and there is no setpriv to take that from it")
    if as_root:
        os.chown(folder, 12345, 12345)
    folder.chmod(0o555)
    without_rights = (str(SETPRIV), "--inh-caps=-all", "--bounding-set=-all") if as_root else ()
    result = run(workspace, "--only", "folders", "--json", prefix=without_rights)
    folder.chmod(0o755)
    (found,) = json.loads(result.stdout)
    assert result.returncode == 1
    owner, own = folder.stat().st_uid, os.geteuid()
    assert found["said"].startswith(f"{folder}: cannot be written to: Permission denied")
    assert f"belongs to uid {owner}, this is uid {own}" in found["said"]
    wanted = (f"sudo chown -R {own} {folder}", "LABLINE_UID") if as_root else (f"chmod u+rwx {folder}",)
    assert all(one in found["mend"] for one in wanted)


@pytest.mark.parametrize("folder", ["data", "models"])
def test_a_read_only_mount_is_meant_for_data_and_a_failure_for_models(folder: str, workspace: Path) -> None:
    mounts = (str(UNSHARE), "-m", "sh", "-c", 'mount --bind "$0" "$0" && mount -o remount,bind,ro "$0" && exec "$@"')
    (workspace / folder).mkdir(exist_ok=True)
    prefix = (*mounts, str(workspace / folder))
    if UNSHARE is None or subprocess.run([*prefix, "true"], capture_output=True, check=False).returncode:
        pytest.skip("this user may not mount")
    result = run(workspace, "--only", "folders", "--json", prefix=prefix)
    (found,) = json.loads(result.stdout)
    assert found["ok"] == (folder == "data")
    assert ("data read-only, as it should be" if found["ok"] else "Read-only file system") in found["said"]
    assert found["mend"] == ("" if found["ok"] else "mount it so that it can be written to")


@pytest.mark.parametrize(
    ("script", "said"),
    [
        ('echo "Tesla T4, 550.54.14"; echo "A10, 550.54.14"', "Tesla T4, driver 550.54.14; A10, driver 550.54.14"),
        ("echo 'No devices were found'; exit 6", "nvidia-smi is there and sees none; not needed"),
    ],
)
def test_a_gpu_is_named_and_none_is_no_failure(
    script: str, said: str, workspace: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tool = tmp_path / "bin" / "nvidia-smi"
    tool.parent.mkdir()
    monkeypatch.setenv("PATH", str(tool.parent), prepend=os.pathsep)
    tool.write_text(f"#!/bin/sh\n{script}\n")
    tool.chmod(0o755)
    assert find(workspace, "gpu") == Finding("gpu", True, said)


def test_versions_are_compared_with_the_lock(workspace: Path) -> None:
    assert find(workspace, "versions").said.startswith("no requirements.txt here")
    lock = workspace / "requirements.txt"
    shutil.copy(ROOT / "requirements.txt", lock)
    lock.write_text('typer==0.0.1 \\\n    --hash=sha256:00\nwinonly==1 ; sys_platform == "none"\nnot-there==1\n')
    found = find(workspace, "versions")
    assert not found.ok
    assert "typer" in found.said
    assert "(locked ==0.0.1), not-there (not installed)" in found.said
    assert "winonly" not in found.said
    assert "make setup" in found.mend


def test_kaggles_key_is_never_shown(workspace: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert find(workspace, "kaggle").said.startswith("no credentials")
    monkeypatch.setenv("KAGGLE_USERNAME", "ada")
    monkeypatch.setenv("KAGGLE_KEY", "hush")
    assert find(workspace, "kaggle") == Finding("kaggle", True, "credentials found")


# Stores


def test_an_embedded_database_is_made_and_migrated_by_the_look(workspace: Path) -> None:
    found = find(workspace, "database")
    assert found.ok
    assert f"revision {REVISION}, can be written to" in found.said


def test_a_newer_database_and_a_file_that_is_none_are_found(workspace: Path) -> None:
    find(workspace, "database")
    file = workspace / "models" / "labline.db"
    with open_database(f"sqlite:///{file.as_posix()}").begin() as connection:
        connection.execute(text(f"UPDATE {VERSION_TABLE} SET version_num = '9999'"))
    found = find(workspace, "database")
    assert (found.ok, found.mend) == (False, "use the newer Labline")
    open_database(f"sqlite:///{file.as_posix()}").dispose()
    for part in file.parent.glob("labline.db*"):
        part.unlink()
    file.write_text("a diary, " * 1000)
    assert "file is not a database" in find(workspace, "database").said


def test_a_database_server_that_is_away_is_found(workspace: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LABLINE_STORAGE__DATABASE_URL", f"postgresql+psycopg://ada:hush@127.0.0.1:{free_port()}/x")
    found = find(workspace, "database")
    assert not found.ok
    assert "refused" in found.said
    assert "hush" not in found.said + found.mend
    assert "storage.database_url" in found.mend


@pytest.mark.postgres
def test_a_server_that_is_not_migrated_or_has_another_password_is_found(
    workspace: Path, postgres: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LABLINE_STORAGE__DATABASE_URL", postgres)
    assert find(workspace, "database").mend == "run labline migrate"
    assert invoke_migrate(workspace) == 0
    assert find(workspace, "database").ok
    wrong = make_url(postgres).set(password="hush").render_as_string(hide_password=False)
    monkeypatch.setenv("LABLINE_STORAGE__DATABASE_URL", wrong)
    found = find(workspace, "database")
    assert not found.ok
    assert "put the old password back" in found.mend
    assert f"ALTER ROLE {make_url(postgres).username} PASSWORD" in found.mend
    assert "hush" not in found.said + found.mend


def invoke_migrate(root: Path) -> int:
    return CliRunner().invoke(app, ["migrate"], env=environment(root), catch_exceptions=False).exit_code


def test_the_common_root_is_written_to_and_one_that_cannot_be_is_found(
    workspace: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert find(workspace, "store").said.startswith("none;")
    monkeypatch.setenv("LABLINE_STORAGE__ROOT", str(tmp_path / "shared"))
    assert find(workspace, "store").said == f"{tmp_path}/shared/data: written and read back"
    (tmp_path / "file").touch()
    monkeypatch.setenv("LABLINE_STORAGE__ROOT", str(tmp_path / "file"))
    assert not find(workspace, "store").ok


# MLflow


@pytest.fixture(scope="module")
def mlflow_server(tmp_path_factory: pytest.TempPathFactory, empty_store: Path) -> Iterator[str]:
    """A tracking server that answers to `localhost` and not to `127.0.0.1`; its address under the first name."""
    folder, number = tmp_path_factory.mktemp("mlflow"), free_port()
    shutil.copy(empty_store, folder / "mlflow.db")
    with subprocess.Popen(
        [
            *(sys.executable, "-m", "mlflow", "server", f"--port={number}", "--workers=1"),
            f"--backend-store-uri=sqlite:///{folder.as_posix()}/mlflow.db",
            f"--artifacts-destination={folder}/artifacts",
        ],
        env=os.environ
        | {
            "MLFLOW_SERVER_ALLOWED_HOSTS": f"mlflow:5000,localhost:{number}",
            "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false",
            "MLFLOW_DISABLE_TELEMETRY": "true",
        },
        cwd=folder,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    ) as process:
        try:
            for _ in range(300):
                try:
                    urlopen(f"http://127.0.0.1:{number}/health", timeout=2).close()
                    break
                except (URLError, OSError):
                    time.sleep(0.1)
            yield f"http://localhost:{number}"
        finally:
            os.killpg(process.pid, 15)  # its worker too
            process.wait(30)


def test_a_server_that_knows_our_name_for_it_is_well_and_has_no_champion_yet(
    mlflow_server: str, workspace: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LABLINE_STORAGE__TRACKING_URI", mlflow_server)
    found = findings(workspace, "tracking", "hosts", "registry", "artifacts", "champion")
    assert {name for name, one in found.items() if one.ok} == {"tracking", "hosts", "artifacts"}
    assert found["tracking"].mend == ""
    assert f"{mlflow_server}: MLflow 3." in found["tracking"].said
    assert "no champion yet among 0 versions" in found["registry"].said
    assert found["registry"].mend == "labline up obesity --no-serve"
    assert found["champion"].mend == "mend registry first"


def test_a_server_that_refuses_the_host_header_is_told_apart_with_its_mend(
    mlflow_server: str, workspace: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    by_number = mlflow_server.replace("localhost", "127.0.0.1")
    monkeypatch.setenv("LABLINE_STORAGE__TRACKING_URI", by_number)
    found = findings(workspace, "tracking", "hosts", "artifacts")
    assert found["tracking"].ok
    assert not found["hosts"].ok
    name = by_number.removeprefix("http://")
    assert found["hosts"].mend.startswith(f"add {name} to the server's MLFLOW_SERVER_ALLOWED_HOSTS")
    assert found["artifacts"].said == "not looked at, for hosts failed"
    # what a named check needs is told when it fails, though it was not named
    assert findings(workspace, "artifacts").keys() == {"hosts", "artifacts"}


@pytest.mark.parametrize(("own", "advised"), [("3.999.0", True), ("2.9.0", True), ("3.0.0", False)])
def test_a_server_older_than_the_client_or_of_another_major_version_is_advice(
    own: str, advised: bool, mlflow_server: str, workspace: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LABLINE_STORAGE__TRACKING_URI", mlflow_server)
    monkeypatch.setattr("mlflow.__version__", own)
    found = find(workspace, "tracking")
    assert found.ok
    assert bool(found.mend) == advised
    assert (f"the client here {own}" in found.said) == advised


def test_a_tracking_server_that_is_away_is_told_once(workspace: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    monkeypatch.setenv("LABLINE_STORAGE__TRACKING_URI", f"http://ada:hush@127.0.0.1:{free_port()}")
    found = findings(workspace, "tracking", "hosts", "registry")
    assert "LABLINE_STORAGE__TRACKING_URI" in found["tracking"].mend
    assert "out of reach" in found["tracking"].said
    assert "hush" not in str(found)
    assert [one.mend for one in found.values()][1:] == ["mend tracking first", "mend hosts first"]


def test_something_else_at_the_servers_address_is_found(trained: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with serving(trained) as server:
        monkeypatch.setenv("LABLINE_STORAGE__TRACKING_URI", server.address)
        assert "no MLflow" in find(trained, "tracking").said


def test_a_champion_whose_files_are_lost_is_found(trained: Path) -> None:
    assert find(trained, "registry").said == "champion 1, no challenger, 1 version of obesity"
    shutil.rmtree(trained / "models" / "cache")
    with open_database(load(trained).storage.tracking_uri.get_secret_value()).begin() as connection:
        # the copied workspace's registry names the files of the one that it was copied from; those are others' too
        connection.execute(text("UPDATE logged_models SET artifact_location = :gone"), {"gone": f"{trained}/gone"})
    found = findings(trained, "registry", "artifacts", "champion")
    assert found["registry"].ok
    assert found["artifacts"].ok
    assert "there is no bundle" in found["champion"].said
    assert found["champion"].mend == "train, or fetch it again"


def test_an_artifact_store_that_cannot_be_written_to_is_found(workspace: Path) -> None:
    (workspace / "models").mkdir(exist_ok=True)
    (workspace / "models" / "artifacts").touch()
    found = find(workspace, "artifacts")
    assert not found.ok
    assert found.mend


def test_a_version_without_a_champion_is_told_to_be_promoted(trained: Path) -> None:
    registry = Registry(load(trained).storage, "obesity")
    with registry.store.client() as client:
        client.delete_registered_model_alias("obesity", "champion")
    found = find(trained, "registry")
    assert "no champion yet among 1 version of obesity" in found.said
    assert found.mend == "labline up obesity --no-serve, or labline promote obesity"
