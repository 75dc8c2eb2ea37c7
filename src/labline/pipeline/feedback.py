"""Feedback: labels of predictions, handed in later by the predictions' ids."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from labline.config import Config
from labline.database import open_database
from labline.migrations import need_tables
from labline.monitoring.labels import Feedback, keep, told


def feedback(config: Config, problem: str, items: Sequence[Any]) -> Feedback:
    """Keep labels that `feedback_type` has accepted.

    Raises:
        DatabaseError: the database is away, or not migrated.
    """
    engine = open_database(config.storage.database_url.get_secret_value())
    need_tables(engine)
    now = datetime.now(UTC)
    return keep(engine, problem, told(items, now), now)
