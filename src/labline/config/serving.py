"""How the API answers."""

from __future__ import annotations

import ipaddress
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field
from pydantic_settings import NoDecode

from labline.config.api_keys import ApiKey, read_keys
from labline.config.section import Section


def _keys(given: Any) -> Any:
    """Lines in one text, as environment and secrets files have them, or a YAML list of lines."""
    if isinstance(given, list) and all(isinstance(line, str) for line in given):
        given = "\n".join(given)
    if isinstance(given, str):
        return read_keys(given)
    if isinstance(given, tuple) and all(isinstance(key, ApiKey) for key in given):
        return given
    raise ValueError("a text or a list of texts is wanted")


class Serving(Section):
    """Address, who is let in, limits, and how often the champion is looked up."""

    host: str
    port: int = Field(ge=0, le=65535)

    api_keys: Annotated[tuple[ApiKey, ...], NoDecode, BeforeValidator(_keys)]
    open: bool
    allowed_hosts: tuple[str, ...]
    cors_origins: tuple[str, ...]
    trusted_proxies: tuple[str, ...]

    body_bytes_max: int = Field(ge=1024)
    batch_bytes_max: int = Field(ge=1024)
    header_bytes_max: int = Field(ge=1024)
    connections_max: int = Field(ge=1)
    concurrency_max: int = Field(ge=1)
    rate_per_second: float | None = Field(gt=0)
    rate_burst: int = Field(ge=1)
    header_seconds: float = Field(gt=0)
    body_seconds: float = Field(gt=0)
    send_seconds: float = Field(gt=0)

    access_log: Literal["all", "refused", "off"]
    tracing: bool

    batch_rows_max: int = Field(ge=1)
    champion_poll_seconds: float = Field(gt=0)
    durability: Literal["acknowledged", "background", "none"]
    log_patience_ms: float = Field(gt=0)
    spool_mb_max: float = Field(gt=0)
    retention_days: float | None = Field(gt=0)
    workers: int = Field(ge=1)
    challenger: Literal["off", "shadow", "canary"]
    challenger_share: float = Field(ge=0, le=1)
    challenger_key: str | None

    @property
    def is_loopback(self) -> bool:
        """Whether only this machine can reach the address."""
        if self.host == "localhost":
            return True
        try:
            return ipaddress.ip_address(self.host).is_loopback
        except ValueError:  # a name; where it leads is not ours to say
            return False
