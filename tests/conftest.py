"""What tests share: workspaces with a small problem in them, trained once for the whole run."""

from __future__ import annotations

import gc
import os
import shutil
import uuid
from collections.abc import Iterator
from pathlib import Path

import pandas as pd
import pytest
import yaml
from filelock import FileLock
from hypothesis import settings
from sqlalchemy import NullPool, create_engine, make_url, text

from labline import pipeline
from labline.api import workers
from labline.config import Config, load
from labline.contract import Problem
from labline.data.sources.sample import generate
from tests.forked import FORKED

ROOT = Path(__file__).parent.parent
TRAIN_ROWS, CURRENT_ROWS = 1500, 400
# two families and no search around them: what the search does has tests of its own
FAST = {
    "training": {
        "folds": 2,
        "budget_seconds": 60,
        "families": ["linear", "lightgbm"],
        "selection": "none",
        "trials": 0,
        "blend": False,
        "seeds": 1,
        "explained_rows": 0,
    },
    "serving": {"champion_poll_seconds": 0.2},
}


# examples share the machine with other tests: the time that one takes says nothing about what is tested
settings.register_profile("tests", deadline=None)
settings.load_profile("tests")


def pytest_collection_finish() -> None:
    """What libraries hold stays to the end: no use in looking for garbage in it, time and again."""
    gc.freeze()
    gc.set_threshold(10_000, 20, 20)


@pytest.fixture(scope="session", autouse=True)
def _nothing_from_outside(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """No test sees the developer's settings or credentials, or writes where they live."""
    with pytest.MonkeyPatch.context() as patch:
        for name in list(os.environ):
            if name.startswith(("LABLINE_", "KAGGLE_", "MLFLOW_TRACKING", "MLFLOW_REGISTRY", "AWS_")) and not (
                name.startswith(("LABLINE_REAL_DATA", "LABLINE_TEST_", "AWS_CA_BUNDLE"))
            ):
                patch.delenv(name)
        patch.setenv("KAGGLE_CONFIG_DIR", str(tmp_path_factory.getbasetemp() / "no-kaggle"))
        yield


@pytest.fixture(scope="session", autouse=True)
def _workers_begin_with_libraries() -> Iterator[None]:
    """An API that is made in a test's own process starts its workers so."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(workers, "context", lambda: FORKED)
        yield


@pytest.fixture
def postgres() -> Iterator[str]:
    """The address of a PostgreSQL in which the test has a schema of its own, empty; for tests marked `postgres`."""
    address = os.environ.get("LABLINE_TEST_POSTGRES")
    if address is None:
        pytest.skip("LABLINE_TEST_POSTGRES names no database")
    schema = f"test_{uuid.uuid4().hex}"
    server = create_engine(address, isolation_level="AUTOCOMMIT", poolclass=NullPool)
    with server.connect() as connection:
        connection.execute(text(f"CREATE SCHEMA {schema}"))
    try:
        url = make_url(address).update_query_dict({"options": f"-csearch_path={schema}"})
        yield url.render_as_string(hide_password=False)
    finally:
        with server.connect() as connection:
            connection.execute(text(f"DROP SCHEMA {schema} CASCADE"))


@pytest.fixture(scope="session")
def sample() -> dict[str, pd.DataFrame]:
    """The head of the obesity sample, by role."""
    rows = {"train": TRAIN_ROWS, "current": CURRENT_ROWS}
    return {role: generate(ROOT / "problems" / "obesity", role, seed=7).head(n) for role, n in rows.items()}


@pytest.fixture(scope="session")
def trained_template(
    tmp_path_factory: pytest.TempPathFactory, empty_store: Path, sample: dict[str, pd.DataFrame]
) -> Path:
    """A workspace with a champion, made once for all workers. Not to be changed: tests work on copies."""
    shared = tmp_path_factory.getbasetemp()
    if os.environ.get("PYTEST_XDIST_WORKER"):
        shared = shared.parent  # the workers' common folder
    root = shared / "trained"
    with FileLock(shared / "trained.lock"):
        if not (root / "done").is_file():
            take_store(make_workspace(root), empty_store)
            for role, frame in sample.items():
                frame.to_csv(root / f"{role}.csv", index=False)
            config = load(root)
            problem = pipeline.open_problem(config, "obesity")
            files = {"train": str(root / "train.csv"), "current": str(root / "current.csv")}
            pipeline.prepare(config, problem, files=files)  # type: ignore[arg-type]
            pipeline.train(config, problem)
            pipeline.promote(config, problem)
            (root / "done").touch()
    return root


@pytest.fixture(scope="session")
def empty_store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An MLflow store with its tables and nothing else: to make them takes it seconds, for every workspace."""
    import mlflow  # after ours, which tell it how to behave

    shared = tmp_path_factory.getbasetemp()
    file = (shared.parent if os.environ.get("PYTEST_XDIST_WORKER") else shared) / "empty" / "mlflow.db"
    with FileLock(file.parent.with_suffix(".lock")):
        if not file.is_file():
            file.parent.mkdir()
            made = file.with_suffix(".made")
            mlflow.MlflowClient(f"sqlite:///{made}").search_experiments()
            made.rename(file)
    return file


def make_workspace(root: Path) -> Path:
    """An empty workspace with the shipped problems in it, set to train fast."""
    root.mkdir(parents=True, exist_ok=True)
    shutil.copytree(ROOT / "problems", root / "problems", ignore=shutil.ignore_patterns("__pycache__"))
    (root / "labline.yaml").write_text(yaml.safe_dump(FAST), encoding="utf-8")
    return root


def take_store(root: Path, empty_store: Path) -> Path:
    """The workspace, with an MLflow store in it."""
    (root / "models").mkdir()
    shutil.copy(empty_store, root / "models" / "mlflow.db")
    return root


@pytest.fixture
def workspace(tmp_path: Path, empty_store: Path) -> Path:
    """An empty workspace of the test's own."""
    return take_store(make_workspace(tmp_path / "workspace"), empty_store)


@pytest.fixture
def trained(tmp_path: Path, trained_template: Path) -> Path:
    """A workspace of the test's own with data and a champion, version 1, in it."""
    return Path(shutil.copytree(trained_template, tmp_path / "trained"))


@pytest.fixture
def config(trained: Path) -> Config:
    """The settings of the trained workspace."""
    return load(trained)


@pytest.fixture
def problem(config: Config) -> Problem:
    """The obesity contract of the trained workspace."""
    return pipeline.open_problem(config, "obesity")
