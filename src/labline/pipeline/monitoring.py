"""Monitor: a window of traffic against what the champion was trained on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from sqlalchemy import Engine

from labline.config import Config
from labline.database import open_database
from labline.errors import DataError
from labline.migrations import need_tables
from labline.model.bundle import PROFILE_FILE, Bundle
from labline.model.resampling import draws, interval
from labline.monitoring.estimation import Estimate
from labline.monitoring.label_drift import label_drift
from labline.monitoring.outcome_hours import count_labels
from labline.monitoring.outcomes import figures_of
from labline.monitoring.profile import Profile
from labline.monitoring.summary import (
    About,
    Labelling,
    Summary,
    Window,
    WindowSource,
    columns_together,
    judge,
    summarise,
)
from labline.monitoring.tally_hours import count_rows
from labline.monitoring.tally_store import Counting
from labline.monitoring.windows import LogWindow, Segment, Wanted, inside, read_window
from labline.pipeline.champion import Served
from labline.pipeline.data import columns_of
from labline.store import data_folder

SEED = 7  # of the rows that are drawn for an interval

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True)
class Judged:
    """A window of the log, what was said of it, and the metrics of its labelled rows."""

    summary: Summary
    window: LogWindow
    figures: dict[str, Estimate]


def monitor(config: Config, served: Served, wanted: Wanted | None = None, *, source: WindowSource = "log") -> Summary:
    """Judge a window of the prediction log, or the "current" set.

    Args:
        config: limits, and where things are.
        served: the champion.
        wanted: which window of the log; the last rows, as many as are configured, when None. Of the "current" set,
            whose rows have no time, its segments alone count.
        source: `log` or `current`.

    Raises:
        DataError: `current` is asked for, and no such rows were taken or they break the contract.
        DatabaseError: the database is away.
        LablineError: there is no such segment.
    """
    if source == "log":
        return judge_log(config, served, wanted).summary
    bundle, profile = open_bundle(served)
    window = _current_window(config, bundle, profile, wanted.segments if wanted else ())
    return summarise(bundle, served.version, profile, window, window.rows, config.monitoring)


def judge_log(config: Config, served: Served, wanted: Wanted | None = None) -> Judged:
    """Judge a window of the prediction log; raises as `monitor` does."""
    wanted = wanted or Wanted(config.monitoring.window)
    engine = open_database(config.storage.database_url.get_secret_value())
    bundle, profile = open_bundle(served)
    counting = Counting(bundle.problem, served.version, profile, bundle.digest)
    count(engine, counting, bundle)
    found = read_window(engine, counting, bundle.task, wanted)
    figures = figures_of(bundle.problem, found.outcomes)
    return Judged(_summary(config, served, found, wanted, figures), found, figures)


def count(engine: Engine, counting: Counting, bundle: Bundle) -> None:
    """Count the rows and labels that came since they were counted last.

    Raises:
        DatabaseError: the database is away, or not migrated.
    """
    need_tables(engine)
    count_rows(engine, counting)
    count_labels(engine, bundle.problem, bundle.task, datetime.now(UTC))


def monitor_frame(config: Config, served: Served, frame: pd.DataFrame) -> Summary:
    """Judge any rows as if they had been met in production; with the target in them, the performance too.

    Raises:
        DataError: the rows break the champion's contract.
    """
    bundle, profile = open_bundle(served)
    window = _frame_window(bundle, frame, where="the frame")
    return summarise(bundle, served.version, profile, window, len(frame), config.monitoring)


def _summary(config: Config, served: Served, found: LogWindow, wanted: Wanted, figures: dict[str, Estimate]) -> Summary:
    bundle, profile = open_bundle(served)
    outcomes, settings = found.outcomes, config.monitoring
    columns = found.columns
    labelling = Labelling(
        rows=outcomes.rows,
        metrics=figures,
        delay_seconds=outcomes.delay_seconds / outcomes.rows if outcomes.rows else None,
        drift=label_drift(bundle.problem, profile, found, settings),
    )
    return judge(
        bundle,
        served.version,
        profile,
        found.tally,
        About("log", wanted.last, found.since, found.until),
        settings,
        together=None if columns is None else columns_together(profile, bundle.problem, columns, settings),
        labelling=labelling,
        notes=(*(f"only {segment}" for segment in wanted.segments), *found.notes),
    )


def _current_window(config: Config, bundle: Bundle, profile: Profile, segments: Sequence[Segment]) -> Window:
    frame, origin = current_frame(config, bundle)
    if segments:
        here = inside(bundle.problem, profile, columns_of(bundle.problem, frame), segments)
        frame = frame.iloc[np.flatnonzero(here)]
    return _frame_window(bundle, frame, where=origin)


def current_frame(config: Config, bundle: Bundle) -> tuple[pd.DataFrame, str]:
    """The "current" set in use, and where it is from.

    Raises:
        DataError: none was taken.
    """
    from labline.data import Snapshots

    snapshots = Snapshots(data_folder(config), bundle.problem)
    snapshot = snapshots.need("current")
    return snapshots.read("current", snapshot.sha256), snapshot.origin


def _frame_window(bundle: Bundle, frame: pd.DataFrame, where: str) -> Window:
    from labline.data import check_frame

    problem = bundle.problem
    labelled = problem.target in frame
    check_frame(frame, problem, with_target=labelled).need_ok(where=where)
    columns = columns_of(problem, frame)
    scores = bundle.scores(columns)
    task = bundle.task
    window = Window(source="current", columns=columns, predictions=task.decisions(scores), scores=scores)
    if not labelled:
        return window
    target = task.encode(frame[problem.target])
    metrics = task.metrics(target, scores)
    drawn = task.resampled([problem.metric], target, scores, draws(len(frame), SEED))[problem.metric]
    return replace(
        window,
        labels=task.truth(frame[problem.target]),
        performance=metrics,
        interval=interval(metrics[problem.metric], drawn),
    )


@lru_cache(maxsize=2)
def _opened(folder: Path) -> tuple[Bundle, Profile]:
    """The bundle in the folder and its profile; a worker that is asked again and again loads them once."""
    if not folder.is_dir():
        raise DataError("the bundle is gone", where=str(folder), mend="promote again, or start the API again")
    return Bundle.load(folder), Profile.model_validate_json((folder / PROFILE_FILE).read_bytes())


def open_bundle(served: Served) -> tuple[Bundle, Profile]:
    """The bundle of a version, and its reference profile.

    Raises:
        DataError: it is gone from the cache.
        BundleError: it is not whole.
    """
    return _opened(served.folder)
