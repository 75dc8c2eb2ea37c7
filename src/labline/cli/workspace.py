"""Verbs about the workspace itself: its health, its settings, its version."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated

import typer

from labline import __version__, console
from labline.cli.common import AsJson, Name, app
from labline.config import Config, load
from labline.config.logging import configure

if TYPE_CHECKING:
    from labline.doctor import Finding


@app.command()
def doctor(
    name: Name = None,
    only: Annotated[
        list[str] | None, typer.Option(metavar="CHECK,…", help="Run these checks alone, e.g. folders,database.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """What would stand in the way, each with its mend; exit status 1 when something does."""
    from labline.doctor import chosen, examine

    names = chosen(only or ())
    findings: list[Finding] = []
    with console.progress_bar() as progress:
        for finding in examine(_settings, name, names):
            progress(finding.check, min(1.0, (len(findings) + 1) / len(names)))
            findings.append(finding)
    if as_json:
        console.as_json([asdict(finding) for finding in findings])
    else:
        rows = [
            (
                "FAILED" if not f.ok else "advice" if f.mend else "ok",
                f.check,
                f.said + (f"\nMend: {f.mend}" if f.mend else ""),
            )
            for f in findings
        ]
        console.table(("", "check", "found"), rows)
    if not all(finding.ok for finding in findings):
        raise typer.Exit(1)


def _settings() -> Config:
    config = load()
    configure(config.logging)
    return config


@app.command(name="config")
def config_(as_json: AsJson = False) -> None:
    """The settings in force and where each came from; passwords are masked."""
    config = load()
    if as_json:
        console.as_json([asdict(value) for value in config.explain()])
    else:
        console.table(("setting", "value", "from"), [(v.key, v.value, v.origin) for v in config.explain()])


@app.command()
def migrate() -> None:
    """Bring the database's tables up to date."""
    from labline import migrations
    from labline.database import address, open_database

    config = load()
    configure(config.logging)
    database = open_database(config.storage.database_url.get_secret_value())
    before = migrations.migrate(database)
    done = f"from {before or 'nothing'} to" if before != migrations.REVISION else "up to date at"
    console.say(f"{address(database)}: {done} revision {migrations.REVISION}")


@app.command()
def version() -> None:
    """The version of Labline."""
    console.say(__version__)
