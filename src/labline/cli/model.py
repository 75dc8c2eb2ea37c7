"""Verbs about models: train, compare, promote, roll back, and say what they are."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from labline import console
from labline.atomic import replacing
from labline.cli.common import AcceptLeaks, AsJson, Budget, Name, app, data_kind, open_workspace, with_budget
from labline.errors import LablineError

if TYPE_CHECKING:
    from labline.contract import Problem
    from labline.model.registry import Version
    from labline.model.resampling import Interval
    from labline.pipeline import Promotion, Trained


@app.command()
def train(name: Name = None, budget: Budget = None, accept_leaks: AcceptLeaks = False, as_json: AsJson = False) -> None:
    """Train on the snapshot in use, and register the result as challenger."""
    from labline import pipeline

    config, problem = open_workspace(name)
    config = with_budget(config, budget)
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
                "baseline": {"name": trained.fitted.baseline.name, "holdout": trained.baseline},
                "headline": {"metric": problem.metric, **asdict(evaluation.headline)},
                "data": trained.bundle.manifest.data.model_dump(mode="json"),
                "seconds": trained.seconds,
            }
        )
        return
    console.say(f"{version} is the challenger ({trained.seconds:.0f} s).")
    console.say(f"On {evaluation.rows:,} rows it never saw: {problem.metric} {evaluation.headline} (95 % interval)")
    simple = trained.baseline
    figures = [
        (key, f"{v:.4f}", f"{simple[key]:.4f}" if key in simple else "") for key, v in evaluation.metrics.items()
    ]
    console.table(("metric", "hold-out", f"baseline ({trained.fitted.baseline.name})"), figures)
    if evaluation.tables.per_class:
        rows = [
            (c.name, f"{c.precision:.3f}", f"{c.recall:.3f}", f"{c.f1:.3f}", c.rows)
            for c in evaluation.tables.per_class
        ]
        console.table(("class", "precision", "recall", "f1", "rows"), rows)


@app.command()
def leaderboard(name: Name = None, as_json: AsJson = False) -> None:
    """Everything that was tried, the best in cross-validation first."""
    from labline import pipeline

    config, problem = open_workspace(name)
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
            data_kind(row.data),
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
