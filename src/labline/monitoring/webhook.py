"""The webhook: POSTs a notice as JSON, signed as the Standard Webhooks specification (version 1) says."""

from __future__ import annotations

import base64
import binascii
import hmac
from http import HTTPStatus
from typing import Any
from urllib.error import HTTPError, URLError
from urllib.request import HTTPRedirectHandler, Request, build_opener

from labline import __version__
from labline.errors import ConfigError, LablineError

PREFIX = "whsec_"  # of a secret that is written in base64


class WebhookError(LablineError):
    """The receiver did not take the notice."""


def post(url: str, secret: str, identifier: str, body: str, *, now: float, seconds: float) -> None:
    """Send a notice.

    Args:
        url: of the receiver; http or https.
        secret: shared with it; after `whsec_` in base64, else the text itself.
        identifier: the same at every try, by which the receiver knows one that it has already.
        body: JSON.
        now: seconds since 1970; the receiver may refuse what is signed long ago.
        seconds: patience with each step of the exchange.

    Raises:
        WebhookError: no answer, or another than 2xx; redirections are not followed.
        ConfigError: the secret is not base64.
    """
    content = body.encode()
    stamp = str(int(now))
    headers = {
        "content-type": "application/json",
        "user-agent": f"labline/{__version__}",
        "webhook-id": identifier,
        "webhook-timestamp": stamp,
        "webhook-signature": signature(secret, identifier, stamp, content),
    }
    request = Request(url, content, headers, method="POST")  # noqa: S310  # the settings take http and https alone
    try:
        with build_opener(_NoRedirects).open(request, timeout=seconds) as answer:
            status = answer.status
    except URLError as error:  # an HTTPError too: an answer of 400 and more, or a redirection
        said = f"answered {error.code}" if isinstance(error, HTTPError) else f"cannot be reached: {error.reason}"
        raise WebhookError(f"the webhook's receiver {said}", mend="see monitoring.webhook_url") from error
    except (OSError, ValueError) as error:  # a silence after the request was sent; an answer that is not HTTP
        raise WebhookError(f"the webhook's receiver failed: {error}", mend="see monitoring.webhook_url") from error
    if not HTTPStatus.OK <= status < HTTPStatus.MULTIPLE_CHOICES:
        raise WebhookError(f"the webhook's receiver answered {status}", mend="see monitoring.webhook_url")


def signature(secret: str, identifier: str, stamp: str, content: bytes) -> str:
    """`v1,` and the HMAC-SHA256 of identifier, timestamp and content, in base64."""
    signed = b".".join([identifier.encode(), stamp.encode(), content])
    return "v1," + base64.b64encode(hmac.digest(_key(secret), signed, "sha256")).decode()


def _key(secret: str) -> bytes:
    if not secret.startswith(PREFIX):
        return secret.encode()
    try:
        return base64.b64decode(secret.removeprefix(PREFIX), validate=True)
    except binascii.Error as error:
        raise ConfigError(
            f"what follows {PREFIX} is not base64",
            where="monitoring.webhook_secret",
            mend="give the secret as its receiver shows it",
        ) from error


class _NoRedirects(HTTPRedirectHandler):
    """A signed notice goes where the settings say, and nowhere else."""

    def redirect_request(self, *_args: Any, **_kwargs: Any) -> None:
        """None: the redirection is an error."""
