"""Verbs about the workspace itself: its health, its settings, its version."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING

import typer

from labline import __version__, console
from labline.cli.common import AsJson, Name, app
from labline.config import load
from labline.config.logging import configure

if TYPE_CHECKING:
    from labline.doctor import Finding


@app.command()
def doctor(name: Name = None, as_json: AsJson = False) -> None:
    """What would stand in the way, each with its mend; exit status 1 when something does."""
    from labline.doctor import examine

    config = load()
    configure(config.logging)
    findings: list[Finding] = []
    with console.progress_bar() as progress:
        for finding in examine(config, name or config.settings.problem):
            progress(finding.check, min(1.0, 0.1 * (len(findings) + 1)))
            findings.append(finding)
    if as_json:
        console.as_json([asdict(finding) for finding in findings])
    else:
        rows = [
            ("ok" if f.ok else "FAILED", f.check, f.said + (f" Mend: {f.mend}" if f.mend else "")) for f in findings
        ]
        console.table(("", "check", "found"), rows)
    if not all(finding.ok for finding in findings):
        raise typer.Exit(1)


@app.command(name="config")
def config_(as_json: AsJson = False) -> None:
    """The settings in force and where each came from; passwords are masked."""
    config = load()
    if as_json:
        console.as_json([asdict(value) for value in config.explain()])
    else:
        console.table(("setting", "value", "from"), [(v.key, v.value, v.origin) for v in config.explain()])


@app.command()
def version() -> None:
    """The version of Labline."""
    console.say(__version__)
