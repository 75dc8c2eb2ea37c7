"""Gauges: what monitoring found last, as numbers that a time series database can keep and alert on."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from labline.monitoring.outcomes import Outcomes
from labline.monitoring.summary import Summary

STATUSES = ("ok", "warn", "drift", "insufficient_data")


@dataclass(frozen=True)
class Gauge:
    """One number, named as Prometheus has it."""

    name: str
    help: str
    value: float
    labels: Mapping[str, str] = field(default_factory=dict)


def gauges_of(summary: Summary, outcomes: Outcomes, labelled: Mapping[str, float]) -> list[Gauge]:
    """The gauges of a window; all carry the problem's name and the model's version.

    Args:
        summary: of the window.
        outcomes: of its labelled rows.
        labelled: metrics of these.
    """
    common = {"problem": summary.problem, "version": str(summary.model_version)}
    return [
        Gauge(one.name, one.help, one.value, common | dict(one.labels))
        for one in (*_status(summary), *_columns(summary), *_performance(summary, outcomes, labelled))
    ]


def _status(summary: Summary) -> Iterator[Gauge]:
    for status in STATUSES:
        said = "1 for the status of the last window, 0 for the others"
        yield Gauge("labline_drift_status", said, float(summary.status == status), {"status": status})
    yield Gauge("labline_window_rows", "rows in the last window", float(summary.rows))


def _columns(summary: Summary) -> Iterator[Gauge]:
    rows = [*summary.columns, *([summary.prediction] if summary.prediction else [])]
    for row in rows:
        of = {"column": row.column}
        yield Gauge("labline_drift_score", "effect of the column's drift, 0 to 1", row.effect, of)
        yield Gauge("labline_missing_share", "share of the column's values missing", row.missing_share, of)
    for name, count in summary.predictions.items():
        yield Gauge("labline_window_predictions", "predictions in the last window", float(count), {"class": name})


def _performance(summary: Summary, outcomes: Outcomes, labelled: Mapping[str, float]) -> Iterator[Gauge]:
    for name, value in summary.holdout.items():
        yield Gauge("labline_holdout_performance", "the metric on the hold-out", value, {"metric": name})
    for name, value in labelled.items():
        yield Gauge("labline_labelled_performance", "the metric of labelled rows", value, {"metric": name})
    for name, estimate in summary.estimated.items():
        said = "the metric as it probably is, without labels"
        yield Gauge("labline_estimated_performance", said, estimate.value, {"metric": name})
    yield Gauge("labline_labelled_rows", "rows of the last window whose labels are known", float(outcomes.rows))
    if outcomes.rows:
        mean = outcomes.delay_seconds / outcomes.rows
        yield Gauge("labline_label_delay_seconds", "mean time from prediction to label", mean)
