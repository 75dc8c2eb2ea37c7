"""The journal: all that a search has found so far, on disk, so that a killed one can go on where it was."""

from __future__ import annotations

import json
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
from loguru import logger
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, ValidationError

from labline.atomic import replacing
from labline.model.search.tried import Tried

ABOUT = "search.json"


class About(BaseModel):
    """What a journal says of its search.

    Attributes:
        key: the same for the same data, contract and settings.
        run_id: of the MLflow run.
        spent: seconds, up to what was written last.
        finished: a version was registered.
    """

    model_config = ConfigDict(frozen=True)

    key: str
    run_id: str = ""
    spent: float = 0.0
    finished: bool = False


class Journal:
    """A folder with a file for everything that was tried; each is written whole or not at all.

    Args:
        folder: the search's own; made where it is missing.
        key: of the search.
    """

    def __init__(self, folder: Path, key: str = "") -> None:
        self.folder = folder
        folder.mkdir(parents=True, exist_ok=True)
        file = folder / ABOUT
        self.about = About.model_validate_json(file.read_bytes()) if file.is_file() else About(key=key)
        self.tried: list[Tried] = []
        for entry in sorted(folder.glob("tried-*.json")):
            try:
                self.tried.append(Tried.model_validate_json(entry.read_bytes()))
            except ValidationError:
                logger.warning("{}: this entry is not understood, and tried again", entry)
        self._write()

    def note(self, **changes: Any) -> None:
        """Change what the journal says of its search."""
        self.about = self.about.model_copy(update=changes)
        self._write()

    def _write(self) -> None:
        _replace(self.folder / ABOUT, self.about.model_dump_json().encode())

    def add(self, tried: Tried, raw: NDArray[np.float64] | None, spent: float) -> None:
        """Keep what was tried, and its raw out-of-fold predictions, shape (own rows, …)."""
        if raw is not None:
            buffer = BytesIO()
            np.save(buffer, raw, allow_pickle=False)
            _replace(self.folder / f"raw-{tried.key}.npy", buffer.getvalue())
        name = f"tried-{len(self.tried):05d}-{tried.key}.json"
        _replace(self.folder / name, tried.model_dump_json().encode())
        self.tried.append(tried)
        self.note(spent=spent)

    def found(self, key: str) -> Tried | None:
        """What came of a candidate when it was tried last, if it was."""
        return next((tried for tried in reversed(self.tried) if tried.key == key), None)

    def raw(self, key: str) -> NDArray[np.float64]:
        """The raw out-of-fold predictions of what was tried."""
        found: NDArray[np.float64] = np.load(self.folder / f"raw-{key}.npy", allow_pickle=False)
        return found

    def keep(self, name: str, content: Any) -> None:
        """Keep something else, as JSON."""
        _replace(self.folder / f"{name}.json", json.dumps(content).encode())

    def kept(self, name: str) -> Any:
        """What was kept under the name; None when nothing was."""
        file = self.folder / f"{name}.json"
        return json.loads(file.read_bytes()) if file.is_file() else None


def _replace(file: Path, content: bytes) -> None:
    with replacing(file) as unfinished:
        unfinished.write_bytes(content)
