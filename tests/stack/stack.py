"""The Compose stack as a Python object: for its tests, and for the benchmark that measures it."""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.error import HTTPError
from urllib.request import Request, urlopen

ROOT = Path(__file__).parents[2]
UID = 1000
PROJECT = "labline-test"
PORTS = {"api": "LABLINE_PORT", "mlflow": "MLFLOW_PORT", "research": "JUPYTER_PORT"}


@dataclass(frozen=True)
class Answer:
    """An HTTP answer, whatever its status."""

    status: int
    body: str

    @property
    def json(self) -> Any:
        return json.loads(self.body)


@dataclass
class Stack:
    """A Compose project in a folder."""

    folder: Path
    ports: dict[str, int]
    seconds: dict[str, float] = field(default_factory=dict)

    def run(self, *command: str, check: bool = True, seconds: float = 900) -> subprocess.CompletedProcess[str]:
        """A `docker compose` command, its output captured."""
        found = subprocess.run(
            ["docker", "compose", "--project-name", PROJECT, *command],
            cwd=self.folder,
            env=environment(),
            capture_output=True,
            text=True,
            timeout=seconds,
            check=False,
        )
        if check and found.returncode:
            logs = self.run("logs", "--tail", "30", check=False).stdout
            said = f"{found.stderr}\n{found.stdout}\n{logs}"
            raise AssertionError(f"docker compose {' '.join(command)} ended with {found.returncode}:\n{said}")
        return found

    def exec(self, service: str, *command: str, check: bool = True) -> str:
        """What a command in a service's container prints."""
        return self.run("exec", "-T", service, *command, check=check).stdout

    def up(self, name: str) -> None:
        """Bring it up, and keep how long that took until a prediction was answered."""
        started = time.monotonic()
        self.run("up", "--build", "--wait")
        wait_for(lambda: self.predict().status == 200, "the first prediction")
        self.seconds[name] = time.monotonic() - started

    def ask(
        self, path: str, body: Any = None, *, service: str = "api", headers: dict[str, str] | None = None
    ) -> Answer:
        """An HTTP request to a service's port on this machine."""
        data = None if body is None else json.dumps(body).encode()
        kind = {} if body is None else {"content-type": "application/json"}
        request = Request(f"http://127.0.0.1:{self.ports[service]}{path}", data=data, headers=kind | (headers or {}))
        try:
            with urlopen(request, timeout=60) as answer:
                return Answer(answer.status, answer.read().decode())
        except HTTPError as error:
            return Answer(error.code, error.read().decode())

    def predict(self) -> Answer:
        """One prediction for the record that the API itself gives as an example."""
        schemas = self.ask("/openapi.json").json["components"]["schemas"]
        return self.ask("/predict", schemas["Record"]["examples"][0])

    def sql(self, database: str, statement: str) -> str:
        """What a statement gives, asked as the database's own role."""
        return self.exec("postgres", "psql", "-U", database, "-d", database, "-Atc", statement).strip()


def stack_in(checkout: Path) -> Stack:
    """A stack in the folder, with a .env of its own and on free ports; nothing is started yet."""
    subprocess.run([sys.executable, "docker/env.py"], cwd=checkout, check=True, capture_output=True)
    ports = {service: free_port() for service in PORTS}
    with (checkout / ".env").open("a", encoding="utf-8") as file:
        file.writelines(f"{PORTS[service]}={port}\n" for service, port in ports.items())
    return Stack(checkout, ports)


def environment() -> dict[str, str]:
    """This process's environment without what would go before the stack's own .env."""
    ours = ("LABLINE_", "POSTGRES_", "MLFLOW_", "OPTUNA_", "JUPYTER_", "COMPOSE_", "KAGGLE_")
    return {name: value for name, value in os.environ.items() if not name.startswith(ours)}


def wait_for(condition: Callable[[], bool], what: str, seconds: float = 60) -> None:
    """Ask again and again until it holds."""
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, f"waited in vain: {what}"
        time.sleep(0.2)


def copy_of_the_repository(target: Path) -> Path:
    """What git knows or would take up, owned by the containers' user."""
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        capture_output=True,
        check=True,
    )
    for name in filter(None, listed.stdout.decode().split("\0")):
        if (ROOT / name).is_file():
            (target / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, target / name)
    if os.getuid() == 0:
        subprocess.run(["chown", "-R", f"{UID}:{UID}", str(target)], check=True)
    return target


def free_port() -> int:
    """A port that nothing listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
