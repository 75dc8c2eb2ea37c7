"""Verbs about what is met in use: monitor and retrain."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from labline import console
from labline.cli.common import AcceptLeaks, AsJson, Budget, Name, app, open_workspace, with_budget
from labline.config import Config
from labline.errors import LablineError
from labline.monitoring.kinds import ReportKind

if TYPE_CHECKING:
    from labline.contract import Problem
    from labline.monitoring.summary import Summary
    from labline.monitoring.windows import Wanted
    from labline.pipeline import Served

FAILED = 3  # exit status of `monitor --fail-on`

Last = Annotated[int | None, typer.Option(min=1, help="How many of the last predictions.")]
Since = Annotated[str | None, typer.Option(help="Predictions from then on, e.g. 2026-03-01 or 2026-03-01T12:00+01:00.")]
Until = Annotated[str | None, typer.Option(help="Predictions before then.")]
Segments = Annotated[
    list[str] | None,
    typer.Option("--segment", help="Only rows alike in a column, as COLUMN:NAME; may be repeated."),
]
FailOn = Annotated[
    Literal["warn", "drift"] | None, typer.Option(help=f"End with status {FAILED} if the status is this, or worse.")
]


@app.command()
def monitor(
    name: Name = None,
    last: Last = None,
    since: Since = None,
    until: Until = None,
    segment: Segments = None,
    source: Annotated[
        Literal["log", "current"], typer.Option(help="The prediction log, or the “current” set.")
    ] = "log",
    html: Annotated[Path | None, typer.Option(help="Also write the page of GET /monitor to a file.")] = None,
    report: Annotated[ReportKind | None, typer.Option(help="Also write Evidently's page of this kind.")] = None,
    fail_on: FailOn = None,
    as_json: AsJson = False,
) -> None:
    """Is the champion still fit for what it meets?

    Ends with status 0, with 2 where that cannot be said, and with --fail-on with 3 where it is not. Too few rows are
    no failure.
    """
    from labline import pipeline

    config, problem = open_workspace(name)
    served = pipeline.champion(config, problem.name)
    wanted = _wanted(config, problem, last, since, until, segment)
    summary = pipeline.monitor(config, served, wanted, source=source)
    if as_json:
        console.as_json(summary.model_dump(mode="json"))
    else:
        _show(summary)
    if html is not None:
        _write_page(config, served, summary, html)
    if report is not None:
        _report(config, served, report, wanted, source)
    if fail_on is not None and summary.status in {"drift", fail_on}:
        raise typer.Exit(FAILED)


def _wanted(
    config: Config, problem: Problem, last: int | None, since: str | None, until: str | None, segments: list[str] | None
) -> Wanted:
    from labline.monitoring.windows import Wanted, parse_segment

    if last is not None and (since or until):
        raise LablineError("a window is asked for by --last, or by --since and --until", mend="leave one out")
    return Wanted(
        last or config.monitoring.window,
        _moment("--since", since),
        _moment("--until", until),
        tuple(parse_segment(problem, written) for written in segments or ()),
    )


def _moment(option: str, written: str | None) -> datetime | None:
    """A moment as it is written; without a time zone it is UTC."""
    if written is None:
        return None
    try:
        found = datetime.fromisoformat(written)
    except ValueError as error:
        raise LablineError(
            f"{written!r} is no moment", where=option, mend="write 2026-03-01 or 2026-03-01T12:00+01:00"
        ) from error
    return found.replace(tzinfo=UTC) if found.tzinfo is None else found.astimezone(UTC)


def _show(summary: Summary) -> None:
    console.say(f"{summary.status}: {summary.rows:,} rows from {summary.source}, version {summary.model_version}")
    for reason in summary.reasons:
        console.say(f"  {reason}")
    if summary.performance:
        said = ", ".join(f"{key} {value:.4f}" for key, value in summary.performance.items())
        console.say(f"  with labels: {said}")


def _write_page(config: Config, served: Served, summary: Summary, path: Path) -> None:
    from labline import pipeline
    from labline.model.bundle import Bundle
    from labline.ui import monitor_page

    history = pipeline.monitor_history(config, served)
    try:
        path.write_text(monitor_page(Bundle.load(served.folder), summary, history), encoding="utf-8")
    except OSError as error:
        raise LablineError(f"cannot be written: {error.strerror}", where=str(path), mend="name another file") from error
    console.ERR.print(f"page: {path}", markup=False)


def _report(
    config: Config, served: Served, kind: ReportKind, wanted: Wanted, source: Literal["log", "current"]
) -> None:
    from labline import pipeline
    from labline.monitoring.summary import Summary

    with console.progress_bar() as progress:
        progress(f"make the {kind} page")
        page = pipeline.report(config, served, kind, wanted, source=source)
    if isinstance(page, Summary):
        said = f"no page: {page.reasons[0]}"
    else:
        said = f"page: {page.path}" + (f", kept at {page.kept_at}" if page.kept_at else "")
    console.ERR.print(said, markup=False)


@app.command()
def retrain(
    name: Name = None,
    if_needed: Annotated[
        bool, typer.Option("--if-needed", help="Only if the rule of monitoring.yaml asks for it; says why or why not.")
    ] = False,
    budget: Budget = None,
    accept_leaks: AcceptLeaks = False,
    as_json: AsJson = False,
) -> None:
    """Train a challenger from the training data and the labelled rows of the prediction log.

    Drift alone is never a reason. Ends with status 0 whether or not there was one; labline promote compares.
    """
    from labline import pipeline

    config, problem = open_workspace(name)
    with console.progress_bar() as progress:
        done = pipeline.retrain(
            with_budget(config, budget), problem, if_needed=if_needed, accept_leaks=accept_leaks, progress=progress
        )
    version = done.trained.version.number if done.trained else None
    if as_json:
        due, reason = done.decision.due, done.decision.reason
        console.as_json({"retrained": due, "reason": reason, "labelled_rows": done.labelled_rows, "version": version})
        return
    console.say(f"{'retrained' if done.trained else 'not retrained'}: {done.decision.reason}")
    if done.trained:
        console.say(f"version {version} is the challenger, with {done.labelled_rows:,} labelled rows of the log;")
        console.say(f"  labline promote {problem.name} compares it with the champion")


@app.command()
def compare(
    name: Name = None,
    challenger: Annotated[
        int | None, typer.Option(min=1, help="The challenger's version; the one last in a trial if none.")
    ] = None,
    last: Annotated[int, typer.Option(min=1, help="How many of its last answers.")] = 10_000,
    as_json: AsJson = False,
) -> None:
    """Champion and challenger on real requests: how often they agree and, with labels, who was better."""
    from labline import pipeline

    config, problem = open_workspace(name)
    found = pipeline.compare(config, problem, challenger=challenger, rows=last)
    if as_json:
        console.as_json(found.model_dump(mode="json"))
        return
    agree = "" if found.agreement is None else f", {found.agreement:.1%} of them the same as the champion's"
    console.say(f"{found.how}: {found.rows:,} answers of version {found.challenger.version}{agree}")
    for role, side in (("champion", found.champion), ("challenger", found.challenger)):
        loss = "no labels yet" if side.loss is None else f"{found.measure} {side.loss:.4f} on {side.labelled:,} labels"
        console.say(f"  {role} version {side.version}: {loss}")
    if found.difference is not None:
        value, low, high = found.difference
        console.say(f"  the challenger's gain: {value:+.4f} [{low:+.4f}, {high:+.4f}]")
    console.say(f"  {found.verdict}")
