"""A file that is being written: its rows so far, and a journal from which a killed run goes on, each row once."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Self

from pydantic import BaseModel, ConfigDict, ValidationError

from labline.errors import DataError

JOURNAL_SECONDS = 1.0  # of work that a kill may cost


class Identity(BaseModel):
    """What a run does; only one that does the same may go on with it.

    Attributes:
        format: of the files here.
        source: what is read, without secrets.
        version: of the source: size and time, or the store's tag.
        bundle: digest of what scores.
        kind: of file that is written.
        invalid: what is done with rows that break the contract.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    format: int = 1
    source: str
    version: str
    bundle: str
    kind: str
    invalid: str


class Done(BaseModel):
    """How far a run is.

    Attributes:
        place: in the source, where the next block begins.
        rows: read.
        lines: read, of JSON lines.
        rejected: rows set aside.
        written: bytes of the predictions.
        aside: bytes of the rows set aside.
        whole_ids: all ids so far are whole numbers.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    place: int = 0
    rows: int = 0
    lines: int = 0
    rejected: int = 0
    written: int = 0
    aside: int = 0
    whole_ids: bool = True


class Unfinished:
    """The hidden files beside a target, open for one process at a time.

    Raises:
        DataError: they cannot be made, or another process has them open.

    Attributes:
        done: how far this run is, or the one that it goes on with.
    """

    def __init__(self, target: Path, identity: Identity) -> None:
        self.rows = target.with_name(f".{target.name}.part")
        self.aside = target.with_name(f".{target.name}.rejected")
        self._journal_path = target.with_name(f".{target.name}.journal")
        self._identity = identity
        self._kept_at = time.monotonic()
        try:
            self._journal = self._journal_path.open("a+b")
        except OSError as error:
            raise DataError(
                f"cannot be written: {error.strerror or error}",
                where=str(self._journal_path.parent),
                mend="see that the folder is there, and who may write in it",
            ) from error
        _lock(self._journal, self._journal_path)
        found = self._read()
        self._rows, self._aside = self.rows.open("ab"), self.aside.open("ab")
        if found is None or self.rows.stat().st_size < found.written or self.aside.stat().st_size < found.aside:
            found = Done()
            self._journal.truncate(0)
            self._journal.write(self._identity.model_dump_json().encode() + b"\n")
        self._rows.truncate(found.written)
        self._aside.truncate(found.aside)
        self.done = found

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        for file in (self._rows, self._aside, self._journal):
            file.close()

    def _read(self) -> Done | None:
        """The last whole line of a journal of the same run."""
        self._journal.seek(0)
        *lines, torn = self._journal.read().split(b"\n")
        self._journal.truncate(self._journal.tell() - len(torn))
        try:
            if not lines or Identity.model_validate_json(lines[0]) != self._identity:
                return None
            return Done.model_validate_json(lines[-1]) if len(lines) > 1 else Done()
        except ValidationError:
            return None  # of another format

    def add(self, output: bytes, aside: bytes, **then: Any) -> None:
        """Write some more; `then` is what `done` says afterwards of the source."""
        with self._explained():
            self._rows.write(output)
            self._aside.write(aside)
        sizes = {"written": self.done.written + len(output), "aside": self.done.aside + len(aside)}
        self.done = self.done.model_copy(update={**then, **sizes})
        if time.monotonic() - self._kept_at > JOURNAL_SECONDS:
            self.keep()

    def keep(self) -> None:
        """Make what was written outlast a kill, and the machine's."""
        with self._explained():
            for file in (self._rows, self._aside):
                file.flush()
                os.fsync(file.fileno())
            self._journal.write(self.done.model_dump_json().encode() + b"\n")
            self._journal.flush()
            os.fsync(self._journal.fileno())
        self._kept_at = time.monotonic()

    @contextmanager
    def _explained(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise DataError(
                f"cannot be written: {error.strerror or error}",
                where=str(self.rows),
                mend="make room for it; the same command then goes on from here",
            ) from error

    def forget(self) -> None:
        """Remove the files; the journal last, for it makes the others of use."""
        for path in (self.rows, self.aside, self._journal_path):
            path.unlink(missing_ok=True)


def _lock(file: Any, path: Path) -> None:
    try:
        import fcntl
    except ImportError:  # Windows, which lets nobody remove a file that is open
        return
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        raise DataError(
            "another run is writing this file", where=str(path), mend="wait for it, or name another file"
        ) from None
