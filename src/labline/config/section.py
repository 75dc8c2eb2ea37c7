"""What the sections of the configuration share: frozen, unknown keys refused, printed without passwords."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from pydantic import BaseModel, ConfigDict, SecretStr

HIDDEN = "***"
_USER_PART = re.compile(r"(://[^:/@]*):.*@", re.DOTALL)  # to the last @: a password may hold one itself
_SECRET_OPTION = re.compile(r"([?&][^=&]*(?:password|secret|token)[^=&]*=)[^&]*", re.IGNORECASE)


class Section(BaseModel):
    """One YAML module of the configuration."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    def __repr_args__(self) -> Iterator[tuple[str | None, Any]]:
        return ((name, printable(value)) for name, value in super().__repr_args__())


class Url(SecretStr):
    """An address that may hold a password: printed without it, whole only by `get_secret_value()`."""

    def _display(self) -> str:
        return masked(self.get_secret_value())


def printable(value: Any) -> Any:
    """The value without what may be secret: passwords in addresses, and all that options of a store say."""
    if isinstance(value, Mapping):
        return dict.fromkeys(value, HIDDEN)
    return masked(value) if isinstance(value, str) else value


def masked(url: str) -> str:
    """The address with its passwords, if any, replaced by stars."""
    if "://" not in url:  # no address; what has an @ may be one whose scheme was forgotten
        return HIDDEN if "@" in url else url
    return _SECRET_OPTION.sub(rf"\1{HIDDEN}", _USER_PART.sub(rf"\1:{HIDDEN}@", url))


def has_password(url: str) -> bool:
    """Whether the address holds a password."""
    return "://" in url and masked(url) != url
