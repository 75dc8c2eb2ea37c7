"""Where batches come from and go to: paths of this machine, or addresses in an object store."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from labline.config import Config
from labline.data.sources.opening import explained, shown
from labline.errors import DataError
from labline.store import Folder

__all__ = ["Goal", "goal_of", "shown", "version_of"]


@dataclass(frozen=True)
class Goal:
    """Where a file of predictions goes.

    Attributes:
        address: as it was named.
        folder: that it goes into.
        name: that it has there.
        work: beside which it is made: the file itself, or one on this machine for an object store's.
    """

    address: str
    folder: Folder
    name: str
    work: Path

    @property
    def is_remote(self) -> bool:
        """Whether it is in an object store."""
        return not isinstance(self.folder.root, Path)

    def is_same(self, source: str) -> bool:
        """Whether a source is this very file."""
        if self.is_remote or "://" in source:
            return source == self.address
        return self.work.exists() and Path(source).exists() and self.work.samefile(source)

    def take(self, ready: Path, aside: Path | None) -> str | None:
        """Put whole files there, one after the other; gives where the one with rows set aside is.

        Raises:
            DataError: this machine's disk or the store does not take them.
        """
        name = f"{Path(self.name).stem}.rejected.csv"
        try:
            if aside is not None:
                self.folder.take(aside, name)
            self.folder.take(ready, self.name)
        except OSError as error:
            raise DataError(
                f"cannot be written: {error.strerror or error}", where=self.address, mend="see who may write there"
            ) from error
        return str(self.folder / name) if aside is not None else None


def goal_of(config: Config, address: str) -> Goal:
    """Where an address leads."""
    if "://" not in address:
        path = Path(address)
        return Goal(address, Folder(path.parent), path.name, path)
    root, _, name = address.rpartition("/")
    known = hashlib.sha256(address.encode()).hexdigest()[:16]
    folder = config.settings.data / "unfinished" / known
    folder.mkdir(parents=True, exist_ok=True)
    return Goal(shown(address), Folder(root, config.storage.object_store), name, folder / name)


def version_of(address: str, object_store: Mapping[str, Any] | None = None) -> str:
    """What changes when a file does: its size and time, or what the store says of it.

    Raises:
        DataError: it is not there, or cannot be asked for.
    """
    with explained(address):
        if "://" not in address:
            found = Path(address).stat()
            return f"{found.st_size} {found.st_mtime_ns}"
        import fsspec

        filesystem, path = fsspec.core.url_to_fs(address, **(object_store or {}))
        return f"{filesystem.size(path)} {filesystem.ukey(path)}"
