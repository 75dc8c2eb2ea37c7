"""The API's port: free, or taken by our own API, or by something else."""

from __future__ import annotations

import json
import os
import socket
from http.client import HTTPException
from urllib.request import ProxyHandler, build_opener

from labline.config import Config
from labline.errors import LablineError

ANY = {"0.0.0.0": "127.0.0.1", "::": "::1", "": "127.0.0.1"}  # noqa: S104  (where to ask what listens everywhere)
ANSWER_SECONDS = 3


def port(config: Config, _problem: str) -> str:
    """Whether the API can listen, or already does."""
    host, number = config.serving.host, config.serving.port
    try:
        refuse_busy_port(host, number)
    except LablineError as error:
        answering = _own_api(host, number)
        if answering is None:
            raise error from None
        return f"{host}:{number}: {answering} answers there"
    return f"{host}:{number} is free" if number else "any free one is taken"


def refuse_busy_port(host: str, port: int) -> None:
    """Say so before anything long is done when the API could not listen afterwards.

    Raises:
        LablineError: something listens there already, or the address is not this machine's.
    """
    with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET) as probe:
        if os.name == "posix":  # elsewhere this would let two share the port
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as error:
            raise LablineError(
                f"the API cannot listen there: {error.strerror or error}",
                where=f"{host}:{port}",
                mend="stop what listens there, or choose another with --port or LABLINE_SERVING__PORT",
            ) from error


def _own_api(host: str, number: int) -> str | None:
    """What the API that listens there says of itself; None when it is none of ours."""
    asked = ANY.get(host, host)
    address = f"[{asked}]" if ":" in asked else asked
    try:
        # a proxy of the environment has no business between a machine and itself
        with build_opener(ProxyHandler({})).open(
            f"http://{address}:{number}/version", timeout=ANSWER_SECONDS
        ) as answer:
            said = json.loads(answer.read(10_000))
            found, problem = said["labline"], said["problem"]
    except (OSError, HTTPException, ValueError, KeyError, TypeError):
        return None
    model = said.get("model_version")
    return f"Labline {found} with {problem} {f'version {model}' if model else 'and no champion yet'}"
