"""The one middleware around every request: who, how much, how often; then headers, metrics and the access log."""

from __future__ import annotations

import re
import secrets
import time
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, TypeAlias

from fastapi import FastAPI
from loguru import logger
from starlette.middleware.cors import CORSMiddleware
from starlette.middleware.errors import ServerErrorMiddleware
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from labline.api import limits, paths
from labline.api.access import Access, Headers
from labline.api.limits import ClientGoneError, RateLimit, come_again
from labline.api.metrics import Metrics
from labline.api.problem_details import ApiError, answer, crashed, refused
from labline.config.api_keys import ApiKey
from labline.config.logging import REQUEST_ID
from labline.config.serving import Serving
from labline.errors import LablineError

REQUEST_ID_FORM = re.compile(rb"[A-Za-z0-9._:-]{1,64}")  # others could forge lines of a log
ALWAYS = (
    (b"x-content-type-options", b"nosniff"),
    (b"x-frame-options", b"DENY"),
    (b"referrer-policy", b"no-referrer"),
    (b"cross-origin-resource-policy", b"same-origin"),
)
METHODS = {"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"}
NOT_KEPT = (b"cache-control", b"no-store")  # answers are about people
TRACED = "fastapi.telemetry"  # in the scope of a request that has a span
BUSY_SECONDS = 1.0  # after which to come again: nearly every request is answered in less


Respond: TypeAlias = Callable[[Request], Awaitable[Response]]


def around(
    app: FastAPI, serving: Serving, metrics: Metrics, direct: Mapping[tuple[str, str], Respond] | None = None
) -> None:
    """Put the guard around an app and all its middleware, so that what answers directly does not wait for that.

    Outside of it is what tells browsers of other sites, where some are named.

    Args:
        app: what answers.
        serving: keys and limits.
        metrics: where requests are counted.
        direct: what answers instead, by method and path: the way through the app would take longer than the answer.
    """
    unguarded = app.build_middleware_stack

    def guarded() -> ASGIApp:
        inner = unguarded()
        if isinstance(inner, ServerErrorMiddleware):  # it would answer what crashed before the guard does
            inner = inner.app
        guard = Guard(inner, serving, metrics, direct or {})
        if not serving.cors_origins:
            return guard
        return CORSMiddleware(
            guard,
            allow_origins=serving.cors_origins,
            allow_methods=["GET", "POST"],
            allow_headers=["authorization", "content-type", "x-api-key", "x-request-id"],
            expose_headers=["retry-after", "x-request-id"],
        )

    app.build_middleware_stack = guarded  # type: ignore[method-assign]  # when the first request comes


