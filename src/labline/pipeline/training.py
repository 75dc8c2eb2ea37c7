"""Train: from a checked snapshot to a registered challenger."""

from __future__ import annotations

import gc
import shutil
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from loguru import logger
from numpy.typing import NDArray

from labline import __version__
from labline.config import Config
from labline.contract import Problem
from labline.errors import LablineError, RegistryError
from labline.features import FEATURES_FILE, read_features
from labline.model.bundle import Bundle, Contents, Manifest, Provenance, finish_bundle, write_bundle
from labline.model.evaluation import Evaluation, evaluate
from labline.model.explanation import Explanation, explain
from labline.model.registry import Registry, Version
from labline.model.search import Clock, Fitted, Journal, Search, Tried, Watcher
from labline.model.search.studies import Studies
from labline.model.segments import segments_of
from labline.model.tasks import greater_is_better, task_of
from labline.monitoring.estimation import fit_estimator
from labline.monitoring.label_drift import decoded
from labline.monitoring.profile import make_profile
from labline.pipeline.divided import Divided, Extra, Ready, ready_rows
from labline.pipeline.interrupts import ctrl_c_ends
from labline.progress import Progress, silent
from labline.store import data_folder

if TYPE_CHECKING:
    from labline.data import Snapshot
    from labline.model.leaderboard import Row
    from labline.model.tracking import TrainingRun

# What follows the search: bundle, hold-out, plots, registration. Of the budget, and in seconds where the rows are few.
FINISH_SHARE, FINISH_SECONDS = 0.03, 7.0


@dataclass(frozen=True)
class Trained:
    """A registered challenger, how it does on the hold-out, and how the best baseline does there."""

    version: Version
    bundle: Bundle
    fitted: Fitted
    evaluation: Evaluation
    baseline: dict[str, float]
    seconds: float


def train(
    config: Config,
    problem: Problem,
    *,
    accept_leaks: bool = False,
    resume: bool = False,
    labelled: Snapshot | None = None,
    started: float | None = None,
    progress: Progress = silent,
    tried: Callable[[Tried, Tried, float], None] = lambda _tried, _best, _left: None,
    study: Callable[[str], None] = lambda _name: None,
) -> Trained:
    """Search within the budget on the snapshot in use, evaluate on its hold-out, register the bundle as challenger.

    What is tried is kept as it is found: a search that is interrupted or killed goes on where it was with `resume`.

    Args:
        config: the budget, and what the search may try.
        problem: the contract.
        accept_leaks: train although the doctor refuses.
        resume: go on with the newest unfinished search for the same data and contract; its time counts.
        labelled: rows of the prediction log to learn from besides.
        started: when the budget began, on the monotonic clock; now when None.
        progress: told of each step.
        tried: told of each thing tried, the best so far, and the seconds left.
        study: told the name of each study that `labline tune-worker` may join.

    Raises:
        DataError: no rows, rows that break the contract, or a leak that was not accepted.
        RegistryError: MLflow is out of reach.
        LablineError: there is nothing to resume.
    """
    started = time.monotonic() if started is None else started
    registry = Registry(config.storage, problem.name)
    registry.versions()  # out of reach? better said before training than after
    ready = ready_rows(config, problem, accept_leaks=accept_leaks, labelled=labelled, progress=progress)
    journal = _journal(config, problem, ready.key, resume=resume)
    clock = Clock(started - journal.about.spent, config.training.budget_seconds)
    search = _search(config, problem, ready, clock, journal)
    run = _run(registry, ready.snapshot, journal.about.run_id)
    journal.note(run_id=run.begin(f"{problem.name} {datetime.now(UTC):%Y-%m-%d %H:%M}"))

    for one in journal.tried:  # what an interruption left unsaid
        if one.key not in run.logged:
            run.tried(one)

    def told(one: Tried, best: Tried, left: float) -> None:
        run.tried(one)
        tried(one, best, left)

    try:
        with ctrl_c_ends():
            fitted = search.run(Watcher(progress, told, run.curve, study))
            progress("evaluate on the hold-out, log the run and register", 0.97)
            found = _registered(config, registry, run, fitted, ready, clock)
    except BaseException as error:  # Ctrl-C too: whatever ends it, MLflow is told, and what was found stays
        _tell_end(run, error)
        raise
    journal.note(finished=True)
    shutil.rmtree(journal.folder)  # all of it is in MLflow now
    figures = found.evaluation
    logger.info("{}: {} {} on {:,} held-out rows", found.version, problem.metric, figures.headline, figures.rows)
    return replace(found, seconds=time.monotonic() - started)


