"""Outcomes: what labelled predictions add up to, hour by hour, and the metrics with intervals that follow from it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict

from labline.contract import Problem
from labline.model.tasks import Scores, Target, Task
from labline.monitoring.estimation import Estimate

RANKS = 1000  # bins of the positive class's probability, from which metrics that look at the order alone are made
DRAWS = 300
SEED = 7
Z = 1.959964  # two-sided, 95 %
SPREAD = ("target_2", "target_3", "error_target", "error_2_target")
SPREAD_MIN = 1e-6  # of the labels' mean square, their variance; of fourth powers four digits are left then
EPSILON = float(np.finfo(np.float64).eps)


class Outcomes(BaseModel):
    """Sums over labelled predictions; they can be added and taken away again.

    Attributes:
        rows: how many.
        delay_seconds: from prediction to label, added up.
        cells: counts by kind: `true,predicted` for classes, by position; `right`, `given`, `true` and the label's
            position for multilabel; `rank,class` for the order of a binary answer.
        sums: of each row's loss by name, and of its square, for intervals.
    """

    model_config = ConfigDict(frozen=True)

    rows: int = 0
    delay_seconds: float = 0.0
    cells: dict[str, int] = {}
    sums: dict[str, tuple[float, float]] = {}

    def __add__(self, other: Outcomes) -> Outcomes:
        return self._with(other, 1)

    def __sub__(self, other: Outcomes) -> Outcomes:
        return self._with(other, -1)

    def _with(self, other: Outcomes, sign: int) -> Outcomes:
        cells = Counter(self.cells)
        for name, count in other.cells.items():
            cells[name] += sign * count
        sums = dict(self.sums)
        for name, (total, squares) in other.sums.items():
            before = sums.get(name, (0.0, 0.0))
            sums[name] = before[0] + sign * total, before[1] + sign * squares
        return Outcomes(
            rows=self.rows + sign * other.rows,
            delay_seconds=self.delay_seconds + sign * other.delay_seconds,
            cells={name: count for name, count in cells.items() if count},
            sums=sums,
        )


@dataclass(frozen=True)
class Labelled:
    """Predictions whose labels are known.

    Attributes:
        target: the labels as the task encodes them, shape (rows,) or (rows, labels).
        scores: what was answered: probabilities of shape (rows, classes), or values of shape (rows,).
        answers: multilabel: which labels were given, shape (rows, labels); otherwise unused.
        delays: seconds from prediction to label, shape (rows,).
    """

    target: Target
    scores: Scores
    answers: NDArray[Any]
    delays: NDArray[np.float64]


def outcomes_of(problem: Problem, task: Task, found: Labelled) -> Outcomes:
    """The sums of some labelled predictions."""
    if not len(found.target):
        return Outcomes()
    of = {"regression": _of_values, "multilabel": _of_labels}.get(problem.task, _of_classes)
    cells, losses = of(task, found)
    return Outcomes(
        rows=len(found.target),
        delay_seconds=float(found.delays.sum()),
        cells=cells,
        sums={name: (float(each.sum()), float((each**2).sum())) for name, each in losses.items()},
    )


def figures_of(problem: Problem, outcomes: Outcomes) -> dict[str, Estimate]:
    """Metrics by the contract's names, the contract's own first; none where no label is known.

    Means have a normal interval, their roots its roots, R² one by the delta method; what is made of counts has one from
    counts drawn again with their own shares (Efron 1979). ROC AUC and average precision take answers in the same
    thousandth for equal.
    """
    if not outcomes.rows:
        return {}
    of = {"regression": _value_figures, "multilabel": _label_figures}.get(problem.task, _class_figures)
    found = of(outcomes, len(problem.classes))
    return {name: found[name] for name in sorted(found, key=lambda name: name != problem.metric)}


def _of_classes(_task: Task, found: Labelled) -> tuple[dict[str, int], dict[str, NDArray[np.float64]]]:
    chosen, count = found.scores.argmax(axis=1), found.scores.shape[1]
    pairs = Counter((count * found.target + chosen).tolist())
    cells = {f"{pair // count},{pair % count}": rows for pair, rows in pairs.items()}
    if count == 2:
        ranks = np.minimum((found.scores[:, 1] * RANKS).astype(int), RANKS - 1)
        cells |= {f"r{key // 2},{key % 2}": rows for key, rows in Counter((2 * ranks + found.target).tolist()).items()}
    likelihood = np.clip(found.scores[np.arange(len(found.target)), found.target], EPSILON, 1 - EPSILON)
    return cells, {"log_loss": -np.log(likelihood)}


def _of_labels(_task: Task, found: Labelled) -> tuple[dict[str, int], dict[str, NDArray[np.float64]]]:
    true, given = found.target.astype(bool), found.answers.astype(bool)
    counted = {"right": true & given, "given": given, "true": true}
    cells = {
        f"{kind},{label}": int(rows)
        for kind, mask in counted.items()
        for label, rows in enumerate(mask.sum(axis=0))
        if rows
    }
    either = (true | given).sum(axis=1)
    jaccard = np.where(either > 0, (true & given).sum(axis=1) / np.maximum(either, 1), 1.0)
    bounded = np.clip(found.scores, EPSILON, 1 - EPSILON)
    return cells, {
        "jaccard": jaccard,
        "log_loss": -np.mean(np.where(true, np.log(bounded), np.log1p(-bounded)), axis=1),
    }


def _of_values(_task: Task, found: Labelled) -> tuple[dict[str, int], dict[str, NDArray[np.float64]]]:
    missed = found.target - found.scores
    target = found.target
    losses = {"rmse": missed**2, "mae": np.abs(missed), "target": target}
    # for the interval of R²: how the errors go with the labels, and how these are spread
    losses |= {"target_2": target**2, "target_3": target**3, "error_target": missed * target}
    losses |= {"error_2_target": missed**2 * target}
    if (found.target >= 0).all() and (found.scores >= 0).all():
        losses["rmsle"] = (np.log1p(found.target) - np.log1p(found.scores)) ** 2
    return {}, losses


def _class_figures(outcomes: Outcomes, count: int) -> dict[str, Estimate]:
    table = np.zeros((count, count))
    ranks = np.zeros((RANKS, 2))
    for name, rows in outcomes.cells.items():
        place, _, column = name.removeprefix("r").partition(",")
        (ranks if name.startswith("r") else table)[int(place), int(column)] = rows
    figures = _drawn(table, {"accuracy": _accuracy, "f1_weighted": _f1_weighted, "f1_macro": _f1_macro})
    if count == 2 and ranks.any(axis=0).all():
        figures |= _drawn(ranks, {"roc_auc": _roc_auc, "average_precision": _average_precision})
    return figures | {"log_loss": _mean(outcomes, "log_loss")}


def _label_figures(outcomes: Outcomes, count: int) -> dict[str, Estimate]:
    kinds = ("right", "given", "true")
    right, given, true = np.array(
        [[outcomes.cells.get(f"{kind},{label}", 0) for label in range(count)] for kind in kinds], dtype=np.float64
    )
    # of each label, how many rows are: rightly given, wrongly given, missed, rightly left out
    counts = np.stack([right, given - right, true - right, outcomes.rows - given - true + right], axis=1)
    draws = np.random.default_rng(SEED).multinomial(outcomes.rows, counts / outcomes.rows, (DRAWS, count))
    metrics = {"f1_weighted": _labels_f1_weighted, "f1_micro": _labels_f1_micro, "f1_macro": _labels_f1_macro}
    return {
        **{name: _interval(metric(counts[None]), metric(draws)) for name, metric in metrics.items()},
        "jaccard": _mean(outcomes, "jaccard"),
        "log_loss": _mean(outcomes, "log_loss"),
    }


def _value_figures(outcomes: Outcomes, _count: int) -> dict[str, Estimate]:
    squares = _mean(outcomes, "rmse")
    figures = {"rmse": _root(squares), "mae": _mean(outcomes, "mae")}
    total, total_squares = outcomes.sums["target"]
    spread = total_squares / outcomes.rows - (total / outcomes.rows) ** 2
    if spread > 0:
        figures["r2"] = _determined(outcomes, squares.value, spread)
    if "rmsle" in outcomes.sums:
        figures["rmsle"] = _root(_mean(outcomes, "rmsle"))
    return figures


def _determined(outcomes: Outcomes, error: float, spread: float) -> Estimate:
    """R², one less the mean squared error over the labels' variance, with an interval by the delta method.

    There is none where some rows were counted before its sums were kept, and where labels lie so close together, or
    so far from zero, that what is left of their fourth powers is rounding.
    """
    found, rows = 1 - error / spread, outcomes.rows
    sums = {name: outcomes.sums.get(name, (np.nan, np.nan)) for name in ("rmse", "target", *SPREAD)}
    mean, second, third, fourth = (
        part / rows for part in (sums["target"][0], sums["target"][1], sums["target_3"][0], sums["target_2"][1])
    )
    whole = bool(np.isclose(sums["target_2"][0], sums["target"][1], rtol=1e-9))
    if not whole or rows < 2 or spread < SPREAD_MIN * second:
        return Estimate(value=found)
    around = fourth - 4 * mean * third + 6 * mean**2 * second - 3 * mean**4
    crossed = (sums["error_target"][1] - 2 * mean * sums["error_2_target"][0]) / rows + mean**2 * error
    errors = sums["rmse"][1] / rows - error**2
    variance = errors - 2 * error / spread * (crossed - error * spread) + (error / spread) ** 2 * (around - spread**2)
    width = Z * float(np.sqrt(max(variance, 0.0) / (rows - 1))) / spread
    return Estimate(value=found, low=found - width, high=min(found + width, 1.0))


def _mean(outcomes: Outcomes, name: str) -> Estimate:
    """The mean of a loss by row, with its normal interval."""
    total, squares = outcomes.sums[name]
    mean = total / outcomes.rows
    if outcomes.rows < 2:
        return Estimate(value=mean)
    error = np.sqrt(max(squares / outcomes.rows - mean**2, 0.0) / (outcomes.rows - 1))
    return Estimate(value=mean, low=float(max(mean - Z * error, 0.0)), high=float(mean + Z * error))


def _root(mean: Estimate) -> Estimate:
    return Estimate(**{end: None if found is None else float(np.sqrt(found)) for end, found in mean})


Metric = Callable[[NDArray[Any]], NDArray[np.float64]]
"""Of counts of shape (draws, rows, columns), the metric of every draw, shape (draws,)."""


def _drawn(counts: NDArray[np.float64], metrics: Mapping[str, Metric]) -> dict[str, Estimate]:
    """Metrics of counts, with the intervals of those drawn from them again."""
    total = int(counts.sum())
    draws = np.random.default_rng(SEED).multinomial(total, (counts / total).ravel(), DRAWS)
    draws = draws.reshape(DRAWS, *counts.shape)
    figures = {}
    for name, metric in metrics.items():
        figures[name] = _interval(metric(counts[None]), metric(draws))
    return figures


def _interval(metric: NDArray[np.float64], drawn: NDArray[np.float64]) -> Estimate:
    low, high = np.nanquantile(drawn, [0.025, 0.975])
    return Estimate(value=float(metric[0]), low=float(low), high=float(high))


def _accuracy(tables: NDArray[Any]) -> NDArray[np.float64]:
    return np.asarray(tables.trace(axis1=1, axis2=2) / tables.sum(axis=(1, 2)))


def _f1_by_class(tables: NDArray[Any]) -> NDArray[np.float64]:
    right = tables.diagonal(axis1=1, axis2=2)
    return np.asarray(2 * right / np.maximum(tables.sum(axis=1) + tables.sum(axis=2), 1))


def _f1_weighted(tables: NDArray[Any]) -> NDArray[np.float64]:
    true = tables.sum(axis=2)
    return np.asarray((_f1_by_class(tables) * true).sum(axis=1) / np.maximum(true.sum(axis=1), 1))


def _f1_macro(tables: NDArray[Any]) -> NDArray[np.float64]:
    """A class that is neither given nor true counts as 0, as everywhere in Labline."""
    return np.asarray(_f1_by_class(tables).mean(axis=1))


def _labels_f1(counts: NDArray[Any]) -> NDArray[np.float64]:
    right, wrong, missed = counts[..., 0], counts[..., 1], counts[..., 2]
    return np.asarray(2 * right / np.maximum(2 * right + wrong + missed, 1))


def _labels_f1_weighted(counts: NDArray[Any]) -> NDArray[np.float64]:
    true = counts[..., 0] + counts[..., 2]
    return np.asarray((_labels_f1(counts) * true).sum(axis=1) / np.maximum(true.sum(axis=1), 1))


def _labels_f1_micro(counts: NDArray[Any]) -> NDArray[np.float64]:
    return np.asarray(_labels_f1(counts.sum(axis=1)))


def _labels_f1_macro(counts: NDArray[Any]) -> NDArray[np.float64]:
    return np.asarray(_labels_f1(counts).mean(axis=1))


def _roc_auc(ranks: NDArray[Any]) -> NDArray[np.float64]:
    """The share of pairs of both classes in the right order, ties half (Mann and Whitney 1947)."""
    negative, positive = ranks[:, :, 0].astype(np.float64), ranks[:, :, 1]
    pairs = negative.sum(axis=1) * positive.sum(axis=1)
    below = negative.cumsum(axis=1) - 0.5 * negative
    return np.where(pairs > 0, (positive * below).sum(axis=1) / np.maximum(pairs, 1), np.nan)


def _average_precision(ranks: NDArray[Any]) -> NDArray[np.float64]:
    """Precision at each rank, weighted by what it adds to recall."""
    negative, positive = ranks[:, ::-1, 0], ranks[:, ::-1, 1]
    found = positive.cumsum(axis=1)
    precision = found / np.maximum(found + negative.cumsum(axis=1), 1)
    return np.asarray((precision * positive).sum(axis=1) / np.maximum(positive.sum(axis=1), 1))


def total_of(parts: Iterable[Outcomes]) -> Outcomes:
    """All parts together."""
    rows, delay = 0, 0.0
    cells: Counter[str] = Counter()
    sums: dict[str, tuple[float, float]] = {}
    for part in parts:
        rows += part.rows
        delay += part.delay_seconds
        cells.update(part.cells)
        for name, (total, squares) in part.sums.items():
            before = sums.get(name, (0.0, 0.0))
            sums[name] = before[0] + total, before[1] + squares
    return Outcomes(rows=rows, delay_seconds=delay, cells=dict(cells), sums=sums)
