"""Makes .env from .env.template: a random value behind every empty name. What is there already stays as it is.

Needs Python alone, so that it runs before anything is installed, and in a container where there is no Python:
`docker run --rm -v "$PWD:/workspace" -w /workspace python:3.11-slim-bookworm python docker/env.py`.
"""

from __future__ import annotations

import os
import re
import secrets
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
TEMPLATE, TARGET = ROOT / ".env.template", ROOT / ".env"
UID = 1000  # the images' own user, where the folder's owner cannot be asked or is root
DOCKER_SOCKET = Path("/var/run/docker.sock")
SETTING = re.compile(r"^([A-Z_]+)=(.*)$", re.MULTILINE)
EMPTY = re.compile(r"^([A-Z_]+)=[ \t]*$", re.MULTILINE)


def complete(template: str, present: str, machine: dict[str, str]) -> str:
    """The text of .env: what is present, empty names filled, and what the template or this machine adds."""
    known = dict(SETTING.findall(present))
    text = present or template
    if present:
        added = [f"{name}=\n" for name, _ in SETTING.findall(template) if name not in known]
        text = present.rstrip("\n") + "\n" + "".join(added)
    secret = set(EMPTY.findall(template))  # another name that is empty in .env is the user's own business
    text = EMPTY.sub(lambda found: f"{found[1]}={secrets.token_urlsafe(24)}" if found[1] in secret else found[0], text)
    missing = [f"{name}={value}\n" for name, value in machine.items() if name not in known]
    note = "\n# Of this machine: who owns this folder, and which group may talk to Docker.\n" if missing else ""
    return text + note + "".join(missing)


def of_this_machine() -> dict[str, str]:
    """The owner of this folder, whom the containers' user is to be; and the group of Docker's socket."""
    owner = getattr(ROOT.stat(), "st_uid", 0) if os.name == "posix" else 0
    # elsewhere Docker runs in a machine of its own, where the socket is root's
    group = DOCKER_SOCKET.stat().st_gid if sys.platform == "linux" and DOCKER_SOCKET.exists() else 0
    return {"LABLINE_UID": str(owner or UID), "DOCKER_GID": str(group)}


def main() -> None:
    """Write .env so that its owner alone can read it; it is whole or as it was before."""
    present = TARGET.read_text(encoding="utf-8") if TARGET.is_file() else ""
    text = complete(TEMPLATE.read_text(encoding="utf-8"), present, of_this_machine())
    if text == present:
        sys.stdout.write(".env is complete; nothing was changed\n")
        return
    handle, name = tempfile.mkstemp(dir=ROOT, prefix=".env.")  # made for its owner alone
    unfinished = Path(name)
    try:
        with os.fdopen(handle, "w", encoding="utf-8", newline="\n") as file:
            file.write(text)
        if os.name == "posix" and os.getuid() == 0:  # in a container or as root: for who owns the folder
            os.chown(unfinished, ROOT.stat().st_uid, ROOT.stat().st_gid)
        unfinished.replace(TARGET)
    finally:
        unfinished.unlink(missing_ok=True)  # passwords under another name would only lie about
    sys.stdout.write(f"{TARGET.name} is {'completed' if present else 'made'}\n")


if __name__ == "__main__":
    main()
