"""Advice: what a person should do about a summary, in sentences."""

from __future__ import annotations

from collections.abc import Iterator

from labline.model.tasks import greater_is_better
from labline.monitoring.judging import What
from labline.monitoring.summary import Summary

NAMES_MAX = 5


def advice_of(summary: Summary, metric: str) -> list[str]:
    """What is recommended, the most urgent first."""
    if summary.status == "insufficient_data":
        return ["Ask for a larger window, or wait for more predictions."]
    if summary.status == "ok":
        return ["Nothing is to be done."]
    return list(_advice(summary, metric))


def _advice(summary: Summary, metric: str) -> Iterator[str]:
    if _fell(summary, metric):
        yield (
            f"Train again with the labels of the log: labline retrain {summary.problem}; then labline promote "
            f"{summary.problem} compares."
        )
    if names := _alarmed(summary, "missing"):
        yield f"Ask whoever sends {names} why values are missing."
    if names := _alarmed(summary, "new categories"):
        yield f"See whether the new names of {names} are mistakes, or belong into the contract and the training data."
    if names := _alarmed(summary, "out of range"):
        yield f"See whether {names} comes in another unit than before, or the contract's range is too narrow."
    if names := _alarmed(summary, "distribution"):
        yield f"See what has changed at the source of {names}: other people, another form, another unit."
    if not summary.labelling.rows:
        yield (
            "Drift alone is no reason to train again: send labels of some of these predictions to POST /feedback, to "
            "know whether the answers have become worse."
        )
    elif not _fell(summary, metric):
        yield f"{metric} of the rows with labels has not clearly fallen: drift alone is no reason to train again."


def _alarmed(summary: Summary, what: What) -> str:
    """The columns with such an alarm, the most changed first."""
    names = [column.column for column in summary.columns if what in column.alarms]
    more = f" and {len(names) - NAMES_MAX} more" if len(names) > NAMES_MAX else ""
    return ", ".join(names[:NAMES_MAX]) + more


def _fell(summary: Summary, metric: str) -> bool:
    """Whether the better end of the labelled rows' interval is worse than the hold-out's figure."""
    figure, holdout = summary.labelling.metrics.get(metric), summary.holdout.get(metric)
    if figure is None or holdout is None:
        return False
    best = figure.high if greater_is_better(metric) else figure.low
    if best is None:
        return False
    return best < holdout if greater_is_better(metric) else best > holdout
