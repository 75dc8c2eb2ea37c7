"""XGBoost's trees, as its JSON tells them."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from labline.features import Matrix
from labline.model.families.leaf_masks import LeafMasks, Splits
from labline.model.families.margins import Margins
from labline.model.families.walking import Tree, Trees

if TYPE_CHECKING:
    import xgboost


def margins_of(booster: xgboost.Booster) -> Margins:
    """The sums of a booster that the family has fitted: numbers only, and a tree an output in every round.

    It compares, and adds, in float32.
    """
    learner = json.loads(booster.save_raw("json"))["learner"]
    parameters, model = learner["learner_model_param"], learner["gradient_booster"]["model"]
    base = np.broadcast_to(np.float32(json.loads(parameters["base_score"])), max(model["tree_info"]) + 1)
    if learner["objective"]["name"] == "binary:logistic":  # it is kept as a probability
        base = -np.log((1 / base - 1).astype(np.float64)).astype(np.float32)
    values = [np.array(one["split_conditions"], dtype=np.float32) for one in model["trees"]]
    masked = LeafMasks.of([_splits(one) for one in model["trees"]])
    if masked is None:
        trees, leaves = Trees.of(_tree(one, int(parameters["num_feature"])) for one in model["trees"])
        own = [one[nodes] for one, nodes in zip(values, leaves, strict=True)]
        return Margins.of(trees, own, base)
    masks, leaves = masked
    found = zip(model["trees"], values, leaves, strict=True)
    return Margins.of(masks, [one[_is_leaf(said)][order] for said, one, order in found], base)


def _splits(said: dict[str, Any]) -> Splits:
    is_leaf = _is_leaf(said)
    # inner nodes and leaves are numbered together there, and each by themselves here
    number = np.where(is_leaf, ~(np.cumsum(is_leaf) - 1), np.cumsum(~is_leaf) - 1)
    inner = np.flatnonzero(~is_leaf)
    left, right = (np.array(said[name])[inner] for name in ("left_children", "right_children"))
    return Splits(
        left=number[left],
        right=number[right],
        features=np.array(said["split_indices"])[inner],
        thresholds=_below(said)[inner],
        missing_right=np.array(said["default_left"])[inner] == 0,
        codes={},
    )


def _tree(said: dict[str, Any], features: int) -> Tree:
    asked = np.array(said["split_indices"]) + features * (1 - np.array(said["default_left"]))
    return Tree(np.array(said["left_children"]), np.array(said["right_children"]), asked, _below(said))


def _below(said: dict[str, Any]) -> NDArray[np.float32]:
    """The thresholds that a number must be above to go right; there, what is not below goes right."""
    return np.nextafter(np.array(said["split_conditions"], dtype=np.float32), np.float32(-np.inf))


def _is_leaf(said: dict[str, Any]) -> NDArray[np.bool_]:
    return np.array(said["left_children"]) < 0


def as_compared(matrix: Matrix) -> NDArray[np.float32]:
    """The rows as it compares them; what sparse ones do not hold is missing."""
    if isinstance(matrix, np.ndarray):
        return np.asarray(matrix, dtype=np.float32)
    held = matrix.tocoo()
    filled = np.full(matrix.shape, np.nan, dtype=np.float32)
    filled[held.row, held.col] = held.data
    return filled
