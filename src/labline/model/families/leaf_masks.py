"""Which leaf of each tree a row ends in, found without walking: QuickScorer (Lucchese et al. 2015) with a table.

A tree has a bit a leaf, the leftmost first. A node that sends a row to the right rules out the leaves under its left
child; of those that nobody rules out, the leftmost is the row's. The thresholds of a feature part its numbers into
intervals, and what an interval rules out, in all trees, is a line of a table: a row costs a line a feature.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from labline.model.families.intervals import Intervals, combined

LEAVES_MAX = 64  # of a tree: as many as a number has bits
TABLE_BYTES_MAX = 2**25
ROW_BYTES_MAX = 2**19  # that a row looks at; of wider rows a walk looks at less
FLOAT32_BIAS, FLOAT32_MANTISSA = 127, 23  # IEEE 754: what is added to the exponent, and the bits behind it


class Splits(NamedTuple):
    """The inner nodes of a tree, the first one the root; arrays of shape (nodes,), empty for a tree of one leaf.

    Attributes:
        left: children: the number of an inner node, or of a leaf the number's complement, as LightGBM has it.
        right: likewise.
        features: that nodes ask for.
        thresholds: what is above goes right.
        missing_right: whether what is missing does.
        codes: by node, of those that ask for a category: what goes left; all else goes right.
    """

    left: NDArray[Any]
    right: NDArray[Any]
    features: NDArray[Any]
    thresholds: NDArray[Any]
    missing_right: NDArray[np.bool_]
    codes: Mapping[int, Collection[int]]


@dataclass(frozen=True)
class LeafMasks:
    """The table, and how a row finds its lines.

    Attributes:
        intervals: of the features that are asked for.
        table: bits of the leaves that are not ruled out, shape (lines, trees).
        leaves_before: a tree's, shape (trees,).
    """

    intervals: Intervals
    table: NDArray[Any]
    leaves_before: NDArray[np.int32]

    @classmethod
    def of(cls, trees: Sequence[Splits]) -> tuple[LeafMasks, list[NDArray[np.intp]]] | None:
        """The masks of trees, and the leaves of each from left to right; None for what is too large for a table."""
        nodes = [len(tree.left) for tree in trees]
        if max(nodes) >= LEAVES_MAX or not any(nodes):
            return None
        kind = next(kind for kind in (np.uint8, np.uint16, np.uint32, np.uint64) if max(nodes) < np.iinfo(kind).bits)
        flat = _Flat.of(trees)
        own = {feature: np.flatnonzero(flat.features == feature) for feature in np.unique(flat.features).tolist()}
        thresholds = {feature: flat.thresholds_of(nodes) for feature, nodes in own.items()}
        intervals = Intervals.of(thresholds)
        line_bytes = len(trees) * np.dtype(kind).itemsize
        if intervals.line_count * line_bytes > TABLE_BYTES_MAX or len(own) * line_bytes > ROW_BYTES_MAX:
            return None
        table = np.full((intervals.line_count, len(trees)), np.iinfo(kind).max, dtype=kind)
        for feature, lines in zip(own, intervals.places, strict=True):
            flat.rule_out(own[feature], thresholds[feature], table[lines])
        before = np.cumsum([0, *(len(order) for order in flat.orders)])[:-1]
        return cls(intervals, table, before.astype(np.int32)), flat.orders

    def leaves(self, rows: NDArray[Any]) -> NDArray[np.int32]:
        """The leaves that rows of shape (rows, features) end in, counted through all trees; shape (trees, rows).

        NaN is missing; else numbers are compared in the rows' precision.
        """
        alive = combined(self.table, self.intervals.lines(rows), np.bitwise_and)
        # the lowest bit alone is a power of two, and its exponent the leaf
        lowest = (alive & -alive).astype(np.float32).view(np.int32) >> FLOAT32_MANTISSA
        return np.asarray(lowest + self._first_leaves).T

    @cached_property
    def _first_leaves(self) -> NDArray[np.int32]:
        """What to add to an exponent as it is kept, shape (trees,)."""
        return self.leaves_before - np.int32(FLOAT32_BIAS)


@dataclass(frozen=True)
class _Flat:
    """The inner nodes of all trees in a row, arrays of shape (nodes,), and each tree's leaves from left to right."""

    trees: NDArray[np.intp]
    features: NDArray[np.intp]
    thresholds: NDArray[Any]
    missing_right: NDArray[np.bool_]
    stay: NDArray[np.uint64]  # bits of the leaves that are not under the left child
    codes: dict[int, NDArray[np.intp]]
    orders: list[NDArray[np.intp]]

    @classmethod
    def of(cls, trees: Sequence[Splits]) -> _Flat:
        """The nodes of trees that are not too large."""
        counts = [len(tree.left) for tree in trees]
        starts = np.cumsum([0, *counts]).tolist()
        read = [_left_to_right(tree) for tree in trees]
        return cls(
            trees=np.repeat(np.arange(len(trees)), counts),
            features=np.concatenate([tree.features for tree in trees]).astype(np.intp),
            thresholds=np.concatenate([tree.thresholds for tree in trees]),
            missing_right=np.concatenate([tree.missing_right for tree in trees]).astype(np.bool_),
            stay=~np.array([bits for _, under in read for bits in under], dtype=np.uint64),
            codes={
                start + node: np.array(sorted(codes), dtype=np.intp)
                for start, tree in zip(starts, trees, strict=False)
                for node, codes in tree.codes.items()
            },
            orders=[order for order, _ in read],
        )

    def thresholds_of(self, own: NDArray[np.intp]) -> NDArray[Any]:
        """What a feature's nodes compare with, ascending; of a category, what parts the codes that any sends left."""
        sent = [self.codes[node] for node in own.tolist() if node in self.codes]
        if sent:
            return np.arange(max(codes.max(initial=0) for codes in sent) + 1, dtype=self.thresholds.dtype) + 0.5
        return np.unique(self.thresholds[own])

    def rule_out(self, own: NDArray[np.intp], thresholds: NDArray[Any], lines: NDArray[Any]) -> None:
        """Write a feature's lines: those of the intervals between its thresholds, and that of the missing."""
        stay = self.stay.astype(lines.dtype)
        intervals, missing = lines[:-1], lines[-1]
        numbers = np.array([node for node in own.tolist() if node not in self.codes], dtype=np.intp)
        above = thresholds.searchsorted(self.thresholds[numbers]) + 1
        np.bitwise_and.at(intervals, (above, self.trees[numbers]), stay[numbers])
        np.bitwise_and.accumulate(intervals, axis=0, out=intervals)  # above one threshold is above all before it
        for node in own.tolist():
            if node in self.codes:
                right = np.ones(len(intervals), dtype=np.bool_)
                right[self.codes[node]] = False
                intervals[right, self.trees[node]] &= stay[node]
        gone = own[self.missing_right[own]]
        np.bitwise_and.at(missing, self.trees[gone], stay[gone])


def _left_to_right(tree: Splits) -> tuple[NDArray[np.intp], list[int]]:
    """The leaves from left to right, and by inner node the bits of those under its left child."""
    order: list[int] = []
    under_left = [0] * len(tree.left)
    left, right = tree.left.tolist(), tree.right.tolist()

    def visit(child: int) -> None:
        if child < 0:
            order.append(~child)
            return
        first = len(order)
        visit(left[child])
        under_left[child] = (1 << len(order)) - (1 << first)
        visit(right[child])

    visit(0 if left else ~0)
    return np.array(order, dtype=np.intp), under_left
