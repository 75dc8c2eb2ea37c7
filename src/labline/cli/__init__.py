"""The command line: `labline <verb> <problem>`. Thin: each verb calls one use case and shows what came of it."""

from __future__ import annotations

import sys

from labline import console
from labline.cli import data, key, log, model, monitoring, new, schema, service, workspace
from labline.cli.common import app
from labline.errors import LablineError

__all__ = ["app", "data", "key", "log", "main", "model", "monitoring", "new", "schema", "service", "workspace"]


def main() -> None:
    """Entry point: what a user can mend ends with one line and status 2."""
    try:
        app()
    except LablineError as error:
        console.complain(str(error))
        sys.exit(2)
    except BrokenPipeError:  # e.g. `labline leaderboard | head`
        sys.stderr.close()
        sys.exit(1)
