"""Binary trees as arrays, which NumPy walks: all of them at once for a few rows, one at a time for many."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

CELLS = 2**14  # rows × trees on their way at a time, which the processor's cache holds
STRIDE = 4  # levels between two looks at who has arrived


class Tree(NamedTuple):
    """A tree as its library keeps it; arrays of shape (nodes,), the first node is the root.

    Attributes:
        left: left children; negative at leaves.
        right: right children.
        features: that nodes ask for.
        thresholds: what is above goes right.
    """

    left: NDArray[Any]
    right: NDArray[Any]
    features: NDArray[Any]
    thresholds: NDArray[np.float32]


@dataclass(frozen=True)
class Trees:
    """The nodes of all trees in a row.

    A node's right child stands behind its left one, and both behind the node. A leaf is its own left child, and no
    number is above its threshold.

    Attributes:
        features: that nodes ask for, shape (nodes,).
        thresholds: what is above goes right, shape (nodes,).
        left: left children, shape (nodes,).
        roots: of the trees, shape (trees,).
    """

    features: NDArray[np.intp]
    thresholds: NDArray[np.float32]
    left: NDArray[np.intp]
    roots: NDArray[np.intp]

    @classmethod
    def of(cls, trees: Iterable[Tree]) -> tuple[Trees, list[NDArray[np.intp]]]:
        """The trees, at least one; and which nodes of each are leaves, in the order in which these are numbered."""
        features, thresholds, left, roots, leaves = [], [], [], [], []
        at = 0
        for tree in trees:
            order, children = _by_level(tree)
            is_leaf = children == np.arange(len(children))
            features.append(np.where(is_leaf, 0, tree.features[order]))
            thresholds.append(np.where(is_leaf, np.float32(np.inf), tree.thresholds[order]))
            left.append(children + at)
            roots.append(at)
            leaves.append(order[is_leaf])
            at += len(order)
        starts = np.array(roots, dtype=np.intp)
        return cls(np.concatenate(features), np.concatenate(thresholds), np.concatenate(left), starts), leaves

    @cached_property
    def _leaf(self) -> NDArray[np.intp]:
        """The number of a node among the leaves, shape (nodes,)."""
        return np.cumsum(self.left == np.arange(len(self.left))) - 1

    def leaves(self, rows: NDArray[np.float32]) -> Iterator[NDArray[np.intp]]:
        """The leaves that rows of shape (rows, features) end in, tree after tree: parts of shape (trees, rows)."""
        step = max(1, CELLS // max(1, len(rows)))
        for at in range(0, len(self.roots), step):
            yield self._leaf.take(self._ends(rows, self.roots[at : at + step]))

    def _ends(self, rows: NDArray[np.float32], roots: NDArray[np.intp]) -> NDArray[np.intp]:
        numbers = rows.ravel()
        node = np.repeat(roots, len(rows))
        start = np.tile(np.arange(len(rows)) * rows.shape[1], len(roots))  # of the row, among the numbers
        ends = np.empty_like(node)
        under_way = np.arange(len(node))
        while len(under_way):
            for _ in range(STRIDE):
                number = numbers.take(start + self.features.take(node))
                node = self.left.take(node) + (number > self.thresholds.take(node))
            ends[under_way] = node
            going = np.flatnonzero(self.left.take(node) != node)
            under_way, node, start = under_way.take(going), node.take(going), start.take(going)
        return ends.reshape(len(roots), -1)

    def hold(self, features: int, leaves: int) -> bool:
        """Whether every way ends at one of so many leaves, and asks for no more than so many features."""
        own = np.arange(len(self.left))
        if not (self.features.shape == self.thresholds.shape == own.shape and len(self.roots)):
            return False
        is_leaf = self.left == own
        asked = (self.features >= 0) & (self.features < features)
        onward = (self.left > own) & (self.left + 1 < len(own))
        known = (self.roots >= 0) & (self.roots < len(own))
        stays = self.thresholds[is_leaf] == np.inf
        ways = np.concatenate([asked, onward | is_leaf, known, stays])
        return bool(ways.all()) and int(is_leaf.sum()) == leaves


def _by_level(tree: Tree) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """The nodes level by level, and where among them the left child of each is; of a leaf, where itself is."""
    level, levels = np.zeros(1, dtype=np.intp), []
    while len(level):
        levels.append(level)
        inner = level[tree.left[level] >= 0]
        level = np.column_stack([tree.left[inner], tree.right[inner]]).ravel()
    order = np.concatenate(levels)
    left = tree.left[order]
    return order, np.where(left < 0, np.arange(len(order)), np.argsort(order)[left])
