"""Binary trees as arrays, from whichever library they come; LightGBM's compiled code walks them."""

from __future__ import annotations

import ctypes
import weakref
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    import lightgbm

FEW_ROWS = 16  # that are sooner asked one by one than for the package to look at them
PREDICT_LEAF_INDEX, FLOAT32 = 2, 0  # LightGBM's c_api.h


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


class RowByRow:
    """LightGBM's own way for single rows, of which its Python package makes no use.

    What the package does to look at its arguments takes longer than to walk a forest. See LightGBM's C API,
    `LGBM_BoosterPredictForMatSingleRowFast`; it may be called on several threads.
    """

    def __init__(self, booster: lightgbm.Booster) -> None:
        from lightgbm import basic

        self._booster = booster  # the handle below is of no use without it
        self._library: Any = vars(basic)["_LIB"]  # which the package has found and loaded
        self._handle = ctypes.c_void_p()
        self._width = booster.num_trees()
        self._ask(
            self._library.LGBM_BoosterPredictForMatSingleRowFastInit,
            booster._handle,  # pylint: disable=protected-access
            ctypes.c_int(PREDICT_LEAF_INDEX),
            ctypes.c_int(0), ctypes.c_int(-1),  # all trees
            ctypes.c_int(FLOAT32),
            ctypes.c_int32(booster.num_feature()),
            b"num_threads=1",
            ctypes.byref(self._handle),
        )  # fmt: skip
        weakref.finalize(self, self._library.LGBM_FastConfigFree, self._handle)

    def __call__(self, rows: NDArray[np.float32]) -> NDArray[np.float64]:
        """The leaves of rows that lie one behind the other, shape (rows, trees)."""
        found = np.empty((len(rows), self._width))
        written = ctypes.c_int64()
        given, to = rows.ctypes.data, found.ctypes.data
        for row in range(len(rows)):
            self._ask(
                self._library.LGBM_BoosterPredictForMatSingleRowFast,
                self._handle,
                ctypes.c_void_p(given + row * rows.shape[1] * rows.itemsize),
                ctypes.byref(written),
                ctypes.c_void_p(to + row * self._width * found.itemsize),
            )
        return found

    def _ask(self, function: Callable[..., int], *given: Any) -> None:
        if function(*given) != 0:
            self._library.LGBM_GetLastError.restype = ctypes.c_char_p
            raise RuntimeError(f"LightGBM: {self._library.LGBM_GetLastError().decode()}")


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

    def leaves(self, rows: NDArray[np.float32]) -> NDArray[np.int32]:
        """The leaves that rows of shape (rows, features) end in, counted through all trees; shape (trees, rows).

        Numbers may be infinite, and not missing.
        """
        if len(rows) <= FEW_ROWS:
            found: Any = self._row_by_row(np.ascontiguousarray(rows))
        else:
            # the trees ask for no feature that the rows have not: of how many these have, LightGBM need not be told
            found = self._booster.predict(rows, pred_leaf=True, num_threads=1, predict_disable_shape_check=True)
        return np.asarray(found, dtype=np.int32).reshape(len(rows), len(self.roots)).T + self._leaves_before[:, None]

    @cached_property
    def _row_by_row(self) -> RowByRow:
        return RowByRow(self._booster)

    @cached_property
    def _is_leaf(self) -> NDArray[np.bool_]:
        return np.asarray(self.left == np.arange(len(self.left)))

    @cached_property
    def _leaves_before(self) -> NDArray[np.int32]:
        """Those of the trees before, shape (trees,)."""
        return np.asarray(np.cumsum(self._is_leaf) - self._is_leaf, dtype=np.int32)[self.roots]

    @cached_property
    def _booster(self) -> lightgbm.Booster:
        """The trees as LightGBM's."""
        import lightgbm

        ends = [*self.roots[1:].tolist(), len(self.left)]
        trees = [self._told(at, slice(*place)) for at, place in enumerate(zip(self.roots.tolist(), ends, strict=True))]
        features = int(self.features.max()) + 1
        head = {
            "version": "v4",
            "num_class": 1,
            "num_tree_per_iteration": 1,
            "label_index": 0,
            "max_feature_idx": features - 1,
            "objective": "regression",
            "feature_names": " ".join(map(str, range(features))),
            "feature_infos": " ".join(["none"] * features),
            "tree_sizes": " ".join(str(len(tree)) for tree in trees),
        }
        return lightgbm.Booster(model_str=f"tree\n{_lines(head)}\n{''.join(trees)}end of trees\n")

    @cached_property
    def _places(self) -> NDArray[np.intp]:
        """Where inner nodes stand in LightGBM's arrays of their tree, shape (nodes,).

        The child that has most nodes under it follows its parent, and most rows go there: on their way they meet far
        fewer lines of the processor's cache than level by level.
        """
        levels, level = [], self.roots
        while len(level := level[~self._is_leaf[level]]):
            levels.append(level)
            level = np.concatenate([self.left[level], self.left[level] + 1])
        under = (~self._is_leaf).astype(np.intp)
        for level in reversed(levels):
            under[level] += under[self.left[level]] + under[self.left[level] + 1]
        places = np.zeros_like(under)
        for level in levels:
            left, right = self.left[level], self.left[level] + 1
            next_ = np.where(under[right] > under[left], right, left)
            places[next_] = places[level] + 1
            places[left + right - next_] = places[level] + 1 + under[next_]
        return places

    def _told(self, number: int, place: slice) -> str:
        """A tree in LightGBM's text, which counts inner nodes and leaves each by themselves, a leaf's from −1 down."""
        is_leaf = self._is_leaf[place]
        counted = np.where(is_leaf, ~(np.cumsum(is_leaf) - 1), self._places[place])
        inner = np.flatnonzero(~is_leaf)
        inner = inner[counted[inner].argsort()]
        left = (self.left[place] - place.start)[inner]
        tree = {
            "Tree": number,
            "num_leaves": int(is_leaf.sum()),
            "num_cat": 0,
            "split_feature": _numbers(self.features[place][inner]),
            "split_gain": _zeros(len(inner)),
            "threshold": _numbers(self.thresholds[place][inner].astype(np.float64)),
            "decision_type": _zeros(len(inner)),
            "left_child": _numbers(counted[left]),
            "right_child": _numbers(counted[left + 1]),
            "leaf_value": _zeros(int(is_leaf.sum())),
            "shrinkage": 1,
        }
        return f"{_lines(tree)}\n\n"

    def hold(self, features: int, leaves: int) -> bool:
        """Whether every way ends at one of so many leaves, and asks for no more than so many features."""
        own = np.arange(len(self.left))
        if not (self.features.shape == self.thresholds.shape == own.shape and len(self.roots)):
            return False
        is_leaf = self._is_leaf
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


def _lines(said: Mapping[str, Any]) -> str:
    return "".join(f"{name}={value}\n" for name, value in said.items())


def _numbers(values: NDArray[Any]) -> str:
    """In the fewest digits that give the same numbers back."""
    return " ".join(map(repr, values.tolist()))


def _zeros(count: int) -> str:
    return " ".join(["0"] * count)
