"""How the API answers."""

from __future__ import annotations

from pydantic import Field

from labline.config.section import Section


class Serving(Section):
    """Address, limits, and how often the champion is looked up."""

    host: str
    port: int = Field(ge=0, le=65535)
    batch_rows_max: int = Field(ge=1)
    champion_poll_seconds: float = Field(gt=0)
