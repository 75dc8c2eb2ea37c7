"""Plots of a run: confusion matrix, importances, calibration; for regression predicted against true."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from matplotlib.figure import Figure

from labline.model.calibration import calibration

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from labline.model.tasks import ClassFigures

FEATURES_SHOWN = 25
LABELS_SHOWN = 50
COLOUR = "#2f6f8f"


def confusion_plot(classes: Sequence[str], counts: NDArray[np.intp]) -> Figure:
    """Counts of true against predicted class, shaded by the share of the true class."""
    shares = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    names = [name.replace("_", " ") for name in classes]
    figure = Figure(figsize=(2.5 + 0.8 * len(names), 2.0 + 0.7 * len(names)), layout="constrained")
    axes = figure.subplots()
    axes.imshow(shares, cmap="Blues", vmin=0, vmax=1)
    for (row, column), count in np.ndenumerate(counts):
        ink = "white" if shares[row, column] > 0.5 else "black"
        axes.text(column, row, f"{count}", ha="center", va="center", color=ink)
    axes.set_xticks(range(len(names)), names, rotation=40, ha="right")
    axes.set_yticks(range(len(names)), names)
    axes.set(xlabel="predicted", ylabel="true", title=f"Confusion matrix, {counts.sum():,} held-out rows")
    return figure


def importance_plot(names: Sequence[str], importances: NDArray[np.float64]) -> Figure:
    """Share of each feature in the total gain of all splits, the largest first."""
    order = np.argsort(importances)[-FEATURES_SHOWN:]
    total = importances.sum() or 1.0
    figure = Figure(figsize=(7, 1.2 + 0.25 * len(order)), layout="constrained")
    axes = figure.subplots()
    axes.barh([names[index] for index in order], importances[order] / total, color=COLOUR)
    axes.set(xlabel="share of total gain", title="Importances")
    axes.spines[["top", "right"]].set_visible(False)
    return figure


def labels_plot(figures: Sequence[ClassFigures]) -> Figure:
    """F1 of the commonest labels, with the number of rows that have them."""
    shown = sorted(figures, key=lambda label: -label.rows)[:LABELS_SHOWN][::-1]
    figure = Figure(figsize=(7, 1.2 + 0.22 * len(shown)), layout="constrained")
    axes = figure.subplots()
    axes.barh([f"{label.name} ({label.rows:,})" for label in shown], [label.f1 for label in shown], color=COLOUR)
    axes.set(xlim=(0, 1), xlabel="F1", title="Labels (held-out rows that have them)")
    axes.spines[["top", "right"]].set_visible(False)
    return figure


def calibration_plot(confidence: NDArray[np.float64], right: NDArray[np.bool_]) -> Figure:
    """Confidence against how often it was right, both of shape (answers,), in ten bins of as many answers each."""
    points = calibration(confidence, right).points
    said, was = [point.confidence for point in points], [point.right for point in points]
    figure = Figure(figsize=(5, 5), layout="constrained")
    axes = figure.subplots()
    axes.plot([0, 1], [0, 1], color="grey", linestyle="--", label="perfect")
    axes.plot(said, was, marker="o", color=COLOUR, label="this model")
    low = max(0.0, min(*said, *was) - 0.05)
    axes.set(
        xlim=(low, 1.01), ylim=(low, 1.01), xlabel="confidence", ylabel="share that was right", title="Calibration"
    )
    axes.legend(loc="upper left", frameon=False)
    return figure


def regression_plot(target: NDArray[Any], scores: NDArray[np.float64], *, unit: str = "", log: bool = False) -> Figure:
    """Predicted against true values, on log scales where the target is spread over magnitudes."""
    figure = Figure(figsize=(5, 5), layout="constrained")
    axes = figure.subplots()
    limits = [min(target.min(), scores.min()), max(target.max(), scores.max())]
    axes.plot(limits, limits, color="grey", linestyle="--")
    axes.scatter(target, scores, s=6, alpha=0.4, color=COLOUR)
    if log:
        axes.set(xscale="symlog", yscale="symlog")
    title = "Predicted against true, held-out rows"
    axes.set(xlabel=f"true{unit}", ylabel=f"predicted{unit}", title=title)
    return figure
