"""All the checks of the leakage doctor, one after the other."""

from __future__ import annotations

import pandas as pd

from labline.contract import Problem
from labline.data.holdout import Split
from labline.data.leakage.derivable import derivable_columns
from labline.data.leakage.determining import determining_columns
from labline.data.leakage.identifiers import predicting_identifiers
from labline.data.leakage.leak import Leak
from labline.data.leakage.time_order import time_order
from labline.data.leakage.twins import near_duplicates


def leaking_columns(frame: pd.DataFrame, problem: Problem, seed: int) -> list[Leak]:
    """What columns give away of the target: alone, two together, or by naming rows.

    Args:
        frame: rows that fit the contract, in the order of the file.
        problem: the contract.
        seed: which rows are looked at, where there are many.
    """
    found = determining_columns(frame, problem, seed)
    known = {name for leak in found for name in leak.columns}
    return [
        *found,
        *derivable_columns(frame, problem, seed, without=known),
        *predicting_identifiers(frame, problem, seed, without=known),
    ]


def find_leaks(frame: pd.DataFrame, problem: Problem, split: Split, seed: int) -> list[Leak]:
    """All that gives the target away or flatters the hold-out, what training refuses first.

    Args:
        frame: rows that fit the contract, in the order of the file.
        problem: the contract.
        split: which of them are held out.
        seed: which rows are looked at, where there are many.
    """
    found = [
        *leaking_columns(frame, problem, seed),
        *near_duplicates(frame, problem, split, seed),
        *time_order(frame, problem, seed),
    ]
    return sorted(found, key=lambda leak: leak.severity != "refuse")
