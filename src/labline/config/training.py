"""How a champion is made."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from labline.config.section import Section


class Training(Section):
    """Seed, hold-out share, folds, wall-clock budget in seconds, and families to try."""

    seed: int = Field(ge=0, lt=2**31)
    holdout_share: float = Field(gt=0, lt=0.5)
    folds: int = Field(ge=2, le=20)
    budget_seconds: float = Field(gt=0)
    families: tuple[Literal["linear", "lightgbm"], ...] = Field(min_length=1)
