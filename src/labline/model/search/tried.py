"""What can be tried, and what came of it."""

from __future__ import annotations

import hashlib
import json
from typing import Any, Literal

import numpy as np
from pydantic import BaseModel, ConfigDict

from labline.model.tasks import AnswerRule

Stage = Literal["baseline", "defaults", "selected", "tuned", "blend"]


class Candidate(BaseModel):
    """A family on some columns with some parameters.

    Attributes:
        family: its name.
        feature_set: what the columns are called: raw, raw+derived, or selected.
        columns: contract's and derived ones.
        parameters: in place of the family's defaults.
        stage: of the search that it belongs to.
    """

    model_config = ConfigDict(frozen=True)

    family: str
    feature_set: str
    columns: tuple[str, ...]
    parameters: dict[str, Any] = {}
    stage: Stage = "defaults"

    @property
    def key(self) -> str:
        """The same for the same family, columns and parameters, whenever they are tried."""
        said = json.dumps([self.family, sorted(self.columns), self.parameters], sort_keys=True)
        return hashlib.sha256(said.encode()).hexdigest()[:16]


class Tried(BaseModel):
    """One thing that was tried, and its figures over the inner folds.

    Attributes:
        candidate: what it is.
        fold_metrics: of each fold, by the contract's names.
        fit_seconds: of all folds, one after the other.
        predict_seconds: for 1,000 rows.
        row_ms: for one row: the member alone, median.
        rule: how scores become answers, learned on all folds.
        rounds: boosting rounds, the mean of the folds.
        cut_short: the time ended before the fits did.
        importances: share of each column, in the family's own measure, the mean of the folds.
        weights: of a blend: of the things blended, by key.
    """

    model_config = ConfigDict(frozen=True)

    candidate: Candidate
    fold_metrics: tuple[dict[str, float], ...]
    fit_seconds: float
    rule: AnswerRule
    predict_seconds: float = 0.0
    row_ms: float = 0.0
    rounds: int = 0
    cut_short: bool = False
    importances: dict[str, float] = {}
    weights: dict[str, float] = {}

    @property
    def key(self) -> str:
        """The candidate's."""
        return self.candidate.key

    @property
    def family(self) -> str:
        """The candidate's."""
        return self.candidate.family

    @property
    def feature_set(self) -> str:
        """The candidate's."""
        return self.candidate.feature_set

    @property
    def stage(self) -> Stage:
        """The candidate's."""
        return self.candidate.stage

    def mean(self, metric: str) -> float:
        """Mean of the metric over the folds."""
        return float(np.mean([fold[metric] for fold in self.fold_metrics]))

    def deviation(self, metric: str) -> float:
        """Standard deviation of the metric over the folds."""
        return float(np.std([fold[metric] for fold in self.fold_metrics], ddof=1))
