"""The app: routes, error handlers, and what lives as long as it does."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from typing import Any

from fastapi import FastAPI
from fastapi.exceptions import RequestValidationError
from fastapi_offline import FastAPIOffline
from starlette.exceptions import HTTPException

from labline import __version__
from labline.api import problem_details
from labline.api.champion import Champion
from labline.api.deps import Services
from labline.api.guard import around
from labline.api.listening import listen
from labline.api.metrics import Metrics, keep_showing
from labline.api.routes import feedback, health, home, monitor, predict, schema
from labline.api.routes import metrics as metrics_routes
from labline.api.schemas import openapi
from labline.api.tracing import telemetry
from labline.api.trial import Trial
from labline.api.watching import Watching
from labline.api.workers import Worker
from labline.config import Config, load
from labline.contract import Problem
from labline.database import open_database
from labline.errors import LablineError
from labline.monitoring.log_writer import LogWriter, log_options
from labline.pipeline.problem import open_problem


def create_app(config: Config | None = None, problem_name: str | None = None) -> FastAPI:
    """The API for one problem.

    Args:
        config: the settings in force; read from the workspace when None.
        problem_name: which problem; the configured one when None.

    Raises:
        ConfigError, ContractError: settings or contract do not hold.
    """
    config = config or load()
    problem = open_problem(config, problem_name)

    # FastAPI's own documentation pages load their scripts from a public address; these come from the package
    # a path has one spelling: the redirect from others would go to whatever host the request names
    app = FastAPIOffline(
        title=problem.title,
        version=__version__,
        lifespan=partial(_lifespan, config=config, problem=problem),
        redoc_url=None,
        redirect_slashes=False,
        telemetry=telemetry(wanted=config.serving.tracing),
    )
    metrics = app.state.metrics = Metrics()
    around(app, config.serving, metrics, predict.direct())
    for routes in (predict, feedback, monitor, schema, metrics_routes, health, home):
        app.include_router(routes.router)
    app.add_exception_handler(problem_details.ApiError, problem_details.on_api_error)
    app.add_exception_handler(LablineError, problem_details.on_labline_error)
    app.add_exception_handler(HTTPException, problem_details.on_http_error)
    app.add_exception_handler(RequestValidationError, problem_details.on_parameter_error)

    def page() -> dict[str, Any]:
        services: Services | None = getattr(app.state, "services", None)
        loaded = services.champion.current if services else None
        return openapi(app, loaded.bundle.problem if loaded else problem, config.serving)

    app.openapi = page  # type: ignore[method-assign]  # FastAPI's documented way to extend it
    return app


@asynccontextmanager
async def _lifespan(app: FastAPI, config: Config, problem: Problem) -> AsyncIterator[None]:
    """What lives as long as the app does."""
    database = open_database(config.storage.database_url.get_secret_value())
    registry_worker, summary_worker, report_worker = (Worker(config) for _ in range(3))
    log = LogWriter(database, log_options(config, problem.name))
    await log.start()
    champion = Champion(config, problem.name, registry_worker)
    trial = Trial(config.serving, champion, log)
    app.state.services = Services(config, problem, champion, log, trial, registry_worker, summary_worker, report_worker)
    await champion.start()
    watching = app.state.watching = Watching(app.state.services)
    aside = (
        champion.follow(),
        listen(database, problem.name, champion.ask_soon),
        trial.run(),
        watching.run(),
        keep_showing(app.state.metrics, lambda: metrics_routes.state(app.state.services)),
    )
    tasks = [asyncio.create_task(one) for one in aside]
    yield
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    await log.close()
    for worker in (registry_worker, summary_worker, report_worker):
        worker.stop()
