"""The command line: `labline <verb> <problem>`. Thin: each verb calls one use case and shows what came of it."""

from __future__ import annotations

import sys
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer
from loguru import logger

from labline import __version__, console
from labline.config import Config, load
from labline.config.logging import configure
from labline.config.serving import Serving
from labline.contract.examples import example_record
from labline.errors import LablineError
from labline.monitoring.kinds import ReportKind

if TYPE_CHECKING:
    from labline.contract import Problem
    from labline.data.sources.taking import Role
    from labline.doctor import Finding
    from labline.pipeline import Promotion, Trained

app = typer.Typer(
    help="Labline: from a table to a served, monitored model. Start with `labline up obesity`.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)

Name = Annotated[
    str | None, typer.Argument(metavar="[PROBLEM]", help="Folder under problems/; the configured one if none.")
]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON, for scripts.")]
SourceOption = Annotated[
    Literal["auto", "kaggle", "sample"],
    typer.Option("--source", help="auto takes Kaggle where there are credentials, else the sample."),
]
Budget = Annotated[str | None, typer.Option(help="Wall-clock time for training, e.g. 90s or 5m.")]
AcceptLeaks = Annotated[bool, typer.Option("--accept-leaks", help="Train although a column gives the target away.")]


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


def _open(name: str | None) -> tuple[Config, Problem]:
    from labline.pipeline.problem import open_problem

    config = load()
    configure(config.logging)
    return config, open_problem(config, name)


def _with_budget(config: Config, budget: str | None) -> Config:
    if budget is None:
        return config
    units = {"s": 1, "m": 60, "h": 3600}
    number, unit = (budget[:-1], budget[-1]) if budget[-1:] in units else (budget, "s")
    try:
        seconds = float(number) * units[unit]
    except ValueError:
        seconds = 0
    if not 0 < seconds < float("inf"):
        raise LablineError(f"{budget!r} is no time", where="--budget", mend="write it like 90s, 5m or 1h")
    return config.model_copy(update={"training": config.training.model_copy(update={"budget_seconds": seconds})})


def _with_address(config: Config, host: str | None, port: int | None) -> Config:
    given = {key: value for key, value in {"host": host, "port": port}.items() if value is not None}
    serving = Serving.model_validate({**config.serving.model_dump(), **given})
    return config.model_copy(update={"serving": serving})


@app.command()
def data(
    name: Name = None,
    source: SourceOption = "auto",
    train: Annotated[str | None, typer.Option(help="A CSV or Parquet file to train on.")] = None,
    current: Annotated[str | None, typer.Option(help="A file of rows met in production.")] = None,
    as_json: AsJson = False,
) -> None:
    """Take the problem's rows and keep them as snapshots under data/."""
    from labline import pipeline

    config, problem = _open(name)
    files: dict[Role, str] = {}
    if train is not None:
        files["train"] = train
    if current is not None:
        files["current"] = current
    with console.progress_bar() as progress:
        kept = pipeline.prepare(config, problem, source=source, files=files, progress=progress)
    if as_json:
        console.as_json([snapshot.model_dump(mode="json") for snapshot in kept])
        return
    rows = [(s.role, f"{s.rows:,}", _data_kind(s.kind), s.origin, s.sha256[:12]) for s in kept]
    console.table(("role", "rows", "data", "origin", "sha256"), rows)


@app.command()
def check(name: Name = None, as_json: AsJson = False) -> None:
    """Hold the snapshots against the contract; exit status 1 when rows break it."""
    from labline import pipeline

    config, problem = _open(name)
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
                    "leaks": [asdict(leak) for leak in one.leaks],
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
            for leak in one.leaks:
                console.say(f"  error: {leak.column} alone predicts the target (score {leak.score:.4f}): a leak?")
            if one.overlapping_rows:
                console.say(f"  error: {one.overlapping_rows} held-out rows also stand among the training rows")
            if one.report.unused:
                console.say(f"  not in the contract, so not used: {', '.join(one.report.unused)}")
            if one.report.classes:
                rows = [(key, f"{n:,}", f"{n / one.report.rows:.1%}") for key, n in one.report.classes.items()]
                console.table(("class", "rows", "share"), rows)
    if not all(one.ok for one in checked):
        raise typer.Exit(1)


@app.command()
def train(name: Name = None, budget: Budget = None, accept_leaks: AcceptLeaks = False, as_json: AsJson = False) -> None:
    """Train on the snapshot in use, and register the result as challenger."""
    from labline import pipeline

    config, problem = _open(name)
    config = _with_budget(config, budget)
    with console.progress_bar() as progress:
        trained = pipeline.train(config, problem, accept_leaks=accept_leaks, progress=progress)
    _show_trained(problem, trained, as_json=as_json)


def _show_trained(problem: Problem, trained: Trained, *, as_json: bool) -> None:
    evaluation, version = trained.evaluation, trained.version
    if as_json:
        console.as_json(
            {
                "version": version.number,
                "run_id": version.run_id,
                "holdout_rows": evaluation.rows,
                "holdout": evaluation.metrics,
                "headline": {"metric": problem.metric, **asdict(evaluation.headline)},
                "data": trained.bundle.manifest.data.model_dump(mode="json"),
                "seconds": trained.seconds,
            }
        )
        return
    console.say(f"{version} is the challenger ({trained.seconds:.0f} s).")
    console.say(f"On {evaluation.rows:,} rows it never saw: {problem.metric} {evaluation.headline} (95 % interval)")
    console.table(("metric", "hold-out"), [(key, f"{value:.4f}") for key, value in evaluation.metrics.items()])
    if evaluation.per_class:
        rows = [(c.name, f"{c.precision:.3f}", f"{c.recall:.3f}", f"{c.f1:.3f}", c.rows) for c in evaluation.per_class]
        console.table(("class", "precision", "recall", "f1", "rows"), rows)


@app.command()
def leaderboard(name: Name = None, as_json: AsJson = False) -> None:
    """Everything that was tried, the best in cross-validation first."""
    from labline import pipeline

    config, problem = _open(name)
    rows = pipeline.leaderboard(config, problem)
    if as_json:
        console.as_json([asdict(row) for row in rows])
        return
    if not rows:
        console.say(f"Nothing was tried yet: labline train {problem.name}")
        return
    shown = [
        (
            row.family,
            row.feature_set,
            f"{row.mean:.4f} ± {row.deviation:.4f}",
            "" if row.holdout is None else f"{row.holdout:.4f}",
            f"{row.fit_seconds:.1f}",
            _data_kind(row.data),
            row.version or "",
            " ".join(row.aliases),
        )
        for row in rows
    ]
    columns = ("family", "columns", f"{problem.metric} (cv)", "hold-out", "fit s", "data", "version", "alias")
    console.table(columns, shown)


@app.command()
def promote(
    name: Name = None,
    version: Annotated[int | None, typer.Option(help="Which version; the challenger if none.")] = None,
    force: Annotated[bool, typer.Option("--force", help="Promote whatever the comparison says.")] = False,
    as_json: AsJson = False,
) -> None:
    """Make the challenger champion if it is better on the same held-out rows; exit status 1 if it is not."""
    from labline import pipeline

    config, problem = _open(name)
    outcome = pipeline.promote(config, problem, number=version, force=force)
    _show_promotion(outcome, as_json=as_json)
    if not outcome.promoted:
        raise typer.Exit(1)


@app.command()
def rollback(
    name: Name = None,
    reason: Annotated[str, typer.Option(help="Why; goes into the ledger.")] = "asked for",
    as_json: AsJson = False,
) -> None:
    """Make the previous champion the champion again."""
    from labline import pipeline

    config, problem = _open(name)
    _show_promotion(pipeline.rollback(config, problem, reason), as_json=as_json)


def _show_promotion(outcome: Promotion, *, as_json: bool) -> None:
    if as_json:
        previous = outcome.previous.number if outcome.previous else None
        body = {"champion": outcome.champion.number, "previous": previous, "changed": outcome.promoted}
        console.as_json(body | {"reason": outcome.reason})
        return
    state = "is the champion now" if outcome.promoted else "stays the champion"
    console.say(f"{outcome.champion} {state}: {outcome.reason}")


@app.command()
def registry(name: Name = None, as_json: AsJson = False) -> None:
    """The problem's versions, and the ledger of promotions and rollbacks."""
    from labline import pipeline

    config, problem = _open(name)
    versions, entries = pipeline.history(config, problem)
    if as_json:
        ledger = [entry.model_dump(mode="json") for entry in entries]
        console.as_json({"versions": [asdict(version) for version in versions], "ledger": ledger})
        return
    if not versions:
        console.say(f"Nothing is registered yet: labline train {problem.name}")
        return
    shown = [
        (
            v.number,
            " ".join(v.aliases),
            _data_kind(v.tags.get("labline.data", "?")),
            v.run_id,
            v.tags.get("labline.reason", ""),
        )
        for v in versions
    ]
    console.table(("version", "alias", "data", "run", "reason"), shown)
    ledger_rows = [(f"{e.at:%Y-%m-%d %H:%M}", e.action, e.version, e.other or "", e.who, e.reason) for e in entries]
    console.say("")
    console.table(("at (UTC)", "action", "champion", "other", "who", "reason"), ledger_rows)


@app.command()
def predict(
    source: Annotated[str, typer.Argument(help="A CSV or Parquet file with the contract's columns.")],
    target: Annotated[Path, typer.Argument(help="Where the predictions go: .csv or .parquet.")],
    problem: Annotated[str | None, typer.Option(help="The problem; the configured one if none.")] = None,
) -> None:
    """Score a file with the champion."""
    from labline import pipeline

    config, contract = _open(problem)
    with console.progress_bar() as progress:
        rows = pipeline.predict(config, contract, source, target, progress)
    console.say(f"{rows:,} predictions in {target}")


@app.command()
def monitor(
    name: Name = None,
    last: Annotated[int | None, typer.Option(min=1, help="How many of the last predictions.")] = None,
    source: Annotated[
        Literal["log", "current"], typer.Option(help="The prediction log, or the “current” set.")
    ] = "log",
    report: Annotated[ReportKind | None, typer.Option(help="Also write a page of this kind.")] = None,
    as_json: AsJson = False,
) -> None:
    """Is the champion still fit for what it meets?"""
    from labline import pipeline
    from labline.monitoring.summary import Summary

    config, problem = _open(name)
    found = pipeline.champion(config, problem.name)
    summary = pipeline.monitor(config, found, rows=last, source=source)
    if as_json:
        console.as_json(summary.model_dump(mode="json"))
    else:
        console.say(f"{summary.status}: {summary.rows:,} rows from {summary.source}, version {summary.model_version}")
        for reason in summary.reasons:
            console.say(f"  {reason}")
        if summary.performance:
            said = ", ".join(f"{key} {value:.4f}" for key, value in summary.performance.items())
            console.say(f"  with labels: {said}")
    if report is not None:
        with console.progress_bar() as progress:
            progress(f"make the {report} page")
            page = pipeline.report(config, found, report, rows=last, source=source)
        said = f"no page: {page.reasons[0]}" if isinstance(page, Summary) else f"page: {page.path}"
        console.ERR.print(said, markup=False)


@app.command()
def serve(
    name: Name = None,
    host: Annotated[str | None, typer.Option(help="Where to listen.")] = None,
    port: Annotated[int | None, typer.Option(help="On which port.")] = None,
) -> None:
    """Serve the champion over HTTP; follows the registry without a restart."""
    config, problem = _open(name)
    _serve(_with_address(config, host, port), problem)


def _serve(config: Config, problem: Problem) -> None:
    from labline.doctor import refuse_busy_port
    from labline.serving import serve as run

    refuse_busy_port(config.serving.host, config.serving.port)
    run(config, problem.name, when_ready=lambda address: _what_to_try(config, problem, address))


@app.command()
def up(
    name: Name = None,
    source: SourceOption = "auto",
    budget: Budget = None,
    host: Annotated[str | None, typer.Option(help="Where to listen.")] = None,
    port: Annotated[int | None, typer.Option(help="On which port.")] = None,
    no_serve: Annotated[bool, typer.Option("--no-serve", help="Stop when there is a champion.")] = False,
    accept_leaks: AcceptLeaks = False,
) -> None:
    """The main job: data if there is none, a champion if there is none, then the API in front."""
    from labline import pipeline
    from labline.doctor import refuse_busy_port

    config, problem = _open(name)
    config = _with_address(_with_budget(config, budget), host, port)
    if not no_serve:
        refuse_busy_port(config.serving.host, config.serving.port)
    with console.progress_bar() as progress:
        pipeline.bring_up(config, problem, source=source, accept_leaks=accept_leaks, progress=progress)
    if not no_serve:
        _serve(config, problem)


def _what_to_try(config: Config, problem: Problem, address: str) -> None:
    import json
    import shlex

    record = shlex.quote(json.dumps(example_record(problem), ensure_ascii=False))
    uri = config.storage.tracking_uri
    lines = (
        f"\n{problem.title} is served. Try:",
        f"  the page      {address}",
        f"  a prediction  curl -s {address}/predict -H 'content-type: application/json' -d {record}",
        f"  monitoring    curl -s '{address}/monitor?source=current'",
        f"  the runs      mlflow ui --backend-store-uri {uri} --port 5000",
        "Ctrl-C stops it.\n",
    )
    console.say("\n".join(lines))


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


def _data_kind(kind: str) -> str:
    return "SAMPLE (generated)" if kind == "sample" else kind


if __name__ == "__main__":
    logger.remove()
    main()