def _tell_end(run: TrainingRun, error: BaseException) -> None:
    """MLflow is told that training ended early; where it cannot be, the error still is what ended it."""
    interrupted = isinstance(error, KeyboardInterrupt)
    if interrupted:  # a statement of MLflow's that was cut short keeps SQLite locked for as long as its frames live
        error.__traceback__ = error.__cause__ = error.__context__ = None
        gc.collect()
    try:
        run.end("KILLED" if interrupted else "FAILED")
    except RegistryError as untold:
        logger.warning("MLflow was not told that training has ended: {}", untold)


def _search(config: Config, problem: Problem, ready: Ready, clock: Clock, journal: Journal) -> Search:
    derived = read_features(config.settings.problems / problem.name / FEATURES_FILE, problem)
    reserve = max(min(FINISH_SECONDS, 0.3 * clock.seconds), FINISH_SHARE * clock.seconds)
    return Search(
        problem,
        task_of(problem),
        derived,
        ready.rows.training,
        config.training,
        clock=clock,
        journal=journal,
        studies=lambda: Studies(config.storage.studies_url.get_secret_value()),
        reserve=reserve,
    )


def _run(registry: Registry, snapshot: Snapshot, run_id: str) -> TrainingRun:
    from labline.model.tracking import TrainingRun

    return TrainingRun(registry, snapshot.kind, snapshot.sha256, run_id)


def _journal(config: Config, problem: Problem, key: str, *, resume: bool) -> Journal:
    """A new search's journal, or that of the newest unfinished one of the same key."""
    folder = config.settings.models / "searches" / problem.name
    unfinished = sorted(folder.glob(f"*-{key}"))
    if resume and not unfinished:
        others = len(list(folder.glob("*")))
        raise LablineError(
            f"there is no unfinished search of {problem.name!r} to go on with"
            + (f"; {others} are for other data, another contract or other settings" if others else ""),
            where=str(folder),
            mend=f"labline train {problem.name}",
        )
    if resume:
        return Journal(unfinished[-1], key)
    if unfinished:
        logger.info("{}: an unfinished search is there; labline train --resume would go on with it", unfinished[-1])
    return Journal(folder / f"{datetime.now(UTC):%Y%m%dT%H%M%S%f}-{key}", key)


def _registered(
    config: Config, registry: Registry, run: TrainingRun, fitted: Fitted, ready: Ready, clock: Clock
) -> Trained:
    """Bundle what was fitted, measure the bundle, log the run and register it; its folder stays in the cache."""
    from labline.model.tracking import Holdout

    rows = ready.rows
    config.settings.models.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=config.settings.models, prefix=".training-") as scratch:
        source = config.settings.problems / registry.problem
        contents = Contents(source, fitted.ensemble, fitted.rule, _manifest(config, registry.problem, ready))
        out_of_fold = fitted.choice.raw
        bundle, evaluation = _bundled(Path(scratch) / "bundle", contents, rows, out_of_fold, config.training.seed)
        baseline = _baseline_figures(fitted, rows)
        holdout = Holdout(rows.holdout_target, bundle.scores(rows.holdout_columns), baseline)
        version = run.finish(bundle, fitted, evaluation, holdout, lambda: _explanation(config, bundle, rows, clock))
        cached = registry.cached(version, config.settings.models / "cache")
        cached.parent.mkdir(parents=True, exist_ok=True)
        if not cached.is_dir():
            shutil.move(bundle.folder, cached)
    return Trained(version, Bundle.load(cached), fitted, evaluation, baseline, seconds=0.0)


