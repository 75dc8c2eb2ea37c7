"""POST /feedback: the truth about predictions, once it is known."""

from __future__ import annotations

import asyncio
from typing import Any

from fastapi import APIRouter, Request
from pydantic import ValidationError

from labline import pipeline
from labline.api.deps import LoadedDep, ServicesDep
from labline.api.problem_details import ProblemDetails, refused_labels
from labline.monitoring.labels import Feedback, feedback_type

router = APIRouter(tags=["monitor"])
ERRORS: dict[int | str, dict[str, Any]] = {
    422: {"model": ProblemDetails, "description": "A label breaks the contract; none is kept."},
    503: {"model": ProblemDetails, "description": "There is no champion yet, or the database is away."},
}


@router.post("/feedback", responses=ERRORS, summary="Tell the truth about predictions")
async def feedback(request: Request, loaded: LoadedDep, services: ServicesDep) -> Feedback:
    """Labels by `prediction_id`; may be sent again, late, and before the prediction is in the log.

    Of several labels for one prediction that with the latest `at` counts. They count towards the time of their
    prediction. One wrong label and none is kept.
    """
    problem = loaded.bundle.problem
    try:
        items = feedback_type(problem).validate_json(await request.body())
    except ValidationError as error:
        raise refused_labels(error, problem) from error
    return await asyncio.to_thread(pipeline.feedback, services.config, problem.name, items)
