"""The Content-Security-Policy of our own pages: their own scripts run, and nothing that found its way into a page."""

from __future__ import annotations

import base64
import hashlib
import re
from functools import lru_cache
from importlib.resources import files

SCRIPT = re.compile(r"<script>(.*?)</script>", re.DOTALL)


@lru_cache(maxsize=1)
def script_sources() -> str:
    """`script-src` with the SHA-256 of each script in the templates (CSP level 3, hash sources).

    Hashes are of the templates' text, so a script that has a value put into it would not run: what a page needs to
    know stands in `data-` attributes.
    """
    folder = files("labline.ui").joinpath("templates")
    pages = sorted((page for page in folder.iterdir() if page.name.endswith(".html")), key=lambda page: page.name)
    scripts = [script for page in pages for script in SCRIPT.findall(page.read_text(encoding="utf-8"))]
    hashes = (base64.b64encode(hashlib.sha256(script.encode()).digest()).decode() for script in scripts)
    return " ".join(["script-src", *(f"'sha256-{digest}'" for digest in hashes)]) if scripts else "script-src 'none'"
