"""How values are written in files and requests, and what they mean: moments, lists of labels, texts."""

from __future__ import annotations

import ast
import json
import re
from collections.abc import Sequence
from datetime import UTC, datetime
from html.parser import HTMLParser
from typing import Any

from labline.contract.column import URL, DateTimeColumn, TextColumn

DROPPED = frozenset({"pre", "script", "style"})  # elements whose content is no prose
# <java><c#>: how some exports write a list of tags
ANGLED = re.compile(r"^(?:<[^<>]+>)+$")


def moment(written: str, column: DateTimeColumn) -> datetime | None:
    """The moment that is written, in UTC without a time zone; None when it is in no format of the column."""
    text = written.strip()
    found = None
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        for form in column.formats:
            try:
                found = datetime.strptime(text, form)
                break
            except ValueError:
                continue
    if found is None or found.tzinfo is None:
        return found
    return found.astimezone(UTC).replace(tzinfo=None)


def names_in(written: Any, separator: str) -> tuple[str, ...] | None:
    """The names of a list, sorted, each once: a sequence, JSON, a Python list, `<a><b>`, or separated text.

    None when the value is missing, or begins like a list and is none.
    """
    if isinstance(written, str):
        text = written.strip()
        if text.startswith("["):
            return _from_list(text)
        parts: Sequence[Any] = text[1:-1].split("><") if ANGLED.match(text) else text.split(separator)
        return tuple(sorted({part.strip() for part in parts} - {""}))
    if isinstance(written, Sequence) or hasattr(written, "tolist"):
        return tuple(sorted({str(name) for name in written if name is not None}))
    return None


def _from_list(text: str) -> tuple[str, ...] | None:
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        try:
            found = ast.literal_eval(text)
        except (ValueError, SyntaxError, MemoryError, RecursionError):
            return None
    if not isinstance(found, list) or any(isinstance(name, list | dict) for name in found):
        return None
    return tuple(sorted({str(name).strip() for name in found if name is not None} - {""}))


def as_list(names: Sequence[str]) -> str:
    """The one way in which a frame holds a list of names: JSON, so that it can be compared, hashed and stored."""
    return json.dumps(list(names), ensure_ascii=False)


def prose(text: str, column: TextColumn) -> str:
    """The text that words are counted in: tags, code blocks and addresses taken out where the contract says so."""
    if column.html and ("<" in text or "&" in text):
        reader = _Prose()
        reader.feed(text)
        reader.close()
        text = " ".join("".join(reader.parts).split())
    return URL.sub(" ", text) if column.urls == "remove" else text


class _Prose(HTMLParser):
    """Collects what a reader of the page would see, less the code blocks."""

    def __init__(self) -> None:
        super().__init__()
        self.parts: list[str] = []
        self._dropping: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        del attrs
        self.parts.append(" " if tag not in {"b", "i", "em", "strong", "a", "code", "span"} else "")
        if tag in DROPPED:
            self._dropping.append(tag)

    def handle_endtag(self, tag: str) -> None:
        if self._dropping and self._dropping[-1] == tag:
            self._dropping.pop()

    def handle_data(self, data: str) -> None:
        if not self._dropping:
            self.parts.append(data)
