"""What the drafting tests share."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.drafting.workshop import Workshop


@pytest.fixture
def workshop(tmp_path: Path) -> Workshop:
    """An empty workspace to draft problems in."""
    return Workshop(tmp_path)
