"""The rows of a problem for whoever wants to look at them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from labline.config import Config
from labline.contract import Problem
from labline.pipeline.data import prepare
from labline.store import data_folder

if TYPE_CHECKING:
    import pandas as pd

    from labline.data import Snapshot
    from labline.data.sources.taking import Role


@dataclass(frozen=True)
class Rows:
    """The rows of a snapshot, and what is known of where they come from."""

    snapshot: Snapshot
    frame: pd.DataFrame


def open_rows(config: Config, problem: Problem, role: Role = "train") -> Rows | None:
    """The rows in use for the role; None where the problem has none for it.

    Training rows are those that may be trained on, hold-out included; where none were taken yet, they are taken first.

    Raises:
        DataError: the rows cannot be taken or read, or break the contract.
    """
    from labline.data import Snapshots, usable

    snapshots = Snapshots(data_folder(config), problem)
    if snapshots.in_use("train") is None:
        prepare(config, problem)
    snapshot = snapshots.in_use(role)
    if snapshot is None:
        return None
    frame = snapshots.read(role, snapshot.sha256)
    if role == "train":
        frame, found = usable(frame, problem)
        found.need_ok(where=snapshot.origin)
    return Rows(snapshot, frame)
