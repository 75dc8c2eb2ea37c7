"""Opens a file for reading: on disk or at an fsspec address, as it is or out of a .gz, .zip or .7z."""

from __future__ import annotations

import gzip
import io
import lzma
import re
import struct
import zipfile
import zlib
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from tempfile import TemporaryDirectory
from typing import IO, Any, cast
from urllib.parse import urlsplit
from xml.etree.ElementTree import ParseError

from labline.data.sources import seven_zip
from labline.errors import DataError
from labline.store import foreign

TEXT_KINDS = (".csv", ".tsv", ".txt")
KINDS = (*TEXT_KINDS, ".jsonl", ".ndjson", ".parquet", ".pq", ".xlsx")
PACKED = (".gz", ".zip", ".7z")
MEMBERS_SHOWN = 5
# What reading raises when a file is cut off, is not what its name says, or holds what its kind does not know.
DAMAGE: tuple[type[Exception], ...] = (
    OSError,
    ValueError,
    ImportError,
    EOFError,
    zipfile.BadZipFile,
    zlib.error,
    lzma.LZMAError,
    struct.error,
    ParseError,
)


@dataclass(frozen=True)
class Opened:
    """A file's bytes, unpacked, and its kind: one of `KINDS`."""

    stream: IO[bytes]
    kind: str


def shown(address: str) -> str:
    """The address as it may be shown and kept: without a signature, a user or a password."""
    if "://" not in address:
        return address
    scheme, _, rest = address.partition("://")
    host, slash, path = re.split("[?#]", rest, maxsplit=1)[0].partition("/")
    return f"{scheme}://{host.rpartition('@')[2]}{slash}{path}"


@contextmanager
def opened(address: str, object_store: Mapping[str, Any] | None = None) -> Iterator[Opened]:
    """The file at a path or fsspec address.

    Raises:
        DataError: it is of no known kind, or what is packed in it is not clear.
    """
    name = PurePosixPath(urlsplit(address).path).name if "://" in address else Path(address).name
    _kind(name)  # before a network is asked
    # whoever closes the generator that reads closes these
    # pylint: disable-next=contextmanager-generator-missing-cleanup
    with _bytes(address, object_store) as stream, _unpacked(stream, name) as plain:
        yield plain


@contextmanager
def explained(address: str) -> Iterator[None]:
    """What reading raises, in words that name the file and the mend, and show no signature.

    Raises:
        DataError: in place of what was raised.
    """
    where = shown(address)
    try:
        yield
    except DataError as error:
        if error.where is not None:
            raise
        raise DataError(error.what, where=where, mend=error.mend) from error.__cause__
    except FileNotFoundError:
        raise DataError("there is no such file", where=where, mend="correct the path") from None
    except UnicodeDecodeError as error:
        raise DataError(
            f"it is not written in {error.encoding.upper()}: {error.reason}",
            where=where,
            mend="say which it is in the contract's source, e.g. dialect: {encoding: latin-1}",
        ) from error
    except (*DAMAGE, *foreign()) as error:
        # not chained: its text may hold the signed address, which lets anyone read
        raise DataError(
            f"cannot be read: {_said(error, address)}", where=where, mend="see that the file is whole"
        ) from None


def _said(error: BaseException, address: str) -> str:
    text = " ".join(str(error).split()) or type(error).__name__
    if "://" not in address:
        return text
    return re.sub(r"\?[^\s'\")]+", "", text.replace(address, shown(address)))


def _bytes(address: str, object_store: Mapping[str, Any] | None) -> IO[bytes]:
    if "://" not in address:
        return Path(address).open("rb")
    import fsspec

    file: IO[bytes] = fsspec.open(address, "rb", **(object_store or {})).open()
    return file


def _kind(name: str) -> str:
    """The kind of a file, by its name's ending before that of a packing."""
    lower = name.lower()
    plain = PurePosixPath(lower).stem if lower.endswith(PACKED) else lower
    kind = PurePosixPath(plain).suffix
    if kind in KINDS or (lower.endswith((".zip", ".7z")) and not kind):
        return kind
    raise DataError(
        f"its name ends in none of {', '.join(KINDS)} (with or without {', '.join(PACKED)})",
        mend="convert it, or rename it to what it is",
    )


@contextmanager
def _unpacked(stream: IO[bytes], name: str) -> Iterator[Opened]:
    packing = PurePosixPath(name.lower()).suffix
    if packing == ".gz":
        with gzip.open(stream) as unzipped:
            yield Opened(cast("IO[bytes]", unzipped), _kind(name))
    elif packing == ".zip":
        with zipfile.ZipFile(stream) as archive:
            member = table_in([one.filename for one in archive.infolist() if not one.is_dir()], name)
            with archive.open(member) as plain:
                yield Opened(plain, _member_kind(member, name))
    elif packing == ".7z":
        with TemporaryDirectory(prefix="labline-") as folder:
            member = table_in(seven_zip.names(stream), name)
            with seven_zip.extract(stream, member, Path(folder)).open("rb") as plain:
                yield Opened(plain, _member_kind(member, name))
    else:
        yield Opened(stream, _kind(name))


def table_in(members: Sequence[str], packed: str) -> str:
    """The member that is meant: the one named like the archive, the only one, or the only one of a known kind.

    Raises:
        DataError: that is not clear.
    """
    files = [member for member in members if not member.startswith("__MACOSX/")]
    alike = [member for member in files if PurePosixPath(member).name.lower() == PurePosixPath(packed.lower()).stem]
    known = [member for member in files if member.lower().endswith(KINDS)]
    for found in (alike, files, known):
        if len(found) == 1:
            return found[0]
    names = ", ".join(files[:MEMBERS_SHOWN]) or "nothing"
    raise DataError(f"which of its files is meant is not clear; there is: {names}", mend="unpack it and name the file")


def _member_kind(member: str, packed: str) -> str:
    kind = PurePosixPath(member.lower()).suffix
    return kind if kind in KINDS else _kind(PurePosixPath(packed.lower()).stem)


def as_text(stream: IO[bytes], encoding: str) -> io.TextIOWrapper:
    """The characters of a stream, without a byte order mark; one of UTF-16 or UTF-32 goes before the encoding said."""
    buffered = io.BufferedReader(stream)  # type: ignore[type-var]
    start = buffered.peek(4)[:4]
    if start in {b"\xff\xfe\0\0", b"\0\0\xfe\xff"}:
        encoding = "utf-32"
    elif start[:2] in {b"\xff\xfe", b"\xfe\xff"}:
        encoding = "utf-16"
    elif encoding.lower().replace("_", "-") in {"utf-8", "utf8"}:
        encoding = "utf-8-sig"
    return io.TextIOWrapper(buffered, encoding=encoding, newline="")
