"""Where runs, models and predictions are kept."""

from __future__ import annotations

import re
from typing import Any

from pydantic import field_validator

from labline.config.section import Section, Url

ADDRESS = re.compile(r"(?!file:|https?:)[a-z][a-z0-9+]*://[^/?#:]+(/[^?#]*)?")  # no place for a key or a signature


class Storage(Section):
    """Addresses of the stores; the embedded ones are SQLite files under `models/`, `root` is absolute once loaded."""

    root: str | None
    tracking_uri: Url
    artifact_root: str
    database_url: Url
    studies_url: Url
    object_store: dict[str, Any]

    @field_validator("root")
    @classmethod
    def _bucket_and_prefix(cls, root: str | None) -> str | None:
        if root is not None and "://" in root and not ADDRESS.fullmatch(root):
            raise ValueError("write it as s3://bucket/prefix or as a path; keys come from the environment")
        return root
