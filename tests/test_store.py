"""The store: snapshots, bundles and report pages below one root that machines share, against a real S3 server."""

from __future__ import annotations

import gzip
import hashlib
import sys
import time
import traceback
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import boto3
import moto.settings
import pandas as pd
import pytest
import s3fs
import yaml
from fastapi.testclient import TestClient
from fsspec.registry import _registry
from mlflow.store.artifact import s3_artifact_repo
from moto.server import ThreadedMotoServer

from labline import pipeline
from labline.api import create_app
from labline.config import Config, load
from labline.data import Snapshots
from labline.data.sources import Taken
from labline.errors import ConfigError, DataError, LablineError, RegistryError
from labline.model.mlflow_store import MlflowStore
from labline.model.registry import Registry
from labline.monitoring.kinds import ReportKind, ReportResult
from labline.monitoring.summary import Summary
from labline.pipeline.champion import load_champion
from labline.store import Folder, data_folder, probe
from tests.conftest import make_workspace
from tests.data.test_snapshot import PROBLEM, refusal, rows

SECRET = "hunter2/hunter2"
BUCKET = "labline-bucket"


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    """An S3 server of this module's own; its address."""
    moto_server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    moto_server.start()
    host, port = moto_server.get_host_and_port()
    yield f"http://{host}:{port}"
    moto_server.stop()


