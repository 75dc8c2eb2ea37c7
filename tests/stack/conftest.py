"""The Compose stack, brought up for real from a copy of this folder, with ports and volumes of its own."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.stack.stack import Stack, copy_of_the_repository, stack_in


@pytest.fixture(scope="session")
def docker() -> None:
    """Skip where no Docker engine answers."""
    if not shutil.which("docker") or subprocess.run(["docker", "info"], capture_output=True, check=False).returncode:
        pytest.skip("no Docker engine answers here")


@pytest.fixture(scope="session")
def checkout(docker: None, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of this folder, as a user would have cloned it."""
    return copy_of_the_repository(tmp_path_factory.mktemp("stack") / "labline")


@pytest.fixture(scope="session")
def stack(checkout: Path, request: pytest.FixtureRequest) -> Iterator[Stack]:
    """The stack, up; gone with its volumes afterwards. After a failure its last words are printed first."""
    stack = stack_in(checkout)
    stack.run("down", "--volumes", "--remove-orphans")
    try:
        stack.up("first")
        yield stack
    finally:
        words = [("ps", "--all"), ("logs", "--tail", "50")] if request.session.testsfailed else []
        last = [stack.run(*command, check=False).stdout for command in words]
        stack.run("--profile", "test", "down", "--volumes", "--rmi", "local", check=False)
        if capture := request.config.pluginmanager.getplugin("capturemanager"):
            with capture.global_and_fixture_disabled():
                print(*last, sep="\n")
                for name, seconds in stack.seconds.items():
                    print(f"\nstack up and first prediction answered, {name}: {seconds:.0f} s", end="")
