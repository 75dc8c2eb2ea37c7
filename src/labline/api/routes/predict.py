"""POST /predict and /predict/batch."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from datetime import UTC, datetime
from typing import Any

from fastapi import APIRouter, Request, Response
from fastapi.routing import APIRoute
from pydantic import BaseModel, ValidationError

from labline.api.deps import Services, loaded_champion
from labline.api.guard import Respond
from labline.api.loaded import Loaded
from labline.api.problem_details import ApiError, ProblemDetails, refused_record
from labline.api.schemas import ModelName, Prediction, Predictions
from labline.model.tasks import Answer
from labline.monitoring.log_writer import NotLoggedError
from labline.monitoring.prediction_log import Logged, new_prediction_id

RETRY_SECONDS = 5


class DirectRoute(APIRoute):
    """A route whose function gets the request and gives the response: FastAPI only describes it, or names its spans."""

    def get_route_handler(self) -> Callable[[Request], Awaitable[Response]]:  # type: ignore[override]
        """The function itself."""
        function: Callable[[Request], Awaitable[Response]] = self.endpoint
        return function


router = APIRouter(tags=["predict"], route_class=DirectRoute)


def direct() -> dict[tuple[str, str], Respond]:
    """What answers by itself, by method and path.

    What FastAPI does between request and function, and between function and response, takes longer than predicting.
    """
    routes = [route for route in router.routes if isinstance(route, DirectRoute)]
    return {(method, route.path): route.endpoint for route in routes for method in route.methods or ()}


ERRORS: dict[int | str, dict[str, Any]] = {
    422: {"model": ProblemDetails, "description": "The record breaks the contract."},
    503: {"model": ProblemDetails, "description": "There is no champion yet, or answers cannot be logged."},
}


@router.post("/predict", response_model=Prediction, responses=ERRORS, summary="Predict for one record")
async def predict(request: Request) -> Response:
    """One record in, one answer out; the answer is in the prediction log before it is sent."""
    services: Services = request.app.state.services
    loaded = loaded_champion(services)
    try:
        record = loaded.record.__pydantic_validator__.validate_json(await request.body())
    except ValidationError as error:
        raise refused_record(error, loaded.bundle.problem) from error
    [answer] = request.state.predictions = await _answered(loaded, [record], services)
    return _json(answer)


@router.post("/predict/batch", response_model=Predictions, responses=ERRORS, summary="Predict for a list of records")
async def predict_batch(request: Request) -> Response:
    """A list of records in, as many answers out, in the same order; one wrong record and none is answered."""
    services: Services = request.app.state.services
    loaded = loaded_champion(services)
    try:
        records = loaded.batch.validate_json(await request.body())
    except ValidationError as error:
        raise refused_record(error, loaded.bundle.problem) from error
    request.state.predictions = await _answered(loaded, records, services)
    return _json(Predictions(predictions=request.state.predictions))


async def _answered(champion: Loaded, records: Sequence[BaseModel], services: Services) -> list[Prediction]:
    """Predict and log; every answer given is in the log."""
    rows = [record.model_dump(by_alias=True, exclude_none=True) for record in records]
    models = [services.trial.model_for(row, champion) for row in rows]
    if len(rows) == 1:  # well under a millisecond: a thread would cost more
        answers = [await models[0].together.predict(rows[0])]
    else:
        answers = await asyncio.to_thread(_predicted, models, rows)
    logged = [_logged(model, row, answer) for model, row, answer in zip(models, rows, answers, strict=True)]
    try:
        await services.log.add(logged)
    except NotLoggedError as error:
        raise ApiError(
            503,
            "Not logged",
            f"no answer is given, for it could not be logged: {error.what}",
            retry_after=RETRY_SECONDS,
        ) from error
    for row, one in zip(rows, logged, strict=True):
        services.trial.shadow(row, one, champion)
    return [
        Prediction(
            prediction_id=row.prediction_id,
            prediction=answer.prediction,
            probabilities=answer.probabilities,
            interval=answer.interval,
            model=ModelName(name=row.problem, version=row.version),
        )
        for row, answer in zip(logged, answers, strict=True)
    ]


def _predicted(models: Sequence[Loaded], rows: Sequence[dict[str, Any]]) -> list[Answer]:
    """Each row's answer by its model, a call a model."""
    answers: dict[int, Answer] = {}
    for model in dict.fromkeys(model.version for model in models):
        mine = [at for at, one in enumerate(models) if one.version == model]
        found = models[mine[0]].bundle.predict([rows[at] for at in mine])
        answers.update(zip(mine, found, strict=True))
    return [answers[at] for at in range(len(rows))]


def _logged(model: Loaded, row: dict[str, Any], answer: Answer) -> Logged:
    problem = model.bundle.problem
    row_id = row.get(problem.id) if problem.id is not None else None
    return Logged(
        prediction_id=new_prediction_id(),
        at=datetime.now(UTC),
        problem=problem.name,
        version=model.version,
        input={name: value for name, value in row.items() if name not in model.unlogged} if model.unlogged else row,
        prediction=answer.prediction,
        probabilities=answer.probabilities,
        row_id=None if row_id is None else str(row_id),
    )


def _json(body: BaseModel) -> Response:
    return Response(body.__pydantic_serializer__.to_json(body), media_type="application/json")
