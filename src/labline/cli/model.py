"""Verbs about models: train, compare, promote, roll back, and say what they are."""

from __future__ import annotations

import time
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from labline import console
from labline.atomic import replacing
from labline.cli.common import (
    AcceptLeaks,
    AsJson,
    Budget,
    Name,
    app,
    data_kind,
    open_workspace,
    with_budget,
    with_training,
)
from labline.errors import LablineError

if TYPE_CHECKING:
    from labline.contract import Problem
    from labline.model.registry import Version
    from labline.model.resampling import Interval
    from labline.pipeline import Promotion, Trained

INTERRUPTED = 130  # what shells say of SIGINT


Trials = Annotated[
    int | None, typer.Option(min=0, help="Trials of tuning for each of the best families; as time allows if not said.")
]


@app.command()
def train(
    name: Name = None,
    budget: Budget = None,
    families: Annotated[
        list[str] | None, typer.Option(metavar="FAMILY,…", help="Try these alone, e.g. lightgbm,catboost.")
    ] = None,
    trials: Trials = None,
    selection: Annotated[
        Literal["sequential", "optuna", "none"] | None, typer.Option(help="How columns are selected.")
    ] = None,
    resume: Annotated[
        bool, typer.Option("--resume", help="Go on with a search that was interrupted; its time counts.")
    ] = False,
    accept_leaks: AcceptLeaks = False,
    as_json: AsJson = False,
) -> None:
    """Search for the best model within the budget, and register it as challenger.

    Baselines, every family with its defaults, selection of columns, tuning, a blend. What is found is kept as it is
    found: after Ctrl-C or a kill, --resume goes on.
    """
    started = time.monotonic()
    from labline import pipeline
    from labline.model.tasks import greater_is_better, task_of

    config, problem = open_workspace(name)
    chosen = [one for said in families or () for one in said.split(",") if one]
    config = with_training(
        with_budget(config, budget), families=tuple(chosen) or None, trials=trials, selection=selection
    )
    shown = console.SearchTable(problem.metric, task_of(problem).loss, greater_first=greater_is_better(problem.metric))
    try:
        with shown:
            trained = pipeline.train(
                config,
                problem,
                accept_leaks=accept_leaks,
                resume=resume,
                started=started,
                progress=shown.step,
                tried=shown.tried,
                study=shown.study,
            )
    except KeyboardInterrupt:
        console.complain(f"interrupted. What was found is kept: labline train {problem.name} --resume goes on with it")
        raise typer.Exit(INTERRUPTED) from None
    _show_trained(problem, trained, as_json=as_json)


@app.command(name="tune-worker")
def tune_worker(
    name: Name = None,
    study: Annotated[
        str | None, typer.Option(help="Which study; labline train says its name. The newest of the problem if none.")
    ] = None,
    trials: Trials = None,
) -> None:
    """Help a labline train that runs elsewhere: try parameters for its study until it needs no more."""
    from labline import pipeline

    config, problem = open_workspace(name)
    count = pipeline.tune(
        config, problem, study, trials=trials, told=lambda text: console.ERR.print(text, markup=False)
    )
    console.say(f"{count} trial{'s' * (count != 1)} done")


def _show_trained(problem: Problem, trained: Trained, *, as_json: bool) -> None:
    evaluation, version = trained.evaluation, trained.version
    if as_json:
        console.as_json(
            {
                "version": version.number,
                "run_id": version.run_id,
                "holdout_rows": evaluation.rows,
                "holdout": evaluation.metrics,
                "baseline": {"name": trained.fitted.baseline.name, "holdout": trained.baseline},
                "headline": {"metric": problem.metric, **asdict(evaluation.headline)},
                "data": trained.bundle.manifest.data.model_dump(mode="json"),
                "family": trained.bundle.manifest.family,
                "seconds": trained.seconds,
            }
        )
        return
    console.say(f"{version} is the challenger ({trained.seconds:.0f} s): {trained.bundle.manifest.family}.")
    console.say(f"On {evaluation.rows:,} rows it never saw: {problem.metric} {evaluation.headline} (95 % interval)")
    simple = trained.baseline
    figures = [
        (key, str(found), f"{simple[key]:.4f}" if key in simple else "") for key, found in evaluation.intervals.items()
    ]
    console.table(("metric", "hold-out", f"baseline ({trained.fitted.baseline.name})"), figures)
    if evaluation.tables.per_class:
        rows = [
            (c.name, f"{c.precision:.3f}", f"{c.recall:.3f}", f"{c.f1:.3f}", c.rows)
            for c in evaluation.tables.per_class
        ]
        console.table(("class", "precision", "recall", "f1", "rows"), rows)


