"""A champion whose contract has changed: refused at promotion unless told, and followed by the API when it is."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from fastapi.testclient import TestClient
from typer.testing import CliRunner

from labline import pipeline
from labline.api import create_app
from labline.cli import app
from labline.config import Config
from labline.contract import Problem
from labline.contract.examples import example_record
from labline.errors import ContractError
from tests.api.test_champion import version, wait_for


@pytest.fixture
def without_smoke(trained: Path, config: Config, problem: Problem) -> Problem:
    """The problem with a column less, trained and waiting as challenger."""
    folder = trained / "problems" / "obesity"
    text = (folder / "problem.yaml").read_text(encoding="utf-8")
    start = text.index("  SMOKE:")
    end = text.index("  CH2O:")
    (folder / "problem.yaml").write_text(text[:start] + text[end:], encoding="utf-8")
    (folder / "features.py").unlink()  # one of its functions reads the column
    changed = pipeline.open_problem(config, problem.name)
    pipeline.train(config, changed)
    return changed


def test_a_breaking_contract_is_refused_unless_told_and_then_the_api_follows(
    trained: Path, config: Config, problem: Problem, without_smoke: Problem, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(ContractError, match=r"SMOKE: the column is gone.*--accept-breaking"):
        pipeline.promote(config, without_smoke, force=True)
    assert pipeline.champion(config, "obesity").version == 1

    monkeypatch.setenv("LABLINE_SETTINGS__ROOT", str(trained))
    shown = CliRunner().invoke(app, ["schema", "diff", "obesity@champion", "obesity", "--json"])
    assert shown.exit_code == 1
    assert [change["where"] for change in json.loads(shown.stdout) if change["breaking"]] == ["SMOKE"]

    with TestClient(create_app(config, "obesity")) as client:
        old = example_record(problem)
        assert client.post("/predict", json=old).status_code == 200
        pipeline.promote(config, without_smoke, force=True, accept_breaking=True)
        wait_for(lambda: version(client) == 2, "the new contract")
        refused = client.post("/predict", json=old)
        assert refused.status_code == 422
        assert refused.json()["detail"] == "SMOKE 'no' is no column of the contract"
        assert client.post("/predict", json=example_record(without_smoke)).status_code == 200
        assert "SMOKE" not in client.get("/openapi.json").text
        assert 'name="SMOKE"' not in client.get("/").text
        # what was logged before has a column more, and is a window all the same
        assert client.get("/monitor").json()["status"] == "insufficient_data"
