"""Runs the API with uvicorn until it is told to stop."""

from __future__ import annotations

import multiprocessing
import os
import signal
import socket
import tempfile
import threading
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING

import uvicorn
from uvicorn.supervisors import Multiprocess

from labline.config import Config
from labline.config.logging import configure
from labline.config.serving import Serving
from labline.database import is_embedded, open_database
from labline.errors import ConfigError
from labline.monitoring.prediction_log import PredictionLog

if TYPE_CHECKING:
    from fastapi import FastAPI

START_SECONDS = 60.0


def serve(config: Config, problem: str, *, when_ready: Callable[[str], None] | None = None) -> None:
    """Serve until SIGINT or SIGTERM; requests in flight are answered first.

    Args:
        config: where to listen, and all the rest.
        problem: which problem.
        when_ready: called with the base address once the server listens.

    Raises:
        ConfigError: others could reach it, and there is no key.
    """
    from labline.api.connection import ServerConfig

    refuse_open(config.serving)
    database = open_database(config.storage.database_url.get_secret_value())
    if is_embedded(database):  # cannot be used? said before the start; a server may come later
        PredictionLog(database)
    settings = ServerConfig(
        partial(_app, config, problem),
        config.serving,
        factory=True,
        host=config.serving.host,
        port=config.serving.port,
        workers=config.serving.workers,
        timeout_graceful_shutdown=10,
    )
    if config.serving.workers == 1:
        _Server(settings, when_ready).run()
        return
    with tempfile.TemporaryDirectory(prefix="labline-metrics-") as shared:
        os.environ["PROMETHEUS_MULTIPROC_DIR"] = shared  # where the workers' numbers come together
        _Workers(settings, settings.bind_socket(), when_ready).run()


def _app(config: Config, problem: str) -> FastAPI:
    """What each process serves."""
    from labline.api import create_app
    from labline.api.absent import keep_absent

    keep_absent()
    if multiprocessing.parent_process() is not None:
        configure(config.logging)
        threading.Thread(target=_end_with_parent, name="end-with-parent", daemon=True).start()
    return create_app(config, problem)


def _end_with_parent() -> None:
    """A parent that was killed tells no one; without this its workers would hold the port for ever."""
    parent = multiprocessing.parent_process()
    assert parent is not None
    parent.join()
    os.kill(os.getpid(), signal.SIGTERM)


def refuse_open(serving: Serving) -> None:
    """Refuse to let in everyone who comes from outside, unless that is what the settings say.

    Raises:
        ConfigError: others could reach it, and there is no key.
    """
    if not (serving.is_loopback or serving.api_keys or serving.open):
        raise ConfigError(
            f"others could reach {serving.host}, and there are no API keys",
            where="serving.host",
            mend="make a key with `labline key new`; or, where something else keeps strangers out, set "
            "LABLINE_SERVING__OPEN=true",
        )


class _Server(uvicorn.Server):
    """Tells when it listens."""

    def __init__(self, config: uvicorn.Config, when_ready: Callable[[str], None] | None) -> None:
        super().__init__(config)
        self._when_ready = when_ready

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        if self.started and self._when_ready is not None:
            self._when_ready(_address(self.servers[0].sockets[0]))


class _Workers(Multiprocess):
    """Several processes at one port, each started again when it dies; tells when the first of them listens."""

    def __init__(
        self, config: uvicorn.Config, listens: socket.socket, when_ready: Callable[[str], None] | None
    ) -> None:
        super().__init__(config, [listens])
        self._when_ready = when_ready

    def init_processes(self) -> None:
        super().init_processes()
        if self.processes[0].wait_until_ready(START_SECONDS, self.should_exit) and self._when_ready is not None:
            self._when_ready(_address(self.sockets[0]))


def _address(listens: socket.socket) -> str:
    host, port = listens.getsockname()[:2]
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"
