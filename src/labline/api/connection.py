"""One connection of the server: uvicorn's own, that does not wait for ever, nor for headers without end."""

from __future__ import annotations

import asyncio
import json
import secrets
from http import HTTPStatus
from typing import Any

import uvicorn
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from labline.api.guard import ALWAYS, NOT_KEPT
from labline.api.limits import BODY_IS_HERE
from labline.api.problem_details import MEDIA_TYPE, ProblemDetails
from labline.config.serving import Serving

GRACE_SECONDS = 1.0  # for the guard's own answer to a slow body to be first


class ServerConfig(uvicorn.Config):
    """uvicorn's settings, with our limits for its connections."""

    def __init__(self, app: Any, serving: Serving, **settings: Any) -> None:
        proxies = list(serving.trusted_proxies)
        self.limits = serving
        super().__init__(
            app,
            http=Connection,
            ws="none",
            log_config=None,  # uvicorn's lines go where ours go
            access_log=False,
            server_header=False,
            proxy_headers=bool(proxies),
            forwarded_allow_ips=proxies,
            **settings,
        )


class Connection(HttpToolsProtocol):
    """Closes when headers, body, or a client that is sent an answer take too long (what is known as slow loris).

    A request whose bytes have all come at once costs nothing for this: timers begin when something is still to come.
    """

    def __init__(self, config: ServerConfig, *given: Any, **named: Any) -> None:
        super().__init__(config, *given, **named)
        self._limits = config.limits
        self._timer: asyncio.TimerHandle | None = None
        self._sending: asyncio.TimerHandle | None = None
        self._awaited = "headers"  # or "body", or "" between requests, where uvicorn's keep-alive has its own time
        self._header_bytes = 0
        self._too_large = False
        self._completed = False

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """A client is there; too many are told so."""
        super().connection_made(transport)
        if len(self.connections) > self._limits.connections_max:
            self._end(503, "too many connections are open", "retry-after: 1\r\n")
        else:
            self._wait()

    def data_received(self, data: bytes) -> None:
        """Bytes have come."""
        if self.transport.is_closing():
            return
        before, self._completed = self._awaited, False
        if before != "body":
            self._header_bytes += len(data)
        super().data_received(data)
        if not (self._awaited or self._completed):  # line ends between requests, of which the parser says nothing
            self._awaited = "headers"
        if self._awaited == "headers" and self._header_bytes > self._limits.header_bytes_max:
            self._end_large()
        if self._awaited != before:
            self._stop()
        if self._awaited and self._timer is None and not self.transport.is_closing():
            self._wait()

    def on_message_begin(self) -> None:
        """A request begins."""
        super().on_message_begin()
        self._awaited = "headers"

    def on_headers_complete(self) -> None:
        """Its headers are there; those that came in one piece are measured here."""
        most = self._limits.header_bytes_max
        # some of what has come may be body: only then is it worth counting
        if self._header_bytes > most and self._size_of_headers() > most:
            self._too_large = True
            raise ValueError("headers too large")  # ends the parser, which has `send_400_response` called
        self._awaited = "body"
        super().on_headers_complete()

    def _size_of_headers(self) -> int:
        return len(self.url) + sum(len(name) + len(value) + 4 for name, value in self.headers)

    def on_message_complete(self) -> None:
        """It is there as a whole."""
        self.scope[BODY_IS_HERE] = True  # type: ignore[literal-required]  # the app may have begun, and need not know it
        self._awaited, self._completed = "", True
        self._header_bytes = 0
        super().on_message_complete()

    def send_400_response(self, msg: str) -> None:
        """Refuse what is not HTTP, or too much of it."""
        if self._too_large:
            self._end_large()
        else:
            self._end(400, "this is not HTTP/1.1")

    def pause_writing(self) -> None:
        """The client takes nothing in."""
        super().pause_writing()
        self._sending = self.loop.call_later(self._limits.send_seconds, self.transport.abort)

    def resume_writing(self) -> None:
        """It does again."""
        super().resume_writing()
        if self._sending is not None:
            self._sending.cancel()
            self._sending = None

    def connection_lost(self, exc: Exception | None) -> None:
        """The client is gone."""
        self._stop()
        super().connection_lost(exc)

    def _wait(self) -> None:
        """Begin the time for what is awaited."""
        limits = self._limits
        seconds = limits.header_seconds if self._awaited == "headers" else limits.body_seconds + GRACE_SECONDS
        self._timer = self.loop.call_later(seconds, self._too_slow)

    def _stop(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _too_slow(self) -> None:
        self._timer = None
        if self._awaited == "headers":
            self._end(408, f"the headers did not arrive within {self._limits.header_seconds:g} s")
        elif self._awaited == "body":  # answered already, and the client sends on
            self.transport.close()

    def _end_large(self) -> None:
        self._end(431, f"request line and headers may have {self._limits.header_bytes_max:,} bytes")

    def _end(self, status: int, detail: str, more: str = "") -> None:
        """Answer on the bare connection, for there is no request that an app could answer, and close it."""
        if self.transport.is_closing():
            return
        self._stop()
        title, request_id = HTTPStatus(status).phrase, secrets.token_hex(16)
        said = ProblemDetails(title=title, status=status, detail=detail, request_id=request_id)
        body = json.dumps(said.model_dump(mode="json")).encode()
        headers = "".join(f"{name.decode()}: {value.decode()}\r\n" for name, value in (*ALWAYS, NOT_KEPT))
        self.logger.info("connection ended with %s: %s (request %s)", status, detail, request_id)
        self.transport.write(
            f"HTTP/1.1 {status} {title}\r\n{headers}{more}x-request-id: {request_id}\r\ncontent-type: {MEDIA_TYPE}\r\n"
            f"content-length: {len(body)}\r\nconnection: close\r\n\r\n".encode()
            + body
        )
        self.transport.close()
