"""Errors as problem details (RFC 9457): what was wrong, which field and value, and what is allowed."""

from __future__ import annotations

import math
from typing import Any

from fastapi import Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from loguru import logger
from pydantic import BaseModel, Field, ValidationError
from starlette.exceptions import HTTPException

from labline.config.logging import REQUEST_ID
from labline.contract import (
    CategoryColumn,
    Column,
    DateTimeColumn,
    LabelsColumn,
    NumberColumn,
    Problem,
    TextColumn,
)
from labline.errors import DatabaseError, LablineError

MEDIA_TYPE = "application/problem+json"
ERRORS_MAX = 20  # things wrong that are listed; a large batch may have thousands
SHOWN_MAX = 100  # characters of a refused value that are sent back


class FieldError(BaseModel):
    """One thing wrong in a request."""

    field: str
    value: Any = None
    message: str
    allowed: str | None = None


class ProblemDetails(BaseModel):
    """The body of every error."""

    type: str = "about:blank"
    title: str
    status: int
    detail: str
    errors: list[FieldError] = []
    request_id: str | None = Field(default=None, description="Names the request in the server's log.")


class ApiError(Exception):
    """An error to answer with; `retry_after` is in seconds, where sending it again may help."""

    def __init__(
        self,
        status: int,
        title: str,
        detail: str,
        errors: list[FieldError] | None = None,
        retry_after: int | None = None,
        headers: dict[str, str] | None = None,
    ) -> None:
        super().__init__(detail)
        self.body = ProblemDetails(title=title, status=status, detail=detail, errors=errors or [])
        self.headers = headers if retry_after is None else {"Retry-After": str(retry_after), **(headers or {})}


def answer(body: ProblemDetails, headers: dict[str, str] | None = None) -> JSONResponse:
    """The error as a response."""
    said = body.model_dump(mode="json") | {"request_id": REQUEST_ID.get()}
    return JSONResponse(said, body.status, headers, media_type=MEDIA_TYPE)


async def on_api_error(_request: Request, error: Exception) -> JSONResponse:
    """Handler of ApiError."""
    assert isinstance(error, ApiError)
    return answer(error.body, error.headers)


async def on_labline_error(_request: Request, error: Exception) -> JSONResponse:
    """Handler of what a use case refuses."""
    assert isinstance(error, LablineError)
    return refused(error)


def refused(error: LablineError) -> JSONResponse:
    """The answer to what a use case refuses: the words are for the caller, places on this machine are for the log."""
    logger.warning("refused: {}", error)
    if isinstance(error, DatabaseError):  # no fault of the request's: it may be sent again
        return answer(ProblemDetails(title="The database is away", status=503, detail=error.said))
    return answer(ProblemDetails(title="Not possible now", status=409, detail=error.said))


async def on_http_error(_request: Request, error: Exception) -> JSONResponse:
    """Handler of Starlette's own errors: no such page, no such method."""
    assert isinstance(error, HTTPException)
    headers = dict(error.headers) if error.headers else None
    return answer(ProblemDetails(title=str(error.detail), status=error.status_code, detail=str(error.detail)), headers)


async def on_parameter_error(_request: Request, error: Exception) -> JSONResponse:
    """Handler of wrong query parameters."""
    assert isinstance(error, RequestValidationError)
    errors = [
        FieldError(field=str(item["loc"][-1]), value=_shown(item.get("input")), message=str(item["msg"]))
        for item in error.errors()
    ]
    return answer(ProblemDetails(title="Invalid request", status=422, detail=_sentence(errors), errors=errors))


def crashed() -> JSONResponse:
    """The answer to everything else: the log has the details, the answer has none."""
    return answer(ProblemDetails(title="Internal error", status=500, detail="the log of the API says more"))


def refused_record(error: ValidationError, problem: Problem) -> ApiError:
    """The 422 for a body that the contract refuses: every field, its value, and what is allowed."""
    errors = []
    for item in error.errors(include_url=False):
        place = [str(part) for part in item["loc"]]
        # of a list of labels the last part is a position
        column = next((problem.columns[part] for part in reversed(place) if part in problem.columns), None)
        allowed = None
        if column is not None:
            allowed = allowed_values(column)
        said = str(item["msg"])
        message = MESSAGES.get(item["type"], said[0].lower() + said[1:])
        field = ".".join(place) or "body"
        errors.append(FieldError(field=field, value=_shown(item["input"]), message=message, allowed=allowed))
    return ApiError(422, "The record breaks the contract", _sentence(errors), errors[:ERRORS_MAX])


