"""However a prediction is asked for, the answer is the same to the last bit."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from pathlib import Path

import httpx2 as httpx
import mlflow
import numpy as np
import pandas as pd

from labline import pipeline
from labline.config import Config
from labline.contract import Problem
from labline.database import open_database
from labline.model.bundle import Bundle
from labline.monitoring.prediction_log import PredictionLog
from tests.server import environment, serving

ROWS = 200


def test_http_cli_pyfunc_and_the_bundle_alone_agree(
    trained: Path, config: Config, problem: Problem, sample: dict[str, pd.DataFrame], tmp_path: Path
) -> None:
    frame = sample["train"].head(ROWS)
    features = frame[list(problem.columns)]
    records = features.to_dict(orient="records")
    bundle = Bundle.load(pipeline.champion(config, "obesity").folder)
    wanted = np.array([list(answer.probabilities.values()) for answer in bundle.predict(records)])

    mlflow.set_tracking_uri(config.storage.tracking_uri.get_secret_value())
    by_pyfunc = mlflow.pyfunc.load_model("models:/obesity@champion").predict(features)
    np.testing.assert_array_equal(by_pyfunc[list(problem.classes)].to_numpy(), wanted)

    for kind in ("csv", "parquet"):
        source, target = tmp_path / f"rows.{kind}", tmp_path / f"predictions.{kind}"
        frame.to_csv(source, index=False) if kind == "csv" else frame.to_parquet(source, index=False)
        if kind == "csv":
            command = [sys.executable, "-m", "labline", "predict", str(source), str(target), "--problem", "obesity"]
            subprocess.run(command, env=environment(trained), check=True)
        else:
            pipeline.predict(config, problem, str(source), target)
        read = pd.read_csv(target, float_precision="round_trip") if kind == "csv" else pd.read_parquet(target)
        np.testing.assert_array_equal(read[list(problem.classes)].to_numpy(), wanted)
        assert read["id"].tolist() == frame["id"].tolist()
        assert read["prediction"].tolist() == by_pyfunc["prediction"].tolist()

    with serving(trained) as server:
        body = json.dumps(records)
        batch = httpx.post(f"{server.address}/predict/batch", content=body).json()["predictions"]
        single = [httpx.post(f"{server.address}/predict", json=record).json() for record in records[:20]]
        server.process.send_signal(signal.SIGTERM)
        assert server.process.wait(30) in {0, -signal.SIGTERM}  # uvicorn drains, then lets the signal end it
    np.testing.assert_array_equal([list(answer["probabilities"].values()) for answer in batch], wanted)
    np.testing.assert_array_equal([list(answer["probabilities"].values()) for answer in single], wanted[:20])

    logged = PredictionLog(open_database(config.storage.database_url.get_secret_value())).last("obesity", 1000)
    assert [row.prediction_id for row in logged] == [answer["prediction_id"] for answer in batch + single]
