"""Take a problem's rows, and check them."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

import numpy as np
from loguru import logger

from labline.config import Config
from labline.contract import Columns, Problem, settle
from labline.errors import DataError
from labline.model.tasks import task_of
from labline.progress import Progress, silent
from labline.store import data_folder

if TYPE_CHECKING:
    import pandas as pd

    from labline.data import CheckReport, Snapshot, Split
    from labline.data.leakage import Leak
    from labline.data.sources.taking import Choice, Role

ROLES: tuple[Role, ...] = ("train", "current", "extra")


@dataclass(frozen=True)
class Checked:
    """What the check of one snapshot found."""

    snapshot: Snapshot
    report: CheckReport
    leaks: tuple[Leak, ...] = ()
    overlapping_rows: int = 0

    @property
    def ok(self) -> bool:
        """Whether the rows may be trained on."""
        return self.report.ok and not self.refused and not self.overlapping_rows

    @property
    def refused(self) -> tuple[Leak, ...]:
        """The leaks with which training refuses to start, unless they are accepted."""
        return tuple(leak for leak in self.leaks if leak.severity == "refuse")

    def need_no_leaks(self, *, accepted: bool) -> None:
        """Warn of the leaks; refuse those that are serious, unless they were accepted.

        Raises:
            DataError: names the columns of each.
        """
        for leak in self.leaks:
            if accepted or leak.severity == "warn":
                logger.warning("{}: {}", self.snapshot.problem, leak)
        if not self.refused or accepted:
            return
        alone = [leak for leak in self.refused if leak.kind == "determines"]
        said = [leak.what for leak in self.refused if leak.kind != "determines"]
        if alone:
            listed = ", ".join(f"{leak.column} ({leak.score:.3f})" for leak in alone)
            said.insert(0, f"the target can be read off single columns: {listed}")
        columns = any(leak.columns for leak in self.refused)
        mend = "take them out of the contract" if columns else self.refused[0].mend
        raise DataError(
            "; ".join(said),
            where=self.snapshot.origin,
            mend=f"{mend}, or say --accept-leaks if new rows will be like that, all known when a prediction is made",
        )


def prepare(
    config: Config,
    problem: Problem,
    *,
    source: Choice = "auto",
    files: dict[Role, str] | None = None,
    progress: Progress = silent,
) -> list[Snapshot]:
    """Take the problem's rows and keep them as snapshots, `train` first.

    Args:
        config: where things are.
        problem: the contract.
        source: `auto`, `kaggle` or `sample`.
        files: paths or addresses to take instead, by role; with `train` given, other roles are taken only if given.
        progress: told of each step.

    Raises:
        DataError: a source cannot be read, or rows lack columns.
    """
    from labline.data import Snapshots
    from labline.data.sources.taking import take

    files = files or {}
    snapshots = Snapshots(data_folder(config), problem)
    kept = []
    for index, role in enumerate(ROLES):
        if files and role not in files:
            continue
        share = index / len(ROLES)
        progress(f"take {role} rows", share)
        taken = take(problem, role, source, config, files.get(role), partial(_at, progress, share))
        if taken is not None:
            snapshot = snapshots.keep(taken, role)
            logger.info("{} {}: {:,} rows from {}", problem.name, role, snapshot.rows, snapshot.origin)
            kept.append(snapshot)
    return kept


def _at(progress: Progress, share: float, text: str, done: float = 0.0) -> None:
    """Told of rows read, of which no one knows how many there will be: the bar stays where it is."""
    progress(text, share + done)


def check(config: Config, problem: Problem, progress: Progress = silent) -> list[Checked]:
    """Check the snapshots in use, `train` first; findings are returned, not raised.

    Raises:
        DataError: no rows were taken yet.
    """
    from labline.data import Snapshots, check_frame, usable
    from labline.data.leakage import find_leaks, overlap

    snapshots = Snapshots(data_folder(config), problem)
    checked = []
    for index, role in enumerate(ROLES):
        snapshot = snapshots.need(role) if role == "train" else snapshots.in_use(role)
        if snapshot is None:
            continue
        progress(f"check {role} rows", index / len(ROLES))
        frame = snapshots.read(role, snapshot.sha256)
        if role == "train":
            frame, found = usable(frame, problem)
        else:
            found = check_frame(frame, problem, with_target=problem.target in frame or role == "extra")
        if role != "train" or not found.ok:
            checked.append(Checked(snapshot, found))
            continue
        progress("look for leaks", 0.3)
        divided = split_of(config, problem, frame)
        leaks = find_leaks(frame, problem, divided, config.training.seed)
        checked.append(Checked(snapshot, found, tuple(leaks), len(overlap(frame, problem, divided))))
    return checked


def split_of(config: Config, problem: Problem, frame: pd.DataFrame) -> Split:
    """The hold-out split of a frame under the configured seed and share."""
    from labline.data import split

    task = task_of(problem)
    strata = task.strata(task.encode(frame[problem.target]))
    return split(frame, problem, strata, share=config.training.holdout_share, seed=config.training.seed)


def columns_of(problem: Problem, frame: pd.DataFrame) -> Columns:
    """Plain columns of a frame, the contract's policies applied."""
    absent = np.full(len(frame), None, dtype=object)  # a column that may be missing may be left out
    return settle(problem, {name: frame[name].to_numpy() if name in frame else absent for name in problem.columns})
