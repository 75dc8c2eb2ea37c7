"""Who is let in: the key of a request, what it may do, and from which site a browser may send it."""

from __future__ import annotations

import base64
import binascii
import hmac
from collections.abc import Mapping
from datetime import UTC, datetime
from urllib.parse import urlsplit

from labline.api.problem_details import ApiError
from labline.config.api_keys import ApiKey, Scope, digest_of
from labline.config.serving import Serving

SAFE_METHODS = {"GET", "HEAD", "OPTIONS"}
Headers = Mapping[bytes, bytes]  # by name in small letters, as ASGI has them


class Access:
    """Lets requests in or says why not.

    Args:
        serving: the keys, and the names and sites that are allowed.
    """

    def __init__(self, serving: Serving) -> None:
        self._keys = serving.api_keys
        self._hosts = frozenset(host.lower() for host in serving.allowed_hosts)
        self._sites = frozenset(serving.cors_origins)

    def holder(self, headers: Headers, scope: Scope | None) -> ApiKey | None:
        """Whose key the request has; None where no key is asked for.

        Raises:
            ApiError: 401 without a key, or with one that is not known or has ended; 403 when it may not do this.
        """
        if scope is None or not self._keys:
            return None
        given = _presented(headers)
        if given is None:
            raise _unauthorized("this needs an API key: Authorization: Bearer KEY, or X-API-Key: KEY", headers)
        key = self._find(given)
        if key is None:
            raise _unauthorized("the API key is not known here", headers)
        if key.expires is not None and datetime.now(UTC).date() > key.expires:
            raise _unauthorized(f"the API key ended with {key.expires}", headers)
        if not key.may(scope):
            raise ApiError(403, "Not allowed", f"this key may not do what needs the scope {scope}")
        return key

    def _find(self, given: bytes) -> ApiKey | None:
        """The key with this digest; all are compared to the end, so that time tells nothing of them."""
        digest, found = digest_of(given.decode("latin-1")), None
        for key in self._keys:
            if hmac.compare_digest(digest, key.digest):
                found = key
        return found

    def check_host(self, headers: Headers) -> None:
        """Refuse a request that asks for another name than this server's.

        Raises:
            ApiError: 421, as RFC 9110 has it (Misdirected Request).
        """
        if self._hosts and _name(headers.get(b"host", b"")) not in self._hosts:
            raise ApiError(421, "Wrong host", "this server is not asked by that name; see serving.allowed_hosts")

    def check_site(self, method: str, headers: Headers) -> None:
        """Refuse what a page of another site makes a browser send: it may do so with the rights of its user.

        What browsers say in Sec-Fetch-Site (W3C Fetch Metadata) and Origin (RFC 6454); other clients send neither.

        Raises:
            ApiError: 403.
        """
        site, origin = headers.get(b"sec-fetch-site"), headers.get(b"origin")
        if (site is None and origin is None) or method in SAFE_METHODS or site in {b"same-origin", b"none"}:
            return
        written = (origin or b"").decode("latin-1")
        if written in self._sites or "*" in self._sites:
            return
        if site is None and _netloc(written) == headers.get(b"host", b"").decode("latin-1"):
            return
        raise ApiError(403, "Another site", "pages of another site may not send this; see serving.cors_origins")


def _presented(headers: Headers) -> bytes | None:
    """The key of the request. As Basic it is the password, for browsers know no other way to ask a person."""
    given = headers.get(b"x-api-key")
    if given is not None:
        return given
    kind, _, rest = headers.get(b"authorization", b"").partition(b" ")
    if kind.lower() == b"bearer":
        return rest.strip()
    if kind.lower() == b"basic":
        try:
            return base64.b64decode(rest, validate=True).partition(b":")[2]
        except binascii.Error:
            return b""
    return None


def _unauthorized(detail: str, headers: Headers) -> ApiError:
    # only to a browser that opens a page, or it would put up its dialog over the page's own message
    is_person = headers.get(b"sec-fetch-mode") == b"navigate" or b"text/html" in headers.get(b"accept", b"")
    challenge = 'Basic realm="Labline: any name, and an API key for password", charset="UTF-8"'
    return ApiError(401, "No access", detail, headers={"WWW-Authenticate": challenge if is_person else "Bearer"})


def _name(host: bytes) -> str:
    """The host without its port."""
    name = host.decode("latin-1").lower()
    return name.rpartition(":")[0] if name.rpartition(":")[2].isdigit() else name


def _netloc(origin: str) -> str | None:
    try:
        return urlsplit(origin).netloc
    except ValueError:  # e.g. a bracket that is not closed
        return None
