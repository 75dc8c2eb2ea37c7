"""The command line: what each verb shows, and how it ends."""

from __future__ import annotations

import json
import shutil
import socket
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest
from typer.testing import CliRunner, Result

from labline.cli import app, main
from labline.config import load
from labline.errors import LablineError
from labline.model.registry import Registry
from tests.server import environment


@pytest.fixture
def at(trained: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The trained workspace, as the one commands run in."""
    monkeypatch.setenv("LABLINE_SETTINGS__ROOT", str(trained))
    monkeypatch.setenv("COLUMNS", "200")
    return trained


def run(*words: str) -> Result:
    result = CliRunner().invoke(app, list(words), catch_exceptions=False)
    assert result.exit_code in {0, 1}, result.output
    return result


def labline(root: Path, *words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "labline", *words],
        env=environment(root),
        cwd=root,
        capture_output=True,
        text=True,
        encoding="utf-8",
        check=False,
        timeout=120,
    )


def test_every_verb_explains_itself() -> None:
    verbs = [command.name or getattr(command.callback, "__name__", "") for command in app.registered_commands]
    assert {"data", "check", "train", "leaderboard", "promote", "rollback", "registry"} <= set(verbs)
    assert {"serve", "predict", "monitor", "doctor", "up", "config"} <= set(verbs)
    overview = run("--help").stdout
    for verb in verbs:
        assert verb in overview
        assert len(run(verb, "--help").stdout.splitlines()) > 5


def test_a_family_that_there_is_not_is_told_with_those_that_there_are(at: Path) -> None:
    with pytest.raises(LablineError, match=r"(?s)'forest'.*random_forest"):
        run("train", "--families", "forest")


def test_data_takes_files_and_names_their_hash(at: Path) -> None:
    taken = json.loads(run("data", "obesity", "--train", str(at / "train.csv"), "--json").stdout)
    assert [snapshot["role"] for snapshot in taken] == ["train"]
    assert taken[0]["kind"] == "file"
    assert (at / "data" / "obesity" / "train" / f"{taken[0]['sha256']}.parquet").is_file()


def test_sample_data_is_said_loudly_wherever_it_shows(at: Path) -> None:
    result = run("data", "obesity", "--source", "auto")
    assert "SAMPLE (generated)" in result.stdout
    assert "GENERATED SAMPLE DATA" in result.stderr


def test_check_ends_with_1_when_rows_break_the_contract(at: Path) -> None:
    assert run("check").exit_code == 0
    frame = pd.read_csv(at / "train.csv")
    frame.loc[4, "Gender"] = "female"
    frame.to_csv(at / "wrong.csv", index=False)
    run("data", "obesity", "--train", str(at / "wrong.csv"))
    result = run("check", "obesity")
    assert result.exit_code == 1
    assert "Gender: 'female'" in result.stdout
    assert "row 5" in result.stdout
    found = json.loads(run("check", "obesity", "--json").stdout)
    assert found[0]["findings"][0] | {"mend": ""} == {
        "severity": "error",
        "column": "Gender",
        "what": found[0]["findings"][0]["what"],
        "mend": "",
        "count": 1,
        "rows": [5],
    }


def test_leaderboard_and_registry_agree_on_the_champion(at: Path) -> None:
    rows = json.loads(run("leaderboard", "obesity", "--json").stdout)
    registered = [row for row in rows if row["version"]]
    versions = json.loads(run("registry", "obesity", "--json").stdout)
    assert rows[0] == registered[0]  # what was registered is what leads
    assert {row["family"] for row in rows} >= {"majority", "tree", "linear", "lightgbm"}
    assert registered[0]["aliases"] == versions["versions"][0]["aliases"] == ["champion"]
    assert registered[0]["run_id"] == versions["versions"][0]["run_id"]
    assert versions["ledger"][0]["reason"].startswith("there was no champion; ")
    assert "champion" in run("leaderboard").stdout
    assert "there was no champion" in run("registry").stdout


def test_monitor_says_what_it_knows(at: Path) -> None:
    assert "insufficient_data: 0 rows" in run("monitor", "obesity").stdout
    summary = json.loads(run("monitor", "obesity", "--source", "current", "--json").stdout)
    assert summary["rows"] == 400


def test_promoting_the_champion_again_changes_nothing_and_ends_with_1(at: Path) -> None:
    result = run("promote", "obesity", "--version", "1")
    assert result.exit_code == 1
    assert "is the champion already" in result.stdout


REGISTRY_VERBS = (("promote", "obesity"), ("rollback", "obesity"), ("registry", "obesity"), ("card", "obesity"))


@pytest.mark.parametrize("words", REGISTRY_VERBS, ids=[words[0] for words in REGISTRY_VERBS])
def test_a_registry_out_of_reach_one_that_is_empty_and_one_without_champion_are_three_messages(
    trained: Path, empty_store: Path, words: tuple[str, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    def said() -> str:
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("LABLINE_SETTINGS__ROOT", str(trained))
            try:
                return CliRunner().invoke(app, list(words), catch_exceptions=False).stdout
            except LablineError as error:
                return str(error)

    monkeypatch.setenv("COLUMNS", "300")
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")  # between two it waits for seconds
    home = f"sqlite:///{trained.as_posix()}/models"
    with Registry(load(trained).storage, "obesity").store.client() as client:
        client.delete_registered_model_alias("obesity", "champion")
    without = said()
    shutil.copy(empty_store, trained / "models" / "other.db")
    monkeypatch.setenv("LABLINE_STORAGE__TRACKING_URI", f"{home}/other.db")
    empty = said()
    monkeypatch.setenv("LABLINE_STORAGE__TRACKING_URI", "http://127.0.0.1:9")
    away = said()

    wanted = "challenger" if words[0] == "promote" else "champion"
    assert f"{home}/mlflow.db: 'obesity' has no {wanted} among 1 version. Mend: labline" in without
    assert f"{home}/other.db: the registry holds nothing of 'obesity'. Mend: labline train obesity, or corr" in empty
    assert "http://127.0.0.1:9: MLflow is out of reach: " in away
    assert "Mend: start it, or correct storage.tracking_uri" in away


def test_a_refused_promotion_lists_its_reasons_and_ends_with_1(at: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LABLINE_PROMOTION__LATENCY_MS_MAX", "0.000001")
    registry = Registry(load(at).storage, "obesity")
    first = registry.version(1)
    with registry.store.client() as client:
        client.delete_registered_model_alias("obesity", "champion")
    result = run("promote", "obesity", "--version", "1")
    assert result.exit_code == 1
    shown = result.stdout.splitlines()
    assert shown[0] == "There is still no champion:"
    assert shown[1].startswith("- one row takes")
    assert shown[1].endswith("more than 1e-06")
    assert "- there was no champion" in shown
    forced = json.loads(run("promote", "obesity", "--version", "1", "--force", "--json").stdout)
    assert (forced["champion"], forced["previous"], forced["changed"]) == (1, None, True)
    assert forced["reasons"][0].startswith("forced, although one row takes")
    assert Path(forced["card"]).is_file()
    assert registry.champion().number == first.number


def test_registry_shows_each_versions_figure_size_and_latency(at: Path) -> None:
    shown = run("registry", "obesity").stdout
    found = json.loads(run("registry", "obesity", "--json").stdout)
    figure = found["versions"][0]["holdout"]
    assert figure["low"] < figure["value"] < figure["high"]
    assert f" {figure['value']:.4f} " in shown
    assert f"[{figure['low']:.4f}," in shown
    assert found["remark"] is None
    tags = Registry(load(at).storage, "obesity").version(1).tags
    assert f" {tags['labline.bundle_mb']} " in shown
    assert f" {tags['labline.latency_ms']} " in shown


def test_nothing_to_roll_back_to_is_told_with_the_way_to_another_champion(at: Path) -> None:
    registry = Registry(load(at).storage, "obesity")
    first = registry.version(1)
    with pytest.raises(LablineError, match="Mend: labline train obesity makes another version"):
        run("rollback", "obesity")
    registry.register(first.run_id, first.source, dict(first.tags))
    with pytest.raises(LablineError, match=r"Mend: labline promote obesity --version N --force .* champion: 2"):
        run("rollback", "obesity")


def test_card_prints_markdown_or_writes_a_page(at: Path, tmp_path: Path) -> None:
    assert run("card").stdout.startswith("# Obesity risk: model card of version 1\n")
    file = tmp_path / "card.html"
    assert "model card of obesity version 1" in run("card", "obesity", "--version", "1", "--html", str(file)).stdout
    assert file.read_text(encoding="utf-8").startswith("<!doctype html>")
    with pytest.raises(LablineError, match="the card cannot be written"):
        run("card", "obesity", "--html", str(tmp_path / "nowhere" / "card.html"))
    with pytest.raises(LablineError, match="obesity has no version 9"):
        run("card", "obesity", "--version", "9")


def test_config_names_the_origin_of_every_value(at: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LABLINE_SERVING__PORT", "8099")
    monkeypatch.setenv("LABLINE_STORAGE__DATABASE_URL", "postgresql+psycopg://me:hush@db/labline")
    found = {value["key"]: value for value in json.loads(run("config", "--json").stdout)}
    assert found["serving.port"] == {
        "key": "serving.port",
        "value": "8099",
        "origin": "environment LABLINE_SERVING__PORT",
    }
    assert found["training.folds"]["origin"] == "labline.yaml"
    assert found["monitoring.alpha"]["origin"] == "monitoring.yaml (default)"
    assert "hush" not in json.dumps(found)
    assert "hush" not in run("config").stdout


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("train", "obesty"), ["there is no problem 'obesty'", "did you mean 'obesity'?"]),
        (("train", "obesity", "--budget", "soon"), ["'soon' is no time", "90s, 5m or 1h"]),
        (("predict", "nothing.csv", "out.csv"), ["nothing.csv: there is no such file"]),
        (("data", "obesity", "--train", "rows.docx"), ["rows.docx: its name ends in none of"]),
        (("promote", "obesity", "--version", "9"), ["obesity has no version 9", "labline registry obesity"]),
        (("rollback", "obesity"), ["has had no champion before version 1"]),
        (("serve", "obesity", "--port", "99999"), ["--port: 99999 is no port."]),
        (("predict", "train.csv", "train.csv"), ["source and target are one file"]),
    ],
)
def test_what_the_user_can_mend_is_one_line_and_status_2(
    at: Path,
    words: tuple[str, ...],
    said: list[str],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(at)
    monkeypatch.setattr(sys, "argv", ["labline", *words])
    with pytest.raises(SystemExit) as ended:
        main()
    assert ended.value.code == 2
    written = capsys.readouterr().err
    error = [line for line in written.splitlines() if line.startswith("error:")]
    assert len(error) == 1
    assert "Traceback" not in written
    for part in said:
        assert part in error[0]


def test_a_file_with_wrong_rows_is_refused_and_nothing_is_written(trained: Path, tmp_path: Path) -> None:
    frame = pd.read_csv(trained / "train.csv")
    frame.loc[[1, 3], "Age"] = [7, 300]
    frame.to_csv(tmp_path / "rows.csv", index=False)
    result = labline(trained, "predict", str(tmp_path / "rows.csv"), str(tmp_path / "out.csv"))
    assert result.returncode == 2
    assert "Age" in result.stderr
    assert "14 to 100 years" in result.stderr
    assert not (tmp_path / "out.csv").exists()


def test_up_refuses_a_busy_port_before_anything_long(workspace: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        result = labline(workspace, "up", "obesity", "--port", str(listener.getsockname()[1]))
    assert result.returncode == 2
    assert "cannot listen" in result.stderr
    assert not (workspace / "data").exists()


def test_to_see_the_verbs_nothing_heavy_is_imported() -> None:
    asked = "import json, sys, labline.cli; print(json.dumps([name for name in sys.modules if '.' not in name]))"
    there = json.loads(subprocess.run([sys.executable, "-c", asked], capture_output=True, text=True, check=True).stdout)
    assert "labline" in there
    assert {"numpy", "pandas", "scipy", "sqlalchemy", "mlflow", "fastapi"}.isdisjoint(there)
