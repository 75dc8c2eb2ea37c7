"""GET /schema: the contract of what is served, for those who check a record before they send it."""

from __future__ import annotations

from fastapi import APIRouter
from fastapi.responses import JSONResponse

from labline.api.deps import ServicesDep
from labline.contract.records import request_model

router = APIRouter(tags=["service"])
DIALECT = "https://json-schema.org/draft/2020-12/schema"


class SchemaResponse(JSONResponse):
    """JSON Schema, by its own media type."""

    media_type = "application/schema+json"


@router.get("/schema", summary="The contract as JSON Schema", response_class=SchemaResponse)
async def schema(services: ServicesDep) -> SchemaResponse:
    """JSON Schema (2020-12) of the record that POST /predict takes, with an example that works as it stands."""
    loaded = services.champion.current
    record = loaded.record if loaded else request_model(services.problem)
    return SchemaResponse({"$schema": DIALECT, **record.model_json_schema()})
