"""GET /metrics, for Prometheus."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter
from fastapi.responses import PlainTextResponse
from prometheus_client import CONTENT_TYPE_LATEST

from labline.api.deps import MetricsDep, Services, ServicesDep
from labline.api.metrics import State

router = APIRouter(tags=["service"])


@router.get("/metrics", summary="Numbers for Prometheus", response_class=PlainTextResponse)
async def metrics(services: ServicesDep, numbers: MetricsDep) -> PlainTextResponse:
    """Counters, histograms and gauges of all processes of this server, in Prometheus' text format."""
    numbers.show(state(services))
    return PlainTextResponse(numbers.render(), media_type=CONTENT_TYPE_LATEST)


def state(services: Services) -> State:
    """What the gauges are to show now."""
    current = services.champion.current
    queued, spooled, failure = _log_status(services.log)
    return State(current.version if current else None, queued, spooled, failure is not None)


def _log_status(log: Any) -> tuple[int, int, str | None]:
    if not hasattr(log, "status"):
        return 0, 0, log.failure
    status = log.status()
    return status.queued, status.spooled, status.failure
