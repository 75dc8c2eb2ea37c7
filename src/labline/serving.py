"""Runs the API with uvicorn until it is told to stop."""

from __future__ import annotations

import socket
from collections.abc import Callable

import uvicorn

from labline.config import Config
from labline.config.serving import Serving
from labline.database import is_embedded, open_database
from labline.errors import ConfigError
from labline.monitoring.prediction_log import PredictionLog


def serve(config: Config, problem: str, *, when_ready: Callable[[str], None] | None = None) -> None:
    """Serve until SIGINT or SIGTERM; requests in flight are answered first.

    Args:
        config: where to listen, and all the rest.
        problem: which problem.
        when_ready: called with the base address once the server listens.

    Raises:
        ConfigError: others could reach it, and there is no key.
    """
    from labline.api import create_app
    from labline.api.connection import ServerConfig

    refuse_open(config.serving)
    database = open_database(config.storage.database_url.get_secret_value())
    if is_embedded(database):  # cannot be used? said before the start; a server may come later
        PredictionLog(database)
    settings = ServerConfig(
        create_app(config, problem),
        config.serving,
        host=config.serving.host,
        port=config.serving.port,
        timeout_graceful_shutdown=10,
    )
    _Server(settings, when_ready).run()


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
            host, port = self.servers[0].sockets[0].getsockname()[:2]
            self._when_ready(f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}")
