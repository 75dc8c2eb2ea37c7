"""GET /monitor, its history, and its report pages."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated, Any
from urllib.parse import urlencode

from fastapi import APIRouter, Depends, Query, Request
from fastapi.responses import FileResponse, HTMLResponse, JSONResponse, Response

from labline import pipeline
from labline.api.deps import LoadedDep, PrefersHtml, ServicesDep
from labline.api.problem_details import ApiError, FieldError, ProblemDetails
from labline.errors import LablineError
from labline.monitoring.kinds import ReportKind
from labline.monitoring.summary import Summary, WindowSource
from labline.monitoring.windows import Wanted, parse_segment
from labline.pipeline.monitoring_history import History, Step
from labline.ui import monitor_page, reports_page

WINDOW_MAX = 1_000_000
SEGMENTS_MAX = 5

router = APIRouter(tags=["monitor"])
Last = Annotated[
    int | None,
    Query(ge=1, le=WINDOW_MAX, description="How many of the last predictions; the configured number if none."),
]
Window = Annotated[int | None, Query(ge=1, le=WINDOW_MAX, deprecated=True, description="The earlier name of last.")]
Since = Annotated[datetime | None, Query(description="Predictions from then on; UTC where no time zone is given.")]
Until = Annotated[datetime | None, Query(description="Predictions before then.")]
Segments = Annotated[
    list[str] | None,
    Query(max_length=SEGMENTS_MAX, description="Only rows alike in a column, as COLUMN:NAME; repeatable."),
]
Source = Annotated[WindowSource, Query(description="The prediction log, or the problem's “current” set.")]
ERRORS: dict[int | str, dict[str, Any]] = {
    409: {"model": ProblemDetails, "description": "The rows it needs are not there."},
    422: {"model": ProblemDetails, "description": "A parameter is wrong."},
    503: {"model": ProblemDetails, "description": "There is no champion yet, or the prediction log is away."},
}
PAGE: dict[int | str, dict[str, Any]] = {200: {"content": {"text/html": {}}}, **ERRORS}
NAMED_PAGE = {**PAGE, 404: {"model": ProblemDetails, "description": "There is no page of that name."}}


async def _wanted(
    loaded: LoadedDep,
    services: ServicesDep,
    last: Last = None,
    window: Window = None,
    since: Since = None,
    until: Until = None,
    segment: Segments = None,
) -> Wanted:
    """The window that the parameters ask for."""
    count = last or window
    if count is not None and (since or until):
        raise _refused("last", count, "a window is asked for by last, or by since and until")
    try:
        segments = tuple(parse_segment(loaded.bundle.problem, written) for written in segment or ())
    except LablineError as error:
        raise _refused("segment", ", ".join(segment or ()), error.said) from error
    return Wanted(count or services.config.monitoring.window, _utc(since), _utc(until), segments)


def _refused(field: str, value: Any, message: str) -> ApiError:
    return ApiError(422, "Invalid request", message, [FieldError(field=field, value=value, message=message)])


def _utc(at: datetime | None) -> datetime | None:
    return None if at is None else at.replace(tzinfo=UTC) if at.tzinfo is None else at.astimezone(UTC)


def _asked(request: Request) -> str:
    """The window's parameters as they were given, for links to other pages of it."""
    return urlencode([(name, value) for name, value in request.query_params.multi_items() if name != "source"])


WantedDep = Annotated[Wanted, Depends(_wanted)]


@router.get("/monitor", response_model=Summary, responses=PAGE, summary="Is the champion still fit?")
async def monitor(
    request: Request,
    loaded: LoadedDep,
    services: ServicesDep,
    prefers_html: PrefersHtml,
    wanted: WantedDep,
    source: Source = "log",
) -> Response:
    """A window of predictions against what the champion was trained on; a page for browsers, JSON otherwise."""
    summary = await services.summary_worker.run(pipeline.monitor, services.config, loaded.served, wanted, source=source)
    if not prefers_html:
        return Response(summary.model_dump_json(), media_type="application/json")
    history = await services.summary_worker.run(pipeline.monitor_history, services.config, loaded.served)
    return HTMLResponse(monitor_page(loaded.bundle, summary, history, _asked(request)))


@router.get("/monitor/history", responses=ERRORS, summary="What windows were judged to be, and performance over time")
async def monitor_history(
    loaded: LoadedDep, services: ServicesDep, since: Since = None, until: Until = None, by: Step = "day"
) -> History:
    """Judgements of windows that share no row, and labelled performance by the hour or day of the prediction."""
    return await services.summary_worker.run(
        pipeline.monitor_history, services.config, loaded.served, since=_utc(since), until=_utc(until), by=by
    )


@router.get("/monitor/reports", responses=PAGE, summary="The report pages that are kept")
async def reports(loaded: LoadedDep, services: ServicesDep, prefers_html: PrefersHtml) -> Response:
    """Names, kinds and times of the report pages on this machine, the newest first; a page with links for browsers."""
    pages = pipeline.report_pages(services.config, loaded.bundle.problem.name)
    if prefers_html:
        return HTMLResponse(reports_page(loaded.bundle.problem, pages))
    return JSONResponse([{**vars(page), "made_at": page.made_at.isoformat()} for page in pages])


@router.get("/monitor/reports/{name}", responses=NAMED_PAGE, summary="A report page that was kept")
async def kept_report(name: str, loaded: LoadedDep, services: ServicesDep) -> Response:
    """The page, as it was when it was made."""
    path = pipeline.report_page(services.config, loaded.bundle.problem.name, name)
    if path is None:
        raise ApiError(404, "Not Found", "there is no such page; see /monitor/reports")
    return FileResponse(path, media_type="text/html", content_disposition_type="inline")


@router.get("/monitor/{kind}", responses=PAGE, summary="A report page by Evidently")
async def report(
    kind: ReportKind,
    loaded: LoadedDep,
    services: ServicesDep,
    prefers_html: PrefersHtml,
    wanted: WantedDep,
    source: Source = "log",
) -> Response:
    """The window against the hold-out as a page for browsers, its numbers as JSON otherwise.

    The page is kept under `reports/`, and in the object store if there is one, at the `path` that the JSON names.
    With too few rows the answer is the summary that says so.
    """
    found = await services.report_worker.run(
        pipeline.report, services.config, loaded.served, kind, wanted, source=source
    )
    if isinstance(found, Summary):
        if prefers_html:
            return HTMLResponse(monitor_page(loaded.bundle, found, None))
        return Response(found.model_dump_json(), media_type="application/json")
    if prefers_html:
        return FileResponse(found.path, media_type="text/html", content_disposition_type="inline")
    body = found.model_dump(mode="json", exclude={"kept_at"})  # where this machine keeps things is not for callers
    body["path"] = found.path.relative_to(services.config.settings.reports).as_posix()
    return JSONResponse(body)