@app.command()
def leaderboard(
    name: Name = None,
    everything: Annotated[bool, typer.Option("--all", help="Also what was tried on other data.")] = False,
    as_json: AsJson = False,
) -> None:
    """What was tried on the rows in use, the best in cross-validation first."""
    from labline import pipeline

    config, problem = open_workspace(name)
    rows = pipeline.leaderboard(config, problem, everything=everything)
    if as_json:
        console.as_json([asdict(row) for row in rows])
        return
    if not rows:
        other = "" if everything else " on these rows (labline leaderboard --all shows what was tried on others)"
        console.say(f"Nothing was tried yet{other}: labline train {problem.name}")
        return
    shown = [
        (
            f"{row.family} · {row.feature_set} · {row.stage}",
            f"{row.mean:.4f} ± {row.deviation:.4f}",
            "" if row.holdout is None else f"{row.holdout:.4f}",
            f"{row.fit_seconds:.1f}",
            f"{row.predict_ms:.1f}",
            "" if row.bundle_mb is None else f"{row.bundle_mb:.1f}",
            " ".join((str(row.version or ""), *row.aliases)),
            *((data_kind(row.data),) if everything else ()),
        )
        for row in rows
    ]
    figures = (f"{problem.metric} (cv)", "hold-out", "fit s", "ms/1k", "MB")
    title = "" if everything else f"tried on these rows: {', '.join(sorted({data_kind(row.data) for row in rows}))}"
    console.table(("model", *figures, "version", *(("data",) if everything else ())), shown, title)


@app.command()
def promote(
    name: Name = None,
    version: Annotated[int | None, typer.Option(help="Which version; the challenger if none.")] = None,
    force: Annotated[bool, typer.Option("--force", help="Promote whatever the comparison says.")] = False,
    accept_breaking: Annotated[
        bool, typer.Option("--accept-breaking", help="Promote although its contract breaks clients.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Make the challenger champion if it is better on the same held-out rows; exit status 1 if it is not.

    No segment of the contract may lose much by it, and it has to be quick and small enough: see promotion.yaml.
    """
    from labline import pipeline

    config, problem = open_workspace(name)
    outcome = pipeline.promote(config, problem, number=version, force=force, accept_breaking=accept_breaking)
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

    config, problem = open_workspace(name)
    _show_promotion(pipeline.rollback(config, problem, reason), as_json=as_json)


def _show_promotion(outcome: Promotion, *, as_json: bool) -> None:
    champion = outcome.champion
    if as_json:
        body = {
            "champion": champion.number if champion else None,
            "previous": outcome.previous.number if outcome.previous else None,
            "changed": outcome.promoted,
            "reason": outcome.reason,
            "reasons": outcome.reasons,
            "card": outcome.card,
        }
        console.as_json(body)
        return
    state = "is the champion now" if outcome.promoted else "stays the champion"
    console.say(f"{champion} {state}:" if champion else "There is still no champion:")
    for reason in outcome.reasons:
        console.say(f"- {reason}")
    if outcome.card:
        console.say(f"Model card: {outcome.card}")


@app.command()
def registry(name: Name = None, as_json: AsJson = False) -> None:
    """The problem's versions, and the ledger of promotions and rollbacks."""
    from labline import pipeline

    config, problem = open_workspace(name)
    versions, entries = pipeline.history(config, problem)
    remark = pipeline.remark(config, problem, versions, entries)
    measured = pipeline.holdout_figures(config, problem) if versions else {}
    if as_json:
        figures = {run_id: asdict(found) for run_id, found in measured.items()}
        body = {
            "versions": [asdict(version) | {"holdout": figures.get(version.run_id)} for version in versions],
            "ledger": [entry.model_dump(mode="json") for entry in entries],
            "remark": remark,
        }
        console.as_json(body)
        return
    if versions:
        _show_versions(problem.metric, versions, measured)
    if entries:
        rows = [(f"{e.at:%Y-%m-%d %H:%M}", e.action, e.version, e.other or "", e.who, e.reason) for e in entries]
        console.say("")
        console.table(("at (UTC)", "action", "champion", "other", "who", "reason"), rows)
    if remark:
        console.say(remark)


def _show_versions(metric: str, versions: list[Version], measured: dict[str, Interval]) -> None:
    shown = [
        (
            v.number,
            " ".join(v.aliases),
            measured.get(v.run_id, ""),
            v.tags.get("labline.bundle_mb", ""),
            v.tags.get("labline.latency_ms", ""),
            data_kind(v.tags.get("labline.data", "?")),
            v.run_id,
            v.tags.get("labline.decision", ""),
        )
        for v in versions
    ]
    columns = ("version", "alias", f"{metric} (hold-out)", "MB", "ms a row", "data", "run", "decision")
    console.table(columns, shown)


@app.command()
def card(
    name: Name = None,
    version: Annotated[int | None, typer.Option(help="Which version; the champion if none.")] = None,
    html: Annotated[Path | None, typer.Option("--html", metavar="FILE", help="Write it as a page instead.")] = None,
) -> None:
    """A version's model card: what it is for, data, figures, segments, limits, and why it was promoted."""
    from labline import pipeline
    from labline.model.card import markdown, page

    config, problem = open_workspace(name)
    found = pipeline.card(config, problem, version)
    if html is None:
        console.print_as_is(markdown(found))
        return
    try:
        with replacing(html) as unfinished:
            unfinished.write_text(page(found), encoding="utf-8")
    except OSError as error:
        raise LablineError(
            f"the card cannot be written: {error.strerror or error}", where=str(html), mend="name another file"
        ) from error
    console.say(f"{html} is the model card of {problem.name} version {found.version}.")
