"""Coarse rows: what a window's columns are held against together, where no value of a training row may be kept.

Of a number they say only in which sixteenth of its ranks it lies, of a name only which of the commonest it is.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from functools import cached_property
from itertools import repeat
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict

CELLS = 16  # of the ranks of a number
SHARE_MIN = 0.05  # of a name, or a grade, that is told from others
USUAL_MAX = 6  # names of a column; a number of no more different values has these for cells
OTHER = "."  # missing, or unusual

Values = Mapping[str, NDArray[Any]]
"""What is measured of columns, each of shape (rows,): float64 with NaN, or objects with None, for missing."""
Codes = NDArray[np.intp]
"""Of each row and column the cell it is in, shape (rows, columns); where it is in none, the number of cells."""


class CoarseColumn(BaseModel):
    """How one column is made coarse.

    Attributes:
        usual: its common names or grades, a cell each; none of a number, whose cells are sixteenths of its ranks.
        rows: a character a row, the cell's number in hexadecimal, or a dot.
    """

    model_config = ConfigDict(frozen=True)

    usual: tuple[str, ...] | tuple[float, ...] = ()
    rows: str = ""

    @property
    def cells(self) -> int:
        """How many there are."""
        return len(self.usual) or CELLS

    @property
    def signs(self) -> list[str]:
        """One for each cell, and one for none."""
        return [*(f"{cell:x}" for cell in range(self.cells)), OTHER]


class CoarseRows(BaseModel):
    """Coarse rows.

    Attributes:
        columns: by name.
        drawn: whether they are synthetic, and none is a training row's.
    """

    model_config = ConfigDict(frozen=True)

    columns: dict[str, CoarseColumn]
    drawn: bool = False

    @cached_property
    def codes(self) -> Codes:
        """The rows' cells."""
        places = [{sign: cell for cell, sign in enumerate(one.signs)} for one in self.columns.values()]
        rows = (one.rows for one in self.columns.values())
        return np.array([[at[sign] for sign in each] for at, each in zip(places, rows, strict=True)], dtype=np.intp).T

    def written(self, codes: Codes, *, drawn: bool) -> CoarseRows:
        """The same columns with these rows."""
        columns = {
            name: one.model_copy(update={"rows": "".join(one.signs[code] for code in column)})
            for (name, one), column in zip(self.columns.items(), codes.T.tolist(), strict=True)
        }
        return CoarseRows(columns=columns, drawn=drawn)

    def coded(self, values: Values) -> Codes:
        """Cells of rows: of numbers by their ranks among these rows, equal ones in an order by lot.

        A column that is absent, or in which nothing differs, is as if it were missing.
        """
        rows = len(next(iter(values.values())))
        found = np.empty((rows, len(self.columns)), dtype=np.intp)
        for at, (name, column) in enumerate(self.columns.items()):
            found[:, at] = _cells_of(values[name], column.usual, seed=at) if name in values else column.cells
            known = found[found[:, at] < column.cells, at]
            if not len(known) or known.min() == known.max():
                found[:, at] = column.cells
        return found


def coarse_columns(values: Values) -> CoarseRows:
    """How the columns in which something differs are made coarse; no rows yet."""
    usual = {name: _usual(one) for name, one in values.items()}
    return CoarseRows(columns={name: CoarseColumn(usual=one) for name, one in usual.items() if one is not None})


def shares_of(codes: Codes, rows: CoarseRows) -> list[NDArray[np.float64]]:
    """Of each column the share of rows in each cell and, last, in none."""
    cells = [column.cells for column in rows.columns.values()]
    return [np.bincount(each, minlength=count + 1) / len(codes) for each, count in zip(codes.T, cells, strict=True)]


def _usual(values: NDArray[Any]) -> Sequence[Any] | None:
    """Common names or grades; none of a number of many values; None of a column where nothing differs."""
    if values.dtype.kind == "f":
        known = values[np.isfinite(values)]
        if len(np.unique(known)) > USUAL_MAX:
            return ()
        counts: Counter[Any] = Counter(known.tolist())
    else:
        counts = Counter(value for value in values.tolist() if value is not None)
    least = SHARE_MIN * counts.total()
    found = tuple(sorted(value for value, count in counts.most_common(USUAL_MAX) if count >= least))
    return found if len(found) > 1 else None


def _cells_of(values: NDArray[Any], usual: Sequence[Any], seed: int) -> Codes:
    if usual:
        places = {value: at for at, value in enumerate(usual)}
        return np.array(list(map(places.get, values.tolist(), repeat(len(usual)))), dtype=np.intp)
    found = np.full(len(values), CELLS, dtype=np.intp)
    known = np.flatnonzero(np.isfinite(values))
    if not len(known) or values[known].min() == values[known].max():
        return found
    order = np.random.default_rng(seed).permutation(known)
    order = order[np.argsort(values[order], kind="stable")]
    found[order] = np.arange(len(order)) * CELLS // len(order)
    return found
