"""Verbs about the prediction log itself: export it, erase from it, prune it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Annotated

import typer

from labline import console
from labline.cli.common import Name, app, open_workspace
from labline.errors import LablineError

log = typer.Typer(help="The prediction log: export it, erase from it, prune it.", no_args_is_help=True)
app.add_typer(log, name="log")

FORMATS = ["%Y-%m-%d", "%Y-%m-%dT%H:%M:%S"]


@log.command()
def export(
    target: Annotated[Path, typer.Argument(help="The file to write: .csv, .jsonl or .parquet.")],
    problem: Annotated[str | None, typer.Option(help="The problem; the configured one if none.")] = None,
    since: Annotated[datetime | None, typer.Option(formats=FORMATS, help="From this moment on, in UTC.")] = None,
    until: Annotated[datetime | None, typer.Option(formats=FORMATS, help="Before this moment, in UTC.")] = None,
    version: Annotated[int | None, typer.Option(min=1, help="Answers of this version alone.")] = None,
) -> None:
    """Write the predictions into a file, in the order they were made."""
    from labline.pipeline.exporting import export_log

    config, contract = open_workspace(problem)
    first, last = (None if one is None else one.replace(tzinfo=UTC) for one in (since, until))
    rows = export_log(config, contract, target, since=first, until=last, version=version)
    console.say(f"{rows:,} predictions in {target}")


@log.command()
def erase(
    name: Name = None,
    row: Annotated[list[str] | None, typer.Option(help="A value of the contract's id column; repeatable.")] = None,
    prediction: Annotated[list[str] | None, typer.Option(help="A prediction's id; repeatable.")] = None,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
) -> None:
    """Remove predictions for good, with what belongs to them: as a person may ask of you."""
    from labline.database import open_database
    from labline.monitoring.log_writer import log_options
    from labline.monitoring.prediction_log import PredictionLog

    config, problem = open_workspace(name)
    if not row and not prediction:
        raise LablineError("nothing is named", where="labline log erase", mend="name it with --row or --prediction")
    kept = PredictionLog(open_database(config.storage.database_url.get_secret_value()))
    ids = [*(prediction or ()), *(one for value in row or () for one in kept.ids_of_row(problem.name, value))]
    if ids and not yes:
        typer.confirm(f"Remove {len(ids):,} predictions of {problem.name} for good?", abort=True)
    console.say(f"{kept.erase(problem.name, ids) if ids else 0:,} predictions erased")
    spool = log_options(config, problem.name).spool
    if any(spool.rglob("*.jsonl")):
        console.complain(
            f"some predictions still wait in {spool} for the database: erase again once they are in the log"
        )


@log.command()
def prune(
    days: Annotated[float, typer.Option(min=0, help="Keep predictions of so many days.")],
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
) -> None:
    """Remove what is older than so many days, of all problems; serving.retention_days does it by itself."""
    from labline.database import open_database
    from labline.monitoring.prediction_log import PredictionLog

    config, _ = open_workspace(None)
    before = datetime.now(UTC) - timedelta(days=days)
    if not yes:
        typer.confirm(f"Remove all predictions before {before:%Y-%m-%d %H:%M} UTC for good?", abort=True)
    PredictionLog(open_database(config.storage.database_url.get_secret_value())).prune(before)
    console.say(f"nothing before {before:%Y-%m-%d %H:%M} UTC is in the log now")