@pytest.fixture
def s3(server: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """A client of the server, which has one empty bucket; the environment says where and who."""
    for name in ("AWS_PROFILE", "AWS_SESSION_TOKEN", "MLFLOW_S3_ENDPOINT_URL"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_ENDPOINT_URL", server)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "key-of-ada")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", SECRET)
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    forget_connections()
    client = boto3.client("s3")
    client.create_bucket(Bucket=BUCKET)
    yield client
    monkeypatch.undo()
    forget_connections()
    bucket = boto3.resource(
        "s3", endpoint_url=server, aws_access_key_id="x", aws_secret_access_key="x", region_name="us-east-1"
    ).Bucket(BUCKET)
    bucket.objects.all().delete()
    bucket.delete()


def forget_connections() -> None:
    """s3fs and MLflow keep clients, which know the environment of their first use."""
    s3fs.S3FileSystem.clear_instance_cache()
    s3_artifact_repo._cached_get_s3_client.cache_clear()


def keys(s3: Any) -> set[str]:
    return {one["Key"] for one in s3.list_objects_v2(Bucket=BUCKET).get("Contents", [])}


def kept_in(root: Path, address: str, **storage: Any) -> Config:
    """The settings of a workspace whose root of storage is at the address."""
    settings = yaml.safe_load((root / "labline.yaml").read_text()) | {"storage": {"root": address, **storage}}
    (root / "labline.yaml").write_text(yaml.safe_dump(settings), encoding="utf-8")
    return load(root)


# Snapshots


def test_a_snapshot_is_kept_and_read_again_with_the_same_file_names(s3: Any) -> None:
    snapshots = Snapshots(Folder(f"s3://{BUCKET}/a/data"), PROBLEM)
    assert snapshots.in_use("train") is None
    first, taken = snapshots.keep(rows(2.0), "train"), rows(0.1, float("nan"))
    kept = snapshots.keep(taken, "train")

    assert keys(s3) == {
        "a/data/people/train/in-use.json",
        *(f"a/data/people/train/{one.sha256}.{ending}" for one in (first, kept) for ending in ("parquet", "json")),
    }
    assert snapshots.in_use("train") == snapshots.need("train") == kept
    assert snapshots.in_use("current") is None
    pd.testing.assert_frame_equal(snapshots.read("train", kept.sha256), taken.frame, check_exact=True)
    body = s3.get_object(Bucket=BUCKET, Key=f"a/data/people/train/{kept.sha256}.parquet")["Body"].read()
    assert hashlib.sha256(body).hexdigest() == kept.sha256


def test_an_altered_snapshot_is_refused_and_one_that_is_not_there_is_told_with_its_address(s3: Any) -> None:
    snapshots = Snapshots(Folder(f"s3://{BUCKET}/data"), PROBLEM)
    kept = snapshots.keep(rows(1.0), "train")
    s3.put_object(Bucket=BUCKET, Key=f"data/people/train/{kept.sha256}.parquet", Body=b"other rows")

    altered = refusal(snapshots.read, "train", kept.sha256)
    assert "altered" in altered.what
    assert altered.where == f"s3://{BUCKET}/data/people/train/{kept.sha256}.parquet"
    assert "not in this workspace" in refusal(snapshots.read, "train", "f" * 64).what
    assert refusal(snapshots.need, "current").where == f"s3://{BUCKET}/data/people/current"


# The whole way


@pytest.mark.thorough
def test_two_workspaces_share_snapshots_bundles_and_pages(
    s3: Any, workspace: Path, tmp_path: Path, sample: dict[str, pd.DataFrame]
) -> None:
    config = kept_in(workspace, f"s3://{BUCKET}/team/")
    files = {role: str(workspace / f"{role}.csv") for role in sample}
    for role, frame in sample.items():
        frame.head(600).to_csv(files[role], index=False)
    problem = pipeline.open_problem(config, "obesity")
    taken = pipeline.prepare(config, problem, files=files)  # type: ignore[arg-type]
    trained = pipeline.train(config, problem)
    pipeline.promote(config, problem)

    assert not config.settings.data.exists()
    assert not (config.settings.models / "artifacts").exists()
    assert f"team/data/obesity/train/{taken[0].sha256}.parquet" in keys(s3)
    assert any(key.startswith("team/artifacts/obesity/") and key.endswith("manifest.json") for key in keys(s3))

    second = make_workspace(tmp_path / "second")
    other = kept_in(second, f"s3://{BUCKET}/team", tracking_uri=config.storage.tracking_uri.get_secret_value())
    number, bundle = load_champion(other, "obesity")
    assert (number, bundle.digest) == (1, trained.bundle.digest)
    assert bundle.folder.is_relative_to(second)
    frame = sample["current"].head(5)
    frame.to_csv(second / "some.csv", index=False)
    assert pipeline.predict(other, problem, str(second / "some.csv"), second / "out.csv").rows == 5
    assert pd.read_csv(second / "out.csv")["prediction"].isin(problem.classes).all()

    packed = gzip.compress((second / "some.csv").read_bytes())
    s3.put_object(Bucket=BUCKET, Key="in/some.csv.gz", Body=packed)
    there = f"s3://{BUCKET}/out/some.parquet"
    assert pipeline.predict(other, problem, f"s3://{BUCKET}/in/some.csv.gz", there, invalid="skip").rows == 5
    s3.download_file(BUCKET, "out/some.parquet", str(second / "some.parquet"))
    scored = pd.read_csv(second / "out.csv", float_precision="round_trip")
    pd.testing.assert_frame_equal(pd.read_parquet(second / "some.parquet"), scored)
    assert "out/some.rejected.csv" in keys(s3)
    with pytest.raises(DataError, match=f"s3://{BUCKET}/in/none.csv: there is no such file"):
        pipeline.predict(other, problem, f"s3://{BUCKET}/in/none.csv", there)

    champion = pipeline.champion(other, "obesity")
    summary = pipeline.monitor(other, champion, source="current")
    assert isinstance(summary, Summary)
    assert summary.rows == 400
    page = pipeline.report(other, champion, ReportKind.TARGET_DRIFT, source="current")
    assert isinstance(page, ReportResult)
    assert page.kept_at == f"s3://{BUCKET}/team/reports/obesity/{page.path.name}"
    body = s3.get_object(Bucket=BUCKET, Key=f"team/reports/obesity/{page.path.name}")["Body"].read()
    assert body == page.path.read_bytes()

    with TestClient(create_app(other, "obesity")) as client:
        answer = client.get("/monitor/target-drift", params={"source": "current"}).json()
        assert f"team/reports/{answer['path']}" in keys(s3)
        assert BUCKET not in str(answer)


# A root that is a path


@pytest.mark.parametrize("absolute", [True, False])
def test_a_path_as_root_holds_the_same_folders(absolute: bool, workspace: Path, tmp_path: Path) -> None:
    config = kept_in(workspace, str(tmp_path / "shared") if absolute else "../shared")
    assert Path(str(config.storage.root)).resolve() == tmp_path / "shared"
    Snapshots(data_folder(config), PROBLEM).keep(rows(1.0), "train")
    MlflowStore(config.storage).round_trip("people")

    assert (tmp_path / "shared" / "data" / "people" / "train" / "in-use.json").is_file()
    assert list((tmp_path / "shared" / "artifacts" / "people").rglob("probe.txt"))
    assert not (workspace / "data").exists()
    assert probe(config) == str(data_folder(config))


def test_without_a_root_everything_is_in_the_workspace(workspace: Path) -> None:
    config = load(workspace)
    assert config.storage.root is None
    assert data_folder(config) == Folder(workspace / "data")
    assert config.storage.artifact_root == f"{workspace.as_posix()}/models/artifacts"


def test_an_artifact_root_of_its_own_goes_before_the_shared_root(workspace: Path) -> None:
    config = kept_in(workspace, "s3://bucket/x", artifact_root="s3://bundles/y")
    assert config.storage.artifact_root == "s3://bundles/y"
    assert kept_in(workspace, "s3://bucket/x").storage.artifact_root == "s3://bucket/x/artifacts"


# What is refused


@pytest.mark.parametrize(
    "address",
    [f"s3://ada:{SECRET}@bucket/x", f"s3://bucket/x?secret={SECRET}", "s3://", "file:///x", "https://bucket/x"],
)
def test_an_address_with_a_key_in_it_or_none_is_refused_and_not_shown(
    address: str, workspace: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LABLINE_STORAGE__ROOT", address)
    with pytest.raises(ConfigError) as caught:
        load(workspace)
    assert "LABLINE_STORAGE__ROOT" in str(caught.value)
    assert "s3://bucket/prefix" in str(caught.value)
    assert SECRET not in "".join(traceback.format_exception(caught.value))


def refused(call: Callable[[], object], kind: type[LablineError]) -> str:
    """What is said within seconds, on one line and without the secret, which is not in the traceback either."""
    started = time.monotonic()
    with pytest.raises(kind) as caught:
        call()
    assert time.monotonic() - started < 8
    assert SECRET not in "".join(traceback.format_exception(caught.value))
    assert "\n" not in str(caught.value)
    assert caught.value.mend
    return str(caught.value)


def everything(config: Config) -> dict[str, tuple[Callable[[], object], type[LablineError]]]:
    """All that asks the store."""
    snapshots = Snapshots(data_folder(config), PROBLEM)
    return {
        "probe": (lambda: probe(config), DataError),
        "keep": (lambda: snapshots.keep(rows(1.0), "train"), DataError),
        "in use": (lambda: snapshots.in_use("train"), DataError),
        "artifact": (lambda: MlflowStore(config.storage).round_trip("people"), RegistryError),
    }


def test_a_bucket_that_is_not_there_is_told(s3: Any, workspace: Path) -> None:
    for call, kind in everything(kept_in(workspace, "s3://nowhere/x")).values():
        said = refused(call, kind)
        assert "s3://nowhere/x" in said
        assert "bucket" in said


def test_a_wrong_key_is_told_with_the_variables_to_look_at(
    s3: Any, workspace: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(moto.settings, "INITIAL_NO_AUTH_ACTION_COUNT", 0)
    for call, kind in everything(kept_in(workspace, f"s3://{BUCKET}/x")).values():
        said = refused(call, kind)
        assert f"s3://{BUCKET}/x" in said
        assert "AWS_ACCESS_KEY_ID" in said
        assert "refuses" in said


def test_a_store_that_is_away_is_told(s3: Any, workspace: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://ada:{SECRET}@127.0.0.1:9")
    forget_connections()
    for call, kind in everything(kept_in(workspace, f"s3://{BUCKET}/x")).values():
        assert "AWS_ENDPOINT_URL" in refused(call, kind)


@pytest.mark.parametrize("module", ["s3fs", "boto3"])
def test_a_missing_driver_is_told_with_the_command_that_installs_it(
    module: str, s3: Any, workspace: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delitem(_registry, "s3", raising=False)
    monkeypatch.setitem(sys.modules, module, None)
    config = kept_in(workspace, f"s3://{BUCKET}/x")
    call, kind = everything(config)["probe" if module == "s3fs" else "artifact"]
    assert 'pip install "labline[s3]"' in refused(call, kind)


def test_a_champion_whose_files_the_store_has_lost_or_refuses_is_told(
    s3: Any, workspace: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    config = kept_in(workspace, f"s3://{BUCKET}/x")
    registry = Registry(config.storage, "people")
    with registry.store.client() as client:
        run = client.create_run(registry.store.experiment(client, "people")).info
        client.log_text(run.run_id, "x", "bundle/manifest.json")
    version = registry.register(run.run_id, f"{run.artifact_uri}/bundle", {})
    monkeypatch.setattr(moto.settings, "INITIAL_NO_AUTH_ACTION_COUNT", 0)
    said = refused(lambda: registry.fetch(version, tmp_path / "cache"), RegistryError)
    assert "refuses" in said
    assert "AWS_ACCESS_KEY_ID" in said
    monkeypatch.setattr(moto.settings, "INITIAL_NO_AUTH_ACTION_COUNT", float("inf"))
    for key in keys(s3):
        s3.delete_object(Bucket=BUCKET, Key=key)
    assert "people version 1 cannot be fetched" in refused(
        lambda: registry.fetch(version, tmp_path / "cache"), RegistryError
    )


def test_the_probe_writes_and_reads_back(s3: Any, workspace: Path) -> None:
    assert probe(kept_in(workspace, f"s3://{BUCKET}/x")) == f"s3://{BUCKET}/x/data"
    assert keys(s3) == {"x/data/labline-probe.txt"}


def test_rows_of_two_types_in_a_column_are_told_as_on_a_disk(s3: Any) -> None:
    mixed = Taken(pd.DataFrame({"x": [1, "one"]}, dtype=object), "file", "file:/mixed.csv")
    error = refusal(Snapshots(Folder(f"s3://{BUCKET}/data"), PROBLEM).keep, mixed, "train")
    assert error.where == "file:/mixed.csv"
    assert keys(s3) == set()
