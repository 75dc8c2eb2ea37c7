"""On the real rows, where they are: `LABLINE_REAL_DATA` names the folder."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path

import pandas as pd
import pytest
from fastapi.testclient import TestClient

from labline import pipeline
from labline.api import create_app
from labline.config import Config, load
from labline.contract import Problem
from tests.conftest import ROOT

FOLDER = Path(os.environ.get("LABLINE_REAL_DATA", "")) / "obesity"
pytestmark = [
    pytest.mark.real_data,
    pytest.mark.skipif(not (FOLDER / "train.csv").is_file(), reason="LABLINE_REAL_DATA names no folder with the rows"),
]


@pytest.fixture(scope="module")
def real(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Config, Problem, pipeline.Trained]]:
    """The published files taken, trained on with the settings shipped, and promoted."""
    root = tmp_path_factory.mktemp("real")
    (root / "problems").symlink_to(ROOT / "problems")
    config = load(root)
    problem = pipeline.open_problem(config, "obesity")
    files = {role: str(FOLDER / f"{role}.csv") for role in ("train", "current")}
    pipeline.prepare(config, problem, files=files)  # type: ignore[arg-type]
    trained = pipeline.train(config, problem)
    pipeline.promote(config, problem)
    yield config, problem, trained


def test_accuracy_on_the_hold_out_reaches_nine_tenths(real: tuple[Config, Problem, pipeline.Trained]) -> None:
    _, _, trained = real
    print(f"hold-out accuracy {trained.evaluation.headline} on {trained.evaluation.rows} rows")
    assert trained.evaluation.headline.value >= 0.900
    assert trained.bundle.manifest.data.kind == "file"


def test_every_real_row_is_accepted(real: tuple[Config, Problem, pipeline.Trained]) -> None:
    config, problem, _ = real
    with TestClient(create_app(config, "obesity")) as client:
        for role in ("train", "current"):
            frame = pd.read_csv(FOLDER / f"{role}.csv", float_precision="round_trip")
            distinct = [frame.drop_duplicates(name) for name in problem.columns]
            rows = pd.concat([frame.head(500), *distinct])[list(problem.columns)].drop_duplicates()
            records = rows.to_dict(orient="records")
            for start in range(0, len(records), 1000):
                body = json.dumps(records[start : start + 1000])
                response = client.post("/predict/batch", content=body)
                assert response.status_code == 200, response.json()["detail"]
