"""What holds for every operation of the OpenAPI page: how a key is given, how errors look, what is refused."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from labline.api import paths
from labline.api.problem_details import MEDIA_TYPE, ProblemDetails

PROBLEM = {"$ref": "#/components/schemas/ProblemDetails"}
HEADERS = {
    "X-Request-ID": {
        "description": "Names the request in the log; the one that was sent, if any.",
        "schema": {"type": "string"},
    }
}
REFUSALS = {
    400: "The request is not well formed.",
    413: "The body is too large.",
    415: "The body is not JSON.",
    421: "This server is not asked by that name.",
    500: "A fault of the server's; its log has the request's id.",
}
WITH_A_KEY = {401: "There is no key, or none that is known.", 403: "The key may not do this."}
COUNTED = {429: "Too many requests of this client.", 503: "Too many requests at once, or no answer can be given now."}
WITH_A_BODY = {408: "The body took too long."}
SCHEMES = {
    "bearer": {"type": "http", "scheme": "bearer", "description": "An API key, from `labline key new`."},
    "header": {
        "type": "apiKey",
        "in": "header",
        "name": "X-API-Key",
        "description": "The same, in a header of its own.",
    },
}


def complete(page: dict[str, Any], *, keys_wanted: bool) -> None:
    """Write into the page what the guard does around every operation."""
    schemas = page.setdefault("components", {}).setdefault("schemas", {})
    whole = ProblemDetails.model_json_schema(ref_template="#/components/schemas/{model}")
    schemas.update(whole.pop("$defs", {}))
    schemas["ProblemDetails"] = whole
    if keys_wanted:
        page["components"]["securitySchemes"] = SCHEMES
    for path, operation in _operations(page):
        known = paths.known(path)
        refusals = dict(REFUSALS)
        if keys_wanted and known.scope is not None:
            operation["security"] = [{name: []} for name in SCHEMES]
            refusals |= WITH_A_KEY
        else:
            refusals[403] = "The page of another site may not do this."
        if known.counts:
            refusals |= COUNTED
        if "requestBody" in operation:
            refusals |= WITH_A_BODY
        _document(operation["responses"], refusals)


def _operations(page: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    for path, item in page["paths"].items():
        for operation in item.values():
            yield path, operation


def _document(responses: dict[str, Any], refusals: dict[int, str]) -> None:
    """Errors are problem details, of their own media type; what the route says of a status stays."""
    for status, says in refusals.items():
        responses.setdefault(str(status), {"description": says, "content": {MEDIA_TYPE: {"schema": PROBLEM}}})
    for code, response in responses.items():
        response["headers"] = HEADERS | response.get("headers", {})
        content = response.get("content", {})
        if code == "422" or content.get("application/json", {}).get("schema") == PROBLEM:
            content.pop("application/json", None)  # of FastAPI's own 422 as well, for ours looks otherwise
            response.setdefault("content", content)[MEDIA_TYPE] = {"schema": PROBLEM}
