"""What routes need, as annotated types: a route says in its signature what it uses."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from fastapi import Depends, Request

from labline.api.champion import Champion
from labline.api.loaded import Loaded
from labline.api.metrics import Metrics
from labline.api.problem_details import ApiError
from labline.api.trial import Trial
from labline.api.workers import Worker
from labline.config import Config
from labline.contract import Problem
from labline.monitoring.log_writer import LogWriter


@dataclass(frozen=True)
class Services:
    """All that lives as long as the app."""

    config: Config
    problem: Problem
    champion: Champion
    log: LogWriter
    trial: Trial
    registry_worker: Worker
    summary_worker: Worker
    report_worker: Worker


# coroutines, as what is none would be given to a thread
async def _services(request: Request) -> Services:
    services: Services = request.app.state.services
    return services


ServicesDep = Annotated[Services, Depends(_services)]


async def _metrics(request: Request) -> Metrics:
    metrics: Metrics = request.app.state.metrics
    return metrics


MetricsDep = Annotated[Metrics, Depends(_metrics)]


def loaded_champion(services: ServicesDep) -> Loaded:
    """The champion in memory.

    Raises:
        ApiError: 503, there is none.
    """
    if services.champion.current is None:
        raise ApiError(503, "No champion", services.champion.trouble or "none is loaded yet")
    return services.champion.current


async def _loaded(services: ServicesDep) -> Loaded:
    return loaded_champion(services)


LoadedDep = Annotated[Loaded, Depends(_loaded)]


async def _prefers_html(request: Request) -> bool:
    accept = request.headers.get("accept", "")
    html, json = accept.find("text/html"), accept.find("application/json")
    return html >= 0 and (json < 0 or html < json)


PrefersHtml = Annotated[bool, Depends(_prefers_html)]
