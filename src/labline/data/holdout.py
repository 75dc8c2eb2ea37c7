"""The hold-out split: fixed by the seed and by what is in a row, so that no order of rows and no new id moves it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from labline.contract import Problem


@dataclass(frozen=True)
class Split:
    """Positions of the rows to train on, and of those held out."""

    train: NDArray[np.intp]
    holdout: NDArray[np.intp]


def row_hashes(frame: pd.DataFrame, problem: Problem) -> NDArray[np.uint64]:
    """A hash of every row's features, shape (rows,); rows alike in all features have the same.

    A feature that may be missing may be absent.
    """
    return hashes_of(frame[[name for name in problem.feature_names if name in frame]])


def hashes_of(frame: pd.DataFrame, seed: int = 0) -> NDArray[np.uint64]:
    """A hash of every row over all columns of the frame, shape (rows,)."""
    key = f"labline {seed:08x}"  # pandas wants 16 bytes
    return np.asarray(pd.util.hash_pandas_object(frame, index=False, hash_key=key), dtype=np.uint64)


def split(frame: pd.DataFrame, problem: Problem, strata: NDArray[np.intp], *, share: float, seed: int) -> Split:
    """Hold out a share of every stratum: the rows whose hashes are the smallest there, and their copies.

    Rows alike in all of the contract's features never stand on both sides, whatever their targets are.

    Args:
        frame: the rows.
        problem: the contract.
        strata: the stratum of each row, shape (rows,): its class, or its band of the target.
        share: of the rows to hold out.
        seed: another one gives another split.
    """
    # by everything that is known of a row, so that a column more or less in the contract moves none
    hashes = hashes_of(frame[sorted(set(frame.columns) - {problem.id, problem.target})], seed)
    holdout = np.zeros(len(frame), dtype=bool)
    for stratum in np.unique(strata):
        inside = np.flatnonzero(strata == stratum)
        wanted = round(share * len(inside))
        if wanted:
            limit = np.partition(hashes[inside], wanted - 1)[wanted - 1]
            holdout[inside] = hashes[inside] <= limit
    copies = row_hashes(frame, problem)
    holdout = np.isin(copies, copies[holdout])  # also those in another stratum, whose limit is another one
    return Split(train=np.flatnonzero(~holdout), holdout=np.flatnonzero(holdout))
