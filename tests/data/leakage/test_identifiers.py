"""Identifiers, and the order of rows, that tell the target."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from labline.data.leakage import Leak
from labline.data.leakage.identifiers import predicting_identifiers
from tests.data.leakage.tables import INTEGER, NAMES, NUMBER, TASKS, TEXT, contract, honest, kinds

ROWS = 1200


def leaks(frame: pd.DataFrame, task: str, **columns: dict[str, str]) -> list[Leak]:
    return predicting_identifiers(frame, contract(task, columns), seed=7)


def shuffled(frame: pd.DataFrame) -> pd.DataFrame:
    return frame.sample(frac=1, random_state=1, ignore_index=True)


@pytest.mark.parametrize("task", TASKS)
def test_a_number_given_in_the_order_of_the_target_is_refused(task: str) -> None:
    frame = honest(task, ROWS).sort_values("y", ignore_index=True)
    frame["number"] = 5000.0 + np.arange(ROWS)

    assert kinds(leaks(shuffled(frame), task, number=INTEGER)) == [("identifier", ("number",), "refuse")]


@pytest.mark.parametrize("kind", [NAMES, TEXT])
@pytest.mark.parametrize("form", ["P{:05d}", "{}-{{}}"])
def test_a_code_given_in_the_order_of_the_target_is_refused(kind: dict[str, str], form: str) -> None:
    frame = honest("binary", ROWS).sort_values("y", ignore_index=True)
    frame["code"] = pd.Series([form.format(index).format("x") for index in range(ROWS)], dtype="str")

    assert kinds(leaks(shuffled(frame), "binary", code=kind)) == [("identifier", ("code",), "refuse")]


def test_an_identifier_that_tells_less_than_half_is_a_warning() -> None:
    frame = honest("regression", ROWS)
    order = (frame["y"] + 1.5 * frame["y"].std() * np.random.default_rng(5).normal(size=ROWS)).argsort()
    frame = frame.iloc[order].assign(number=np.arange(1.0, ROWS + 1))
    [leak] = leaks(shuffled(frame), "regression", number=INTEGER)

    assert leak.severity == "warn"
    assert 0.1 < float(leak.what.split("explains ")[1].split("%")[0]) / 100 < 0.5


@pytest.mark.parametrize("task", TASKS)
def test_identifiers_that_tell_nothing_are_not_named(task: str) -> None:
    frame = honest(task, ROWS)
    frame["number"] = np.random.default_rng(0).permutation(ROWS).astype(float)
    frame["code"] = pd.Series([f"C{index}" for index in np.random.default_rng(1).permutation(ROWS)], dtype="str")

    assert leaks(frame, task, number=INTEGER, code=NAMES) == []


def test_a_measurement_is_no_identifier_however_well_it_predicts() -> None:
    frame = honest("regression", ROWS)
    frame["fine"] = frame["y"] + 0.3 * np.random.default_rng(5).normal(size=ROWS)
    frame["whole"] = (1e6 * frame["fine"]).round()  # all different, and of a range where nothing would repeat

    assert leaks(frame, "regression", fine=NUMBER, whole=INTEGER) == []


def test_words_without_digits_are_no_codes() -> None:
    frame = honest("binary", ROWS).sort_values("y", ignore_index=True)
    letters = "abcdefghijklmnop"
    frame["title"] = pd.Series(
        ["".join(letters[(index >> 4 * place) % 16] for place in (2, 1, 0)) for index in range(ROWS)]
    )

    assert leaks(shuffled(frame), "binary", title=NAMES) == []


@pytest.mark.parametrize("task", TASKS)
def test_a_file_that_is_sorted_by_its_target_is_a_warning(task: str) -> None:
    frame = honest(task, ROWS).sort_values("y", ignore_index=True)

    assert kinds(leaks(frame, task)) == [("identifier", (), "warn")]
    assert leaks(shuffled(frame), task) == []


def test_an_order_that_is_that_of_time_is_left_to_the_check_of_time() -> None:
    frame = honest("regression", ROWS).sort_values("y", ignore_index=True)
    frame["seen"] = np.sort(frame["seen"])

    assert leaks(frame, "regression") == []
