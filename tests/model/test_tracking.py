"""The MLflow run of a training, and the bundle as anyone with MLflow alone can load it."""

from __future__ import annotations

import json
from pathlib import Path

import mlflow
import numpy as np
import pandas as pd
import pytest
from mlflow import MlflowClient
from mlflow.entities import Run
from mlflow.exceptions import MlflowException
from mlflow.pyfunc import PyFuncModel

from labline import pipeline
from labline.config import Config
from labline.contract import Problem
from labline.contract.examples import example_record
from labline.model.bundle import Bundle
from labline.model.registry import Registry, Version
from labline.pipeline.data import columns_of
from labline.store import data_folder

PNG = b"\x89PNG\r\n\x1a\n"


@pytest.fixture
def champion(config: Config) -> Version:
    return Registry(config.storage, "obesity").champion()


@pytest.fixture
def bundle(config: Config) -> Bundle:
    return Bundle.load(pipeline.champion(config, "obesity").folder)


@pytest.fixture
def client(config: Config) -> MlflowClient:
    uri = config.storage.tracking_uri.get_secret_value()
    mlflow.set_tracking_uri(uri)
    mlflow.set_registry_uri(uri)
    return MlflowClient(uri, uri)


@pytest.fixture
def run(client: MlflowClient, champion: Version) -> Run:
    return client.get_run(champion.run_id)


@pytest.fixture
def model(client: MlflowClient) -> PyFuncModel:
    return mlflow.pyfunc.load_model("models:/obesity@champion")


def artifact(client: MlflowClient, run: Run, path: str, folder: Path) -> bytes:
    return Path(client.download_artifacts(run.info.run_id, path, str(folder))).read_bytes()


def test_a_run_names_what_was_trained_and_how(run: Run, bundle: Bundle, config: Config) -> None:
    assert run.info.status == "FINISHED"
    params = run.data.params
    assert params["seed"] == str(config.training.seed)
    assert params["learning_rate"] == "0.08"
    assert params["rounds"] == str(bundle.ensemble.rounds)
    tags = run.data.tags
    assert (tags["labline.kind"], tags["labline.family"], tags["labline.data"]) == ("training", "lightgbm", "file")
    assert tags["labline.feature_set"] in {"raw", "raw+derived"}
    assert tags["labline.data_origin"].endswith("train.csv")
    assert tags["labline.digest"] == bundle.digest


def test_a_runs_metrics_are_the_bundles_held_out_figures_and_those_of_cross_validation(
    run: Run, bundle: Bundle
) -> None:
    metrics = run.data.metrics
    for name, value in bundle.manifest.holdout.items():
        assert metrics[f"holdout_{name}"] == value
        assert f"cv_{name}_mean" in metrics
        assert metrics[f"cv_{name}_std"] >= 0
    assert metrics["holdout_low"] < metrics["holdout_accuracy"] < metrics["holdout_high"]
    assert metrics["fit_seconds"] > 0


@pytest.mark.parametrize("name", ["confusion_matrix.png", "importances.png", "calibration.png"])
def test_a_run_has_its_plots(client: MlflowClient, run: Run, name: str, tmp_path: Path) -> None:
    picture = artifact(client, run, f"plots/{name}", tmp_path)
    assert picture.startswith(PNG)
    assert len(picture) > 5000


def test_a_runs_tables_are_those_of_the_hold_out(
    client: MlflowClient, run: Run, bundle: Bundle, config: Config, problem: Problem, tmp_path: Path
) -> None:
    frame = pipeline.divided.holdout_frame(config, bundle)
    table = json.loads(artifact(client, run, "tables/per_class.json", tmp_path))["holdout"]
    assert [row["name"] for row in table] == list(problem.classes)
    assert [row["rows"] for row in table] == [int((frame[problem.target] == name).sum()) for name in problem.classes]
    matrix = np.array(json.loads(artifact(client, run, "tables/confusion_matrix.json", tmp_path))["true_by_predicted"])
    assert matrix.sum(axis=1).tolist() == [row["rows"] for row in table]
    assert np.trace(matrix) / matrix.sum() == run.data.metrics["holdout_accuracy"]


def test_a_run_names_the_rows_it_saw_by_source_hash_and_number(run: Run, config: Config, problem: Problem) -> None:
    from labline.data import Snapshots

    snapshot = Snapshots(data_folder(config), problem).need("train")
    (seen,) = run.inputs.dataset_inputs
    assert seen.dataset.name == "obesity-file"
    assert snapshot.sha256.startswith(seen.dataset.digest)
    assert snapshot.sha256 in seen.dataset.source
    assert json.dumps(snapshot.origin)[1:-1] in seen.dataset.source
    assert [tag.value for tag in seen.tags if tag.key == "mlflow.data.context"] == ["training"]
    assert run.data.params["data_sha256"] == snapshot.sha256
    assert run.data.params["data_rows"] == str(snapshot.rows)
    assert 0 < int(run.data.params["data_holdout_rows"]) < snapshot.rows


