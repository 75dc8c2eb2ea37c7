"""The generated stand-in for a problem's data: `sample.py` in the problem's folder."""

from __future__ import annotations

import runpy
from pathlib import Path
from typing import TYPE_CHECKING

from labline.errors import DataError

if TYPE_CHECKING:
    import pandas as pd

SAMPLE_FILE = "sample.py"


def generates(folder: Path, role: str) -> bool:
    """Whether the problem has a sample, and one for this role."""
    file = folder / SAMPLE_FILE
    return file.is_file() and role in runpy.run_path(str(file))


def generate(folder: Path, role: str, seed: int) -> pd.DataFrame:
    """The rows that `sample.py` of the problem's folder generates for a role (`train` or `current`).

    Raises:
        DataError: the problem has no sample, or none for this role.
    """
    file = folder / SAMPLE_FILE
    if not file.is_file():
        raise DataError(
            "this problem has no sample", where=str(file), mend="give files: labline data PROBLEM --train FILE"
        )
    generator = runpy.run_path(str(file)).get(role)
    if generator is None:
        raise DataError(f"it generates no {role!r} rows", where=str(file), mend=f"write def {role}(seed)")
    frame: pd.DataFrame = generator(seed)
    return frame
