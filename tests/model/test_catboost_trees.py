"""Sums of symmetric trees are those of answering each level's question, one tree after the other."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from labline.model.families.catboost_trees import SymmetricTrees

FEATURES, OUTPUTS = 4, 3
BORDERS = [-1.5, 0.0, 0.25, 2.0]


def model(depths: list[int], random: np.random.Generator) -> dict[str, Any]:
    # as CatBoost's JSON tells it: a tree of no depth has no splits
    trees = [
        {
            "splits": [
                {"float_feature_index": int(random.integers(FEATURES)), "border": float(random.choice(BORDERS))}
                for _ in range(depth)
            ]
            or None,
            "leaf_values": random.normal(size=2**depth * OUTPUTS).tolist(),
        }
        for depth in depths
    ]
    return {"oblivious_trees": trees, "scale_and_bias": [0.5, [1.0, 0.0, -2.0]]}


def answered(said: dict[str, Any], row: NDArray[np.float32]) -> NDArray[np.float64]:
    sums = np.zeros(OUTPUTS)
    for tree in said["oblivious_trees"]:
        yes = [row[split["float_feature_index"]] > split["border"] for split in tree["splits"] or ()]
        leaf = sum(1 << level for level, above in enumerate(yes) if above)
        sums += np.array(tree["leaf_values"]).reshape(-1, OUTPUTS)[leaf]
    scale, bias = said["scale_and_bias"]
    return np.asarray(sums * scale + bias)


@pytest.mark.parametrize("depths", [[0], [1], [6] * 40, [3, 0, 8], [2, 9, 12]])
def test_sums_are_those_of_answering_every_question(depths: list[int]) -> None:
    random = np.random.default_rng(0)
    said = model(depths, random)
    rows = random.choice([*BORDERS, -9.0, 0.1, 9.0, np.nan, np.inf, -np.inf], size=(50, FEATURES)).astype(np.float32)

    found = SymmetricTrees.of(said, OUTPUTS).sums(rows)

    assert found.tobytes() == np.array([answered(said, row) for row in rows]).tobytes()


def test_a_row_gets_the_same_bits_alone_and_among_others() -> None:
    random = np.random.default_rng(1)
    trees = SymmetricTrees.of(model([6] * 100, random), OUTPUTS)
    rows = random.normal(size=(40, FEATURES)).astype(np.float32)

    alone = np.concatenate([trees.sums(row[None]) for row in rows])

    assert trees.sums(rows).tobytes() == alone.tobytes()
