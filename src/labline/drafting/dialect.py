"""How a text file writes what it holds, from its first rows: separator, encoding, numbers."""

from __future__ import annotations

import codecs
import csv
import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import IO, Any

from labline.contract.source import Dialect
from labline.data.sources.delimited import MISSING, SEPARATORS
from labline.data.sources.opening import TEXT_KINDS, as_text, explained, opened
from labline.drafting.numbers import USUAL, Style, style_of

HEAD = 1 << 20  # bytes
ROWS = 1000
BLOCK = 1 << 22
C1 = bytes(range(0x80, 0xA0))  # control signs in Latin-1, letters and quotes in Windows-1252
NOT_IN_1252 = b"\x81\x8d\x8f\x90\x9d"
MARKS = (codecs.BOM_UTF8, codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)


@dataclass(frozen=True)
class Sniffed:
    """What a file's first rows tell: its dialect, how many columns it has, and what a person should know."""

    dialect: Dialect = field(default_factory=Dialect)
    columns: int = 100
    notes: tuple[str, ...] = ()

    @property
    def style(self) -> Style:
        """How it writes numbers."""
        return Style(self.dialect.decimal, self.dialect.thousands)


def sniff(address: str, object_store: Mapping[str, Any] | None = None) -> Sniffed:
    """The dialect of a text file; of other kinds of files, which need none, the usual one.

    Raises:
        DataError: the file is not there, or not readable.
    """
    with explained(address), opened(address, object_store) as file:
        if file.kind not in TEXT_KINDS:
            return Sniffed()
        head = file.stream.read(HEAD)
        encoding = _encoding(head, file.stream)
        usual = "\t" if file.kind == ".tsv" else ","
    return _sniffed(_text(head, encoding), encoding, usual)


def _sniffed(text: str, encoding: str, usual: str) -> Sniffed:
    lines = text.splitlines(keepends=True)
    # the last line may be cut off
    lines = [line for line in (lines[:-1] if len(text) >= HEAD // 4 and len(lines) > 1 else lines) if line.strip()]
    separator = _separator(lines, usual)
    header, *rows = _rows(lines, separator) or [[]]
    columns = [[row[place] for row in rows if place < len(row)] for place in range(len(header))]
    known = [[value for value in column if value.strip() not in MISSING] for column in columns]
    style = style_of(known, comma_decides=separator != ",") if header else USUAL
    # only what differs is said, so that the contract stays short
    said: dict[str, Any] = {"separator": None if separator == usual else separator, "encoding": encoding}
    dialect = Dialect(**said, decimal=style.decimal, thousands=style.thousands)
    return Sniffed(dialect, max(1, len(header)), tuple(_notes(dialect)))


def _notes(dialect: Dialect) -> list[str]:
    notes = []
    if dialect.encoding in {"latin-1", "cp1252"}:
        notes.append(f"it is no UTF-8, so it is taken for {dialect.encoding}: see that letters like é come out right")
    if dialect.decimal != "." or dialect.thousands:
        grouped = f", {dialect.thousands!r} between thousands" if dialect.thousands else ""
        notes.append(f"numbers have {dialect.decimal!r} before decimals{grouped}")
    return notes


def _encoding(head: bytes, rest: IO[bytes]) -> str:
    """The encoding by Python's name; `utf-8` too where a byte order mark tells another one."""
    if head.startswith(MARKS):
        return "utf-8"
    if head.count(0) > 0.2 * len(head):
        return "utf-16-le" if head[1::2].count(0) > head[::2].count(0) else "utf-16-be"
    decoder = codecs.getincrementaldecoder("utf-8")()
    block, is_utf8, marks = head, True, b""
    while block:
        if is_utf8:
            try:
                decoder.decode(block)
            except UnicodeDecodeError:
                is_utf8 = False
        # cheap: all that is left after every other byte is taken out
        marks += bytes(set(block).intersection(C1))
        block = rest.read(BLOCK)
    if is_utf8:
        return "utf-8"
    return "cp1252" if marks and not set(marks).intersection(NOT_IN_1252) else "latin-1"


def _text(head: bytes, encoding: str) -> str:
    with as_text(io.BytesIO(head), encoding) as text:
        text.reconfigure(errors="replace")  # the last character may be cut off
        return text.read()


def _separator(lines: Sequence[str], usual: str) -> str:
    """The one by which the header and nearly all rows have as many fields; of several, the one with most."""

    def fields(separator: str) -> tuple[bool, int]:
        rows = _rows(lines[:200], separator)
        if not rows or len(rows[0]) < 2:
            return False, 0
        even = sum(len(row) == len(rows[0]) for row in rows)
        return even >= 0.9 * len(rows), len(rows[0])

    found = {separator: fields(separator) for separator in dict.fromkeys(usual + SEPARATORS)}
    return max(found, key=lambda separator: found[separator])


def _rows(lines: Sequence[str], separator: str) -> list[list[str]]:
    try:
        return [row for row in csv.reader(lines[: ROWS + 1], delimiter=separator) if row]
    except csv.Error:  # a field longer than any: reading the whole file says more of it
        return []
