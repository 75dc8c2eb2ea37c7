"""Retrain: a challenger from the training data and the labelled rows of the prediction log."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from sqlalchemy import Engine, select

from labline.config import Config
from labline.contract import Problem
from labline.database import open_database, reaching
from labline.errors import DataError
from labline.monitoring.log_rows import read_rows
from labline.monitoring.outcome_hours import read_outcomes
from labline.monitoring.outcomes import Outcomes, figures_of
from labline.monitoring.prediction_log import PREDICTIONS
from labline.monitoring.retraining import Decision, Measured, choose, claim, decide, finish, give_up, last_retraining
from labline.monitoring.tables import LABELS
from labline.monitoring.tally_store import Counting
from labline.pipeline.champion import Served, champion
from labline.pipeline.monitoring import count, open_bundle
from labline.pipeline.training import Trained, train
from labline.progress import Progress, silent
from labline.store import data_folder

if TYPE_CHECKING:
    import pandas as pd

    from labline.data import Snapshot

IDS_AT_ONCE = 500


@dataclass(frozen=True)
class Retraining:
    """What was decided, why, and what was trained; None where nothing was."""

    decision: Decision
    labelled_rows: int
    trained: Trained | None = None


def retrain(
    config: Config,
    problem: Problem,
    *,
    if_needed: bool = False,
    accept_leaks: bool = False,
    progress: Progress = silent,
) -> Retraining:
    """Train a challenger, because it is asked for or because the rule of `monitoring.yaml` asks for it.

    The labelled rows of the log are kept as a snapshot, so that the training can be repeated. A row alike one of the
    training data's own is left out: it may be held out.

    Args:
        config: the rule, the budget, and where things are.
        problem: the contract.
        if_needed: train only if the rule says so and the last retraining is long enough ago.
        accept_leaks: as `train`.
        progress: told of each step.

    Raises:
        DataError: there are no labelled rows, or they break the contract; and as `train`.
        RegistryError: there is no champion, or MLflow is out of reach.
        LablineError: another retraining has begun meanwhile.
    """
    engine = open_database(config.storage.database_url.get_secret_value())
    served = champion(config, problem.name)
    measured = _measured(config, engine, served)
    ids = _labelled_ids(engine, problem.name)
    now = datetime.now(UTC)
    with reaching(engine), engine.connect() as connection:
        past = last_retraining(connection, problem.name)
    decision = decide(config.monitoring, past, measured, len(ids), now) if if_needed else Decision(True, "asked for")
    if not decision.due:
        return Retraining(decision, len(ids))
    entry = claim(engine, problem.name, past, decision.reason, len(ids), now)
    try:
        progress("read the labelled rows of the log", 0.0)
        snapshot = _keep(config, problem, _labelled_frame(engine, problem, ids))
        trained = train(config, problem, labelled=snapshot, accept_leaks=accept_leaks, progress=progress)
    except BaseException:  # Ctrl-C too: whatever ends it, the next one need not wait for the cool-down
        give_up(engine, entry)
        raise
    finish(engine, entry, trained.version.number)
    return Retraining(decision, snapshot.rows, trained)


def _measured(config: Config, engine: Engine, served: Served) -> Measured | None:
    """The champion's performance on its newest labelled rows, whole hours of them; None where there are too few."""
    bundle, profile = open_bundle(served)
    problem = bundle.problem
    count(engine, Counting(problem, served.version, profile, bundle.digest), bundle)
    with reaching(engine), engine.connect() as connection:
        hours = read_outcomes(connection, problem.name, served.version)
    newest = Outcomes()
    for hour in sorted(hours, reverse=True):
        if newest.rows >= config.monitoring.retrain_labels_min:
            break
        newest += hours[hour]
    if newest.rows < config.monitoring.retrain_labels_min:
        return None
    figures, rows = figures_of(problem, newest), bundle.manifest.data.holdout_rows
    return choose(problem.metric, bundle.task.loss, figures, profile.holdout, newest.rows, rows)


def _labelled_ids(engine: Engine, problem: str) -> list[str]:
    """Ids of the predictions whose labels are known, in the order they were told."""
    query = select(LABELS.c.prediction_id).where(LABELS.c.problem == problem, LABELS.c.counted.is_not(None))
    with reaching(engine), engine.connect() as connection:
        return list(connection.execute(query.order_by(LABELS.c.received_at, LABELS.c.prediction_id)).scalars())


def _labelled_frame(engine: Engine, problem: Problem, ids: list[str]) -> pd.DataFrame:
    """The labelled rows, typed as training rows are.

    Raises:
        DataError: there are none, or they lack a column, or break the contract.
    """
    import pandas as pd

    from labline.contract.source import Dialect
    from labline.contract.written import as_list
    from labline.data import check_frame
    from labline.data.sources.files import frame_of_chunks

    if not ids:
        raise DataError(
            "no label is known of any prediction",
            where=problem.name,
            mend="send labels to POST /feedback, or use train",
        )
    hidden = [name for name, column in problem.columns.items() if not column.logged and column.missing == "refuse"]
    if hidden:
        raise DataError(
            f"the log does not hold {', '.join(hidden)}, so nothing can be learned from it",
            where=problem.name,
            mend="let it be logged, or allow it to be missing",
        )
    records: list[dict[str, Any]] = []
    with reaching(engine), engine.connect() as connection:
        for start in range(0, len(ids), IDS_AT_ONCE):
            some = PREDICTIONS.c.prediction_id.in_(ids[start : start + IDS_AT_ONCE])
            rows = read_rows(connection, problem.name, None, some)
            labels = (as_list(one) if isinstance(one, list) else one for one in rows.labels)
            records += [row | {problem.target: label} for row, label in zip(rows.inputs, labels, strict=True)]
    frame = frame_of_chunks([pd.DataFrame.from_records(records)], problem, Dialect())
    frame = frame[[name for name in frame if name in problem.columns or name == problem.target]]
    check_frame(frame, problem, with_target=True).need_ok(where="labelled rows of the prediction log")
    return frame


def _keep(config: Config, problem: Problem, frame: pd.DataFrame) -> Snapshot:
    from labline.data import Snapshots
    from labline.data.sources.taking import Taken

    origin = f"log:{problem.name}, {len(frame):,} labelled rows"
    return Snapshots(data_folder(config), problem).keep(Taken(frame, "file", origin), "labelled")
