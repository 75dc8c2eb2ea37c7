"""A real `labline serve` in a process of its own."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Server:
    """Its address and process."""

    address: str
    process: subprocess.Popen[str]


def environment(root: Path) -> dict[str, str]:
    """The environment of a command in a workspace."""
    return os.environ | {"LABLINE_SETTINGS__ROOT": str(root), "COLUMNS": "200"}


@contextmanager
def serving(root: Path, *command: str) -> Iterator[Server]:
    """Run `labline serve obesity`, or the command given, on a free port until the block ends."""
    with subprocess.Popen(
        [sys.executable, "-m", "labline", *(command or ("serve", "obesity")), "--port", "0"],
        env=environment(root),
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        encoding="utf-8",
    ) as process:
        assert process.stdout is not None
        try:
            for line in process.stdout:
                if found := re.search(r"the page\s+(http://\S+)", line):
                    yield Server(found.group(1), process)
                    return
            raise AssertionError(f"the server ended with status {process.wait()} before it listened")
        finally:
            process.terminate()
            process.stdout.close()
            process.wait(30)
