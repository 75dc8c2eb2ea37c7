"""Plots: of every type of column, against the target of every task, something is drawn."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import matplotlib as mpl
import numpy as np
import pandas as pd
import pytest
from matplotlib import pyplot as plt

from labline.contract import Columns, settle
from labline.exploring import legend, panels, show, show_against, show_profile, view, view_target
from labline.monitoring.profile import measured, profile_of
from tests.data.contracts import COLUMNS, TASKS, make_problem

ROWS = 120
VALUES: dict[str, list[Any]] = {
    "price": [1.5, 20.0, None, 300.0],
    "pieces": [1, 2, 3, None],
    "brand": ["acme", None, "a maker with a very long name indeed", "bolt"],
    "sold": [True, False, None, True],
    "day": ["2024-01-01", "2024-06-01", None, "2025-01-01"],
    "note": ["a few words", "x", None, "more words than that"],
    "tags": ["a;b", "a", "[]", None],
}
TARGETS: dict[str, list[Any]] = {
    "binary": ["no", "yes"],
    "multiclass": ["a", "b", "c"],
    "multilabel": ["java sql", "c#", "[]"],
    "regression": [3.0, 40.0, 500.0],
}


@pytest.fixture(autouse=True)
def _no_screen() -> Iterator[None]:
    """Figures of a test are drawn without a display, and closed."""
    before = mpl.get_backend()
    plt.switch_backend("agg")
    yield
    plt.close("all")
    plt.switch_backend(before)


def columns() -> Columns:
    return settle(make_problem(), {name: (values * ROWS)[:ROWS] for name, values in VALUES.items()})


@pytest.mark.parametrize("task", TASKS)
@pytest.mark.parametrize("name", COLUMNS)
def test_every_column_can_be_seen_alone_and_against_every_target(name: str, task: str) -> None:
    problem = make_problem(task)
    target = view_target(problem, pd.Series((TARGETS[task] * ROWS)[:ROWS]))
    values = view(columns()[name], problem.columns[name])
    figure, axes = panels(2)
    show(values, axes[0], name, log=True)
    show_against(values, target, axes[1], name, log=task == "regression")
    legend(figure, target)
    figure.canvas.draw()
    assert all(one.has_data() for one in axes)
    assert bool(figure.legends) is bool(problem.classes)


@pytest.mark.parametrize("name", COLUMNS)
def test_every_column_can_be_seen_against_its_profile(name: str) -> None:
    column = COLUMNS[name]
    plain = columns()[name]
    contract = make_problem().columns[name]
    figure, (axes,) = panels(1)
    profile = profile_of(plain, contract)
    show_profile(
        profile, measured(plain[:30], contract), axes, log=name == "price", moments=column["type"] == "datetime"
    )
    figure.canvas.draw()
    assert axes.has_data()


def test_a_column_of_which_nothing_is_known_is_an_empty_plot_and_no_error() -> None:
    nothing = np.full(ROWS, np.nan)
    target = view_target(make_problem("regression"), pd.Series(np.arange(ROWS, dtype=float)))
    figure, axes = panels(3)
    show(view(nothing), axes[0])
    show_against(view(nothing), target, axes[1])
    show_profile(profile_of(nothing), nothing, axes[2])
    figure.canvas.draw()


def test_shares_of_names_are_of_rows_where_a_row_has_several() -> None:
    values = view(columns()["tags"], make_problem().columns["tags"])
    _, (axes,) = panels(1)
    show(values, axes)
    named = dict(zip(values.cat.categories, [bar.get_width() for bar in axes.patches], strict=True))
    assert named == {"a": 0.5, "b": 0.25, "(none)": 0.25, "(missing)": 0.25}


def test_there_are_as_many_axes_as_asked_for() -> None:
    for count in (1, 3, 4):
        figure, axes = panels(count)
        assert len(axes) == len(figure.axes) == count
