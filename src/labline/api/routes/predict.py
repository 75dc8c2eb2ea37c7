"""POST /predict and /predict/batch."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from fastapi import APIRouter, Request, Response
from pydantic import BaseModel, ValidationError
from sqlalchemy.exc import SQLAlchemyError

from labline.api.champion import Loaded
from labline.api.deps import LoadedDep, Services, ServicesDep
from labline.api.problem_details import ApiError, ProblemDetails, refused_record
from labline.api.schemas import ModelName, Prediction, Predictions
from labline.errors import DatabaseError
from labline.model.tasks import Answer
from labline.monitoring.prediction_log import ANSWER_SECONDS, Logged, new_prediction_id

router = APIRouter(tags=["predict"])
ERRORS: dict[int | str, dict[str, Any]] = {
    422: {"model": ProblemDetails, "description": "The record breaks the contract."},
    503: {"model": ProblemDetails, "description": "There is no champion yet, or the prediction log is away."},
}


@router.post("/predict", response_model=Prediction, responses=ERRORS, summary="Predict for one record")
async def predict(request: Request, loaded: LoadedDep, services: ServicesDep) -> Response:
    """One record in, one answer out; the answer is in the prediction log before it is sent."""
    try:
        record = loaded.record.model_validate_json(await request.body())
    except ValidationError as error:
        raise refused_record(error, loaded.bundle.problem) from error
    [answer] = await _answered(loaded, [record], services)
    return _json(answer)


@router.post("/predict/batch", response_model=Predictions, responses=ERRORS, summary="Predict for a list of records")
async def predict_batch(request: Request, loaded: LoadedDep, services: ServicesDep) -> Response:
    """A list of records in, as many answers out, in the same order; one wrong record and none is answered."""
    try:
        records = loaded.batch.validate_json(await request.body())
    except ValidationError as error:
        raise refused_record(error, loaded.bundle.problem) from error
    return _json(Predictions(predictions=await _answered(loaded, records, services)))


async def _answered(loaded: Loaded, records: Sequence[BaseModel], services: Services) -> list[Prediction]:
    """Predict and log; every answer given is in the log."""
    rows = [record.model_dump(by_alias=True, exclude_none=True) for record in records]
    if len(rows) == 1:  # well under a millisecond: a thread would cost more
        answers = loaded.bundle.predict(rows)
    else:
        answers = await asyncio.to_thread(loaded.bundle.predict, rows)
    logged = [_logged(loaded, row, answer) for row, answer in zip(rows, answers, strict=True)]
    try:
        await asyncio.wait_for(asyncio.wrap_future(services.log.submit(logged)), ANSWER_SECONDS)
    except (SQLAlchemyError, DatabaseError, TimeoutError) as error:
        raise ApiError(503, "Not logged", "the prediction log is away, so no answer is given") from error
    name = ModelName(name=loaded.bundle.problem.name, version=loaded.version)
    return [
        Prediction(
            prediction_id=row.prediction_id,
            prediction=answer.prediction,
            probabilities=answer.probabilities,
            interval=answer.interval,
            model=name,
        )
        for row, answer in zip(logged, answers, strict=True)
    ]


def _logged(loaded: Loaded, row: dict[str, Any], answer: Answer) -> Logged:
    return Logged(
        prediction_id=new_prediction_id(),
        at=datetime.now(UTC),
        problem=loaded.bundle.problem.name,
        version=loaded.version,
        input=row,
        prediction=answer.prediction,
        probabilities=answer.probabilities,
    )


def _json(body: BaseModel) -> Response:
    return Response(body.model_dump_json(), media_type="application/json")
