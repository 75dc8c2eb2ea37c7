"""All that depends on the task stands here, one class a task; elsewhere nothing asks which task it is."""

from labline.contract import Problem
from labline.model.tasks.base import (
    Answer,
    AnswerRule,
    Baseline,
    ClassFigures,
    Link,
    Prediction,
    Scores,
    Tables,
    Target,
    Task,
    greater_is_better,
)
from labline.model.tasks.classification import Classification
from labline.model.tasks.multilabel import Multilabel
from labline.model.tasks.regression import Regression

__all__ = [
    "Answer",
    "AnswerRule",
    "Baseline",
    "ClassFigures",
    "Link",
    "Prediction",
    "Scores",
    "Tables",
    "Target",
    "Task",
    "greater_is_better",
    "task_of",
]


def task_of(problem: Problem) -> Task:
    """The task of a problem."""
    kinds: dict[str, type[Task]] = {"regression": Regression, "multilabel": Multilabel}
    return kinds.get(problem.task, Classification)(problem)  # type: ignore[call-arg]
