"""Feature selection: which columns a family does best with, looked for on a sample of the training rows."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from functools import partial
from math import ceil, floor
from typing import TYPE_CHECKING

import numpy as np
from pydantic import BaseModel, ConfigDict

from labline.model.families import FAMILIES
from labline.model.search.folds import Folds, side_by_side
from labline.model.search.tried import Candidate

if TYPE_CHECKING:
    import optuna

KEPT_MIN, KEPT_MAX = 0.1, 0.4  # share of the columns
SAMPLE_ROWS, SAMPLE_FOLDS = 3000, 2
ROUNDS = 60
SCREENED = 40  # columns that are looked at one by one: the most important ones of the family's own defaults
PATIENCE = 3  # steps without a better one, after which no column more is added


class Step(BaseModel):
    """A set of columns that was looked at, and its loss over the folds."""

    model_config = ConfigDict(frozen=True)

    columns: tuple[str, ...]
    loss: float
    deviation: float


class Curve(BaseModel):
    """The best set found of each size, the smallest first: score against number of columns."""

    model_config = ConfigDict(frozen=True)

    family: str
    loss: str
    fewest: int
    most: int
    steps: tuple[Step, ...] = ()
    complete: bool = False

    @classmethod
    def of(cls, family: str, loss: str, columns: int) -> Curve:
        """One with nothing on it yet, for as many columns to choose from."""
        return cls(
            family=family,
            loss=loss,
            fewest=max(1, ceil(KEPT_MIN * columns)),
            most=max(1, floor(KEPT_MAX * columns)),
        )

    @property
    def best(self) -> Step | None:
        """The step of least loss that keeps neither too few columns nor too many; None where none does."""
        allowed = [step for step in self.steps if self.fewest <= len(step.columns) <= self.most]
        return min(allowed, key=lambda step: step.loss, default=None)

    def with_step(self, step: Step) -> Curve:
        """The same with another step, where it is the best of its size."""
        others = [one for one in self.steps if len(one.columns) != len(step.columns)]
        same = [one for one in self.steps if len(one.columns) == len(step.columns)]
        steps = sorted([*others, min([step, *same], key=lambda one: one.loss)], key=lambda one: len(one.columns))
        return self.model_copy(update={"steps": tuple(steps)})


def screened(columns: Sequence[str], importances: dict[str, float]) -> list[str]:
    """The columns that are worth looking at one by one, the most important first."""
    return sorted(columns, key=lambda name: -importances.get(name, 0.0))[:SCREENED]


def sequential(
    folds: Folds, columns: Sequence[str], curve: Curve, deadline: float, keep: Callable[[Curve], None]
) -> Curve:
    """Sequential forward selection (Whitney 1971): the column that helps most is added, and so on.

    Args:
        folds: of a sample of the training rows.
        columns: to choose from.
        curve: so far; it is gone on with.
        deadline: on the monotonic clock; a step that is not finished by then is dropped.
        keep: told the curve after every step.
    """
    while len(curve.steps) < min(curve.most, len(columns)) and not _flat(curve):
        chosen = curve.steps[-1].columns if curve.steps else ()
        wider = [(*chosen, name) for name in columns if name not in chosen]
        found = side_by_side(partial(_step, folds, curve.family, deadline), wider)
        steps = [step for step in found if step is not None]
        if len(steps) < len(wider):
            return curve
        curve = curve.with_step(min(steps, key=lambda step: step.loss))
        keep(curve)
    curve = curve.model_copy(update={"complete": True})
    keep(curve)
    return curve


def _flat(curve: Curve) -> bool:
    """Whether the last steps, beyond the fewest columns, brought nothing."""
    if len(curve.steps) < curve.fewest + PATIENCE:
        return False
    before = min(step.loss for step in curve.steps[:-PATIENCE])
    return all(step.loss >= before for step in curve.steps[-PATIENCE:])


def by_study(
    study: optuna.Study,
    folds: Folds,
    columns: Sequence[str],
    curve: Curve,
    deadline: float,
    keep: Callable[[Curve], None],
) -> Curve:
    """The alternative: Optuna suggests how many columns to keep and the order in which they come."""
    import optuna

    def objective(trial: optuna.Trial) -> float:
        nonlocal curve
        count = trial.suggest_int("columns", curve.fewest, min(curve.most, len(columns)))
        order = {name: trial.suggest_float(f"priority of {name}", 0.0, 1.0) for name in columns}
        kept = tuple(sorted(columns, key=lambda name: -order[name])[:count])
        step = _step(folds, curve.family, deadline, kept)
        if step is None:
            raise optuna.TrialPruned
        curve = curve.with_step(step)
        keep(curve)
        return step.loss

    study.optimize(objective, timeout=max(0.0, deadline - time.monotonic()))
    return curve


def _step(folds: Folds, family: str, deadline: float, columns: tuple[str, ...]) -> Step | None:
    """The columns' loss in quick fits; None when the time is over."""
    candidate = Candidate(
        family=family, feature_set="selection", columns=columns, parameters=FAMILIES[family].quick, stage="selected"
    )
    losses = []
    for fold in range(len(folds.parts)):
        if time.monotonic() > deadline:
            return None
        losses.append(folds.loss(fold, folds.outcome(candidate, fold, rounds=ROUNDS).raw))
    return Step(columns=columns, loss=float(np.mean(losses)), deviation=float(np.std(losses, ddof=1)))
