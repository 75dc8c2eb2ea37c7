"""The rows in use: checked, and divided into those to train on and those held out."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
from loguru import logger

from labline import __version__
from labline.config import Config
from labline.contract import CONTRACT_FILE, Columns, Problem, as_given
from labline.errors import DataError
from labline.features import FEATURES_FILE
from labline.model.bundle import Bundle
from labline.model.search import TrainingRows
from labline.model.tasks import Target, task_of
from labline.monitoring.outside import lenient
from labline.pipeline.data import Checked, check, columns_of, split_of
from labline.progress import Progress, silent
from labline.store import data_folder

if TYPE_CHECKING:
    import pandas as pd

    from labline.data import Snapshot

SETTINGS = ("seed", "holdout_share", "folds")  # with others, what was found could not be compared


Extra = tuple[Columns, Target, float]
"""Columns, encoded target, and as how many rows each one counts."""


@dataclass(frozen=True)
class Divided:
    """The rows to train on and those held out, as columns and encoded target; the others are learned from besides.

    `given` holds columns of the training rows whose values a policy may have clipped or dropped, before it did.
    """

    columns: Columns
    target: Target
    holdout_columns: Columns
    holdout_target: Target
    extra: Extra | None = None
    labelled: Extra | None = None
    given: Columns = field(default_factory=dict)

    @property
    def training(self) -> TrainingRows:
        """The rows to train on, with the extra ones, and those of the log, after the problem's own."""
        rows = TrainingRows.of(self.columns, self.target)
        for more in (self.extra, self.labelled):
            rows = rows if more is None else rows.with_extra(*more)
        return rows


def _divided(
    config: Config, problem: Problem, snapshot: Snapshot, extra: Snapshot | None, labelled: Snapshot | None
) -> Divided:
    from labline.data import Snapshots, usable

    snapshots = Snapshots(data_folder(config), problem)
    frame, _ = usable(snapshots.read("train", snapshot.sha256), problem)
    divided = split_of(config, problem, frame)
    target = task_of(problem).encode(frame[problem.target])
    weight = problem.sources.extra.weight if problem.sources.extra is not None else 1.0

    def besides(one: Snapshot | None, weight: float) -> Extra | None:
        return None if one is None else _extra(problem, snapshots.read(one.role, one.sha256), frame, weight)

    return Divided(
        extra=besides(extra, weight),
        labelled=besides(labelled, config.monitoring.retrain_weight),
        columns=columns_of(problem, frame.iloc[divided.train]),
        target=target[divided.train],
        holdout_columns=columns_of(problem, frame.iloc[divided.holdout]),
        holdout_target=target[divided.holdout],
        given=_given(problem, frame.iloc[divided.train]),
    )


def _given(problem: Problem, frame: pd.DataFrame) -> Columns:
    some = lenient(problem)
    return as_given(some, {name: frame[name].to_numpy() for name in some.columns if name in frame})


def _extra(problem: Problem, frame: pd.DataFrame, own: pd.DataFrame, weight: float) -> Extra:
    """Rows to learn from besides; those alike one of the problem's own are left out, as it may be held out."""
    from labline.data.holdout import hashes_of

    shared = [name for name in problem.columns if name in frame and name in own]
    frame = frame[~np.isin(hashes_of(frame[shared]), hashes_of(own[shared]))]
    return columns_of(problem, frame), task_of(problem).encode(frame[problem.target]), weight


@dataclass(frozen=True)
class Ready:
    """What a search starts from: rows that hold, and the key of all that its figures depend on."""

    snapshot: Snapshot
    rows: Divided
    key: str
    extra: Snapshot | None = None
    labelled: Snapshot | None = None


def ready_rows(
    config: Config,
    problem: Problem,
    *,
    accept_leaks: bool,
    labelled: Snapshot | None = None,
    progress: Progress = silent,
) -> Ready:
    """The rows in use, checked and divided, and `labelled` ones of the log; raises as `train` does."""
    checked = check(config, problem, lambda text, done=0.0: progress(text, 0.05 * done))
    _refuse(checked[0], accept_leaks=accept_leaks)
    snapshot = checked[0].snapshot
    if snapshot.is_sample:
        logger.warning("{}: training on GENERATED SAMPLE DATA; the champion will know nothing real", problem.name)
    extra = next((one for one in checked if one.snapshot.role == "extra"), None)
    if extra is not None:
        extra.report.need_ok(where=extra.snapshot.origin)
    rows = _divided(config, problem, snapshot, None if extra is None else extra.snapshot, labelled)
    _need_enough(problem, rows, config.training.folds, where=snapshot.origin)
    folder = config.settings.problems / problem.name
    parts: list[Any] = [snapshot.sha256, extra.snapshot.sha256 if extra else "", __version__]
    parts += [labelled.sha256, config.monitoring.retrain_weight] if labelled is not None else []
    parts += [getattr(config.training, name) for name in SETTINGS]
    parts += [
        (folder / name).read_text("utf-8") for name in (CONTRACT_FILE, FEATURES_FILE) if (folder / name).is_file()
    ]
    key = hashlib.sha256(json.dumps(parts).encode()).hexdigest()[:12]
    return Ready(snapshot, rows, key, extra.snapshot if extra else None, labelled)


def _refuse(checked: Checked, *, accept_leaks: bool) -> None:
    checked.report.need_ok(where=checked.snapshot.origin)
    checked.need_no_leaks(accepted=accept_leaks)


def _need_enough(problem: Problem, rows: Divided, folds: int, *, where: str) -> None:
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


def _rows_of(problem: Problem, rows: Divided, index: int) -> tuple[int, int]:
    """How many rows to train on, and held out, are of a class, or have a label."""
    if problem.task == "multilabel":
        return int(rows.target[:, index].sum()), int(rows.holdout_target[:, index].sum())
    return int((rows.target == index).sum()), int((rows.holdout_target == index).sum())


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
