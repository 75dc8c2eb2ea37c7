"""Runs the API with uvicorn until it is told to stop."""

from __future__ import annotations

import socket
from collections.abc import Callable

import uvicorn

from labline.config import Config
from labline.database import is_embedded, open_database
from labline.monitoring.prediction_log import PredictionLog


def serve(config: Config, problem: str, *, when_ready: Callable[[str], None] | None = None) -> None:
    """Serve until SIGINT or SIGTERM; requests in flight are answered first.

    Args:
        config: where to listen, and all the rest.
        problem: which problem.
        when_ready: called with the base address once the server listens.
    """
    from labline.api import create_app

    database = open_database(config.storage.database_url.get_secret_value())
    if is_embedded(database):  # cannot be used? said before the start; a server may come later
        PredictionLog(database)
    settings = uvicorn.Config(
        create_app(config, problem),
        host=config.serving.host,
        port=config.serving.port,
        log_config=None,  # uvicorn's lines go where ours go
        access_log=False,
        server_header=False,
        timeout_graceful_shutdown=10,
    )
    _Server(settings, when_ready).run()


class _Server(uvicorn.Server):
    """Tells when it listens."""

    def __init__(self, config: uvicorn.Config, when_ready: Callable[[str], None] | None) -> None:
        super().__init__(config)
        self._when_ready = when_ready

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        if self.started and self._when_ready is not None:
            host, port = self.servers[0].sockets[0].getsockname()[:2]
            self._when_ready(f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}")
