"""The report pages there are. Apart from the reports, so that the API knows the names without loading pandas."""

from __future__ import annotations

from enum import StrEnum


class ReportKind(StrEnum):
    """The names are the last part of the pages' addresses."""

    DATA_DRIFT = "data-drift"
    TARGET_DRIFT = "target-drift"
    DATA_QUALITY = "data-quality"
    MODEL_PERFORMANCE = "model-performance"
