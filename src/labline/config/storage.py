"""Where runs, models and predictions are kept."""

from __future__ import annotations

from typing import Any

from labline.config.section import Section, Url


class Storage(Section):
    """Addresses of the stores; the embedded ones are SQLite files under `models/`."""

    tracking_uri: Url
    artifact_root: str
    database_url: Url
    object_store: dict[str, Any]
