"""Leaves found by masks are those that a walk ends in, and sums of leaves those of adding one after the other."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from labline.model.families.leaf_masks import LEAVES_MAX, LeafMasks, Splits
from labline.model.families.outputs import added_up

NUMBERS, CODES = 4, 12
CATEGORY = NUMBERS  # the last feature holds codes
GRID = np.array([-np.inf, -2.0, -0.5, 0.0, 0.5, 1.0, 3.0, np.inf])


def grown(leaves: int, random: np.random.Generator) -> Splits:
    """A tree: the first node is the root, and any leaf may be the next to be split."""
    left, right = [0] * (leaves - 1), [0] * (leaves - 1)
    places: list[tuple[list[int], int]] = []
    for node in range(leaves - 1):
        if node:
            side, at = places.pop(int(random.integers(len(places))))
            side[at] = node
        places += [(left, node), (right, node)]
    for leaf, (side, at) in enumerate(places):
        side[at] = ~leaf
    features = random.integers(NUMBERS + 1, size=leaves - 1)
    codes = {
        node: random.choice(CODES, size=int(random.integers(1, 5)), replace=False).tolist()
        for node in np.flatnonzero(features == CATEGORY).tolist()
    }
    thresholds = random.choice(GRID[1:-1], size=leaves - 1)
    return Splits(np.array(left), np.array(right), features, thresholds, random.random(leaves - 1) < 0.5, codes)


def walked(tree: Splits, row: NDArray[np.float64]) -> int:
    if not len(tree.left):
        return 0
    node = 0
    while node >= 0:
        number = row[tree.features[node]]
        if np.isnan(number):
            goes_right = tree.missing_right[node]
        elif node in tree.codes:
            goes_right = number not in tree.codes[node]
        else:
            goes_right = number > tree.thresholds[node]
        node = int((tree.right if goes_right else tree.left)[node])
    return ~node


@pytest.mark.parametrize("rows", [0, 1, 7, 8, 300])
@pytest.mark.parametrize("largest", [2, 8, 9, 16, 17, 33, 64])
def test_leaves_are_those_of_a_walk(largest: int, rows: int) -> None:
    random = np.random.default_rng(largest)
    trees = [grown(leaves, random) for leaves in [largest, *random.integers(1, largest + 1, size=30).tolist()]]
    asked = np.column_stack([random.choice(GRID, size=(rows, NUMBERS)), random.integers(CODES + 3, size=rows)])
    asked[random.random(asked.shape) < 0.1] = np.nan
    masked = LeafMasks.of(trees)
    assert masked is not None
    masks, orders = masked

    found = masks.leaves(asked)

    starts = np.cumsum([0, *(len(order) for order in orders)])[:-1]
    own = [[order[leaf - start] for leaf in leaves] for order, start, leaves in zip(orders, starts, found, strict=True)]
    assert own == [[walked(tree, row) for row in asked] for tree in trees]


def test_what_does_not_fit_has_no_masks() -> None:
    random = np.random.default_rng(0)
    assert LeafMasks.of([grown(LEAVES_MAX, random)]) is not None
    assert LeafMasks.of([grown(LEAVES_MAX + 1, random)]) is None
    assert LeafMasks.of([grown(1, random)]) is None  # nothing is asked for
    many = [grown(LEAVES_MAX, random)] * 20_000
    assert LeafMasks.of(many) is None


@pytest.mark.parametrize("kind", [np.float32, np.float64])
@pytest.mark.parametrize("step", [(1, 1), (1, 2), (7, 1), (1, 16), (7, 16), (3, 300)])
def test_sums_are_those_of_one_step_after_the_other(step: tuple[int, int], kind: type[np.floating]) -> None:
    steps = np.random.default_rng(0).normal(size=(500, *step)).astype(kind)
    wanted = steps[0].copy()
    for each in steps[1:]:
        wanted += each
    assert added_up(steps).tobytes() == wanted.tobytes()
