"""Archives in the 7z format, as Kaggle packs some of its files."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, TYPE_CHECKING

from labline.errors import DataError

if TYPE_CHECKING:
    from py7zr import SevenZipFile

START = b"7z\xbc\xaf\x27\x1c"


def names(archive: IO[bytes]) -> list[str]:
    """Names of the files in it.

    Raises:
        DataError: it is damaged, or no such archive.
    """
    with _opened(archive) as opened:
        return [member.filename for member in opened.list() if not member.is_directory]


def extract(archive: IO[bytes], name: str, folder: Path) -> Path:
    """The file of that name, unpacked into the folder.

    Raises:
        DataError: it is damaged, locked with a password, or would land outside of the folder.
    """
    with _opened(archive) as opened:
        opened.extract(path=folder, targets=[name])
    return folder / name


@contextmanager
def _opened(archive: IO[bytes]) -> Iterator[SevenZipFile]:
    import lzma

    from py7zr import SevenZipFile
    from py7zr.exceptions import ArchiveError

    archive.seek(0)
    try:
        with SevenZipFile(archive) as opened:
            yield opened
    except (ArchiveError, lzma.LZMAError, EOFError, ValueError, IndexError, TypeError) as error:
        # it knows no word of its own for much that damage does
        raise DataError(f"not a readable 7z archive: {error}", mend="see that the file is whole") from error
