"""The report pages there are, and what is said of one: what the API knows of them without loading pandas."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict


class ReportKind(StrEnum):
    """The names are the last part of the pages' addresses."""

    DATA_DRIFT = "data-drift"
    TARGET_DRIFT = "target-drift"
    DATA_QUALITY = "data-quality"
    MODEL_PERFORMANCE = "model-performance"


class ReportResult(BaseModel):
    """A page that was written, its numbers, and what it leaves out.

    `path` is on this machine; `kept_at` is where it is kept for all, if that is elsewhere.
    """

    model_config = ConfigDict(frozen=True)

    kind: ReportKind
    path: Path
    kept_at: str | None = None
    rows: int
    reference_rows: int
    notes: list[str] = []
    metrics: list[dict[str, Any]] = []
