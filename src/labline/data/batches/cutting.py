"""Cuts the bytes of a text file into blocks of whole rows, each with the place where the next one begins."""

from __future__ import annotations

import io
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

from labline.data.sources.opening import as_text
from labline.errors import DataError

SIZE_MAX = 2**26  # a row as long as this has a quote that is never closed
UTF8 = frozenset({"utf-8", "utf8", "ascii", "us-ascii"})
BYTES_MAX = 4  # of a character in UTF-8
MARK = b"\xef\xbb\xbf"
WIDE = (b"\xff\xfe", b"\xfe\xff")  # how UTF-16 and UTF-32 begin
QUOTE, RETURN, NEWLINE = b'"\r\n'
QUOTED = re.compile(rb'"(?:[^"]++|"")*+(?:"|\Z)')  # or as much of it as there is


@dataclass(frozen=True)
class Cut:
    """Whole rows, in UTF-8, and the place after them, in bytes from the first."""

    content: bytes
    end: int


def utf8(stream: IO[bytes], encoding: str) -> IO[bytes]:
    """The stream itself where it is in UTF-8, behind its mark; else its characters in UTF-8, which cannot be sought."""
    start = stream.read(len(MARK))
    stream.seek(0)
    if start[:2] in WIDE or encoding.lower().replace("_", "-") not in UTF8:
        return _Recoded(stream, encoding)  # type: ignore[return-value]  # reads, and no more is asked of it
    if start == MARK:
        stream.seek(len(MARK))
    return stream


class _Recoded:
    """Reads a text of any encoding as UTF-8."""

    def __init__(self, stream: IO[bytes], encoding: str) -> None:
        self._text = as_text(stream, encoding)

    def read(self, size: int) -> bytes:
        """So many characters, or fewer at the end."""
        return self._text.read(size).encode()


def skip(stream: IO[bytes], size: int) -> None:
    """Go on by so many bytes."""
    if isinstance(stream, _Recoded):
        while size > 0:
            size -= len(stream.read(min(size, SIZE_MAX) // BYTES_MAX or 1))
    else:
        stream.seek(size, io.SEEK_CUR)


def cuts(stream: IO[bytes], start: int, size: int, signs: str = "") -> Iterator[Cut]:
    """Blocks of whole rows of about `size` bytes, from the row that begins at `start`.

    Args:
        stream: UTF-8, at `start`.
        start: counted from the stream's first byte.
        size: of a block; more where a row is longer.
        signs: that part fields, of which a quoted one may hold the end of a line; none: no field is quoted.

    Raises:
        DataError: a quote is opened and never closed.
    """
    rest, place = b"", start
    while read := stream.read(size):
        block = rest + read
        length = _whole(block, signs)
        if length == 0 and len(block) > SIZE_MAX:
            raise _never_closed()
        if length:
            place += length
            yield Cut(block[:length], place)
        rest = block[length:]
    if rest:
        if signs and b'"' in rest and _is_open(rest + b"\n", signs):
            raise _never_closed()
        yield Cut(rest, place + len(rest))


def _never_closed() -> DataError:
    return DataError("a quote is opened and never closed", mend="close it, or double it if it is meant")


def _is_open(block: bytes, signs: str) -> bool:
    return _whole(block, signs) < len(block)


def _whole(block: bytes, signs: str) -> int:
    """How many bytes are whole rows."""
    last = 1 + max(block.rfind(b"\n"), block.rfind(b"\r"))
    if not signs or b'"' not in block:
        return last
    codes = np.frombuffer(block, dtype=np.uint8)
    quotes = np.flatnonzero(codes == QUOTE)
    borders = np.frombuffer(signs.encode() + b"\r\n", dtype=np.uint8)
    if _is_regular(codes, quotes, borders):
        ends = np.flatnonzero((codes == NEWLINE) | (codes == RETURN))
        outside = ends[np.searchsorted(quotes, ends) % 2 == 0]
        return int(outside[-1]) + 1 if len(outside) else 0
    return _whole_by_field(block, set(borders.tolist()))


def _is_regular(codes: NDArray[Any], quotes: NDArray[np.intp], borders: NDArray[np.uint8]) -> bool:
    """Whether quotes stand only around fields, or doubled inside them (RFC 4180): then every second one closes."""
    opening, closing = quotes[::2], quotes[1::2]
    before = codes[np.maximum(opening - 1, 0)]
    begins = (opening == 0) | np.isin(before, borders) | (before == QUOTE)
    behind = codes[np.minimum(closing + 1, len(codes) - 1)]
    ends = (closing == len(codes) - 1) | np.isin(behind, borders) | (behind == QUOTE)
    return bool(begins.all() and ends.all())


def _whole_by_field(block: bytes, borders: set[int]) -> int:
    """The same where quotes stand within fields too: those mean nothing, as they open none."""
    whole, at = 0, 0
    while True:
        quote = block.find(b'"', at)
        stop = len(block) if quote < 0 else quote
        whole = max(whole, 1 + max(block.rfind(b"\n", at, stop), block.rfind(b"\r", at, stop)))
        if quote < 0:
            return whole
        opens = quote == 0 or block[quote - 1] in borders
        quoted = QUOTED.match(block, quote) if opens else None
        at = quoted.end() if quoted else quote + 1
