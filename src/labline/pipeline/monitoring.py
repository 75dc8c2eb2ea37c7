"""Monitor: a window of traffic against what the champion was trained on."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from labline.config import Config
from labline.contract import as_given, settle
from labline.database import open_database
from labline.errors import DataError
from labline.model.bundle import PROFILE_FILE, Bundle
from labline.monitoring.prediction_log import PredictionLog
from labline.monitoring.profile import Profile
from labline.monitoring.summary import Summary, Window, WindowSource, summarise
from labline.pipeline.champion import Served
from labline.pipeline.data import columns_of
from labline.pipeline.divided import holdout_frame
from labline.store import data_folder, reports_folder

if TYPE_CHECKING:
    import pandas as pd

    from labline.monitoring.kinds import ReportKind
    from labline.monitoring.reports import ReportResult, ReportRows


def monitor(config: Config, served: Served, *, rows: int | None = None, source: WindowSource = "log") -> Summary:
    """Judge the last rows of the prediction log, or the whole "current" set.

    Args:
        config: limits, and where things are.
        served: the champion.
        rows: of the log; the configured window when None.
        source: `log` or `current`.

    Raises:
        DataError: `current` is asked for, and no such rows were taken or they break the contract.
    """
    wanted = rows or config.monitoring.window
    bundle = _bundle(served.folder)
    profile = Profile.model_validate_json((served.folder / PROFILE_FILE).read_bytes())
    window = read_window(config, served, wanted, source)
    return summarise(bundle, served.version, profile, window, wanted, config.monitoring)


def monitor_frame(config: Config, served: Served, frame: pd.DataFrame) -> Summary:
    """Judge any rows as if they had been met in production; with the target in them, the performance too.

    Raises:
        DataError: the rows break the champion's contract.
    """
    window = _frame_window(_bundle(served.folder), frame, where="the frame")
    profile = Profile.model_validate_json((served.folder / PROFILE_FILE).read_bytes())
    return summarise(_bundle(served.folder), served.version, profile, window, len(frame), config.monitoring)


def report(
    config: Config, served: Served, kind: ReportKind, *, rows: int | None = None, source: WindowSource = "log"
) -> Summary | ReportResult:
    """Write an Evidently page of the window against the hold-out; the summary instead, where there is too little.

    The page is written on this machine, from where it is shown; with `storage.root` set, it is kept there too.

    Raises:
        DataError: the training data is not in this workspace, the page needs labels and there are none, or it cannot
            be kept.
    """
    from labline.monitoring.reports import write_report

    summary = monitor(config, served, rows=rows, source=source)
    if summary.status == "insufficient_data":
        return summary
    bundle = _bundle(served.folder)
    window = read_window(config, served, rows or config.monitoring.window, source)
    holdout = holdout_frame(config, bundle)
    page = write_report(
        kind,
        bundle.problem,
        _report_rows(bundle, holdout),
        _window_rows(window),
        folder=config.settings.reports / bundle.problem.name,
        label=f"v{served.version}-{'current' if source == 'current' else f'last{window.rows}'}",
        rows_max=config.monitoring.rows_max,
    )
    if config.storage.root is None:
        return page
    kept = reports_folder(config) / bundle.problem.name
    kept.write(page.path.name, page.path.read_bytes())
    return page.model_copy(update={"kept_at": f"{kept}/{page.path.name}"})


def read_window(config: Config, served: Served, rows: int, source: WindowSource) -> Window:
    """The window's rows; of the log those that this version answered, for another's predictions are not its own."""
    bundle = _bundle(served.folder)
    if source == "current":
        return _current_window(config, bundle)
    log = PredictionLog(open_database(config.storage.database_url.get_secret_value()))
    found = log.last(bundle.problem.name, rows, served.version)
    given = {name: [row.input.get(name) for row in found] for name in bundle.problem.columns}
    answered = [tuple(p) if isinstance(p, list) else p for p in (row.prediction for row in found)]
    predictions = np.empty(len(answered), dtype=object if bundle.problem.classes else float)
    predictions[:] = answered
    classes = bundle.problem.classes
    scores = np.array([[row.probabilities.get(name, 0.0) for name in classes] for row in found])
    return Window(
        source="log",
        columns=settle(bundle.problem, given),
        given=as_given(bundle.problem, given),
        predictions=predictions,
        scores=scores.reshape(len(found), len(classes)) if classes else predictions,
        since=found[0].at if found else None,
        until=found[-1].at if found else None,
    )


def _current_window(config: Config, bundle: Bundle) -> Window:
    from labline.data import Snapshots

    snapshots = Snapshots(data_folder(config), bundle.problem)
    snapshot = snapshots.need("current")
    return _frame_window(bundle, snapshots.read("current", snapshot.sha256), where=snapshot.origin)


def _frame_window(bundle: Bundle, frame: pd.DataFrame, where: str) -> Window:
    from labline.data import check_frame

    problem = bundle.problem
    labelled = problem.target in frame
    check_frame(frame, problem, with_target=labelled).need_ok(where=where)
    columns = columns_of(problem, frame)
    scores = bundle.scores(columns)
    return Window(
        source="current",
        columns=columns,
        predictions=bundle.task.decisions(scores),
        scores=scores,
        labels=bundle.task.truth(frame[problem.target]) if labelled else None,
        performance=bundle.task.metrics(bundle.task.encode(frame[problem.target]), scores) if labelled else None,
    )


def _report_rows(bundle: Bundle, frame: pd.DataFrame) -> ReportRows:
    from labline.monitoring.reports import ReportRows

    columns = columns_of(bundle.problem, frame)
    decisions = bundle.task.decisions(bundle.scores(columns))
    return ReportRows(columns, decisions, bundle.task.truth(frame[bundle.problem.target]))


def _window_rows(window: Window) -> ReportRows:
    from labline.monitoring.reports import ReportRows

    return ReportRows(window.columns, window.predictions, window.labels)


@lru_cache(maxsize=2)
def _bundle(folder: Path) -> Bundle:
    """The bundle in the folder; a worker that is asked again and again loads it once."""
    if not folder.is_dir():
        raise DataError("the bundle is gone", where=str(folder), mend="promote again, or start the API again")
    return Bundle.load(folder)
