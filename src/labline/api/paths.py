"""What each path of the API is: who may ask for it, how much it takes in, and what its pages may load."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache

from labline.config.api_keys import Scope
from labline.ui.policy import script_sources

NOTHING = "default-src 'none'; frame-ancestors 'none'"
OWN = (
    "default-src 'none'; {}; style-src 'self' 'unsafe-inline'; img-src 'self' data:; connect-src 'self'; "
    "form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
PAGE = OWN.format(script_sources())
# Swagger's page has a script and styles of its own in it, and nothing of anyone else's
DOCUMENTATION = OWN.format("script-src 'self' 'unsafe-inline'")
# Evidently's pages hold what people sent, and run scripts that cannot be listed: in a sandbox they reach nothing
REPORT = (
    "sandbox allow-scripts; default-src 'none'; script-src 'unsafe-inline' 'unsafe-eval'; style-src 'unsafe-inline'; "
    "img-src data: blob:; font-src data:; frame-ancestors 'none'"
)
# an encoded slash, a backslash, an empty or dotted segment, or a character that cannot be seen
TRICK = re.compile(r"//|\\|[\x00-\x1f\x7f]|(?:^|/)\.{1,2}(?:/|$)")
ENCODED_SLASH = re.compile(rb"%(?:2f|5c)", re.IGNORECASE)


@dataclass(frozen=True)
class Path:
    """How requests for a path are treated.

    Attributes:
        scope: what a key must have; None where no key is asked for.
        policy: the Content-Security-Policy of what it answers.
        counts: whether rate and concurrency are counted; not for those that must answer when all else is busy.
        batch: whether bodies may be as large as a batch's.
        kept: whether answers may be kept by browsers and proxies.
    """

    scope: Scope | None
    policy: str = NOTHING
    counts: bool = True
    batch: bool = False
    kept: bool = False


OPEN = {
    "/healthz": Path(None, counts=False),
    "/readyz": Path(None, counts=False),
    "/version": Path(None, counts=False),
    "/": Path(None, policy=PAGE),
    "/schema": Path(None),
    "/openapi.json": Path(None),
    "/docs": Path(None, policy=DOCUMENTATION),
    "/docs/oauth2-redirect": Path(None, policy=DOCUMENTATION),
}
KNOWN = OPEN | {
    "/predict": Path("predict"),
    "/predict/batch": Path("predict", batch=True),
    "/feedback": Path("predict", batch=True),
    "/metrics": Path("monitor", counts=False),
    "/monitor": Path("monitor", policy=PAGE),
    "/monitor/history": Path("monitor"),
    "/monitor/reports": Path("monitor", policy=PAGE),
}
BELOW = {
    "/static-offline-docs/": Path(None, policy=DOCUMENTATION, kept=True),
    "/predict/": Path("predict"),
    "/feedback/": Path("predict"),
    "/monitor/": Path("monitor", policy=REPORT),
}
OTHER = Path("admin")  # what is not named above is for the few, also when someone forgets to name it


@lru_cache(maxsize=1024)
def known(path: str) -> Path:
    """How requests for the path are treated."""
    if path in KNOWN:
        return KNOWN[path]
    return next((treated for prefix, treated in BELOW.items() if path.startswith(prefix)), OTHER)


def is_trick(path: str, raw: bytes) -> bool:
    """Whether a path is written so that two readers of it may take it for different ones."""
    return TRICK.search(path) is not None or ENCODED_SLASH.search(raw) is not None
