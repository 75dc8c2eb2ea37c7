"""Honest tables for every task, to which tests add a leak; and their contracts."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

from labline.contract import Problem
from labline.contract.written import as_list
from labline.data import Split, split
from labline.data.leakage import Leak, find_leaks
from labline.model.tasks import task_of

TASKS = ("binary", "multiclass", "multilabel", "regression")
CLASSES = {"binary": ["a", "b"], "multiclass": ["a", "b", "c"], "multilabel": ["p", "q", "r"], "regression": []}
METRICS = {"binary": "accuracy", "multiclass": "accuracy", "multilabel": "f1_micro", "regression": "rmse"}
NUMBER = {"type": "number"}
INTEGER = {"type": "integer"}
DATETIME = {"type": "datetime"}
TEXT = {"type": "text"}
NAMES = {"type": "category"}
HONEST: dict[str, dict[str, Any]] = {
    "size": NUMBER,
    "weight": NUMBER,
    "age": INTEGER,
    "income": INTEGER,
    "kind": NAMES,
    "flag": {"type": "boolean"},
    "seen": DATETIME,
    "note": TEXT,
}


def contract(task: str, columns: Mapping[str, Mapping[str, Any]] | None = None) -> Problem:
    """The honest columns, and those given."""
    return Problem.model_validate(
        {
            "name": "things",
            "title": "Things",
            "task": task,
            "target": "y",
            "classes": CLASSES[task],
            "metric": METRICS[task],
            "sources": {"train": {"csv": "things.csv"}},
            "columns": HONEST | dict(columns or {}),
        }
    )


def honest(task: str, rows: int = 1200, seed: int = 0) -> pd.DataFrame:
    """Rows as a person collects them: related columns, a target that they tell much of and not all."""
    random = np.random.default_rng(seed)
    size = random.normal(170, 10, rows)
    weight = 0.9 * size - 90 + random.normal(0, 9, rows)
    kind = random.choice(["u", "v", "w"], rows)
    frame = pd.DataFrame(
        {
            "size": size.round(1),
            "weight": weight.round(1),
            "age": random.integers(18, 80, rows).astype(float),
            "income": random.lognormal(10.4, 0.5, rows).round(),
            "kind": pd.Series(kind, dtype="str"),
            "flag": random.random(rows) < 0.3,
            "seen": pd.Timestamp("2024-01-01")
            + pd.to_timedelta(random.integers(0, 365 * 86400, rows), unit="s").astype("timedelta64[us]"),
            "note": pd.Series([f"{random.choice(['good', 'bad'])} one, {one}" for one in kind], dtype="str"),
        }
    )
    score = (size - 170) / 10 + (weight - 63) / 12 + (kind == "u") + random.normal(0, 0.7, rows)
    return frame.assign(y=target(task, score, random))


def target(task: str, score: np.ndarray[Any, Any], random: np.random.Generator) -> pd.Series[Any]:
    """A target of the task that follows the score."""
    if task == "regression":
        return pd.Series(score)
    if task == "multilabel":
        other = random.normal(size=len(score))
        sets = [
            [name for name, held in zip("pqr", flags, strict=True) if held]
            for flags in zip(score > 0, score + other > 1, other > 0, strict=True)
        ]
        return pd.Series([as_list(one) for one in sets], dtype="str")
    return pd.Series(pd.qcut(score, len(CLASSES[task]), labels=CLASSES[task]).astype("str"), dtype="str")


def divided(frame: pd.DataFrame, problem: Problem) -> Split:
    """The hold-out split that training would make."""
    task = task_of(problem)
    return split(frame, problem, task.strata(task.encode(frame[problem.target])), share=0.2, seed=7)


def found(frame: pd.DataFrame, problem: Problem) -> list[Leak]:
    return find_leaks(frame, problem, divided(frame, problem), seed=7)


def kinds(leaks: list[Leak]) -> list[tuple[str, tuple[str, ...], str]]:
    return [(leak.kind, leak.columns, leak.severity) for leak in leaks]
