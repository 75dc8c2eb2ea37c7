"""The spool: where predictions wait on this machine's disk while the database cannot take them."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from datetime import datetime
from itertools import count
from pathlib import Path
from typing import Any, Self

from filelock import FileLock, Timeout
from loguru import logger
from pydantic_core import from_json, to_json

from labline.errors import LablineError
from labline.monitoring.prediction_log import Entry, Logged, Shadow

SEGMENT_BYTES = 4_000_000
KINDS: dict[str, type[Logged] | type[Shadow]] = {"answer": Logged, "shadow": Shadow}
NAMES = {kind: name for name, kind in KINDS.items()}
REFUSED_FILE = "refused.jsonl"
LOCK_FILE = "lock"


class SpoolFullError(LablineError):
    """There is no more room for predictions that wait."""


class Spool:
    """A folder that one process holds: entries are appended, and taken out in the same order.

    A file holds one entry a line, as JSON; a line that a crash cut short was never acknowledged, and is passed over.

    Args:
        folder: made when missing; held by a lock until `close`.
        bytes_max: of all files in it together.

    Raises:
        Timeout: another process holds the folder.
        OSError: it cannot be made or written to.
    """

    def __init__(self, folder: Path, bytes_max: int) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.folder = folder
        self._bytes_max = bytes_max
        self._lock = FileLock(folder / LOCK_FILE, blocking=False, thread_local=False)
        self._lock.acquire()
        self._file: int | None = None
        segments = self._segments()
        self._next = int(segments[-1].stem) + 1 if segments else 1
        self.bytes = sum(segment.stat().st_size for segment in segments)
        self.entries = sum(1 for segment in segments for _ in _lines(segment))

    @classmethod
    def take(cls, parent: Path, bytes_max: int) -> Self:
        """The first folder under the parent that no other process holds; what waits in it is this one's now."""
        for slot in count():
            try:
                return cls(parent / str(slot), bytes_max)
            except Timeout:
                continue
        raise AssertionError

    def append(self, entries: Sequence[Entry]) -> None:
        """Keep the entries; they are on disk when this returns.

        Raises:
            SpoolFullError: they would take more room than there is; nothing of them is kept.
            OSError: the disk refuses.
        """
        content = b"".join(_line(entry) for entry in entries)
        if self.bytes + len(content) > self._bytes_max:
            raise SpoolFullError(
                f"{self.entries:,} predictions wait for the database, and there is no room for more",
                where=str(self.folder),
                mend="see to the database, or raise serving.spool_mb_max",
            )
        if self._file is None:
            self._file = os.open(self.folder / f"{self._next:08}.jsonl", os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
            _sync(self.folder)
            self._next += 1
        before = os.fstat(self._file).st_size
        try:
            _write(self._file, content)
            os.fsync(self._file)
        except OSError:
            os.ftruncate(self._file, before)  # half a line would spoil the next one
            raise
        self.bytes += len(content)
        self.entries += len(entries)
        if before + len(content) > SEGMENT_BYTES:
            self._end_segment()

    def oldest(self) -> tuple[Path, list[Entry]] | None:
        """The file that was filled first, which gets no more entries, and what is in it; None when nothing waits."""
        segments = self._segments()
        if not segments:
            return None
        if len(segments) == 1:
            self._end_segment()
        return segments[0], [_entry(line) for line in _lines(segments[0])]

    def remove(self, segment: Path) -> None:
        """Forget a file whose entries are in the database."""
        self.bytes -= segment.stat().st_size
        self.entries -= sum(1 for _ in _lines(segment))
        segment.unlink()

    def refuse(self, entry: Entry) -> None:
        """Set an entry aside that the database refuses, for a person to look at."""
        with (self.folder / REFUSED_FILE).open("ab") as file:
            file.write(_line(entry))
            file.flush()
            os.fsync(file.fileno())

    def close(self) -> None:
        """Let go of the folder; what waits in it is for whoever takes it next."""
        self._end_segment()
        self._lock.release()

    def _segments(self) -> list[Path]:
        return sorted(self.folder.glob("[0-9]*.jsonl"))

    def _end_segment(self) -> None:
        if self._file is not None:
            os.close(self._file)
            self._file = None


def abandoned(parent: Path, bytes_max: int) -> Iterator[Spool]:
    """Folders under the parent that no process holds and where something waits; each is held until the next."""
    for folder in sorted(parent.iterdir()) if parent.is_dir() else ():
        if not any(folder.glob("[0-9]*.jsonl")):
            continue
        try:
            spool = Spool(folder, bytes_max)
        except Timeout:
            continue
        try:
            yield spool
        finally:
            spool.close()


def _line(entry: Entry) -> bytes:
    return to_json({"kind": NAMES[type(entry)], **vars(entry)}) + b"\n"


def _lines(segment: Path) -> Iterator[bytes]:
    with segment.open("rb") as file:
        for line in file:
            if line.endswith(b"\n"):
                yield line
            else:
                logger.warning("{}: the last line was cut short by a crash, and its answer was never sent", segment)


def _entry(line: bytes) -> Entry:
    values: dict[str, Any] = from_json(line)
    kind = KINDS[values.pop("kind")]
    return kind(**values | {"at": datetime.fromisoformat(values["at"])})


def _write(file: int, content: bytes) -> None:
    view = memoryview(content)
    while view:
        view = view[os.write(file, view) :]


def _sync(folder: Path) -> None:
    """A new name in a folder is on disk only when the folder is; Windows knows no such thing."""
    if os.name == "nt":
        return
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
