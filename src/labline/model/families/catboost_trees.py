"""CatBoost's trees, as its JSON tells them: all nodes of a level ask the same, and the answers are a leaf's number."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import chain
from typing import Any

import numpy as np
from numpy.typing import NDArray

from labline.model.families.intervals import Intervals, combined
from labline.model.families.outputs import added_up

CELLS = 2**18  # numbers looked at in one go


@dataclass(frozen=True)
class SymmetricTrees:
    """The table of what each interval of a feature answers, and what is in the leaves.

    Attributes:
        intervals: of the features that are asked for.
        table: bits of the leaves' numbers, one a level that is answered with yes, shape (lines, trees).
        values: of the leaves, tree after tree, shape (leaves, outputs).
        leaves_before: a tree's, shape (trees,).
        scale: of the sums.
        bias: what is added to them, shape (outputs,).
    """

    intervals: Intervals
    table: NDArray[Any]
    values: NDArray[np.float64]
    leaves_before: NDArray[np.intp]
    scale: float
    bias: NDArray[np.float64]

    @classmethod
    def of(cls, model: Mapping[str, Any], outputs: int) -> SymmetricTrees:
        """The trees of a model with so many outputs."""
        trees = model["oblivious_trees"]
        intervals, table = _answers([tree["splits"] or () for tree in trees])
        values = [np.array(tree["leaf_values"]).reshape(-1, outputs) for tree in trees]
        leaves = np.array([len(own) for own in values])
        scale, bias = model["scale_and_bias"]
        return cls(intervals, table, np.concatenate(values), np.cumsum(leaves) - leaves, scale, np.array(bias))

    @cached_property
    def rows_at_once(self) -> int:
        """Of how many rows the processor's cache holds what is looked at."""
        cells: int = max(self.intervals.borders.size, len(self.leaves_before) * self.values.shape[1])
        return max(1, CELLS // cells)

    def sums(self, rows: NDArray[np.float32]) -> NDArray[np.float64]:
        """Those of the leaves, added tree after tree, shape (rows, outputs), for rows of shape (rows, features)."""
        leaves = combined(self.table, self.intervals.lines(rows), np.bitwise_or) + self.leaves_before
        return added_up(self.values.take(leaves.T, axis=0)) * self.scale + self.bias


def _answers(levels: Sequence[Sequence[Mapping[str, Any]]]) -> tuple[Intervals, NDArray[Any]]:
    """The table, from what each level of each tree asks."""
    depths = [len(splits) for splits in levels]
    asked = list(chain.from_iterable(levels))
    features = np.array([split["float_feature_index"] for split in asked], dtype=np.intp)
    borders = np.array([split["border"] for split in asked], dtype=np.float32)
    trees = np.repeat(np.arange(len(levels)), depths)
    kind = np.uint8 if max(depths) <= np.iinfo(np.uint8).bits else np.uint16
    bits = np.array([1 << level for depth in depths for level in range(depth)], dtype=kind)
    own = {feature: np.flatnonzero(features == feature) for feature in np.unique(features).tolist() or [0]}
    thresholds = {feature: np.unique(borders[nodes]) for feature, nodes in own.items()}
    intervals = Intervals.of(thresholds)
    table = np.zeros((intervals.line_count, len(levels)), dtype=kind)
    for feature, lines in zip(own, intervals.places, strict=True):
        nodes = own[feature]
        known = table[lines][:-1]  # what is missing is above nothing
        np.bitwise_or.at(known, (thresholds[feature].searchsorted(borders[nodes]) + 1, trees[nodes]), bits[nodes])
        np.bitwise_or.accumulate(known, axis=0, out=known)  # above one threshold is above all before it
    return intervals, table
