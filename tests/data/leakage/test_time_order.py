"""A hold-out drawn at random that looks into the future."""

from __future__ import annotations

import re

import numpy as np
import pandas as pd
import pytest

from labline.data.leakage.time_order import time_order
from tests.data.leakage.tables import DATETIME, NUMBER, TASKS, contract, honest, target


def drifting(task: str, rows: int = 1500) -> pd.DataFrame:
    """Every week has a level of its own: rows of the same week know it, earlier ones do not."""
    random = np.random.default_rng(5)
    frame = honest(task, rows).sort_values("seen", ignore_index=True)
    score = 3 * random.normal(size=53)[frame["seen"].dt.dayofyear // 7] + random.normal(0, 0.5, rows)
    return frame.assign(y=target(task, score, random)).sample(frac=1, random_state=1, ignore_index=True)


@pytest.mark.parametrize("task", TASKS)
def test_a_target_that_moves_with_time_is_told_with_both_figures(task: str) -> None:
    [leak] = time_order(drifting(task), contract(task), seed=7)

    assert (leak.kind, leak.columns, leak.severity) == ("time_order", ("seen",), "warn")
    at_random, latest = (int(found) for found in re.findall(r"(\d+)%", leak.what))
    assert at_random > latest + 5
    assert leak.sure == "certain"


@pytest.mark.parametrize("task", TASKS)
def test_a_target_that_does_not_move_with_time_is_not_told(task: str) -> None:
    assert time_order(honest(task, 1500), contract(task), seed=7) == []


def test_the_hour_of_the_day_may_tell_the_target() -> None:
    frame = honest("regression", 1500)
    hour = frame["seen"].dt.hour.to_numpy(dtype=float)
    frame["hour"] = hour
    frame["y"] = np.sin(hour / 24 * 2 * np.pi) + np.random.default_rng(5).normal(0, 0.2, len(frame))

    assert time_order(frame, contract("regression", {"hour": NUMBER}), seed=7) == []


def test_without_moments_and_with_too_few_rows_nothing_is_said() -> None:
    problem = contract("regression", {"empty": DATETIME})
    frame = drifting("regression").assign(empty=pd.Series(pd.NaT, index=range(1500), dtype="datetime64[us]"))

    assert time_order(frame.drop(columns="seen"), problem, seed=7) == []
    assert time_order(frame.head(150), problem, seed=7) == []
