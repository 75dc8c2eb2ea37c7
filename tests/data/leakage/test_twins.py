"""Rows on both sides of the split: copies, and near copies."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from labline.contract import Problem
from labline.data import Split
from labline.data.leakage import Leak, overlap
from labline.data.leakage.twins import near_duplicates
from tests.data.leakage.tables import HONEST, NUMBER, TASKS, contract, divided, honest

MEASURED = ("size", "weight", "income")


def twins(frame: pd.DataFrame, problem: Problem) -> list[Leak]:
    return near_duplicates(frame, problem, divided(frame, problem), seed=7)


def copied(frame: pd.DataFrame, share: float, jitter: float) -> pd.DataFrame:
    """The rows, and near copies of a share of them: every number a little off."""
    copies = frame.sample(frac=share, random_state=1)
    random = np.random.default_rng(2)
    for name in MEASURED:
        copies[name] += jitter * frame[name].std() * random.uniform(-1, 1, len(copies))
    return pd.concat([frame, copies]).sample(frac=1, random_state=3, ignore_index=True)


@pytest.mark.parametrize("task", TASKS)
def test_near_copies_on_both_sides_are_counted(task: str) -> None:
    [leak] = twins(copied(honest(task), share=0.3, jitter=1e-4), contract(task))

    # 0.6 of 1.3 rows have a copy, which is among the training rows for 0.8 of them: 37 %
    assert float(leak.what.split("%")[0]) == pytest.approx(37, abs=8)
    assert leak.severity == "warn"
    assert leak.columns == ()


def test_a_hold_out_of_copies_whose_targets_agree_is_refused() -> None:
    frame = honest("regression")
    [leak] = twins(copied(frame, share=1, jitter=1e-4), contract("regression"))

    assert leak.severity == "refuse"
    assert "tells 100% of theirs" in leak.what


def test_a_hold_out_of_copies_whose_targets_do_not_agree_is_a_warning() -> None:
    frame = copied(honest("binary"), share=1, jitter=1e-4)
    frame["y"] = np.random.default_rng(0).permutation(frame["y"])
    [leak] = twins(frame, contract("binary"))

    assert leak.severity == "warn"


def test_rows_unlike_in_one_number_only_are_twins_and_the_number_is_named() -> None:
    frame = honest("binary")
    copies = frame.sample(frac=0.4, random_state=1)
    copies["age"] = np.random.default_rng(0).integers(18, 80, len(copies)).astype(float)
    [leak] = twins(pd.concat([frame, copies], ignore_index=True), contract("binary"))

    assert "unlike in age alone" in leak.what


def test_texts_are_alike_but_for_case_and_punctuation() -> None:
    frame = honest("binary")
    copies = frame.assign(note=frame["note"].str.upper().str.replace(",", " -"), size=frame["size"] + 1e-3)
    [leak] = twins(pd.concat([frame, copies], ignore_index=True), contract("binary"))

    assert leak.severity == "refuse"


def test_a_few_near_copies_are_not_worth_a_word() -> None:
    assert twins(copied(honest("binary"), share=0.005, jitter=1e-4), contract("binary")) == []


@pytest.mark.parametrize("width", [3, 4, 6])
def test_rows_that_stand_close_in_few_dimensions_are_no_copies(width: int) -> None:
    """All columns follow one: of 20,000 rows every one has many neighbours, and honestly so."""
    random = np.random.default_rng(0)
    base = random.normal(size=20_000)
    frame = pd.DataFrame({f"c{index}": (index + 1) * base + index for index in range(width)})
    frame["y"] = base + random.normal(0, 0.1, len(base))
    columns = {f"c{index}": NUMBER for index in range(width)}

    assert twins(frame, without_honest(columns)) == []


def test_answers_of_few_grades_are_alike_by_chance() -> None:
    random = np.random.default_rng(0)
    names = [f"q{index}" for index in range(6)]
    frame = pd.DataFrame(random.integers(1, 6, (3000, 6)).astype(float), columns=names)
    frame["y"] = frame["q0"] + random.normal(size=3000)

    assert twins(frame, without_honest(dict.fromkeys(names, NUMBER))) == []


def without_honest(columns: dict[str, dict[str, str]]) -> Problem:
    return contract("regression").model_copy(
        update={"columns": {name: contract("regression", columns).columns[name] for name in columns}}
    )


def test_rows_on_both_sides_of_a_split_are_found() -> None:
    problem = contract("binary")
    frame = honest("binary", 100)
    names = list(HONEST)
    frame.loc[90, names] = frame.loc[10, names].to_numpy()
    frame.loc[91, names] = frame.loc[11, names].to_numpy()
    frame.loc[91, "size"] += 1  # alike in all features but one
    by_hand = Split(train=np.arange(80), holdout=np.arange(80, 100))

    assert overlap(frame, problem, by_hand).tolist() == [90]


def test_the_hold_out_split_has_none() -> None:
    problem = contract("binary")
    frame = pd.concat([honest("binary", 200)] * 5, ignore_index=True)
    frame["y"] = np.random.default_rng(0).choice(["a", "b"], len(frame))

    assert overlap(frame, problem, divided(frame, problem)).tolist() == []
