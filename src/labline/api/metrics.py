"""Counters, histograms and gauges for Prometheus, right with one process and with several."""

from __future__ import annotations

import asyncio
import os
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.multiprocess import MultiProcessCollector, mark_process_dead

# the library's own: where processes put their numbers together; read when it is imported
FOLDER = "PROMETHEUS_MULTIPROC_DIR"
GAUGE_SECONDS = 1.0
# seconds; from a prediction's quarter of a millisecond to a report page's half a minute
BUCKETS = (0.0005, 0.001, 0.002, 0.003, 0.005, 0.0075, 0.01, 0.02, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30)
GAUGES = {
    # what it says, and how those of several processes come together
    "requests_in_progress": ("Requests being answered.", "livesum"),
    "champion_version": ("The version that answers; 0 when none does.", "liveall"),
    "log_queue_rows": ("Predictions waiting to be written.", "livesum"),
    "log_spooled_rows": ("Predictions kept aside, the database being away.", "livesum"),
    "log_lost_rows": ("Predictions kept nowhere since the start.", "livesum"),
    "log_failing": ("1 while the prediction log cannot be written.", "livemax"),
}
LIVE_FILE = re.compile(r"gauge_live[a-z]*_(\d+)\.db")


if TYPE_CHECKING:
    from labline.api.schemas import Prediction


@dataclass(frozen=True)
class State:
    """What gauges show of a server's process now."""

    champion_version: int
    log_queue_rows: int
    log_spooled_rows: int
    log_lost_rows: int
    log_failing: bool


class Metrics:
    """The numbers of one process; `render` gives those of all processes that share the folder.

    Attributes:
        busy: requests that are being answered.
    """

    def __init__(self) -> None:
        self.busy = 0
        self._registry = CollectorRegistry()
        kept: dict[str, Any] = {"registry": self._registry}
        self._requests = Counter("labline_requests", "Requests answered.", ("route", "method", "status"), **kept)
        self._seconds = Histogram(
            "labline_request_seconds", "From headers to answer.", ("route", "version"), buckets=BUCKETS, **kept
        )
        self._predictions = Counter(
            "labline_predictions", "Predictions by class or label.", ("version", "prediction"), **kept
        )
        self._crashes = Counter("labline_crashes", "Requests that failed by a fault of ours.", **kept)
        self._gauges = {name: _gauge(name, *about, kept) for name, about in GAUGES.items()}
        self._known: dict[tuple[str, ...], Any] = {}  # labelled children: to look them up costs more than to count

    def answered(self, method: str, route: str, status: int, seconds: float, predictions: Sequence[Prediction]) -> None:
        """Count an answer, and by version and class or label the predictions in it; of values only how many."""
        version = str(predictions[0].model.version) if predictions else ""
        of_status, of_route = (method, route, str(status)), (route, version)
        if of_status not in self._known:
            self._known[of_status] = self._requests.labels(route, method, str(status))
        if of_route not in self._known:
            self._known[of_route] = self._seconds.labels(*of_route)
        self._known[of_status].inc()
        self._known[of_route].observe(seconds)
        for prediction in predictions:
            said = prediction.prediction
            for name in said if isinstance(said, list) else [said if isinstance(said, str) else "value"]:
                of_class = ("predicted", version, name)
                if of_class not in self._known:
                    self._known[of_class] = self._predictions.labels(version, name)
                self._known[of_class].inc()

    def crashed(self) -> None:
        """Count a request that failed by a fault of ours."""
        self._crashes.inc()

    def show(self, state: State) -> None:
        """Set the gauges."""
        now = {"requests_in_progress": self.busy, **vars(state)}
        for name, gauge in self._gauges.items():
            gauge.set(now[name])

    def render(self) -> bytes:
        """All numbers in Prometheus' text format, of all processes together."""
        folder = os.environ.get(FOLDER)
        if folder is None:
            return generate_latest(self._registry)
        _forget_the_dead(Path(folder))
        together = CollectorRegistry()
        MultiProcessCollector(together)  # type: ignore[no-untyped-call]
        return generate_latest(together)


def _gauge(name: str, says: str, together: Any, kept: dict[str, Any]) -> Gauge:
    return Gauge(f"labline_{name}", says, multiprocess_mode=together, **kept)


def _forget_the_dead(folder: Path) -> None:
    """Take the gauges of ended processes out; what they counted stays."""
    if os.name != "posix":  # there is no asking whether a process lives without a signal to it
        return
    for pid in {int(found[1]) for file in folder.iterdir() if (found := LIVE_FILE.fullmatch(file.name))}:
        try:
            os.kill(pid, 0)
        except ProcessLookupError:
            mark_process_dead(pid, str(folder))  # type: ignore[no-untyped-call]
        except PermissionError:  # alive, and another user's
            continue


async def keep_showing(metrics: Metrics, state: Any) -> None:
    """Set the gauges again and again: a scrape is answered by any one process, and shows all. Runs until cancelled."""
    while True:
        metrics.show(state())
        await asyncio.sleep(GAUGE_SECONDS)
