"""Report pages by Evidently. Its import takes seconds and much memory: run in a worker, never in a server's loop."""

from __future__ import annotations

import os
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from pandas.api.types import is_numeric_dtype

from labline.contract import Column, Columns, LabelsColumn, Problem
from labline.errors import DataError
from labline.monitoring.kinds import ReportKind, ReportResult
from labline.monitoring.profile import PREDICTION, measured

SEED = 7  # a page made twice from the same rows shows the same sample


@dataclass(frozen=True)
class ReportRows:
    """Rows of one side of a page: the contract's columns, the predictions, and labels where they are known."""

    columns: Columns
    predictions: np.ndarray[Any, Any]
    labels: np.ndarray[Any, Any] | None


def write_report(
    kind: ReportKind,
    problem: Problem,
    reference: ReportRows,
    current: ReportRows,
    *,
    folder: Path,
    label: str,
    rows_max: int,
) -> ReportResult:
    """Write a page under `folder`, with a name of its own, and give its numbers.

    Args:
        kind: which page.
        problem: the contract.
        reference: held-out rows of the training data.
        current: the window.
        folder: `reports/<problem>` of the workspace.
        label: what the name says of the window, e.g. `v3-last300`.
        rows_max: a side with more rows is sampled down to this, and a note says so.

    Raises:
        DataError: the page needs labels and the window has none.
    """
    if kind is ReportKind.MODEL_PERFORMANCE and current.labels is None:
        raise DataError("the window has no labels", mend="use source=current, which has them")
    notes: list[str] = []
    frames = {
        side: _sampled(_frame(problem, rows, kind), rows_max, f"{side} rows", notes)
        for side, rows in (("reference", reference), ("window", current))
    }
    if kind is ReportKind.MODEL_PERFORMANCE and problem.classes:
        if frames["window"].empty:  # of several labels there may be rows without any
            raise DataError("no label was given or true in the window", mend="ask for a larger window")
        if not _comparable(problem, frames):
            notes.append("the reference is left out: it and the window have not the same classes in them")
            del frames["reference"]
    for name in _unusable(frames):
        notes.append(f"{name} is left out: it has no values on one side")
        frames = {side: frame.drop(columns=name) for side, frame in frames.items()}
    snapshot = _run(kind, problem, frames)
    folder.mkdir(parents=True, exist_ok=True)
    stamp = datetime.now(UTC).strftime("%Y%m%dT%H%M%SZ")
    path = folder / f"{stamp}-{kind}-{label}-{uuid.uuid4().hex[:6]}.html"
    snapshot.save_html(str(path))  # a Path would be taken, and nothing written
    if not path.is_file():
        raise DataError("the page was not written", where=str(path), mend="see that the folder can be written to")
    return ReportResult(
        kind=kind,
        path=path,
        rows=len(frames["window"]),
        reference_rows=len(frames.get("reference", ())),
        notes=notes,
        metrics=[_number(metric) for metric in snapshot.dict()["metrics"]],
    )


def _frame(problem: Problem, rows: ReportRows, kind: ReportKind) -> pd.DataFrame:
    """One side's rows in types that Evidently knows: moments as days since 1970, texts and lists by their length.

    Of a multilabel problem, outcomes are set out one label a row: names for drift, yes or no for performance.
    """
    outcomes = {PREDICTION: rows.predictions}
    if rows.labels is not None and kind is not ReportKind.DATA_DRIFT:
        outcomes[problem.target] = rows.labels
    if problem.task == "multilabel":
        if kind is ReportKind.TARGET_DRIFT:
            return pd.DataFrame({name: pd.Series(measured(values)) for name, values in outcomes.items()})
        if kind is ReportKind.MODEL_PERFORMANCE:
            return _decisions_frame(problem, outcomes)
        outcomes = {name: _lengths(values) for name, values in outcomes.items()}
    columns = {name: _comparable_values(rows.columns[name], column) for name, column in problem.columns.items()}
    return pd.DataFrame(columns | outcomes)


def _comparable_values(values: np.ndarray[Any, Any], column: Column) -> np.ndarray[Any, Any]:
    return _lengths(values) if isinstance(column, LabelsColumn) else measured(values, column)


