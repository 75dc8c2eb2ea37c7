"""GET /monitor and its report pages."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Query
from fastapi.responses import FileResponse, HTMLResponse, JSONResponse, Response

from labline import pipeline
from labline.api.deps import LoadedDep, PrefersHtml, ServicesDep
from labline.api.problem_details import ProblemDetails
from labline.monitoring.kinds import ReportKind
from labline.monitoring.summary import Summary, WindowSource
from labline.ui import monitor_page

WINDOW_MAX = 1_000_000

router = APIRouter(tags=["monitor"])
WindowRows = Annotated[
    int | None,
    Query(ge=1, le=WINDOW_MAX, description="How many of the last predictions; the configured number if none."),
]
Source = Annotated[WindowSource, Query(description="The prediction log, or the problem's “current” set.")]
ERRORS: dict[int | str, dict[str, Any]] = {
    409: {"model": ProblemDetails, "description": "The rows it needs are not there."},
    422: {"model": ProblemDetails, "description": "A parameter is wrong."},
    503: {"model": ProblemDetails, "description": "There is no champion yet, or the prediction log is away."},
}
PAGE: dict[int | str, dict[str, Any]] = {200: {"content": {"text/html": {}}}, **ERRORS}


@router.get("/monitor", response_model=Summary, responses=PAGE, summary="Is the champion still fit?")
async def monitor(
    loaded: LoadedDep,
    services: ServicesDep,
    prefers_html: PrefersHtml,
    window: WindowRows = None,
    source: Source = "log",
) -> Response:
    """The last predictions against what the champion was trained on; a page for browsers, JSON otherwise."""
    summary = await services.summary_worker.run(
        pipeline.monitor, services.config, loaded.served, rows=window, source=source
    )
    if prefers_html:
        return HTMLResponse(monitor_page(loaded.bundle, summary))
    return JSONResponse(summary.model_dump(mode="json"))


@router.get("/monitor/{kind}", responses=PAGE, summary="A report page by Evidently")
async def report(
    kind: ReportKind,
    loaded: LoadedDep,
    services: ServicesDep,
    prefers_html: PrefersHtml,
    window: WindowRows = None,
    source: Source = "log",
) -> Response:
    """The window against the hold-out as a page for browsers, its numbers as JSON otherwise.

    The page is kept under `reports/`, and in the object store if there is one, at the `path` that the JSON names.
    With too few rows the answer is the summary that says so.
    """
    found = await services.report_worker.run(
        pipeline.report, services.config, loaded.served, kind, rows=window, source=source
    )
    if isinstance(found, Summary):
        if prefers_html:
            return HTMLResponse(monitor_page(loaded.bundle, found))
        return JSONResponse(found.model_dump(mode="json"))
    if prefers_html:
        return FileResponse(found.path, media_type="text/html", content_disposition_type="inline")
    body = found.model_dump(mode="json", exclude={"kept_at"})  # where this machine keeps things is not for callers
    body["path"] = found.path.relative_to(services.config.settings.reports).as_posix()
    return JSONResponse(body)
