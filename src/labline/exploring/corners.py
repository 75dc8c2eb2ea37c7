"""Corners: records at the ends of everything the contract allows, where formulas break first."""

from __future__ import annotations

import numpy as np

from labline.contract import Columns, NumberColumn, Problem, columns_from_records
from labline.contract.examples import example_records


def corners(problem: Problem, rows: int, seed: int = 0) -> Columns:
    """Columns of made-up records whose numbers are at one of their limits, each of shape (rows,).

    A number without limits, and what is no number, is drawn from all that the contract allows; where missing is
    allowed, some are.
    """
    random = np.random.default_rng(seed)
    records = example_records(problem, rows, seed)
    for name, column in problem.columns.items():
        if not isinstance(column, NumberColumn):
            continue
        ends = [end for end in (column.minimum, column.maximum) if end is not None]
        for record in records:
            if ends and record[name] is not None:
                record[name] = ends[random.integers(len(ends))]
    return columns_from_records(problem, records)
