"""Writes a file so that another process sees the old content or the new one, and never a part."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """A new file beside `path` to write to; it takes its place when the block ends well, and is gone when not.

    The name is the writer's own, so that two processes may do this at once.
    """
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.", suffix=path.suffix)
    os.close(handle)
    unfinished = Path(name)
    try:
        yield unfinished
        with unfinished.open("rb") as written:
            os.fsync(written.fileno())
        unfinished.chmod(0o644)  # mkstemp lets its owner alone read it
        unfinished.replace(path)
    finally:
        unfinished.unlink(missing_ok=True)
