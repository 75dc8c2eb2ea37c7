"""XGBoost's sums for a few rows, by walking its trees here: the same bits as from its library, sooner.

The library looks through all trees anew at every call, which takes longer than a row's way through them.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from labline.features import Matrix
from labline.model.families.walking import Tree, Trees

if TYPE_CHECKING:
    import xgboost

CELLS_MAX = 2**15  # rows × trees; with more of them the library is the quicker one


@dataclass(frozen=True)
class Margins:
    """Trees whose leaves are summed up in float32, from the base score on, one tree after the other, as there.

    Attributes:
        trees: each feature twice, for what is missing goes left at some nodes and right at others.
        values: of the leaves, shape (leaves,).
        base: scores before the first tree, shape (outputs,).
    """

    trees: Trees
    values: NDArray[np.float32]
    base: NDArray[np.float32]

    @classmethod
    def of(cls, booster: xgboost.Booster) -> Margins:
        """The trees of a booster that the family has fitted: numbers only, and a tree an output in every round."""
        learner = json.loads(booster.save_raw("json"))["learner"]
        parameters, model = learner["learner_model_param"], learner["gradient_booster"]["model"]
        trees, leaves = Trees.of(_tree(one, int(parameters["num_feature"])) for one in model["trees"])
        found = zip(model["trees"], leaves, strict=True)
        values = [np.array(one["split_conditions"], dtype=np.float32)[own] for one, own in found]
        base = np.broadcast_to(np.float32(json.loads(parameters["base_score"])), max(model["tree_info"]) + 1)
        if learner["objective"]["name"] == "binary:logistic":  # it is kept as a probability
            base = -np.log((1 / base - 1).astype(np.float64)).astype(np.float32)
        return cls(trees, np.concatenate(values), base)

    def __call__(self, matrix: Matrix) -> NDArray[np.float32]:
        """The sums, shape (rows, outputs)."""
        numbers = _dense(matrix)
        missing = np.isnan(numbers)
        rows = np.concatenate([np.where(missing, np.float32(side), numbers) for side in (-np.inf, np.inf)], axis=1)
        found = [self.values.take(leaves) for leaves in self.trees.leaves(rows)]
        steps = np.concatenate([np.repeat(self.base[:, None], len(rows), axis=1), *found])
        by_round = np.reshape(steps, (-1, len(self.base), len(rows)))
        # in the order of the library's, for NumPy adds up a row's numbers by how they lie in memory
        return np.ascontiguousarray(np.add.accumulate(by_round, axis=0)[-1].T)


def _tree(said: dict[str, Any], features: int) -> Tree:
    conditions = np.array(said["split_conditions"], dtype=np.float32)
    asked = np.array(said["split_indices"]) + features * (1 - np.array(said["default_left"]))
    # there, what is not below goes right
    below = np.nextafter(conditions, np.float32(-np.inf))
    return Tree(np.array(said["left_children"]), np.array(said["right_children"]), asked, below)


def _dense(matrix: Matrix) -> NDArray[np.float32]:
    """What sparse rows do not hold is missing."""
    if not isinstance(matrix, sparse.csr_matrix):
        return np.asarray(matrix, dtype=np.float32)
    held = matrix.tocoo()
    dense = np.full(matrix.shape, np.nan, dtype=np.float32)
    dense[held.row, held.col] = held.data
    return dense