class Guard:
    """Plain ASGI, and one for all it does: each layer more would cost every request its time.

    Args:
        app: what answers.
        serving: keys and limits.
        metrics: where requests are counted.
        direct: what answers instead, by method and path.
    """

    def __init__(
        self, app: ASGIApp, serving: Serving, metrics: Metrics, direct: Mapping[tuple[str, str], Respond]
    ) -> None:
        self._app = app
        self._direct = direct
        self._serving = serving
        self._metrics = metrics
        self._access = Access(serving)
        self._rate = RateLimit(serving.rate_per_second, serving.rate_burst) if serving.rate_per_second else None
        self._added: dict[paths.Path, list[tuple[bytes, bytes]]] = {}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request, or refuse it."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        exchange = Exchange(scope, dict(scope["headers"]), paths.known(scope["path"]))
        sending = self._sending(exchange, send)
        try:
            await self._admit(exchange, receive, sending)
        except ApiError as refusal:
            await answer(refusal.body, refusal.headers)(scope, receive, sending)
        except LablineError as error:  # of a direct answer; the app has its own handlers
            await refused(error)(scope, receive, sending)
        except ClientGoneError:
            exchange.status = 499  # as proxies write it: no one was there to be answered
        except Exception as error:  # pylint: disable=broad-exception-caught  # the log has it, and the metrics
            self._metrics.crashed()
            logger.opt(exception=error).error("{} {} failed", scope["method"], exchange.route)
            if exchange.status:
                raise  # half an answer is out: the connection must end, so that it is not taken for a whole one
            await crashed()(scope, receive, sending)
        finally:
            self._account(exchange)

    def _sending(self, exchange: Exchange, send: Send) -> Callable[[Message], Awaitable[None]]:
        """A `send` that notes the status and adds the headers every answer has."""
        added = self._headers(exchange.path)

        async def sending(message: Message) -> None:
            if message["type"] == "http.response.start":
                exchange.status = message["status"]
                message["headers"] = [*message.get("headers", ()), *added, (b"x-request-id", exchange.id)]
            await send(message)

        return sending

    def _headers(self, path: paths.Path) -> list[tuple[bytes, bytes]]:
        if path not in self._added:
            kept = () if path.kept else (NOT_KEPT,)
            self._added[path] = [*ALWAYS, *kept, (b"content-security-policy", path.policy.encode())]
        return self._added[path]

    async def _admit(self, exchange: Exchange, receive: Receive, send: Send) -> None:
        """Let the request through to the app.

        Raises:
            ApiError: why not.
            ClientGoneError: before its body had come.
        """
        scope, headers, path = exchange.scope, exchange.headers, exchange.path
        if path is paths.OTHER and paths.is_trick(scope["path"], scope.get("raw_path") or b""):
            raise ApiError(400, "Bad path", "the path has a character or a part that no path of this API has")
        self._access.check_host(headers)
        exchange.key = self._access.holder(headers, path.scope)
        self._access.check_site(scope["method"], headers)
        if self._rate is not None and path.counts:
            self._check_rate(self._rate, exchange)
        bytes_max = self._serving.batch_bytes_max if path.batch else self._serving.body_bytes_max
        body = b""
        if limits.check_body(headers, bytes_max):
            seconds = None if limits.BODY_IS_HERE in scope else self._serving.body_seconds
            body = await limits.read_body(receive, bytes_max, seconds)
            receive = limits.handing_over(body, receive)
        if path.counts and self._metrics.busy >= self._serving.concurrency_max:
            raise come_again(503, "Busy", "too many requests are being answered; send it again", BUSY_SECONDS)
        self._metrics.busy += 1
        try:
            respond = self._direct.get((scope["method"], scope["path"]))
            if respond is None or TRACED in scope:  # spans are named on the way through the app
                await self._app(scope, receive, send)
            else:
                response = await respond(Received(scope, receive, body))
                await response(scope, receive, send)
        finally:
            self._metrics.busy -= 1

    def _check_rate(self, rate: RateLimit, exchange: Exchange) -> None:
        address = exchange.scope.get("client") or ("",)
        client = exchange.key.name if exchange.key is not None else address[0]
        seconds = rate.wait(client, exchange.started)
        if seconds:
            limit = f"{self._serving.rate_per_second:g} requests a second"
            raise come_again(429, "Too many requests", f"this client may send {limit}", seconds)

    def _account(self, exchange: Exchange) -> None:
        """Count the answer, and write its line of the access log."""
        seconds = time.perf_counter() - exchange.started
        method, status = exchange.scope["method"], exchange.status
        predictions = exchange.scope.get("state", {}).get("predictions", ())  # where a route has put some
        counted = method if method in METHODS else "other"  # there is no end of those that clients make up
        self._metrics.answered(counted, exchange.route, status, seconds, predictions)
        wanted = self._serving.access_log
        if wanted == "off" or (wanted == "refused" and status < 400):
            return
        logger.bind(
            method=method,
            route=exchange.route,
            status=status,
            milliseconds=round(seconds * 1000, 3),
            key=exchange.key.name if exchange.key else None,
        ).info("{} {} {}", method, exchange.route, status)


class Received(Request):
    """A request whose body is here."""

    def __init__(self, scope: Scope, receive: Receive, body: bytes) -> None:
        super().__init__(scope, receive)
        self._received = body

    async def body(self) -> bytes:
        """All of it."""
        return self._received


class Exchange:
    """A request and what is known of its answer."""

    __slots__ = ("headers", "id", "key", "path", "scope", "started", "status")

    def __init__(self, scope: Scope, headers: Headers, path: paths.Path) -> None:
        self.started = time.perf_counter()
        self.scope = scope
        self.headers = headers
        self.path = path
        self.key: ApiKey | None = None
        self.status = 0
        given = headers.get(b"x-request-id")
        if given is None or not REQUEST_ID_FORM.fullmatch(given):
            given = secrets.token_hex(16).encode()
        self.id = given
        REQUEST_ID.set(given.decode())

    @property
    def route(self) -> str:
        """The path as the routes have it; those that clients make up have one name together, for they have no end."""
        route: Any = self.scope.get("route")
        if route is not None:
            return str(route.path)
        path: str = self.scope["path"]
        return path if path in paths.KNOWN else "other"
