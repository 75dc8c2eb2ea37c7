"""The leaderboard: what was tried for a problem, as its runs in MLflow say it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pandas as pd

from labline.model.registry import Registry, Version
from labline.model.tracking import PARENT


@dataclass(frozen=True)
class Row:  # pylint: disable=too-many-instance-attributes  # a row of a table
    """One row of the leaderboard; `holdout` is None for what was tried and not registered.

    Attributes:
        mean: of the problem's metric over the inner folds, and its `deviation`.
        loss: mean of what members are compared by.
        fit_seconds: of all folds.
        predict_ms: for 1,000 rows.
        bundle_mb: of a registered version.
        data: kind of the rows; `sha256` says which they are.
    """

    family: str
    feature_set: str
    stage: str
    mean: float
    deviation: float
    loss: float
    holdout: float | None
    fit_seconds: float
    predict_ms: float
    bundle_mb: float | None
    data: str
    sha256: str
    version: int | None
    aliases: tuple[str, ...]
    run_id: str
    started_at: pd.Timestamp


def leaderboard(registry: Registry, metric: str, loss: str, *, greater_first: bool) -> list[Row]:
    """What was tried for the problem, the best mean in cross-validation first.

    Of each family, set of columns and stage of a training the one of least loss stands for its trials.
    """
    versions = {version.run_id: version for version in registry.versions()}
    with registry.store.client() as client:
        experiment = client.get_experiment_by_name(registry.problem)
        if experiment is None:
            return []
        runs: list[Any] = []
        token = None
        while not runs or token:
            found = client.search_runs([experiment.experiment_id], max_results=1000, page_token=token)
            runs, token = [*runs, *found], found.token
            if not found:
                break
    above = {run.info.run_id: run.data.tags.get(PARENT, "") for run in runs}
    rows: dict[tuple[str, ...], Row] = {}
    for run in runs:
        if f"cv_{metric}_mean" not in run.data.metrics:
            continue
        row = _row(run, metric, loss, versions.get(run.info.run_id))
        training = run.info.run_id if row.version else above.get(above[run.info.run_id], "")
        place = (training, row.family, row.feature_set, row.stage)
        if place not in rows or (row.version is None, row.loss) < (rows[place].version is None, rows[place].loss):
            rows[place] = row  # a registered run stands for the entry below it that it was made of
    return sorted(rows.values(), key=lambda row: -row.mean if greater_first else row.mean)


def _row(run: Any, metric: str, loss: str, version: Version | None) -> Row:
    figures, tags = run.data.metrics, run.data.tags
    return Row(
        family=tags.get("labline.family", "?"),
        feature_set=tags.get("labline.feature_set", "?"),
        stage=tags.get("labline.stage", "?"),
        mean=figures[f"cv_{metric}_mean"],
        deviation=figures[f"cv_{metric}_std"],
        loss=figures.get(f"cv_{loss}_mean", float("inf")),
        holdout=figures.get(f"holdout_{metric}"),
        fit_seconds=figures.get("fit_seconds", float("nan")),
        predict_ms=figures.get("predict_ms", float("nan")),
        bundle_mb=figures.get("bundle_mb"),
        data=tags.get("labline.data", "?"),
        sha256=tags.get("labline.data_sha256", ""),
        version=version.number if version else None,
        aliases=version.aliases if version else (),
        run_id=run.info.run_id,
        started_at=pd.Timestamp(run.info.start_time, unit="ms", tz="UTC"),
    )
