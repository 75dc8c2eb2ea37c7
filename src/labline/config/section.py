"""What the sections of the configuration share: frozen, unknown keys refused, addresses printed without passwords."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, SecretStr
from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError


class Section(BaseModel):
    """One YAML module of the configuration."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Url(SecretStr):
    """An address that may hold a password: printed without it, whole only by `get_secret_value()`."""

    def _display(self) -> str:
        return masked(self.get_secret_value())


def masked(url: str) -> str:
    """The address with its password, if any, replaced by stars."""
    try:
        return make_url(url).render_as_string(hide_password=True)
    except ArgumentError:  # a plain path or a scheme SQLAlchemy does not parse: no user part to hide
        return url if "@" not in url else "***"


def has_password(url: str) -> bool:
    """Whether the address holds a password."""
    try:
        return make_url(url).password is not None
    except ArgumentError:
        return False
