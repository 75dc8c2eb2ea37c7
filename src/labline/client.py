"""A client of the API: typed answers, connections that are kept, and what failed on the way is sent again.

Needs `pip install "labline[client]"`, and no part of Labline's server.

>>> with Client("http://127.0.0.1:8000", key="labline_…") as labline:  # doctest: +SKIP
...     labline.predict(record).prediction
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import islice
from types import TracebackType
from typing import Any, Self

import urllib3
from urllib3.util import Retry, Timeout

Record = Mapping[str, Any]
"""One record: a value, as JSON has it, for each column of the contract."""

AGAIN = (429, 502, 503, 504)  # nothing was done, and may well be done later
ROWS = 500


class ApiError(Exception):
    """The server refused, or failed.

    Attributes:
        status: of HTTP; None when no server answered.
        errors: what is wrong with which field of the record, each with `field`, `value`, `message`, `allowed`.
        request_id: by which the server's log knows the request.
    """

    def __init__(
        self,
        said: str,
        status: int | None = None,
        errors: Sequence[Mapping[str, Any]] = (),
        request_id: str | None = None,
    ) -> None:
        super().__init__(said)
        self.status = status
        self.errors = tuple(errors)
        self.request_id = request_id


@dataclass(frozen=True)
class Prediction:
    """The answer to one record.

    Attributes:
        prediction_id: names it in the prediction log, and in `feedback`.
        prediction: class, value, or labels.
        probabilities: of each class or label; empty for a value.
        interval: of a value, where the contract asks for one.
        version: of the model that answered.
    """

    prediction_id: str
    prediction: str | float | list[str]
    probabilities: dict[str, float]
    interval: tuple[float, float] | None
    version: int


@dataclass(frozen=True)
class Label:
    """The truth about a prediction, and since when it is known; since now if None."""

    prediction_id: str
    label: str | float | Sequence[str]
    at: datetime | None = None


class Client:
    """Talks to one server; may be used from several threads.

    A request that no answer came to, or that was told to come again, is sent again after 0.2, 0.4, 0.8 … seconds or
    after what Retry-After says. To predict twice harms nothing: an answer that was lost on the way stays in the
    prediction log under an id that nobody knows. A label told twice counts once.

    Args:
        address: of the server, e.g. `https://labline.example.org`.
        key: an API key, where the server wants one.
        seconds: how long to wait for an answer.
        tries: how often a request is sent at most.
    """

    def __init__(self, address: str, *, key: str | None = None, seconds: float = 30.0, tries: int = 5) -> None:
        self._address = address.rstrip("/")
        headers = {"accept": "application/json", "user-agent": "labline-client"}
        if key is not None:
            headers["authorization"] = f"Bearer {key}"
        again = Retry(
            total=tries - 1,
            redirect=0,  # a key is for this server alone
            status_forcelist=AGAIN,
            allowed_methods=None,  # all: see above
            backoff_factor=0.1,
            backoff_jitter=0.05,
            raise_on_status=False,  # what the last answer says is more than that it was the last
        )
        self._pool = urllib3.PoolManager(maxsize=8, headers=headers, retries=again, timeout=Timeout(seconds))

    def predict(self, record: Record) -> Prediction:
        """The answer to one record.

        Raises:
            ApiError: the record breaks the contract (422), or no answer can be had.
        """
        return _prediction(self._ask("POST", "/predict", record))

    def predict_batch(self, records: Iterable[Record], *, rows: int = ROWS) -> Iterator[Prediction]:
        """The answers to any number of records, in their order; so many rows are sent at once.

        Raises:
            ApiError: as `predict`; the answers before that have been given.
        """
        rest = iter(records)
        while chunk := list(islice(rest, rows)):
            yield from map(_prediction, self._ask("POST", "/predict/batch", chunk)["predictions"])

    def feedback(self, labels: Iterable[Label], *, rows: int = ROWS) -> list[dict[str, Any]]:
        """Tell what came true; what the server says of each part that was sent, e.g. ids it does not know.

        Raises:
            ApiError: a label breaks the contract (422), or they could not be kept.
        """
        rest, said = iter(labels), []
        while chunk := list(islice(rest, rows)):
            said.append(self._ask("POST", "/feedback", [_told(label) for label in chunk]))
        return said

    def monitor(self, *, window: int | None = None, source: str = "log") -> dict[str, Any]:
        """Is the champion still fit? The summary as GET /monitor gives it.

        Raises:
            ApiError: there is no champion, or the rows it needs are not there.
        """
        given = {"source": source} | ({} if window is None else {"window": str(window)})
        found: dict[str, Any] = self._ask("GET", "/monitor", fields=given)
        return found

    def version(self) -> dict[str, Any]:
        """What is running: code, bundle, contract, and since when."""
        found: dict[str, Any] = self._ask("GET", "/version")
        return found

    def schema(self) -> dict[str, Any]:
        """The contract, as JSON Schema of a record."""
        found: dict[str, Any] = self._ask("GET", "/schema")
        return found

    def close(self) -> None:
        """Close the connections."""
        self._pool.clear()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, _kind: type[BaseException] | None, _error: BaseException | None, _trace: TracebackType | None
    ) -> None:
        self.close()

    def _ask(self, method: str, path: str, body: Any = None, fields: Mapping[str, str] | None = None) -> Any:
        sent = {} if body is None else {"json": body}
        try:
            answer = self._pool.request(method, self._address + path, fields=fields, **sent)
            said = json.loads(answer.data)
        except urllib3.exceptions.HTTPError as error:
            raise ApiError(f"{self._address} does not answer: {error}") from error
        except ValueError as error:
            raise ApiError(f"{self._address}{path}: what answers is no JSON", answer.status) from error
        if answer.status >= 400:
            problem = said if isinstance(said, dict) else {}
            detail = f"{problem.get('title', 'refused')}: {problem.get('detail', '')} (status {answer.status})"
            raise ApiError(detail, answer.status, problem.get("errors", ()), problem.get("request_id"))
        return said


def _prediction(said: Mapping[str, Any]) -> Prediction:
    interval = said["interval"]
    return Prediction(
        said["prediction_id"],
        said["prediction"],
        said["probabilities"],
        None if interval is None else (interval[0], interval[1]),
        said["model"]["version"],
    )


def _told(label: Label) -> dict[str, Any]:
    said = {"prediction_id": label.prediction_id, "label": label.label}
    return said if label.at is None else said | {"at": label.at.isoformat()}
