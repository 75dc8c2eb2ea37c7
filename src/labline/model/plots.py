"""Plots of a run: confusion matrix, importances, calibration; for regression predicted against true."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from labline.model.calibration import calibration

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from labline.model.explanation import Explanation
    from labline.model.search.selection import Curve
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


def importance_plot(importances: Mapping[str, float]) -> Figure:
    """Share of each column in the splits or coefficients, the largest first."""
    shown = sorted(importances.items(), key=lambda item: item[1])[-FEATURES_SHOWN:]
    figure = Figure(figsize=(7, 1.2 + 0.25 * len(shown)), layout="constrained")
    axes = figure.subplots()
    axes.barh([name for name, _ in shown], [share for _, share in shown], color=COLOUR)
    axes.set(xlabel="share of the total", title="Importances, in the members' own measures")
    axes.spines[["top", "right"]].set_visible(False)
    return figure


def explanation_plot(explanation: Explanation, kind: Literal["permutation", "shap"]) -> Figure:
    """What each column is worth, the largest first, with the spread over repetitions or rows."""
    found = explanation.permutation if kind == "permutation" else explanation.shap
    shown = sorted(found.items(), key=lambda item: item[1].mean)[-FEATURES_SHOWN:]
    figure = Figure(figsize=(7, 1.2 + 0.25 * len(shown)), layout="constrained")
    axes = figure.subplots()
    axes.barh(
        [name for name, _ in shown],
        [worth.mean for _, worth in shown],
        xerr=[worth.deviation for _, worth in shown],
        color=COLOUR,
        ecolor="grey",
    )
    if kind == "permutation":
        axes.set(
            xlabel=f"rise of {explanation.loss} when shuffled", title=f"Permutation, {explanation.rows} held-out rows"
        )
    else:
        axes.set(xlabel="mean |SHAP value|", title=f"SHAP, {explanation.rows} held-out rows")
    axes.spines[["top", "right"]].set_visible(False)
    return figure


def curve_plot(curve: Curve) -> Figure:
    """Loss against number of columns, and which number was kept."""
    figure = Figure(figsize=(7, 4), layout="constrained")
    axes = figure.subplots()
    counts = [len(step.columns) for step in curve.steps]
    losses = [step.loss for step in curve.steps]
    axes.errorbar(counts, losses, yerr=[step.deviation for step in curve.steps], color=COLOUR, marker="o", capsize=3)
    axes.axvspan(curve.fewest - 0.5, curve.most + 0.5, color="grey", alpha=0.12, label="allowed")
    if curve.best is not None:
        axes.plot(len(curve.best.columns), curve.best.loss, "*", color="crimson", markersize=14, label="best")
    axes.set(xlabel="columns", ylabel=f"{curve.loss} (sampled rows)", title=f"Selection for {curve.family}")
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.legend(frameon=False)
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
