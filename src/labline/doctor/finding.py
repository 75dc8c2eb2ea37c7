"""What a check finds."""

from __future__ import annotations

from dataclasses import dataclass

from labline.errors import LablineError


class Advice(LablineError):  # noqa: N818  (it is no error)
    """Raised by a check for what stands in nobody's way yet, and should be mended all the same."""


@dataclass(frozen=True)
class Finding:
    """One check's outcome; `mend` is empty when all is well, and stands beside `ok` when it is advice."""

    check: str
    ok: bool
    said: str
    mend: str = ""
