"""The bundle as an MLflow pyfunc model: `mlflow.pyfunc.load_model("models:/obesity@champion").predict(frame)`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from labline.contract import Columns, Problem, settle
from labline.contract.signature import INTERVAL
from labline.model.bundle import Bundle
from labline.model.tasks import Scores


class BundleModel:
    """What MLflow calls; a thin shell around the bundle, which knows nothing of MLflow or pandas."""

    def __init__(self, bundle: Bundle) -> None:
        self.bundle = bundle

    def predict(self, model_input: pd.DataFrame, params: dict[str, Any] | None = None) -> pd.DataFrame:
        """A frame with `prediction` and, where there are classes, a probability for each; the input's index is kept."""
        del params  # the model has none; MLflow passes them all the same
        return predictions_frame(self.bundle, score_frame(self.bundle, model_input), model_input.index)


def score_frame(bundle: Bundle, frame: pd.DataFrame) -> Scores:
    """The bundle's scores for a frame that holds the contract's columns."""
    return bundle.scores(columns_of(bundle.problem, frame))


def columns_of(problem: Problem, frame: pd.DataFrame) -> Columns:
    """A frame's plain columns, settled; one that may be missing may be left out of it."""
    absent = np.full(len(frame), None, dtype=object)
    return settle(problem, {name: frame[name].to_numpy() if name in frame else absent for name in problem.columns})


def predictions_frame(bundle: Bundle, scores: Scores, index: pd.Index[Any]) -> pd.DataFrame:
    """Scores as a frame: `prediction`, then one column a class, or both ends of the interval where there is one.

    A prediction of several labels is a list.
    """
    answers = bundle.task.answers(scores)
    predictions: Any = [answer.prediction for answer in answers]
    if bundle.problem.task in {"binary", "multiclass"}:
        predictions = pd.array(predictions, dtype="str")
    frame = pd.DataFrame({"prediction": predictions}, index=index)
    if bundle.task.classes:
        return pd.concat([frame, pd.DataFrame(scores, index=index, columns=list(bundle.task.classes))], axis=1)
    if bundle.problem.value.interval:
        ends = [answer.interval for answer in answers]
        return pd.concat([frame, pd.DataFrame(ends, index=index, columns=[*INTERVAL])], axis=1)
    return frame


def _load_pyfunc(path: str) -> BundleModel:
    """MLflow's entry into a model with a loader module."""
    return BundleModel(Bundle.load(Path(path)))
