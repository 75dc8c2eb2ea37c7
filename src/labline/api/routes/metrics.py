"""GET /metrics, for Prometheus."""

from __future__ import annotations

from fastapi import APIRouter, Request
from fastapi.responses import PlainTextResponse
from prometheus_client import CONTENT_TYPE_LATEST

from labline.api.deps import MetricsDep, Services, ServicesDep
from labline.api.metrics import State
from labline.api.watching import Watching

router = APIRouter(tags=["service"])


@router.get("/metrics", summary="Numbers for Prometheus", response_class=PlainTextResponse)
async def metrics(request: Request, services: ServicesDep, numbers: MetricsDep) -> PlainTextResponse:
    """Counters, histograms and gauges of all processes of this server, in Prometheus' text format.

    What monitoring found is of the process that answers: all look at the same log.
    """
    numbers.show(state(services))
    watching: Watching = request.app.state.watching
    return PlainTextResponse(numbers.render() + watching.render(), media_type=CONTENT_TYPE_LATEST)


def state(services: Services) -> State:
    """What the gauges are to show now."""
    current = services.champion.current
    log = services.log.status()
    return State(
        champion_version=current.version if current else 0,
        log_queue_rows=log.queued,
        log_spooled_rows=log.spooled,
        log_lost_rows=log.lost,
        log_failing=log.failure is not None,
    )