def refused_labels(error: ValidationError, problem: Problem) -> ApiError:
    """The 422 for labels that the contract refuses: every place, its value, and what is allowed."""
    errors = []
    for item in error.errors(include_url=False):
        place = [str(part) for part in item["loc"]]
        said = str(item["msg"]).removeprefix("Value error, ")
        message = "is no field" if item["type"] == "extra_forbidden" else MESSAGES.get(item["type"])
        allowed = _allowed_labels(problem) if "label" in place and item["type"] != "missing" else None
        errors.append(
            FieldError(
                field=".".join(place) or "body",
                value=_shown(item["input"]),
                message=message or said[0].lower() + said[1:],
                allowed=allowed,
            )
        )
    return ApiError(422, "The labels are refused", _sentence(errors), errors[:ERRORS_MAX])


def _allowed_labels(problem: Problem) -> str:
    if problem.classes:
        return ", ".join(problem.classes)
    value = problem.value
    low, high = (None if limit is None else f"{limit:g}" for limit in (value.minimum, value.maximum))
    return f"{_between(low, high, ('any number', 'more', 'less'))} {value.unit}".strip()


def allowed_values(column: Column) -> str | None:
    """What a column takes, in words; None where there is nothing to say."""
    if isinstance(column, CategoryColumn | LabelsColumn):
        return ", ".join(column.values) or None
    if isinstance(column, DateTimeColumn):
        low, high = (None if moment is None else f"{moment:%Y-%m-%d}" for moment in (column.minimum, column.maximum))
        formats = "".join(f", or {written}" for written in column.formats)
        return f"{_between(low, high, ('any moment', 'later', 'earlier'))}, like 2024-12-31T23:59:59{formats}"
    if isinstance(column, TextColumn):
        return f"{column.maximum_length:,} characters at most"
    return number_range(column) if isinstance(column, NumberColumn) else None


def number_range(column: NumberColumn) -> str:
    """The range of a number in words, e.g. `14 to 100 years`."""
    low, high = (None if limit is None else f"{limit:g}" for limit in (column.minimum, column.maximum))
    return f"{_between(low, high, ('any number', 'more', 'less'))} {column.unit}".strip()


def _between(low: str | None, high: str | None, words: tuple[str, str, str]) -> str:
    """The range in words: those for no limit at all, for only a lower, and for only an upper one are given."""
    anything, more, less = words
    if low is not None and high is not None:
        return f"{low} to {high}"
    if low is not None:
        return f"{low} or {more}"
    return anything if high is None else f"{high} or {less}"


MESSAGES = {
    "missing": "is missing",
    "extra_forbidden": "is no column of the contract",
    "literal_error": "is not an allowed value",
    "greater_than_equal": "is out of range",
    "less_than_equal": "is out of range",
    "finite_number": "is not a finite number",
    "float_type": "is not a number",
    "multiple_of": "is not a whole number",
    "bool_type": "is neither true nor false",
    "string_type": "is not a text",
    "string_too_long": "is too long",
    "list_type": "is not a list",
}
"""Pydantic's kinds of error in the words of the contract."""


def _shown(value: Any) -> Any:
    """A refused value, short enough to send back; of a whole record nothing, it is the caller's own."""
    if isinstance(value, dict | list | bytes):
        return None
    if isinstance(value, str):
        return value if len(value) <= SHOWN_MAX else value[:SHOWN_MAX] + "…"
    if isinstance(value, bool) or value is None or (isinstance(value, int) and abs(value) < 2**53):
        return value
    if isinstance(value, float) and math.isfinite(value):
        return value
    return str(value)[:SHOWN_MAX]


def _sentence(errors: list[FieldError]) -> str:
    first = errors[0]
    given = "" if first.value is None else f" {first.value!r}"
    allowed = f"; allowed: {first.allowed}" if first.allowed else ""
    more = f" (and {len(errors) - 1} more)" if len(errors) > 1 else ""
    return f"{first.field}{given} {first.message}{allowed}{more}"