def test_everything_that_was_tried_stands_below_its_family_and_that_below_the_run(
    client: MlflowClient, run: Run
) -> None:
    def under(one: Run) -> list[Run]:
        parent = f"tags.`mlflow.parentRunId` = '{one.info.run_id}'"
        return list(client.search_runs([one.info.experiment_id], parent, max_results=100))

    families = under(run)
    assert {one.data.tags["labline.family"] for one in families} == {"majority", "tree", "linear", "lightgbm"}
    assert {one.data.tags["labline.kind"] for one in families} == {"family"}
    below = [one for family in families for one in under(family)]
    tried = {(one.data.tags["labline.family"], one.data.tags["labline.feature_set"]): one for one in below}
    assert set(tried) == {
        ("majority", "raw"),
        ("tree", "raw"),
        ("linear", "raw"),
        ("linear", "raw+derived"),
        ("lightgbm", "raw"),
        ("lightgbm", "raw+derived"),
    }
    assert {one.data.tags["labline.kind"] for one in below} == {"tried"}
    assert {one.info.status for one in below} == {"FINISHED"}
    means = {name: one.data.metrics["cv_accuracy_mean"] for name, one in tried.items()}
    best = (run.data.tags["labline.family"], run.data.tags["labline.feature_set"])
    assert run.data.metrics["cv_accuracy_mean"] == means[best]
    assert means["majority", "raw"] < means["linear", "raw"] <= means[best] == max(means.values())


def test_the_registered_version_leads_back_to_the_run(champion: Version, run: Run, bundle: Bundle) -> None:
    assert champion.run_id == run.info.run_id
    assert champion.tags["labline.digest"] == bundle.digest
    assert champion.tags["labline.data"] == "file"


def test_no_artifact_of_the_run_or_its_model_holds_a_value_of_the_training_data_that_would_be_known_again(
    client: MlflowClient, run: Run, champion: Version, sample: dict[str, pd.DataFrame], tmp_path: Path
) -> None:
    (tmp_path / "artifacts").mkdir()
    folders = [
        Path(client.download_artifacts(run.info.run_id, "", str(tmp_path / "artifacts"))),
        Path(mlflow.artifacts.download_artifacts(champion.source)),
    ]
    files = {file for folder in folders for file in folder.rglob("*") if file.is_file()}
    assert {"MLmodel", "input_example.json", "per_class.json", "golden.json"} <= {file.name for file in files}
    precise = {repr(value) for name in ("Age", "Height", "Weight") for value in sample["train"][name]}
    precise = {text for text in precise if len(text) >= 9}
    assert len(precise) > 300
    # the profile's knots and the trees' limits are values of single columns: tests/model/test_bundle.py looks at them
    readable = {file for file in files if file.suffix != ".png"}
    for file in {file for file in readable if file.name not in {"profile.json", "lightgbm.txt", "raw.npy"}}:
        text = file.read_text(encoding="utf-8")
        assert not [value for value in precise if value in text], file.name


def test_mlflow_alone_gives_the_bundles_scores_to_the_last_bit(
    model: PyFuncModel, bundle: Bundle, problem: Problem, sample: dict[str, pd.DataFrame]
) -> None:
    frame = sample["current"]
    found = model.predict(frame[list(problem.columns)])
    scores = bundle.scores(columns_of(problem, frame))
    assert found[list(problem.classes)].to_numpy().tobytes() == scores.tobytes()
    assert found["prediction"].tolist() == bundle.task.decisions(scores).tolist()


def test_the_pyfunc_model_keeps_the_index_and_order_of_the_frame(
    model: PyFuncModel, problem: Problem, sample: dict[str, pd.DataFrame]
) -> None:
    frame = sample["current"][list(problem.columns)].iloc[[5, 3, 9]]
    found = model.predict(frame)
    assert found.index.tolist() == frame.index.tolist()
    assert found.iloc[1].tolist() == model.predict(frame.iloc[[1]]).iloc[0].tolist()


def test_the_signature_is_the_contracts(model: PyFuncModel, problem: Problem) -> None:
    inputs, outputs = model.metadata.get_input_schema(), model.metadata.get_output_schema()
    assert [(column.name, column.type.name) for column in inputs][:3] == [
        ("Gender", "string"),
        ("Age", "double"),
        ("Height", "double"),
    ]
    assert [column.name for column in inputs] == list(problem.columns)
    assert all(column.required for column in inputs)
    assert [column.name for column in outputs] == ["prediction", *problem.classes]


def test_the_input_example_is_the_contracts_and_can_be_predicted(model: PyFuncModel, problem: Problem) -> None:
    example = model.input_example
    assert isinstance(example, pd.DataFrame)
    assert example.to_dict("records") == [example_record(problem)]
    assert model.predict(example)["prediction"].iloc[0] in problem.classes


def test_a_frame_that_lacks_a_column_is_refused_by_the_signature(
    model: PyFuncModel, problem: Problem, sample: dict[str, pd.DataFrame]
) -> None:
    frame = sample["current"][list(problem.columns)]
    with pytest.raises(MlflowException, match=r"missing inputs \['Age'\]"):
        model.predict(frame.drop(columns="Age"))
    assert len(model.predict(frame)) == len(frame)


def test_text_where_the_contract_has_a_number_is_refused_by_the_signature(
    model: PyFuncModel, problem: Problem, sample: dict[str, pd.DataFrame]
) -> None:
    frame = sample["current"][list(problem.columns)].astype({"Age": str})
    with pytest.raises(MlflowException, match="Age"):
        model.predict(frame)
