"""What the API answers, and its OpenAPI page with the record of the champion's contract in it."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi
from pydantic import BaseModel, ConfigDict, Field
from pydantic.json_schema import models_json_schema

from labline.api.openapi import complete
from labline.config.serving import Serving
from labline.contract import Problem
from labline.contract.records import request_model
from labline.monitoring.labels import feedback_type

REF = "#/components/schemas/{model}"
RECORD = {"$ref": REF.format(model="Record")}


class ModelName(BaseModel):
    """Which model answered."""

    name: str
    version: int


class Prediction(BaseModel):
    """The answer to one record."""

    model_config = ConfigDict(frozen=True)

    prediction_id: str = Field(description="Names this answer in the prediction log.")
    prediction: str | float | list[str] = Field(description="The predicted class, value, or labels.")
    probabilities: dict[str, float] = Field(description="Probability of each class or label; empty for a value.")
    interval: tuple[float, float] | None = Field(
        default=None, description="Of a value, both ends of the interval that the contract asks for."
    )
    model: ModelName


class Predictions(BaseModel):
    """The answers to a batch, in the order of its records."""

    predictions: list[Prediction]


class Health(BaseModel):
    """Alive."""

    status: str = "ok"


class Readiness(BaseModel):
    """Whether requests can be answered, and what is in the way."""

    ready: bool
    reasons: list[str]


class VersionInfo(BaseModel):
    """What is running."""

    labline: str
    problem: str
    model_version: int | None = None
    bundle: str | None = Field(default=None, description="SHA-256 of the bundle's manifest.")
    contract: str | None = Field(default=None, description="SHA-256 of the contract it was trained by, problem.yaml.")
    family: str | None = None
    trained_on: str | None = Field(default=None, description="kaggle, file, or sample: generated, nothing real.")
    trained_at: datetime | None = None
    since: datetime | None = Field(default=None, description="When this server began to serve it.")
    holdout: dict[str, float] = {}


def openapi(app: FastAPI, problem: Problem, serving: Serving) -> dict[str, Any]:
    """The OpenAPI page: routes as FastAPI knows them, request bodies from the contract."""
    page = get_openapi(
        title=f"{problem.title} · Labline",
        version=app.version,
        description=problem.description,
        routes=app.routes,
    )
    _, schemas = models_json_schema([(request_model(problem), "validation")], ref_template=REF)
    batch = {"type": "array", "items": RECORD, "minItems": 1, "maxItems": serving.batch_rows_max}
    labels = feedback_type(problem).json_schema(ref_template=REF)
    schemas["$defs"] |= labels.pop("$defs")
    page.setdefault("components", {}).setdefault("schemas", {}).update(schemas["$defs"])
    for path, body in (("/predict", RECORD), ("/predict/batch", batch), ("/feedback", labels)):
        page["paths"][path]["post"]["requestBody"] = {
            "required": True,
            "content": {"application/json": {"schema": body}},
        }
    told = {"prediction_id": "00000000-0000-4000-8000-000000000000", "label": _example_label(problem)}
    for path, one in (("/predict/batch", schemas["$defs"]["Record"]["examples"][0]), ("/feedback", told)):
        page["paths"][path]["post"]["requestBody"]["content"]["application/json"]["example"] = [one]
    complete(page, keys_wanted=bool(serving.api_keys))
    return page


def _example_label(problem: Problem) -> Any:
    """A label that the contract accepts."""
    if problem.task == "regression":
        return problem.value.minimum or 0.0
    return [problem.classes[0]] if problem.task == "multilabel" else problem.classes[0]
