"""The hold-out split: a fixed share of every class, decided by what is in a row and by nothing else."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from numpy.typing import NDArray

from labline.contract import Problem
from labline.data import Split, split

PROBLEM = Problem.model_validate(
    {
        "name": "people",
        "title": "People",
        "task": "multiclass",
        "target": "kind",
        "classes": ["a", "b", "c"],
        "id": "id",
        "metric": "accuracy",
        "sources": {"train": {"csv": "people.csv"}},
        "columns": {
            "x": {"type": "number"},
            "n": {"type": "integer"},
            "name": {"type": "category", "values": ["u", "v"], "missing": "allow"},
        },
    }
)
FEATURES = ["x", "n", "name"]
SHARE = 0.15


def people(rows: int = 4000, seed: int = 0) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    return pd.DataFrame(
        {
            "id": np.arange(rows),
            "x": rng.normal(size=rows),
            "n": rng.integers(0, 5, rows).astype(float),
            "name": rng.choice(["u", "v"], rows),
            "kind": rng.choice(["a", "b", "c"], rows, p=[0.7, 0.25, 0.05]),
            "note": "unused",
        }
    )


def held_out(frame: pd.DataFrame, seed: int = 7, share: float = SHARE) -> Split:
    strata: NDArray[np.intp] = pd.factorize(frame["kind"], sort=True)[0]
    return split(frame, PROBLEM, strata, share=share, seed=seed)


def rows_of(frame: pd.DataFrame, positions: NDArray[np.intp]) -> set[float]:
    """The rows at these positions, by the value of x, which no two share."""
    return set(frame["x"].iloc[positions])


def test_every_row_is_on_one_side_in_the_order_of_the_frame() -> None:
    frame = people()
    parts = held_out(frame)

    assert sorted([*parts.train, *parts.holdout]) == list(range(len(frame)))
    assert (np.diff(parts.train) > 0).all()
    assert (np.diff(parts.holdout) > 0).all()


@pytest.mark.parametrize("share", [0.01, 0.15, 0.4])
def test_the_share_is_held_out_of_every_class(share: float) -> None:
    frame = people()
    parts = held_out(frame, share=share)

    counts, held = frame["kind"].value_counts(), frame["kind"].iloc[parts.holdout].value_counts()
    assert {name: held[name] for name in "abc"} == {name: round(share * counts[name]) for name in "abc"}


def test_the_same_seed_gives_the_same_split_and_another_one_another() -> None:
    frame = people()
    first, again, other = held_out(frame, 7), held_out(frame, 7), held_out(frame, 8)

    np.testing.assert_array_equal(first.holdout, again.holdout)
    assert len(first.holdout) == len(other.holdout)
    in_both = len(np.intersect1d(first.holdout, other.holdout)) / len(first.holdout)
    assert in_both < 0.25  # by chance, the share itself


def test_the_order_of_the_rows_does_not_matter() -> None:
    frame = people()
    shuffled = frame.sample(frac=1, random_state=1)

    assert rows_of(shuffled, held_out(shuffled).holdout) == rows_of(frame, held_out(frame).holdout)


def test_new_ids_and_another_index_move_no_row() -> None:
    frame = people()
    changed = frame.assign(id=frame["id"] + 10_000).set_index(frame["id"] * 3)

    np.testing.assert_array_equal(held_out(changed).holdout, held_out(frame).holdout)


def test_a_column_less_in_the_contract_moves_no_row() -> None:
    frame = people()
    content = PROBLEM.model_dump(mode="json")
    content["columns"].popitem()
    fewer = Problem.model_validate(content)
    strata = frame[PROBLEM.target].map({name: index for index, name in enumerate(PROBLEM.classes)}).to_numpy()

    found = [split(frame, problem, strata, share=0.2, seed=7).holdout for problem in (PROBLEM, fewer)]
    np.testing.assert_array_equal(*found)


def test_the_order_of_the_columns_in_the_file_moves_no_row() -> None:
    frame = people()

    np.testing.assert_array_equal(held_out(frame[frame.columns[::-1]]).holdout, held_out(frame).holdout)


def test_most_rows_keep_their_side_when_others_are_added() -> None:
    frame = people()
    more = pd.concat([frame, people(400, seed=1)], ignore_index=True)

    before, after = rows_of(frame, held_out(frame).holdout), rows_of(more, held_out(more).holdout)
    assert len(before & after) / len(before) > 0.9


def test_copies_of_a_row_are_never_on_both_sides_whatever_their_classes_are() -> None:
    rng = np.random.default_rng(0)
    frame = people()
    frame = frame.iloc[rng.integers(0, 1000, len(frame))].reset_index(drop=True)  # about four copies of each
    frame["kind"] = rng.choice(["a", "b", "c"], len(frame), p=[0.7, 0.25, 0.05])  # of different classes
    frame.loc[frame["n"] == 0, ["x", "name"]] = [np.nan, None]  # copies have the same gaps
    parts = held_out(frame)

    sides = frame[FEATURES].assign(held=np.isin(np.arange(len(frame)), parts.holdout))
    copies = sides.groupby(FEATURES, dropna=False)["held"]
    assert copies.size().max() > 4
    assert (copies.nunique() == 1).all()
    assert 0.05 < len(parts.holdout) / len(frame) < 0.6


def test_a_class_too_small_for_its_share_is_trained_on() -> None:
    frame = people(200)
    frame["kind"] = ["a"] * 197 + ["c"] * 3
    parts = held_out(frame)

    assert set(frame["kind"].iloc[parts.holdout]) == {"a"}


def test_rows_all_alike_stay_together() -> None:
    frame = people(50).assign(x=1.0, n=1.0, name="u", kind="a")
    parts = held_out(frame)

    assert len(parts.train) in {0, 50}
