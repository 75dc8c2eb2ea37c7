"""How a champion is made."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from labline.config.section import Section

FamilyName = Literal["linear", "decision_tree", "lightgbm", "xgboost", "catboost", "random_forest"]


class Training(Section):
    """Seed, hold-out share, folds, wall-clock budget in seconds, and what the search may try."""

    seed: int = Field(ge=0, lt=2**31)
    holdout_share: float = Field(gt=0, lt=0.5)
    folds: int = Field(ge=2, le=20)
    budget_seconds: float = Field(gt=0)
    families: tuple[FamilyName, ...] = Field(min_length=1)
    selection: Literal["sequential", "optuna", "none"]
    trials: int | None = Field(ge=0)
    blend: bool
    seeds: int = Field(ge=1, le=20)
    latency_ms_max: float = Field(gt=0)
    device: Literal["cpu", "gpu"]
    explained_rows: int = Field(ge=0, le=1000)
