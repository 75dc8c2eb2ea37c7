"""What a request and a client may take: the rate of a key, and a body's size, kind and time."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Mapping

from starlette.types import Message, Receive

from labline.api.problem_details import ApiError

CLIENTS_MAX = 10_000  # remembered at once; those who may send at full rate again are forgotten
BODY_IS_HERE = "labline.body_is_here"  # in the scope of a request that the server has as a whole
JSON_TYPES = (b"application/json", b"application/problem+json")


class ClientGoneError(Exception):
    """The client went away before its request had arrived: there is no one to answer."""


class RateLimit:
    """So many requests a second for each client, and so many at once (generic cell rate algorithm, ITU-T I.371).

    Args:
        per_second: in the long run.
        burst: at once.
    """

    def __init__(self, per_second: float, burst: int) -> None:
        self._interval = 1 / per_second
        self._ahead = burst * self._interval
        self._due: dict[str, float] = {}

    def wait(self, client: str, now: float) -> float:
        """Seconds until the client's next request is let in; 0 when this one is, and counted.

        Args:
            client: a key's name or an address.
            now: seconds of a clock that never goes back.
        """
        due = max(self._due.get(client, now), now) + self._interval
        if due - now > self._ahead + 1e-9:  # sums of floats
            return due - self._ahead - now
        if client not in self._due and len(self._due) >= CLIENTS_MAX:
            self._due = {other: at for other, at in self._due.items() if at > now}
        self._due[client] = due
        return 0.0


def come_again(status: int, title: str, detail: str, seconds: float) -> ApiError:
    """The refusal of what may be sent again, with the time after which (Retry-After, RFC 9110)."""
    return ApiError(status, title, detail, retry_after=max(1, math.ceil(seconds)))


def check_body(headers: Mapping[bytes, bytes], bytes_max: int) -> bool:
    """Whether a body follows the headers; refused where they tell that it would be.

    Raises:
        ApiError: 413 or 415; 400 for a length that is none.
    """
    length = headers.get(b"content-length", b"0")
    if not length.isdigit() or len(length) > 18:
        raise ApiError(400, "Bad request", "Content-Length is no number")
    if int(length) > bytes_max:
        raise too_large(bytes_max)
    has_body = length != b"0" or b"transfer-encoding" in headers
    if has_body:
        kind = headers.get(b"content-type", b"").partition(b";")[0].strip().lower()
        if kind and kind not in JSON_TYPES:
            raise ApiError(415, "Not JSON", "the body's Content-Type must be application/json")
        if headers.get(b"content-encoding", b"identity").lower() != b"identity":
            raise ApiError(415, "Compressed", "bodies are taken uncompressed alone")
    return has_body


async def read_body(receive: Receive, bytes_max: int, seconds: float | None) -> bytes:
    """The whole body.

    Args:
        receive: that gives it.
        bytes_max: it may have.
        seconds: it may take; None where it is here already, which costs no timer.

    Raises:
        ApiError: 413 when it is larger, also when no length was told; 408 when it takes longer.
        ClientGoneError: the client went away.
    """
    if seconds is None:
        return await _received(receive, bytes_max)
    try:
        async with asyncio.timeout(seconds):
            return await _received(receive, bytes_max)
    except TimeoutError:
        detail = f"the body did not arrive within {seconds:g} s"
        raise ApiError(408, "Too slow", detail, headers={"Connection": "close"}) from None


async def _received(receive: Receive, bytes_max: int) -> bytes:
    parts, size = [], 0
    more = True
    while more:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise ClientGoneError
        parts.append(message.get("body", b""))
        size += len(parts[-1])
        if size > bytes_max:
            raise too_large(bytes_max)
        more = message.get("more_body", False)
    return parts[0] if len(parts) == 1 else b"".join(parts)


def handing_over(body: bytes, receive: Receive) -> Receive:
    """A `receive` that gives the body that was read, then what comes after it."""
    given = False

    async def next_message() -> Message:
        nonlocal given
        if given:
            return await receive()
        given = True
        return {"type": "http.request", "body": body, "more_body": False}

    return next_message


def too_large(bytes_max: int) -> ApiError:
    """The refusal of a body."""
    return ApiError(413, "Too large", f"the body may have {bytes_max:,} bytes; send fewer rows at once")