def _lengths(lists: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    return np.array([np.nan if names is None else len(names) for names in lists], dtype=np.float64)


def _decisions_frame(problem: Problem, outcomes: Mapping[str, np.ndarray[Any, Any]]) -> pd.DataFrame:
    """Every decision on a label that was given or true: whether it was, so that the page shows micro averages."""
    decided = [
        (name, "yes" if name in given else "no", "yes" if name in true else "no")
        for given, true in zip(outcomes[PREDICTION], outcomes[problem.target], strict=True)
        for name in sorted({*given, *true} & {*problem.classes})
    ]
    return pd.DataFrame(decided, columns=["label", PREDICTION, problem.target], dtype="str")


def _sampled(frame: pd.DataFrame, rows_max: int, what: str, notes: list[str]) -> pd.DataFrame:
    if len(frame) <= rows_max:
        return frame
    notes.append(f"{what}: a random sample of {rows_max:,} of {len(frame):,}")
    return frame.sample(rows_max, random_state=SEED)


def _unusable(frames: Mapping[str, pd.DataFrame]) -> list[str]:
    """Columns that one side lacks or has only missing values in: one of these would kill a whole page."""
    every = {str(name) for frame in frames.values() for name in frame.columns}
    return sorted(name for name in every if any(name in f and f[name].isna().all() for f in frames.values()))


def _run(kind: ReportKind, problem: Problem, frames: Mapping[str, pd.DataFrame]) -> Any:
    os.environ["DO_NOT_TRACK"] = "1"  # Evidently reads it when it is imported
    from evidently import DataDefinition, Dataset, Regression, Report

    both = set.intersection(*(set(frame.columns) for frame in frames.values()))
    outcome = [PREDICTION, problem.target]
    numbers = [name for name in both if all(is_numeric_dtype(frame[name]) for frame in frames.values())]
    categories = [name for name in both if name not in numbers]
    labelled: dict[str, Any] = {}
    if {*outcome} <= both:
        if problem.classes:
            labelled["classification"] = [_classification(problem, frames)]
        else:
            labelled["regression"] = [Regression(target=problem.target, prediction=PREDICTION)]
    definition = DataDefinition(numerical_columns=numbers, categorical_columns=categories, **labelled)
    order = [name for name in (*problem.columns, "label", *outcome) if name in both]
    sides = {side: Dataset.from_pandas(frame[order], data_definition=definition) for side, frame in frames.items()}
    with np.errstate(all="ignore"):
        return Report(_metrics(kind, problem, order)).run(sides["window"], sides.get("reference"))


def _classes_met(problem: Problem, frame: pd.DataFrame) -> set[str]:
    """The class names in the rows, true or predicted."""
    return {*frame[PREDICTION], *frame[problem.target]}


def _comparable(problem: Problem, frames: Mapping[str, pd.DataFrame]) -> bool:
    """Whether Evidently can set the sides' classes beside each other; where it cannot, it fails on the whole page."""
    reference, window = frames["reference"], frames["window"]
    if not set(window[problem.target]) <= set(reference[problem.target]):
        return False
    return not len(_classes_met(problem, window)) < len(_classes_met(problem, reference)) == 2


def _classification(problem: Problem, frames: Mapping[str, pd.DataFrame]) -> Any:
    """How Evidently is to read labels: where it meets just two, it must be told which one is positive, or it fails."""
    from evidently import BinaryClassification, MulticlassClassification

    pairs = [names for frame in frames.values() if len(names := _classes_met(problem, frame)) == 2]
    common = set.intersection(*pairs) if pairs else set()
    for name in ("yes", *reversed(problem.classes)) if problem.task == "multilabel" else reversed(problem.classes):
        if name in common:
            return BinaryClassification(target=problem.target, prediction_labels=PREDICTION, pos_label=name)
    return MulticlassClassification(target=problem.target, prediction_labels=PREDICTION)


def _metrics(kind: ReportKind, problem: Problem, present: list[str]) -> list[Any]:
    from evidently import presets
    from evidently.metrics import ValueDrift

    pages: dict[ReportKind, Callable[[], list[Any]]] = {
        ReportKind.DATA_DRIFT: lambda: [
            presets.DataDriftPreset(columns=[name for name in present if name in problem.columns])
        ],
        ReportKind.TARGET_DRIFT: lambda: [
            ValueDrift(column=name) for name in (PREDICTION, problem.target) if name in present
        ],
        ReportKind.DATA_QUALITY: lambda: [presets.DataSummaryPreset(columns=present)],
        ReportKind.MODEL_PERFORMANCE: lambda: [
            presets.ClassificationPreset() if problem.classes else presets.RegressionPreset()
        ],
    }
    return pages[kind]()


def _number(metric: Mapping[str, Any]) -> dict[str, Any]:
    """A metric of a page as plain JSON: its name, what it is about, and its value."""
    config = metric.get("config") or {}
    about = {key: config[key] for key in ("column", "method") if config.get(key) is not None}
    return {"name": str(metric.get("metric_name", "")), **about, "value": _plain(metric.get("value"))}


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {str(key): _plain(inner) for key, inner in value.items()}
    if isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, float) and not np.isfinite(value):
        return None  # JSON has no NaN
    return value if value is None or isinstance(value, int | float | str | bool) else str(value)
