"""Fetches a file, and keeps it under its checksum."""

from __future__ import annotations

import hashlib
from itertools import count
from pathlib import Path, PurePosixPath
from tempfile import TemporaryDirectory
from time import perf_counter

from loguru import logger

from labline.config.kaggle import Kaggle
from labline.contract.source import KaggleFile
from labline.data.sources.kaggle.client import download
from labline.data.sources.kaggle.credentials import credentials_origin
from labline.data.sources.kaggle.failures import disk_error
from labline.data.sources.kaggle.unpacking import leads_outside, refuse_web_page, unpacked
from labline.errors import DataError


def fetch(source: KaggleFile, folder: Path, settings: Kaggle) -> Path:
    """The path of the file under `folder`, downloaded unless it is there and agrees with the `.sha256` beside it.

    A zip is unpacked. A file that was there and differs is kept as `<file>.kept-<start of its checksum>`.

    Args:
        source: the competition or dataset, and the file's name there.
        folder: where to put it; made if need be.
        settings: how often to try, and how long to wait between tries.

    Raises:
        DataError: credentials are lacking or refused, the rules are not accepted, there is no such file, Kaggle is out
            of reach, the download is damaged, or the disk is full.
    """
    path = folder / _safe_name(source)
    try:
        if _is_whole(path):
            logger.debug("{}: already there, {}", source, path)
            return path
        origin = credentials_origin(source)
        path.parent.mkdir(parents=True, exist_ok=True)
        # In the same folder, so that moving to the final name is one step: a kill leaves nothing half under it.
        with TemporaryDirectory(prefix=".unfinished-", dir=path.parent, ignore_cleanup_errors=True) as unfinished:
            start = perf_counter()
            served = download(source, Path(unfinished), settings, origin)
            seconds = perf_counter() - start
            file = unpacked(served, source)
            refuse_web_page(file, source)
            logger.info("{}: {} bytes in {:.1f} s", source, served.stat().st_size, seconds)
            _put(file, path)
    except OSError as error:
        raise disk_error(error, path) from error
    return path


def _safe_name(source: KaggleFile) -> Path:
    if leads_outside(source.file) or not PurePosixPath(source.file).name or not source.file.isprintable():
        raise DataError(
            f"{source.file!r} is not a file name", where=str(source), mend=f"copy it from {source.page}/data"
        )
    return Path(source.file)


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _sidecar(path: Path) -> Path:
    return path.with_name(f"{path.name}.sha256")


def _is_whole(path: Path) -> bool:
    if not path.is_file() or not _sidecar(path).is_file():
        return False
    words = _sidecar(path).read_text(encoding="utf-8", errors="replace").split(maxsplit=1)
    return bool(words) and words[0].lower() == _sha256(path)


def _put(new: Path, path: Path) -> None:
    """Move the new file to its name, and what was there aside; then write its checksum as `sha256sum` does."""
    digest = _sha256(new)
    if path.exists():
        old = _sha256(path)
        if old != digest:
            kept = _free_name(path.with_name(f"{path.name}.kept-{old[:8]}"))
            path.rename(kept)
            logger.warning("{} did not agree with its checksum; it is kept as {}", path, kept.name)
    checksum = new.with_name("sha256")
    checksum.write_text(f"{digest}  {path.name}\n", encoding="utf-8", newline="\n")
    new.replace(path)
    checksum.replace(_sidecar(path))


def _free_name(path: Path) -> Path:
    names = (path.with_name(f"{path.name}-{number}") if number > 1 else path for number in count(1))
    return next(name for name in names if not name.exists())
