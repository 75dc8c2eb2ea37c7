"""What no one would send: the whole OpenAPI by Schemathesis, and bodies that are wrong in every way. No 5xx, no traceback."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings

from tests.server import Server, serving

FEW, MANY = 60, 1500  # cases of an operation
BODIES_FEW, BODIES_MANY = 600, 10_000
MEMORY_MAX = 30e6  # by which the server may grow; one leaked body in a hundred would be more
SLOW = ("/monitor",)  # pages that take a second each


@pytest.fixture(scope="module")
def root(trained_template: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return Path(shutil.copytree(trained_template, tmp_path_factory.mktemp("fuzz") / "trained"))


@pytest.fixture(scope="module")
def server(root: Path) -> Iterator[Server]:
    with serving(root) as server:
        yield server


def operations(server: Server, cases: int) -> int:
    """Try every operation of the page; how many there were."""
    page = schemathesis.openapi.from_url(f"{server.address}/openapi.json")
    count = 0
    for found in page.get_all_operations():
        operation = found.ok()
        is_slow = operation.path.startswith(SLOW)
        for mode in schemathesis.GenerationMode.all():
            attempt(operation, mode, 2 if is_slow else cases // 2)
        count += 1
    return count


def attempt(operation: Any, mode: Any, cases: int) -> None:
    strategy = operation.as_strategy(generation_mode=mode)

    @given(case=strategy)
    @settings(
        max_examples=cases,
        deadline=None,
        database=None,
        derandomize=True,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    def try_it(case: Any) -> None:
        case.call_and_validate()

    try_it()


def test_every_operation_keeps_what_the_openapi_page_says(server: Server) -> None:
    assert operations(server, FEW) >= 9


@pytest.mark.thorough
def test_every_operation_keeps_it_through_thousands_of_cases(server: Server) -> None:
    assert operations(server, MANY) >= 9
