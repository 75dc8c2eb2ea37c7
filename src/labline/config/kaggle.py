"""How Kaggle is asked."""

from __future__ import annotations

from pydantic import Field

from labline.config.section import Section


class Kaggle(Section):
    """Patience with the network; credentials come from the environment or kaggle.json alone."""

    attempts: int = Field(ge=1, le=10)
    wait_seconds: float = Field(ge=0)
