"""LightGBM's trees, as its text file tells them (format v4: one block a tree, of lines `name=numbers`)."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from labline.model.families.leaf_masks import LeafMasks, Splits
from labline.model.families.margins import Margins

# bits of a node's decision_type
CATEGORICAL, DEFAULT_LEFT = 1, 2
MISSING_SHIFT, MISSING_NEVER, MISSING_NAN = 2, 0, 2
WORD_BITS = 32  # of the bit sets of categories


def margins_of(text: str) -> Margins | None:
    """The sums of a booster; None where its trees are too large for a table, or of a kind that Labline fits none of.

    It compares, and adds, in float64.
    """
    head, *blocks = text.partition("\nend of trees")[0].split("\nTree=")
    about = _lines(head)
    trees = [_lines(block) for block in blocks]
    if about.get("version") != "v4" or not trees or any(tree["is_linear"] != "0" for tree in trees):
        return None
    decisions = [_numbers(tree["decision_type"], np.int64) for tree in trees]
    if not np.isin(np.concatenate(decisions) >> MISSING_SHIFT, (MISSING_NEVER, MISSING_NAN)).all():
        return None
    masked = LeafMasks.of([_splits(tree, made) for tree, made in zip(trees, decisions, strict=True)])
    if masked is None:
        return None
    masks, leaves = masked
    values = [_numbers(tree["leaf_value"], np.float64)[order] for tree, order in zip(trees, leaves, strict=True)]
    return Margins.of(masks, values, np.zeros(int(about["num_tree_per_iteration"])))


def _splits(tree: dict[str, str], decisions: NDArray[np.int64]) -> Splits:
    thresholds = _numbers(tree["threshold"], np.float64)
    categorical = decisions & CATEGORICAL != 0
    # where none was missing in training, what is missing counts as zero; of categories it is in no bit set
    never = decisions >> MISSING_SHIFT == MISSING_NEVER
    return Splits(
        left=_numbers(tree["left_child"], np.int64),
        right=_numbers(tree["right_child"], np.int64),
        features=_numbers(tree["split_feature"], np.int64),
        thresholds=thresholds,
        missing_right=np.where(never, thresholds < 0, decisions & DEFAULT_LEFT == 0) | categorical,
        codes=_codes(tree, np.flatnonzero(categorical).tolist(), thresholds),
    )


def _codes(tree: dict[str, str], nodes: list[int], thresholds: NDArray[np.float64]) -> dict[int, list[int]]:
    """What goes left at nodes that ask for a category: their threshold is the number of a bit set."""
    if not nodes:
        return {}
    ends = _numbers(tree["cat_boundaries"], np.int64).tolist()
    words = _numbers(tree["cat_threshold"], np.int64).tolist()
    sets = {node: int(thresholds[node]) for node in nodes}
    own = {node: words[ends[number] : ends[number + 1]] for node, number in sets.items()}
    return {
        node: [WORD_BITS * at + bit for at, word in enumerate(some) for bit in range(WORD_BITS) if word >> bit & 1]
        for node, some in own.items()
    }


def _lines(block: str) -> dict[str, str]:
    return {name: value for name, _, value in (line.partition("=") for line in block.splitlines())}


def _numbers(said: str, kind: type[np.generic]) -> NDArray[Any]:
    return np.array(said.split(), dtype=kind)
