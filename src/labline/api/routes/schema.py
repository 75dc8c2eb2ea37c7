"""GET /schema: the contract of what is served, for those who check a record before they send it."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter
from fastapi.responses import JSONResponse

from labline.api.deps import ServicesDep
from labline.contract.records import request_model

router = APIRouter(tags=["service"])
DIALECT = "https://json-schema.org/draft/2020-12/schema"


@router.get("/schema", summary="The contract as JSON Schema")
async def schema(services: ServicesDep) -> dict[str, Any]:
    """JSON Schema (2020-12) of the record that POST /predict takes, with an example that works as it stands."""
    loaded = services.champion.current
    record = loaded.record if loaded else request_model(services.problem)
    said = {"$schema": DIALECT, **record.model_json_schema()}
    return JSONResponse(said, media_type="application/schema+json")  # type: ignore[return-value]  # FastAPI's own way
