"""The labels' drift: those known of a window against the target of the training data."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from labline.config.monitoring import Monitoring
from labline.contract import Problem
from labline.model.tasks import Target
from labline.monitoring.judging import ColumnSummary, judge_columns
from labline.monitoring.outcomes import Outcomes
from labline.monitoring.profile import Profile
from labline.monitoring.tally import tally
from labline.monitoring.windows import LogWindow


def decoded(problem: Problem, target: Target) -> NDArray[Any]:
    """An encoded target in the shape of decisions: names, values, or tuples of names, shape (rows,)."""
    if not problem.classes:
        return target
    names = np.array(problem.classes, dtype=object)
    if problem.task != "multilabel":
        found: NDArray[Any] = names[target]
        return found
    found = np.empty(len(target), dtype=object)
    found[:] = [tuple(names[row.astype(bool)].tolist()) for row in target]
    return found


def label_drift(problem: Problem, profile: Profile, window: LogWindow, settings: Monitoring) -> ColumnSummary | None:
    """The labels as if they were a column; None where there are too few, or, of values, the rows are not at hand."""
    if profile.target is None or window.outcomes.rows < settings.rows_min:
        return None
    if problem.classes:
        labels = _counted(problem, window.outcomes)
    elif window.rows is not None:
        labels = np.array([label for label in window.rows.labels if label is not None], dtype=np.float64)
    else:
        return None
    # the one thing that is judged here stands where the predictions stand otherwise
    nothing: dict[str, object] = {"numbers": {}, "categories": {}, "texts": {}, "estimator": None}
    alone = profile.model_copy(update={**nothing, "prediction": profile.target})
    without = problem.model_copy(update={"columns": {}})
    [row] = judge_columns(without, alone, tally(alone, without, {}, labels), settings)
    return row.model_copy(update={"column": problem.target})


def _counted(problem: Problem, outcomes: Outcomes) -> NDArray[np.object_]:
    """The labels' names, each as often as it was told."""
    counts = dict.fromkeys(problem.classes, 0)
    for cell, rows in outcomes.cells.items():
        first, _, second = cell.partition(",")
        if problem.task == "multilabel" and first == "true":
            counts[problem.classes[int(second)]] += rows
        elif problem.task != "multilabel" and first.isdigit():
            counts[problem.classes[int(first)]] += rows
    return np.repeat(np.array(list(counts), dtype=object), list(counts.values()))
