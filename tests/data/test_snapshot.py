"""Snapshots: rows kept under their hash, never changed and never deleted."""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from labline.contract import Problem
from labline.data import Snapshot, Snapshots
from labline.data.sources import Taken
from labline.data.sources.taking import Kind
from labline.errors import DataError
from labline.store import Folder

PROBLEM = Problem.model_validate(
    {
        "name": "people",
        "title": "People",
        "task": "regression",
        "target": "y",
        "metric": "rmse",
        "sources": {"train": {"csv": "people.csv"}},
        "columns": {"x": {"type": "number"}, "name": {"type": "category", "values": ["u"], "missing": "allow"}},
    }
)


@pytest.fixture
def snapshots(tmp_path: Path) -> Snapshots:
    return Snapshots(Folder(tmp_path / "data"), PROBLEM)


def rows(*x: float, kind: Kind = "file") -> Taken:
    frame = pd.DataFrame({"x": x, "name": ["u", *[None] * (len(x) - 1)], "y": 1.0}).astype({"name": "str"})
    return Taken(frame, kind, "file:/somewhere/people.csv")


def files(tmp_path: Path) -> dict[str, bytes]:
    """All that lies in the data folder, but which snapshot is in use and when each was last taken."""
    return {path.name: path.read_bytes() for path in (tmp_path / "data").rglob("*.parquet")}


def test_rows_are_kept_under_the_hash_of_their_file(snapshots: Snapshots, tmp_path: Path) -> None:
    before = datetime.now(UTC)
    kept = snapshots.keep(rows(1.0, 2.0), "train")

    file = tmp_path / "data" / "people" / "train" / f"{kept.sha256}.parquet"
    assert hashlib.sha256(file.read_bytes()).hexdigest() == kept.sha256
    assert (kept.problem, kept.role, kept.kind, kept.origin, kept.rows) == (
        *("people", "train", "file", "file:/somewhere/people.csv"),
        2,
    )
    assert before <= kept.taken_at <= datetime.now(UTC)


def test_what_is_kept_is_read_again_bit_for_bit(snapshots: Snapshots) -> None:
    taken = rows(0.1, np.nan, -0.0, 5e-324, 1e308)
    kept = snapshots.keep(taken, "train")

    again = snapshots.read("train", kept.sha256)
    pd.testing.assert_frame_equal(again, taken.frame, check_exact=True)
    assert again["x"].to_numpy().tobytes() == taken.frame["x"].to_numpy().tobytes()


def test_the_last_rows_taken_are_the_ones_in_use_and_each_role_has_its_own(snapshots: Snapshots) -> None:
    assert snapshots.in_use("train") is None
    first = snapshots.keep(rows(1.0), "train")
    current = snapshots.keep(rows(3.0), "current")
    assert snapshots.in_use("train") == snapshots.need("train") == first

    second = snapshots.keep(rows(2.0), "train")
    assert snapshots.in_use("train") == second
    assert snapshots.in_use("current") == current
    assert len({first.sha256, second.sha256, current.sha256}) == 3


def test_nothing_is_deleted_or_changed_when_rows_are_taken_again(snapshots: Snapshots, tmp_path: Path) -> None:
    first = snapshots.keep(rows(1.0), "train")
    before = files(tmp_path)
    snapshots.keep(rows(2.0), "train")
    again = snapshots.keep(rows(1.0), "train")

    assert again.sha256 == first.sha256
    assert snapshots.in_use("train") == again
    assert files(tmp_path).items() >= before.items()
    assert len(files(tmp_path)) == 2
    assert snapshots.read("train", first.sha256)["x"].tolist() == [1.0]


def test_nothing_unfinished_is_left(snapshots: Snapshots, tmp_path: Path) -> None:
    kept = snapshots.keep(rows(1.0), "train")

    assert sorted(path.name for path in (tmp_path / "data/people/train").iterdir()) == sorted(
        [f"{kept.sha256}.parquet", f"{kept.sha256}.json", "in-use.json"]
    )


def test_what_is_known_of_a_snapshot_lies_beside_it(snapshots: Snapshots, tmp_path: Path) -> None:
    kept = snapshots.keep(rows(1.0), "train")
    text = (tmp_path / "data" / "people" / "train" / f"{kept.sha256}.json").read_text(encoding="utf-8")

    assert Snapshot.model_validate_json(text) == kept


@pytest.mark.parametrize(("kind", "is_sample"), [("sample", True), ("file", False), ("kaggle", False)])
def test_generated_rows_are_known_as_such(kind: Kind, is_sample: bool, snapshots: Snapshots) -> None:
    assert snapshots.keep(rows(1.0, kind=kind), "train").is_sample is is_sample


def refusal(call: Any, *args: Any) -> DataError:
    with pytest.raises(DataError) as caught:
        call(*args)
    return caught.value


def test_where_no_rows_were_taken_the_command_that_takes_them_is_named(snapshots: Snapshots, tmp_path: Path) -> None:
    error = refusal(snapshots.need, "train")

    assert error.what == "no 'train' rows were taken yet"
    assert error.mend == "labline data people"
    assert error.where == str(tmp_path / "data" / "people" / "train")


def test_a_snapshot_of_another_workspace_is_said_not_to_be_here(snapshots: Snapshots, tmp_path: Path) -> None:
    snapshots.keep(rows(1.0), "train")
    error = refusal(snapshots.read, "train", "f" * 64)

    assert error.what == "the snapshot is not in this workspace"
    assert error.where == str(tmp_path / "data" / "people" / "train" / f"{'f' * 64}.parquet")
    assert "data/people" in str(error.mend)


def test_a_snapshot_of_one_role_is_not_one_of_another(snapshots: Snapshots) -> None:
    kept = snapshots.keep(rows(1.0), "train")

    assert "not in this workspace" in refusal(snapshots.read, "current", kept.sha256).what


def test_rows_that_cannot_be_kept_leave_what_was_in_use(snapshots: Snapshots, tmp_path: Path) -> None:
    kept = snapshots.keep(rows(1.0), "train")
    mixed = Taken(pd.DataFrame({"x": [1, "one"]}, dtype=object), "file", "file:/mixed.csv")

    error = refusal(snapshots.keep, mixed, "train")
    assert "cannot be kept" in error.what
    assert error.where == "file:/mixed.csv"
    assert snapshots.in_use("train") == kept
    assert list(files(tmp_path)) == [f"{kept.sha256}.parquet"]

    (tmp_path / "a file").touch()
    assert "cannot be kept" in refusal(Snapshots(Folder(tmp_path / "a file"), PROBLEM).keep, rows(1.0), "train").what
