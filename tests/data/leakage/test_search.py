"""The leakage doctor as a whole: silent on honest tables, quick on large ones, and plain in what it says."""

from __future__ import annotations

import time
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from labline.contract import read_problem
from labline.data import read_frame, usable
from labline.data.leakage import Leak
from labline.data.sources.sample import generate
from tests.data.leakage.tables import HONEST, INTEGER, NUMBER, TASKS, contract, divided, found, honest, kinds

PROBLEMS = Path(__file__).parents[3] / "problems"


@pytest.mark.parametrize("task", TASKS)
@pytest.mark.parametrize("seed", range(10))
def test_an_honest_table_raises_no_alarm(task: str, seed: int) -> None:
    assert kinds(found(honest(task, 600 + 200 * seed, seed), contract(task))) == []


@pytest.mark.parametrize("task", TASKS)
@pytest.mark.parametrize("rows", [5, 40, 120])
def test_a_small_honest_table_raises_no_alarm(task: str, rows: int) -> None:
    for seed in range(5):
        assert kinds(found(honest(task, rows, seed), contract(task))) == []


@pytest.mark.parametrize("name", ["obesity", "mercari", "stackoverflow"])
def test_the_shipped_samples_raise_no_alarm(name: str, tmp_path: Path) -> None:
    """Though obesity's class is nearly, and not quite, a function of weight and height."""
    problem = read_problem(PROBLEMS / name / "problem.yaml")
    generate(PROBLEMS / name, "train", seed=7).head(6000).to_csv(tmp_path / "train.csv", index=False)
    frame, report = usable(read_frame(str(tmp_path / "train.csv"), problem), problem)

    assert report.ok
    assert kinds(found(frame, problem)) == []


def test_what_training_refuses_comes_first() -> None:
    frame = honest("regression").sort_values("y", ignore_index=True)
    frame["left"], frame["right"] = frame["y"] - frame["weight"], frame["weight"]
    leaks = found(frame, contract("regression", {"left": NUMBER, "right": NUMBER}))

    assert [leak.severity for leak in leaks] == sorted((leak.severity for leak in leaks), key="refuse warn".index)
    assert {leak.kind for leak in leaks} == {"derivable", "identifier"}


def test_a_training_table_of_sixteen_thousand_rows_takes_no_noticeable_time() -> None:
    random = np.random.default_rng(0)
    frame = honest("multiclass", 16_000)
    extra = {f"n{index}": random.normal(size=16_000) for index in range(17 - len(HONEST))}
    problem = contract("multiclass", dict.fromkeys(extra, NUMBER))
    frame = frame.assign(**extra)
    parts = divided(frame, problem)
    find_all = found  # the first call imports scikit-learn, which training needs anyway
    find_all(frame.head(500), problem)
    began = time.process_time()
    find_all(frame, problem)

    assert len(parts.train) > 10_000
    assert time.process_time() - began < 4  # of processor time, on whatever machine; about 0.7 on a usual one


def test_a_leak_tells_what_was_found_how_sure_it_is_and_what_to_do() -> None:
    leak = Leak("determines", ("a",), 0.9991, "refuse", "a alone predicts the target", "take it out")

    assert str(leak) == "a alone predicts the target (certain, 0.999). Mend: take it out"
    words = [Leak("identifier", (), score, "warn", "", "").sure for score in (1.0, 0.96, 0.8, 0.5)]
    assert words == ["certain", "nearly certain", "likely", "possible"]


def test_a_column_is_named_for_one_leak_only() -> None:
    """What gives the target away alone does so with any other column, and as an identifier, too."""
    frame = honest("regression")
    frame["place"] = frame["y"].rank()
    leaks = found(frame, contract("regression", {"place": INTEGER}))

    assert kinds(leaks) == [("determines", ("place",), "refuse")]


def test_rows_without_a_value_in_a_column_are_no_hindrance() -> None:
    frame = honest("binary")
    holes = np.random.default_rng(0).random((len(frame), 4)) < 0.3
    frame[["size", "weight", "age", "income"]] = frame[["size", "weight", "age", "income"]].mask(holes)
    frame.loc[::3, "seen"] = pd.NaT
    frame.loc[::4, "note"] = None

    assert kinds(found(frame, contract("binary"))) == []
