"""When a window of traffic counts as different from the training data."""

from __future__ import annotations

from pydantic import Field

from labline.config.section import Section


class Monitoring(Section):
    """Window sizes in rows, and the limits of the drift decision."""

    window: int = Field(ge=1)
    rows_min: int = Field(ge=2)
    rows_max: int = Field(ge=100)
    alpha: float = Field(gt=0, lt=1)
    effect_floor: float = Field(ge=0, le=1)
    drift_share: float = Field(gt=0, le=1)
