"""Train: from a checked snapshot to a registered challenger."""

from __future__ import annotations

import shutil
import tempfile
import time
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from loguru import logger

from labline import __version__
from labline.config import Config
from labline.contract import Columns, Problem
from labline.errors import DataError
from labline.features import FEATURES_FILE, read_features
from labline.model.bundle import Bundle, Contents, Manifest, Provenance, finish_bundle, write_bundle
from labline.model.evaluation import Evaluation, evaluate
from labline.model.registry import Registry, Version
from labline.model.tasks import Target, greater_is_better, task_of
from labline.model.training import Fitted, Trainer
from labline.monitoring.profile import make_profile
from labline.pipeline.data import Checked, check, columns_of, split_of
from labline.progress import Progress, silent
from labline.store import data_folder

if TYPE_CHECKING:
    import pandas as pd

    from labline.data import Snapshot
    from labline.model.tracking import Row


@dataclass(frozen=True)
class Trained:
    """A registered challenger, how it does on the hold-out, and how the best baseline does there."""

    version: Version
    bundle: Bundle
    fitted: Fitted
    evaluation: Evaluation
    baseline: dict[str, float]
    seconds: float


def train(config: Config, problem: Problem, *, accept_leaks: bool = False, progress: Progress = silent) -> Trained:
    """Train on the snapshot in use, evaluate on its hold-out, log the run, register the bundle as challenger.

    Raises:
        DataError: no rows, rows that break the contract, or a leak that was not accepted.
        RegistryError: MLflow is out of reach.
    """
    started = time.monotonic()
    registry = Registry(config.storage, problem.name)
    registry.versions()  # out of reach? better said before training than after
    checked = check(config, problem, lambda text, done=0.0: progress(text, 0.05 * done))[0]
    _refuse(checked, accept_leaks=accept_leaks)
    if checked.snapshot.is_sample:
        logger.warning("{}: training on GENERATED SAMPLE DATA; the champion will know nothing real", problem.name)
    rows = _divided(config, problem, checked.snapshot)
    _need_enough(problem, rows, config.training.folds, where=checked.snapshot.origin)
    derived = read_features(config.settings.problems / problem.name / FEATURES_FILE, problem)
    trainer = Trainer(problem, task_of(problem), derived, rows.columns, rows.target, config.training)
    fitted = trainer.run(lambda text, done=0.0: progress(text, 0.05 + 0.8 * done))
    progress("evaluate on the hold-out, log the run and register", 0.88)
    found = _registered(config, registry, fitted, rows, _manifest(config, problem, checked.snapshot, fitted, rows))
    figures = found.evaluation
    logger.info("{}: {} {} on {:,} held-out rows", found.version, problem.metric, figures.headline, figures.rows)
    return replace(found, seconds=time.monotonic() - started)


def _registered(config: Config, registry: Registry, fitted: Fitted, rows: _Rows, manifest: Manifest) -> Trained:
    """Bundle what was fitted, measure the bundle, log the run and register it; its folder stays in the cache."""
    from labline.model.tracking import Holdout, log_training

    config.settings.models.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=config.settings.models, prefix=".training-") as scratch:
        source = config.settings.problems / registry.problem
        contents = Contents(source, fitted.encoder, fitted.member, fitted.rule, manifest)
        bundle, evaluation = _bundled(Path(scratch) / "bundle", contents, rows, config.training.seed)
        baseline = _baseline_figures(fitted, rows)
        holdout = Holdout(rows.holdout_target, bundle.scores(rows.holdout_columns), baseline)
        version = log_training(registry, bundle, fitted, evaluation, holdout)
        cached = registry.cached(version, config.settings.models / "cache")
        cached.parent.mkdir(parents=True, exist_ok=True)
        if not cached.is_dir():
            shutil.move(bundle.folder, cached)
    return Trained(version, Bundle.load(cached), fitted, evaluation, baseline, seconds=0.0)


@dataclass(frozen=True)
class _Rows:
    """The rows to train on and those held out, as columns and encoded target."""

    columns: Columns
    target: Target
    holdout_columns: Columns
    holdout_target: Target


def _divided(config: Config, problem: Problem, snapshot: Snapshot) -> _Rows:
    from labline.data import Snapshots, usable

    frame, _ = usable(Snapshots(data_folder(config), problem).read("train", snapshot.sha256), problem)
    divided = split_of(config, problem, frame)
    target = task_of(problem).encode(frame[problem.target])
    return _Rows(
        columns=columns_of(problem, frame.iloc[divided.train]),
        target=target[divided.train],
        holdout_columns=columns_of(problem, frame.iloc[divided.holdout]),
        holdout_target=target[divided.holdout],
    )


