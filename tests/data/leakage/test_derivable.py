"""Two columns that together are the target."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest

from labline.contract.written import as_list
from labline.data.leakage.derivable import derivable_columns
from tests.data.leakage.tables import DATETIME, INTEGER, NUMBER, contract, honest

ROWS = 1200
RANDOM = np.random.default_rng(3)
ONE, OTHER = RANDOM.lognormal(3, 0.5, ROWS), RANDOM.lognormal(2, 0.6, ROWS)
COMBINED = {"+": ONE + OTHER, "−": ONE - OTHER, "×": ONE * OTHER, "/": ONE / OTHER}
PAIR = {"one": NUMBER, "other": NUMBER}


def pairs(frame: pd.DataFrame, task: str, columns: dict[str, Any] | None = None) -> list[tuple[str, ...]]:
    leaks = derivable_columns(frame, contract(task, columns or PAIR), seed=7)
    assert all(leak.kind == "derivable" and leak.score > 0.98 for leak in leaks)
    return [tuple(sorted(leak.columns)) for leak in leaks]


def with_pair(task: str, **more: Any) -> pd.DataFrame:
    return honest(task, ROWS).assign(one=ONE, other=OTHER, **more)


@pytest.mark.parametrize("sign", COMBINED)
def test_a_value_that_two_columns_make_is_found_and_the_way_named(sign: str) -> None:
    frame = with_pair("regression", y=COMBINED[sign])
    [leak] = derivable_columns(frame, contract("regression", PAIR), seed=7)

    assert set(leak.columns) == {"one", "other"}
    assert f"the target is one {sign} other" in leak.what
    assert (leak.severity, leak.sure) == ("refuse", "certain")


@pytest.mark.parametrize("sign", COMBINED)
def test_a_value_on_another_scale_and_rounded_is_found(sign: str) -> None:
    assert pairs(with_pair("regression", y=(1.8 * COMBINED[sign] + 32).round(1)), "regression") == [("one", "other")]


@pytest.mark.parametrize("sign", COMBINED)
def test_a_value_that_two_columns_nearly_make_is_honest(sign: str) -> None:
    noise = 0.1 * COMBINED[sign].std() * np.random.default_rng(1).normal(size=ROWS)

    assert pairs(with_pair("regression", y=COMBINED[sign] + noise), "regression") == []


@pytest.mark.parametrize("sign", COMBINED)
@pytest.mark.parametrize("task", ["binary", "multiclass"])
def test_classes_that_are_limits_of_what_two_columns_make_are_found(sign: str, task: str) -> None:
    names = {"binary": ["a", "b"], "multiclass": ["a", "b", "c"]}[task]
    y = pd.Series(pd.qcut(COMBINED[sign], len(names), labels=names).astype("str"), dtype="str")

    assert pairs(with_pair(task, y=y), task) == [("one", "other")]


@pytest.mark.parametrize("sign", COMBINED)
def test_classes_that_blur_at_their_limits_are_honest(sign: str) -> None:
    blurred = COMBINED[sign] * np.random.default_rng(1).lognormal(0, 0.05, ROWS)
    y = pd.Series(np.where(blurred > np.median(blurred), "a", "b"), dtype="str")

    assert pairs(with_pair("binary", y=y), "binary") == []


def test_a_column_that_says_all_by_itself_makes_no_pairs() -> None:
    frame = with_pair("regression", y=ONE)

    assert derivable_columns(frame, contract("regression", PAIR), seed=7, without={"one"}) == []


def test_a_duration_between_two_moments_is_found() -> None:
    """Neither moment tells anything of it."""
    seconds = np.random.default_rng(1).integers(60, 7200, ROWS)
    frame = honest("regression", ROWS)
    frame["ended"] = frame["seen"] + pd.to_timedelta(seconds, unit="s")
    frame["y"] = seconds / 60

    [leak] = derivable_columns(frame, contract("regression", {"ended": DATETIME}), seed=7)

    assert leak.columns == ("ended", "seen")
    assert "the target is ended − seen" in leak.what


def test_a_sum_is_found_where_a_third_of_the_values_is_missing() -> None:
    frame = with_pair("regression", y=ONE + OTHER)
    frame.loc[::6, "one"] = np.nan
    frame.loc[3::6, "other"] = np.nan

    assert pairs(frame, "regression") == [("one", "other")]


def test_counts_that_add_up_to_the_target_are_found() -> None:
    random = np.random.default_rng(2)
    casual, registered = (random.poisson(mean, ROWS).astype(float) for mean in (30, 60))
    frame = honest("regression", ROWS).assign(casual=casual, registered=registered, y=casual + registered)

    assert pairs(frame, "regression", {"casual": INTEGER, "registered": INTEGER}) == [("casual", "registered")]


def test_of_labels_the_one_that_two_columns_make_is_told_and_not_refused() -> None:
    frame = with_pair("multilabel")
    flags = np.random.default_rng(1).random((ROWS, 2)) < 0.4
    frame["y"] = [
        as_list([name for name, held in zip("pqr", (total > 30, *row), strict=True) if held])
        for total, row in zip(ONE + OTHER, flags, strict=True)
    ]
    [leak] = derivable_columns(frame, contract("multilabel", PAIR), seed=7)

    assert set(leak.columns) == {"one", "other"}
    assert "the label 'p'" in leak.what
    assert leak.severity == "warn"


def test_a_pair_among_hundreds_of_columns_is_found() -> None:
    noise = np.random.default_rng(1).normal(size=(ROWS, 300))
    columns = {f"c{index}": NUMBER for index in range(300)}
    frame = pd.concat([with_pair("regression", y=ONE * OTHER), pd.DataFrame(noise, columns=list(columns))], axis=1)

    assert pairs(frame, "regression", PAIR | columns) == [("one", "other")]


def test_a_few_rows_of_which_two_columns_could_tell_anything_say_nothing() -> None:
    frame = with_pair("binary", y=pd.Series(np.where(ONE > OTHER * 3, "a", "b"), dtype="str"))

    assert pairs(frame.head(250), "binary") == []
