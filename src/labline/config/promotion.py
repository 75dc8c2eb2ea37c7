"""When a version may become champion."""

from __future__ import annotations

from pydantic import Field

from labline.config.section import Section


class Promotion(Section):
    """Least gain in the metric, how much a segment may lose, most milliseconds a row and megabytes, and resamples."""

    minimum_gain: float = Field(ge=0, allow_inf_nan=False)
    segment_loss_max: float = Field(ge=0)
    latency_ms_max: float = Field(gt=0)
    bundle_mb_max: float = Field(gt=0)
    resamples: int = Field(ge=100, le=100_000)
