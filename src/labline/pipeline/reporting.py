"""Report pages: a window against the hold-out as Evidently draws it, kept and listed."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime
from math import ceil
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from labline.config import Config
from labline.database import open_database, reaching
from labline.model.bundle import Bundle
from labline.monitoring.kinds import ReportKind, ReportResult
from labline.monitoring.label_drift import decoded
from labline.monitoring.log_rows import LogRows, encoded, logged_part, read_rows
from labline.monitoring.prediction_log import PREDICTIONS
from labline.monitoring.summary import Summary, WindowSource
from labline.monitoring.windows import Wanted
from labline.pipeline.champion import Served
from labline.pipeline.data import columns_of
from labline.pipeline.divided import holdout_frame
from labline.pipeline.monitoring import current_frame, judge_log, monitor, open_bundle
from labline.store import reports_folder

if TYPE_CHECKING:
    import pandas as pd

    from labline.monitoring.reports import ReportRows

NAME = re.compile(rf"(\d{{8}}T\d{{6}}Z)-({'|'.join(ReportKind)})-(.+)-[0-9a-f]{{6}}\.html")


@dataclass(frozen=True)
class Page:
    """A page that is kept on this machine."""

    name: str
    kind: ReportKind
    made_at: datetime
    window: str
    size: int


def report(
    config: Config, served: Served, kind: ReportKind, wanted: Wanted | None = None, *, source: WindowSource = "log"
) -> Summary | ReportResult:
    """Write an Evidently page of the window against the hold-out; the summary instead, where there is too little.

    The page is written on this machine, from where it is shown; with `storage.root` set, it is kept there too.

    Raises:
        DataError: the training data is not in this workspace, the page needs labels and there are none, or it cannot
            be kept.
    """
    from labline.monitoring.reports import write_report

    wanted = wanted or Wanted(config.monitoring.window)
    summary = monitor(config, served, wanted, source=source)
    if summary.status == "insufficient_data":
        return summary
    bundle, _ = open_bundle(served)
    problem = bundle.problem
    if source == "current":
        frame, _ = current_frame(config, bundle)
        window = _frame_rows(bundle, frame)
    else:
        problem = logged_part(problem)
        window = _log_rows(bundle, _drawn(config, served, wanted), labelled=kind is ReportKind.MODEL_PERFORMANCE)
    page = write_report(
        kind,
        problem,
        _frame_rows(bundle, holdout_frame(config, bundle)),
        window,
        folder=config.settings.reports / problem.name,
        label=f"v{served.version}-{'current' if source == 'current' else f'{summary.rows}rows'}",
        rows_max=config.monitoring.rows_max,
    )
    if config.storage.root is None:
        return page
    kept = reports_folder(config) / problem.name
    kept.write(page.path.name, page.path.read_bytes())
    return page.model_copy(update={"kept_at": f"{kept}/{page.path.name}"})


def report_pages(config: Config, problem: str) -> list[Page]:
    """The pages that are kept on this machine, the newest first."""
    found = []
    for path in (config.settings.reports / problem).glob("*.html"):
        name = NAME.fullmatch(path.name)
        if name:
            made = datetime.strptime(name[1], "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)
            found.append(Page(path.name, ReportKind(name[2]), made, name[3], path.stat().st_size))
    return sorted(found, key=lambda page: page.name, reverse=True)


def report_page(config: Config, problem: str, name: str) -> Path | None:
    """A page of that name on this machine; None where there is none."""
    path = config.settings.reports / problem / name
    return path if NAME.fullmatch(name) and "/" not in name and "\\" not in name and path.is_file() else None


def _drawn(config: Config, served: Served, wanted: Wanted) -> LogRows:
    """The window's rows; of a window too large for a page, every so many of them."""
    judged = judge_log(config, served, wanted).window
    if judged.rows is not None:
        return judged.rows
    every = ceil(judged.tally.rows / config.monitoring.rows_max)
    log = PREDICTIONS.c
    here = (log.at >= judged.since, log.at < judged.until, log.sequence % every == 0)
    engine = open_database(config.storage.database_url.get_secret_value())
    with reaching(engine), engine.connect() as connection:
        name = open_bundle(served)[0].problem.name
        return read_rows(connection, name, served.version, *here, limit=config.monitoring.rows_max, order="latest")


def _log_rows(bundle: Bundle, rows: LogRows, *, labelled: bool) -> ReportRows:
    from labline.monitoring.reports import ReportRows

    problem = bundle.problem
    known = np.flatnonzero([label is not None for label in rows.labels])
    if labelled and len(known):
        rows = rows.take(known)
    labels = decoded(problem, encoded(bundle.task, rows.labels)) if labelled and len(known) else None
    return ReportRows(rows.columns(problem), rows.decisions(problem), labels)


def _frame_rows(bundle: Bundle, frame: pd.DataFrame) -> ReportRows:
    from labline.monitoring.reports import ReportRows

    columns = columns_of(bundle.problem, frame)
    decisions = bundle.task.decisions(bundle.scores(columns))
    labels = bundle.task.truth(frame[bundle.problem.target]) if bundle.problem.target in frame else None
    return ReportRows(columns, decisions, labels)
