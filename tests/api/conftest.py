"""An API over a trained workspace, started once for each test module: its start costs a worker process."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from fastapi.testclient import TestClient

from labline import pipeline
from labline.api import create_app
from labline.config import Config, load
from labline.contract import Problem
from labline.contract.examples import example_record


@dataclass(frozen=True)
class Api:
    """A running app and what it stands on."""

    client: TestClient
    config: Config
    problem: Problem

    @property
    def record(self) -> dict[str, Any]:
        """A record the contract accepts."""
        return example_record(self.problem)


@pytest.fixture(scope="module")
def api(tmp_path_factory: pytest.TempPathFactory, trained_template: Path) -> Iterator[Api]:
    root = Path(shutil.copytree(trained_template, tmp_path_factory.mktemp("api") / "trained"))
    config = load(root)
    with TestClient(create_app(config, "obesity")) as client:
        yield Api(client, config, pipeline.open_problem(config, "obesity"))