def _bundled(folder: Path, contents: Contents, rows: _Rows, seed: int) -> tuple[Bundle, Evaluation]:
    """The bundle, and its figures on the hold-out: measured on the bundle as it was written and loaded again."""
    draft = write_bundle(folder, contents)
    problem, task = draft.problem, draft.task
    scores = draft.scores(rows.holdout_columns)
    evaluation = evaluate(task, problem.metric, rows.holdout_target, scores, seed)
    profile = make_profile(problem, rows.columns, task, scores, evaluation.metrics)
    return finish_bundle(draft, profile.model_dump_json(indent=1), evaluation.metrics), evaluation


def _baseline_figures(fitted: Fitted, rows: _Rows) -> dict[str, float]:
    """The best baseline's metrics on the hold-out, under a rule learned on its own training rows."""
    baseline = fitted.baseline
    rule = baseline.task.learn_rule(rows.target, baseline.scores(rows.columns))
    return baseline.task.ruled_by(rule).metrics(rows.holdout_target, baseline.scores(rows.holdout_columns))


def leaderboard(config: Config, problem: Problem) -> list[Row]:
    """Everything that was tried for the problem, the best first."""
    from labline.model.tracking import leaderboard as rows_of

    registry = Registry(config.storage, problem.name)
    return rows_of(registry, problem.metric, greater_first=greater_is_better(problem.metric))


def _refuse(checked: Checked, *, accept_leaks: bool) -> None:
    checked.report.need_ok(where=checked.snapshot.origin)
    checked.need_no_leaks(accepted=accept_leaks)


def _need_enough(problem: Problem, rows: _Rows, folds: int, *, where: str) -> None:
    """Refuse rows from which nothing can be learned, or on which nothing can be measured."""
    train, held = rows.target, rows.holdout_target
    enough = len(train) >= 2 * folds and len(held) >= 2
    counts = {name: _rows_of(problem, rows, index) for index, name in enumerate(problem.classes)}
    if problem.classes:
        needed = folds if problem.task == "binary" else 1
        learned = [name for name, (trained, _) in counts.items() if trained >= needed]
        enough = enough and len(learned) > (problem.task != "multilabel")
    if problem.task == "binary":  # without both classes in the hold-out its metrics are not defined
        enough = enough and all(unseen for _, unseen in counts.values())
    if not enough:
        few = {name: trained + unseen for name, (trained, unseen) in counts.items() if trained + unseen < 10}
        said = "".join(f", {count} of class {name!r}" for name, count in few.items())
        raise DataError(
            f"too few rows: {len(train)} to train on and {len(held)} held out{said}", where=where, mend="bring more"
        )


def _rows_of(problem: Problem, rows: _Rows, index: int) -> tuple[int, int]:
    """How many rows to train on, and held out, are of a class, or have a label."""
    if problem.task == "multilabel":
        return int(rows.target[:, index].sum()), int(rows.holdout_target[:, index].sum())
    return int((rows.target == index).sum()), int((rows.holdout_target == index).sum())


def _manifest(config: Config, problem: Problem, snapshot: Snapshot, fitted: Fitted, rows: _Rows) -> Manifest:
    return Manifest(
        problem=problem.name,
        family=fitted.best.family,
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
        ),
    )


def holdout_frame(config: Config, bundle: Bundle) -> pd.DataFrame:
    """The held-out rows of the snapshot a bundle was trained on; raises as `divided_frames` does."""
    return divided_frames(config, bundle)[1]


def divided_frames(config: Config, bundle: Bundle) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Training and held-out rows of a bundle's snapshot, whatever the workspace's contract says by now.

    Raises:
        DataError: the snapshot is not in this workspace.
    """
    from labline.data import Snapshots, split, usable

    data, problem = bundle.manifest.data, bundle.problem
    frame, _ = usable(Snapshots(data_folder(config), problem).read("train", data.sha256), problem)
    strata = bundle.task.strata(bundle.task.encode(frame[problem.target]))
    rows = split(frame, problem, strata, share=data.holdout_share, seed=data.seed)
    return frame.iloc[rows.train], frame.iloc[rows.holdout]
