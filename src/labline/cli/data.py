"""Verbs about rows: take them, check them."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated

import typer

from labline import console
from labline.cli.common import AsJson, Name, SourceOption, app, data_kind, open_workspace

if TYPE_CHECKING:
    from labline.data.leakage import Leak
    from labline.data.sources.taking import Role

LEVEL = {"refuse": "error", "warn": "warning"}


@app.command()
def data(
    name: Name = None,
    source: SourceOption = "auto",
    train: Annotated[
        str | None, typer.Option(help="A file to train on: CSV, TSV, JSON lines, Parquet or Excel.")
    ] = None,
    current: Annotated[str | None, typer.Option(help="A file of rows met in production.")] = None,
    extra: Annotated[
        str | None, typer.Option(help="A file of more rows with the target: learned from, never measured on.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Take the problem's rows and keep them as snapshots under data/."""
    from labline import pipeline

    config, problem = open_workspace(name)
    given: dict[Role, str | None] = {"train": train, "current": current, "extra": extra}
    files = {role: file for role, file in given.items() if file is not None}
    with console.progress_bar() as progress:
        kept = pipeline.prepare(config, problem, source=source, files=files, progress=progress)
    if as_json:
        console.as_json([snapshot.model_dump(mode="json") for snapshot in kept])
        return
    rows = [(s.role, f"{s.rows:,}", data_kind(s.kind), s.origin, s.sha256[:12]) for s in kept]
    console.table(("role", "rows", "data", "origin", "sha256"), rows)


@app.command()
def check(name: Name = None, as_json: AsJson = False) -> None:
    """Hold the snapshots against the contract, and look for leaks; exit status 1 when they cannot be trained on."""
    from labline import pipeline

    config, problem = open_workspace(name)
    with console.progress_bar() as progress:
        checked = pipeline.check(config, problem, progress)
    if as_json:
        console.as_json(
            [
                {
                    "role": one.snapshot.role,
                    "origin": one.snapshot.origin,
                    "ok": one.ok,
                    "rows": one.report.rows,
                    "classes": one.report.classes,
                    "findings": [asdict(finding) for finding in one.report.findings],
                    "leaks": [asdict(leak) | {"sure": leak.sure} for leak in one.leaks],
                    "overlapping_rows": one.overlapping_rows,
                    "unused_columns": one.report.unused,
                }
                for one in checked
            ]
        )
    else:
        for one in checked:
            console.say(f"{one.snapshot.role}: {one.report.rows:,} rows, {'ok' if one.ok else 'NOT OK'}")
            for finding in one.report.findings:
                console.say(f"  {finding.severity}: {finding}")
            if one.overlapping_rows:
                console.say(f"  error: {one.overlapping_rows} held-out rows also stand among the training rows")
            if one.report.unused:
                console.say(f"  not in the contract, so not used: {', '.join(one.report.unused)}")
            if one.report.classes:
                rows = [(key, f"{n:,}", f"{n / one.report.rows:.1%}") for key, n in one.report.classes.items()]
                console.table(("class", "rows", "share"), rows)
            if one.leaks:
                found = [(LEVEL[leak.severity], leak.what, leak.column, _sure(leak), leak.mend) for leak in one.leaks]
                console.table(("leak", "what", "columns", "how sure", "mend"), found)
    if not all(one.ok for one in checked):
        raise typer.Exit(1)


def _sure(leak: Leak) -> str:
    return f"{leak.sure} ({leak.score:.3f})"
