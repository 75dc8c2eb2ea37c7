"""A stand-in for Kaggle that speaks the wire format of kaggle 2.2: JSON by POST, and a redirect to a signed address."""

from __future__ import annotations

import base64
import gzip
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import quote, unquote, urlsplit

USERNAME = "ada"
KEY = "0123456789abcdef-secret-key"
TOKEN = "KGAT_fedcba9876543210-secret-token"
SIGNATURE = "X-Goog-Signature=secret-signature"


@dataclass
class KaggleServer:
    """What the stand-in holds, how it misbehaves, and what it was asked for."""

    url: str = ""
    # (competition or owner/dataset, file) to (name in the storage's address, bytes)
    files: dict[tuple[str, str], tuple[str, bytes]] = field(default_factory=dict)
    rules_not_accepted: set[str] = field(default_factory=set)
    busy: list[int] = field(default_factory=list)  # statuses that the next downloads are answered with
    storage_busy: list[int] = field(default_factory=list)  # the same for the address they are sent on to
    gzips: bool = False  # the storage gzips for whoever accepts it
    cut_short: int = 0  # that many downloads end in the middle
    silent: threading.Event | None = None  # set: a download waits for it after half of the bytes
    half_sent: threading.Event = field(default_factory=threading.Event)
    sign_ins: list[str] = field(default_factory=list)  # schemes of the Authorization headers
    asked: list[str] = field(default_factory=list)  # methods of Kaggle's services, and "storage"

    def serve(self, place: str, file: str, content: bytes, name: str | None = None) -> None:
        self.files[place, file] = (name or file, content)


@contextmanager
def kaggle_server() -> Iterator[KaggleServer]:
    """A stand-in that listens on a free port until the block ends."""
    state = KaggleServer()
    server = ThreadingHTTPServer(("127.0.0.1", 0), type("Handler", (_Handler,), {"state": state}))
    state.url = f"http://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    try:
        yield state
    finally:
        if state.silent is not None:
            state.silent.set()
        server.shutdown()
        server.server_close()
        thread.join()


class _Handler(BaseHTTPRequestHandler):
    state: KaggleServer
    protocol_version = "HTTP/1.1"

    def log_message(self, format: str, *args: object) -> None:
        pass

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        method = urlsplit(self.path).path.removeprefix("/v1/")
        self.state.asked.append(method)
        if not self._signed_in():
            self._refuse(401, "Unauthenticated")
        elif method == "security.OAuthService/IntrospectToken":
            known = body["token"] == TOKEN
            self._json(200, {"active": known, "username": USERNAME if known else ""})
        elif method == "competitions.CompetitionApiService/DownloadDataFile":
            self._download(body["competitionName"], body["fileName"])
        elif method == "datasets.DatasetApiService/DownloadDataset":
            self._download(f"{body['ownerSlug']}/{body['datasetSlug']}", body["fileName"])
        else:
            self._refuse(404, f"no method {method}")

    def _signed_in(self) -> bool:
        scheme, _, value = self.headers.get("Authorization", "").partition(" ")
        self.state.sign_ins.append(scheme)
        if scheme == "Basic":
            return base64.b64decode(value).decode() == f"{USERNAME}:{KEY}"
        # Anyone may ask whether a token is good; only a good one downloads.
        return scheme == "Bearer" and (value == TOKEN or self.path.endswith("/IntrospectToken"))

    def _download(self, place: str, file: str) -> None:
        if self.state.busy:
            self._refuse(self.state.busy.pop(0), "Too many requests")
        elif place in self.state.rules_not_accepted:
            self._refuse(403, "You must accept this competition's rules before you'll be able to download files.")
        elif (place, file) not in self.state.files:
            self._refuse(404, f"{file} not found")
        else:
            name = self.state.files[place, file][0]
            self.send_response(302)
            self.send_header("Location", f"{self.state.url}/storage/{quote(place, '')}/{quote(name, '')}?{SIGNATURE}")
            self.send_header("Content-Length", "0")
            self.end_headers()

    def do_GET(self) -> None:
        self.state.asked.append("storage")
        _, _, place, name = map(unquote, urlsplit(self.path).path.split("/"))
        content = next(served for (at, _), served in self.state.files.items() if at == place and served[0] == name)[1]
        if self.state.storage_busy:
            self.send_error(self.state.storage_busy.pop(0))
            return
        self.send_response(200)
        if self.state.gzips and "gzip" in self.headers.get("Accept-Encoding", ""):
            content = gzip.compress(content)
            self.send_header("Content-Encoding", "gzip")
        self.send_header("Content-Type", "application/octet-stream")
        self.send_header("Content-Length", str(len(content)))
        self.send_header("Last-Modified", "Sat, 01 Feb 2025 10:00:00 GMT")
        self.send_header("ETag", '"1"')
        self.send_header("Accept-Ranges", "bytes")
        self.end_headers()
        if self.state.cut_short:
            self.state.cut_short -= 1
            self.wfile.write(content[: len(content) // 2])
            self.close_connection = True
            return
        if self.state.silent is not None:
            self.wfile.write(content[: len(content) // 2])
            self.state.half_sent.set()
            self.state.silent.wait(20)
            self.close_connection = True
            return
        self.wfile.write(content)

    def _refuse(self, code: int, message: str) -> None:
        self._json(code, {"code": code, "message": message})

    def _json(self, status: int, answer: object) -> None:
        body = json.dumps(answer).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json; charset=utf-8")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
