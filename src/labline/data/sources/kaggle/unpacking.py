"""The wanted file out of what Kaggle served: a zip, a 7z, the file itself, or none of them."""

from __future__ import annotations

import errno
import lzma
import shutil
import struct
import zipfile
import zlib
from collections.abc import Sequence
from pathlib import Path, PurePosixPath, PureWindowsPath
from urllib.parse import unquote

from labline.contract.source import KaggleFile
from labline.data.sources import seven_zip
from labline.errors import DataError

ZIP_STARTS = (b"PK\x03\x04", b"PK\x05\x06")
ZIPS_BY_NATURE = {".zip", ".7z", ".xlsx", ".ods", ".npz"}
DAMAGE = (zipfile.BadZipFile, zlib.error, lzma.LZMAError, struct.error, EOFError, RuntimeError, ValueError)


def unpacked(served: Path, source: KaggleFile) -> Path:
    """The wanted file out of the archive, or what was served when that is none.

    Raises:
        DataError: the archive is damaged, lacks the file, or has a member that leads outside.
    """
    wanted = PurePosixPath(source.file)
    with served.open("rb") as file:
        start = file.read(len(seven_zip.START))
    is_seven_zip = start == seven_zip.START
    if not is_seven_zip and not start.startswith(ZIP_STARTS):
        return served
    if wanted.suffix.lower() in ZIPS_BY_NATURE and unquote(served.name) == wanted.name:
        return served
    return _from_seven_zip(served, source) if is_seven_zip else _from_zip(served, source)


def _from_zip(served: Path, source: KaggleFile) -> Path:
    unzipped = served.with_name(f"{served.name}.unzipped")
    try:
        with zipfile.ZipFile(served) as archive:
            members = [member.filename for member in archive.infolist() if not member.is_dir()]
            with archive.open(_member(members, source)) as packed, unzipped.open("wb") as plain:
                shutil.copyfileobj(packed, plain)
    except (*DAMAGE, OSError) as error:
        if isinstance(error, OSError) and error.errno != errno.EINVAL:  # not a seek to where a damaged zip points
            raise
        raise DataError(
            f"the zip that Kaggle served is damaged: {error}", where=str(source), mend="repeat the download"
        ) from error
    return unzipped


def _from_seven_zip(served: Path, source: KaggleFile) -> Path:
    folder = served.with_name(f"{served.name}.unpacked")
    folder.mkdir()
    try:
        with served.open("rb") as archive:
            return seven_zip.extract(archive, _member(seven_zip.names(archive), source), folder)
    except DataError as error:
        if error.where:
            raise
        raise DataError(
            f"what Kaggle served is damaged: {error.what}", where=str(source), mend="repeat the download"
        ) from error


def _member(members: Sequence[str], source: KaggleFile) -> str:
    wanted = PurePosixPath(source.file)
    for member in members:
        if leads_outside(member):
            raise DataError(
                f"the archive that Kaggle served has a member that leads outside of it: {member!r}",
                where=str(source),
                mend=f"do not use it; tell its owner at {source.page}",
            )
    whole = [member for member in members if member == str(wanted)]
    found = whole or [member for member in members if PurePosixPath(member).name == wanted.name]
    if len(found) != 1:
        names = ", ".join(members[:5]) or "nothing"
        raise DataError(
            f"the archive that Kaggle served has {len(found) or 'no'} {wanted.name!r}; there is: {names}",
            where=str(source),
            mend=f"compare the name with {source.page}/data",
        )
    return found[0]


def refuse_web_page(file: Path, source: KaggleFile) -> None:
    """Refuse what a proxy or a sign-in page gave in place of the file.

    Raises:
        DataError: it is a web page.
    """
    with file.open("rb") as opened:
        start = opened.read(512).lstrip().lower()
    if start.startswith((b"<!doctype html", b"<html")) and PurePosixPath(source.file).suffix not in {".html", ".htm"}:
        raise DataError(
            "a web page came in place of the file", where=str(source), mend="see whether a proxy wants a sign-in first"
        )


def leads_outside(name: str) -> bool:
    """Whether a file of that name would land outside the folder it is put in."""
    path = PureWindowsPath(name)  # knows both separators, and drives
    return bool(path.anchor) or ".." in path.parts
