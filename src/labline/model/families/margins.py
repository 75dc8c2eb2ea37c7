"""A booster's sums for a few rows, from its trees and without its library: the same bits, sooner.

A library looks through all trees anew at every call, which takes longer than to find the leaves here.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from labline.model.families.leaf_masks import LeafMasks
from labline.model.families.outputs import added_up
from labline.model.families.walking import Trees

BLOCK_ROWS = 256  # at a time, so that their leaves stay in the processor's cache


@dataclass(frozen=True)
class Margins:
    """Trees whose leaves are summed up, one tree after the other.

    Attributes:
        trees: one an output in every round; of those that are walked each feature twice, for what is missing goes left
            at some nodes and right at others.
        values: of the leaves, shape (leaves,), in the precision in which the library adds.
        outputs: how many.
    """

    trees: LeafMasks | Trees
    values: NDArray[Any]
    outputs: int

    @classmethod
    def of(cls, trees: LeafMasks | Trees, values: Sequence[NDArray[Any]], base: NDArray[Any]) -> Margins:
        """From the values of each tree's leaves, and the sums that the first round is added to, shape (outputs,)."""
        first = [own + start for own, start in zip(values, base, strict=False)]
        return cls(trees, np.concatenate([*first, *values[len(base) :]]), len(base))

    def __call__(self, rows: NDArray[Any]) -> NDArray[Any]:
        """The sums, shape (rows, outputs), for rows of shape (rows, features) in the precision of the thresholds."""
        if len(rows) <= BLOCK_ROWS:
            return self._sums(rows)
        return np.concatenate([self._sums(rows[at : at + BLOCK_ROWS]) for at in range(0, len(rows), BLOCK_ROWS)])

    def _sums(self, rows: NDArray[Any]) -> NDArray[Any]:
        leaves = self._leaves(rows)
        by_round = self.values.take(leaves).reshape(len(leaves) // self.outputs, self.outputs, len(rows))
        return np.ascontiguousarray(added_up(by_round).T)

    def _leaves(self, rows: NDArray[Any]) -> NDArray[Any]:
        if isinstance(self.trees, LeafMasks):
            return self.trees.leaves(rows)
        missing = np.isnan(rows)
        sides = [np.where(missing, rows.dtype.type(side), rows) for side in (-np.inf, np.inf)]
        return self.trees.leaves(np.concatenate(sides, axis=1))
