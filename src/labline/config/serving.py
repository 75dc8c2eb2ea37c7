"""How the API answers."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from labline.config.section import Section


class Serving(Section):
    """Address, limits, and how often the champion is looked up."""

    host: str
    port: int = Field(ge=0, le=65535)
    batch_rows_max: int = Field(ge=1)
    champion_poll_seconds: float = Field(gt=0)
    durability: Literal["acknowledged", "background", "none"]
    log_patience_ms: float = Field(gt=0)
    spool_mb_max: float = Field(gt=0)
    retention_days: float | None = Field(gt=0)
    workers: int = Field(ge=1)
    challenger: Literal["off", "shadow", "canary"]
    challenger_share: float = Field(ge=0, le=1)
    challenger_key: str | None
