"""Where the workspace is, and which problem is meant when none is named."""

from __future__ import annotations

from pathlib import Path

from labline.config.section import Section


class Settings(Section):
    """Folders of the workspace, absolute once loaded, and the default problem."""

    problem: str
    root: Path
    problems: Path
    data: Path
    models: Path
    reports: Path