def _explanation(config: Config, bundle: Bundle, rows: Divided, clock: Clock) -> Explanation | None:
    """Of a sample of the held-out rows, which are looked at here and never chosen on; None where no time is left."""
    seed, most = config.training.seed, config.training.explained_rows
    if not most:
        return None
    drawn = np.sort(np.random.default_rng(seed).permutation(len(rows.holdout_target))[:most])
    columns = {name: values[drawn] for name, values in rows.holdout_columns.items()}
    found = explain(
        bundle.scores,
        bundle.task,
        columns,
        rows.holdout_target[drawn],
        seed=seed,
        deadline=clock.end + 0.02 * clock.seconds,
    )
    if found is None:
        logger.info("{}: no time is left to explain answers", bundle.problem.name)
    return found


def _bundled(
    folder: Path, contents: Contents, rows: Divided, out_of_fold: NDArray[np.float64], seed: int
) -> tuple[Bundle, Evaluation]:
    """The bundle, and its figures on the hold-out: measured on the bundle as it was written and loaded again."""
    draft = write_bundle(folder, contents)
    problem, task = draft.problem, draft.task
    scores = draft.scores(rows.holdout_columns)
    segments = segments_of(problem, rows.holdout_columns)
    evaluation = evaluate(task, problem.metric, rows.holdout_target, scores, seed, segments)
    estimator = fit_estimator(problem, task, rows.target, task.scores(out_of_fold))
    target = decoded(problem, rows.target)
    profile = make_profile(problem, rows.columns, task, scores, evaluation.metrics, estimator, target, rows.given)
    return finish_bundle(draft, profile.model_dump_json(indent=1), evaluation.metrics), evaluation


def _baseline_figures(fitted: Fitted, rows: Divided) -> dict[str, float]:
    """The best baseline's metrics on the hold-out, under a rule learned on its own training rows."""
    baseline = fitted.baseline
    rule = baseline.task.learn_rule(rows.target, baseline.scores(rows.columns))
    return baseline.task.ruled_by(rule).metrics(rows.holdout_target, baseline.scores(rows.holdout_columns))


def leaderboard(config: Config, problem: Problem, *, everything: bool = False) -> list[Row]:
    """What was tried on the snapshot in use, the best first; `everything` also on others."""
    from labline.data import Snapshots
    from labline.model.leaderboard import leaderboard as rows_of

    registry = Registry(config.storage, problem.name)
    rows = rows_of(registry, problem.metric, task_of(problem).loss, greater_first=greater_is_better(problem.metric))
    snapshot = Snapshots(data_folder(config), problem).in_use("train")
    return [row for row in rows if everything or snapshot is None or row.sha256 == snapshot.sha256]


def _besides(ready: Ready) -> dict[str, Any]:
    """What the manifest says of rows that are learned from and not measured on."""
    said: dict[str, Any] = {}
    for kind in ("extra", "labelled"):
        about: Snapshot | None = getattr(ready, kind)
        rows: Extra | None = getattr(ready.rows, kind)
        if about is not None and rows is not None:
            values = {"origin": about.origin, "sha256": about.sha256, "rows": len(rows[1]), "weight": rows[2]}
            said |= {f"{kind}_{name}": value for name, value in values.items()}
    return said


def _manifest(config: Config, problem: str, ready: Ready) -> Manifest:
    snapshot, rows = ready.snapshot, ready.rows
    return Manifest(
        problem=problem,
        labline=__version__,
        made_at=datetime.now(UTC),
        data=Provenance(
            kind=snapshot.kind,
            origin=snapshot.origin,
            sha256=snapshot.sha256,
            rows=snapshot.rows,
            holdout_rows=len(rows.holdout_target),
            seed=config.training.seed,
            holdout_share=config.training.holdout_share,
            **_besides(ready),
        ),
    )
