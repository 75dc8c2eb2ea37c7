"""The server's connections as raw sockets see them: slow ones, silent ones, endless headers, what is not HTTP."""

from __future__ import annotations

import json
import shutil
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
import yaml

from tests.server import Server, serving

WAIT = 0.6  # header_seconds and body_seconds of the server
LATE = 4.0  # by when it must have given up, on a busy machine
HEAD = b"POST /predict HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"


@pytest.fixture(scope="module")
def server(trained_template: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    root = Path(shutil.copytree(trained_template, tmp_path_factory.mktemp("connection") / "trained"))
    settings = yaml.safe_load((root / "labline.yaml").read_text())
    limits = {"header_seconds": WAIT, "body_seconds": WAIT, "header_bytes_max": 4096, "connections_max": 20}
    settings["serving"] |= limits | {"send_seconds": 1}
    (root / "labline.yaml").write_text(yaml.safe_dump(settings))
    with serving(root) as server:
        yield server


@contextmanager
def connected(server: Server) -> Iterator[socket.socket]:
    address = urlsplit(server.address)
    with socket.create_connection((str(address.hostname), int(address.port or 0)), timeout=2 * LATE) as connection:
        yield connection


def rest(connection: socket.socket) -> bytes:
    """All that comes until the server ends the connection."""
    said = b""
    try:
        while part := connection.recv(65536):
            said += part
    except ConnectionResetError:
        pass
    return said


def problem(said: bytes) -> tuple[int, dict[str, Any]]:
    """Status and problem details of an answer."""
    head, _, body = said.partition(b"\r\n\r\n")
    assert b"application/problem+json" in head
    assert b"x-content-type-options: nosniff" in head.lower()
    assert json.loads(body)["request_id"].encode() in head
    return int(head.split()[1]), json.loads(body)


def trickle(connection: socket.socket, data: bytes, seconds: float = 0.1) -> float:
    """Send byte after byte until the other side has had enough; how long it bore it."""
    began = time.monotonic()
    try:
        for byte in data:
            connection.sendall(bytes([byte]))
            time.sleep(seconds)
            assert time.monotonic() - began < LATE, "the server waits and waits"
    except OSError:
        pass
    return time.monotonic() - began


@pytest.mark.parametrize(
    "first", [b"", b"GET", b"GET /healthz HTTP/1.1\r\nHost: x\r\nX-A: "], ids=["nothing", "a word", "no end"]
)
def test_headers_that_do_not_come_are_not_waited_for(server: Server, first: bytes) -> None:
    with connected(server) as connection:
        began = time.monotonic()
        connection.sendall(first)
        status, said = problem(rest(connection))
        assert status == 408
        assert "headers did not arrive" in said["detail"]
        assert WAIT * 0.9 < time.monotonic() - began < LATE


def test_headers_that_trickle_in_do_not_gain_time(server: Server) -> None:
    with connected(server) as connection:
        connection.sendall(b"GET /healthz HTTP/1.1\r\nHost: x\r\n")
        trickle(connection, b"X-Slow: " + b"a" * 200)
        assert problem(rest(connection))[0] == 408


def test_a_body_that_trickles_in_does_not_gain_time(server: Server) -> None:
    with connected(server) as connection:
        connection.sendall(HEAD + b"Content-Length: 1000\r\n\r\n")
        trickle(connection, b"x" * 200)
        status, said = problem(rest(connection))
        assert (status, said["title"]) == (408, "Too slow")


def test_line_ends_between_requests_do_not_keep_a_connection(server: Server) -> None:
    with connected(server) as connection:
        connection.sendall(b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n")
        assert connection.recv(65536).startswith(b"HTTP/1.1 200")
        connection.sendall(b"\r\n")
        began = time.monotonic()
        rest(connection)
        assert time.monotonic() - began < LATE


def test_a_refused_client_that_sends_on_is_cut_off(server: Server) -> None:
    with connected(server) as connection:
        connection.sendall(HEAD + b"Content-Length: 999999999999\r\n\r\n")
        assert connection.recv(65536).startswith(b"HTTP/1.1 413")
        trickle(connection, b"x" * 200)
        began = time.monotonic()
        rest(connection)
        assert time.monotonic() - began < LATE


@pytest.mark.parametrize("pieces", [1, 50], ids=["at once", "in pieces"])
def test_headers_have_an_end(server: Server, pieces: int) -> None:
    with connected(server) as connection:
        lines = b"GET /healthz HTTP/1.1\r\nHost: x\r\n" + b"X-A: b\r\n" * 1000 + b"\r\n"
        size = len(lines) // pieces + 1
        try:
            for start in range(0, len(lines), size):
                connection.sendall(lines[start : start + size])
        except OSError:
            pass  # it has had enough already
        assert problem(rest(connection))[0] == 431


@pytest.mark.parametrize(
    "sent",
    [
        b"hello\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",  # TLS
        b"GET /\xff HTTP/1.1\r\nHost: x\r\n\r\n",
        b"GET /healthz HTTP/1.1\r\nHost: x\r\nX: a\x00b\r\n\r\n",
        b"POST /predict HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\nContent-Length: 5\r\n\r\nabcde",
        b"POST /predict HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        b"POST /predict HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
        b"CONNECT elsewhere.example:443 HTTP/1.1\r\nHost: x\r\n\r\n",
    ],
)
def test_what_is_no_request_is_400(server: Server, sent: bytes) -> None:
    with connected(server) as connection:
        connection.sendall(sent)
        assert problem(rest(connection))[0] == 400


@pytest.mark.parametrize(
    "path", [b"/docs/../predict", b"//predict", b"/static-offline-docs/%2e%2e%2fcore.py", b"/a%00b"]
)
def test_path_tricks_are_refused_as_they_come_over_the_wire(server: Server, path: bytes) -> None:
    with connected(server) as connection:
        connection.sendall(b"GET " + path + b" HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        assert problem(rest(connection))[0] in {400, 404}


def test_a_slow_crowd_leaves_the_others_their_answers(server: Server) -> None:
    with connected(server) as first, connected(server) as second, connected(server) as third:
        for slow in (first, second, third):
            slow.sendall(HEAD + b"Content-Length: 10\r\n\r\n{")
        with connected(server) as connection:
            began = time.monotonic()
            connection.sendall(b"GET /healthz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
            assert rest(connection).startswith(b"HTTP/1.1 200")
            assert time.monotonic() - began < LATE


def test_more_connections_than_allowed_are_told_so(server: Server) -> None:
    opened = []
    try:
        for _ in range(21):
            connection = connected(server)
            opened.append((connection, connection.__enter__()))
        status, said = problem(rest(opened[-1][1]))
        assert (status, said["detail"]) == (503, "too many connections are open")
    finally:
        for connection, _ in opened:
            connection.__exit__(None, None, None)


def test_pipelined_requests_are_answered_in_order(server: Server) -> None:
    with connected(server) as connection:
        ask = b"GET /healthz HTTP/1.1\r\nHost: x\r\nX-Request-ID: %d\r\n%s\r\n"
        connection.sendall(ask % (1, b"") + ask % (2, b"") + ask % (3, b"Connection: close\r\n"))
        said = rest(connection)
        assert [said.find(b"x-request-id: %d" % number) > 0 for number in (1, 2, 3)] == [True] * 3
        assert said.find(b"x-request-id: 1") < said.find(b"x-request-id: 2") < said.find(b"x-request-id: 3")
