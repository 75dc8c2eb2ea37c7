"""API keys as the settings hold them: name, scopes, SHA-256 of the key, and when it ends. Never the key itself."""

from __future__ import annotations

import hashlib
import re
import secrets
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import date
from typing import Literal, get_args

Scope = Literal["predict", "monitor", "admin"]
SCOPES: tuple[Scope, ...] = get_args(Scope)
PREFIX = "labline_"  # so that scanners for leaked secrets, and this file, know a key when they see one
KEY_BYTES = 32
NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,39}")
PLAIN = re.compile(PREFIX + r"[A-Za-z0-9_-]{43}")
DIGEST = re.compile(r"[0-9a-f]{64}")
FORM = "NAME:SCOPES:sha256:HASH, or with :YEAR-MONTH-DAY behind it; `labline key new` writes it"


@dataclass(frozen=True)
class ApiKey:
    """One key that is let in; `admin` may do what the others may.

    Attributes:
        name: what logs and metrics call its holder.
        scopes: what it may do.
        digest: SHA-256 of the key.
        expires: the last day on which it is let in (UTC); None for ever.
    """

    name: str
    scopes: frozenset[Scope]
    digest: bytes = field(repr=False)
    expires: date | None = None

    def may(self, scope: Scope) -> bool:
        """Whether it may do what the scope covers."""
        return scope in self.scopes or "admin" in self.scopes

    def __str__(self) -> str:
        until = f" until {self.expires}" if self.expires else ""
        return f"{self.name} ({', '.join(sorted(self.scopes))}{until})"


def digest_of(key: str) -> bytes:
    """SHA-256 of a key.

    A password needs a slow, salted hash because people choose it and it can be guessed. A key is 256 random bits:
    nobody finds it by trying, whatever a try costs, and no table of hashes holds it. So one fast SHA-256 is right,
    and every request can pay for it.
    """
    return hashlib.sha256(key.encode()).digest()


def new_key() -> str:
    """A random key, 256 bits of the operating system's randomness."""
    return PREFIX + secrets.token_urlsafe(KEY_BYTES)


def written(key: str, name: str, scopes: Iterable[Scope], expires: date | None = None) -> str:
    """The line that settings hold of a key."""
    line = f"{name}:{','.join(sorted(scopes))}:sha256:{digest_of(key).hex()}"
    return line if expires is None else f"{line}:{expires.isoformat()}"


def read_keys(text: str) -> tuple[ApiKey, ...]:
    """The keys of a setting: one a line, or with blanks between them.

    Raises:
        ValueError: one is not of the form, stands there twice, or is a key in plain; no message repeats any of it.
    """
    keys = tuple(_read(line, number) for number, line in enumerate(text.split(), 1))
    for what, values in (("name", [key.name for key in keys]), ("hash", [key.digest for key in keys])):
        if len(set(values)) < len(values):
            raise ValueError(f"two keys have the same {what}")
    return keys


def _read(line: str, number: int) -> ApiKey:
    if PLAIN.search(line):
        raise ValueError(f"key {number} is the key itself; write the line that `labline key new` printed with it")
    parts = line.split(":")
    if len(parts) not in {4, 5} or parts[2] != "sha256" or not NAME.fullmatch(parts[0]):
        raise ValueError(f"key {number} is not {FORM}")
    scopes = frozenset(scope for scope in SCOPES if scope in parts[1].split(","))
    if len(scopes) != len(parts[1].split(",")):
        raise ValueError(f"key {number} has a scope that is none of {', '.join(SCOPES)}")
    if not DIGEST.fullmatch(parts[3]):
        raise ValueError(f"key {number} has no SHA-256 of 64 hexadecimal digits")
    try:
        expires = date.fromisoformat(parts[4]) if len(parts) == 5 else None
    except ValueError:
        raise ValueError(f"key {number} ends on no day like 2027-01-31") from None
    return ApiKey(parts[0], scopes, bytes.fromhex(parts[3]), expires)
