"""Trees: walked without scikit-learn, they give what its estimators give, to the last bit."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy import sparse
from sklearn.ensemble import RandomForestClassifier, RandomForestRegressor
from sklearn.tree import DecisionTreeClassifier, DecisionTreeRegressor

from labline.errors import BundleError
from labline.model.families import trees
from labline.model.families.trees import TreesMember

RANDOM = np.random.default_rng(0)
MATRIX = np.round(RANDOM.normal(size=(900, 5)), 1)  # so round that numbers meet thresholds
SPARSE = sparse.csr_matrix(np.where(np.abs(MATRIX) > 1, MATRIX, 0))
SIGNAL = MATRIX[:, 0] + 2 * MATRIX[:, 1] + RANDOM.normal(size=900)
CLASSES = np.digitize(SIGNAL, [-2.0, 2.0])
LABELS = np.column_stack([SIGNAL > 0, MATRIX[:, 2] > 1, MATRIX[:, 3] > SIGNAL]).astype(np.int8)


def forest(kind: type[Any], **more: Any) -> Any:
    return kind(n_estimators=37, random_state=1, **more)


@pytest.mark.parametrize("matrix", [MATRIX, SPARSE], ids=["dense", "sparse"])
def test_a_forest_gives_the_bits_of_scikit_learns(matrix: Any) -> None:
    rows = matrix.astype(np.float32)
    of_classes = forest(RandomForestClassifier).fit(rows, CLASSES)
    raw = TreesMember.of(of_classes, 3, vector=False).predict(matrix)
    assert raw.tobytes() == of_classes.predict_proba(rows).tobytes()
    of_two = forest(RandomForestClassifier).fit(rows, LABELS[:, 0])
    raw = TreesMember.of(of_two, 2, vector=True).predict(matrix)
    assert raw.tobytes() == of_two.predict_proba(rows)[:, 1].tobytes()
    for target, vector in ((SIGNAL, True), (LABELS, False)):
        of_values = forest(RandomForestRegressor, min_samples_leaf=3).fit(rows, target)
        raw = TreesMember.of(of_values, 0, vector=vector).predict(matrix)
        assert raw.tobytes() == of_values.predict(rows).tobytes()


def test_a_tree_gives_the_means_of_scikit_learns_and_its_shares_corrected_by_laplace() -> None:
    rows = MATRIX.astype(np.float32)
    of_values = DecisionTreeRegressor(min_samples_leaf=5, ccp_alpha=0.01).fit(rows, LABELS)
    assert (TreesMember.of(of_values, 0, vector=False).predict(MATRIX) == of_values.predict(rows)).all()
    weights = RANDOM.uniform(0.5, 2, 900)
    of_classes = DecisionTreeClassifier(min_samples_leaf=5).fit(rows, CLASSES, sample_weight=weights)
    met = of_classes.tree_.weighted_n_node_samples[of_classes.apply(rows)][:, None]
    wanted = (met * of_classes.predict_proba(rows) + 1) / (met + 3)
    assert TreesMember.of(of_classes, 3, vector=False).predict(MATRIX).tobytes() == wanted.tobytes()


def test_a_class_that_no_row_has_keeps_its_place() -> None:
    rows = MATRIX.astype(np.float32)
    target = np.array([0, 2])[(SIGNAL > 0).astype(int)]
    estimator = forest(RandomForestClassifier).fit(rows, target)
    raw = TreesMember.of(estimator, 4, vector=False).predict(MATRIX)
    assert (raw[:, [0, 2]] == estimator.predict_proba(rows)).all()
    assert not raw[:, [1, 3]].any()


def test_neighbouring_float32_on_both_sides_of_a_threshold_go_where_scikit_learn_sends_them() -> None:
    numbers = [np.float32(100)]
    for _ in range(2):
        numbers.append(np.nextafter(numbers[-1], np.float32(101)))
    for low, high in pairwise(numbers):  # the float32 nearest to the threshold is once the lower, once the higher one
        rows = np.array([[low], [high]])
        tree = DecisionTreeRegressor().fit(rows, [0.0, 1.0])
        assert low < tree.tree_.threshold[0] < high
        assert TreesMember.of(tree, 0, vector=True).predict(rows).tolist() == [0.0, 1.0]


@pytest.mark.parametrize("cells", [1, 40, 2**20])
def test_bits_do_not_depend_on_how_many_rows_and_trees_are_looked_at_together(
    cells: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    member = TreesMember.of(forest(RandomForestRegressor).fit(MATRIX, SIGNAL), 0, vector=True)
    wanted = member.predict(MATRIX)
    monkeypatch.setattr(trees, "SUMMED_CELLS", cells)
    assert member.predict(MATRIX[:90]).tobytes() == wanted[:90].tobytes()
    assert member.predict(MATRIX[:0]).shape == (0,)


@pytest.fixture
def saved(tmp_path: Path) -> Path:
    TreesMember.of(forest(RandomForestClassifier).fit(MATRIX, CLASSES), 3, vector=False).save(tmp_path)
    return tmp_path / "trees.npz"


def test_a_file_that_holds_anything_but_trees_is_not_loaded(saved: Path) -> None:
    with np.load(saved) as arrays:
        good = dict(arrays)
    stranger = np.array([{"of": "no library"}], dtype=object)
    backwards = good["left"].copy()
    backwards[5] = 0
    for wrong in (
        {"values": stranger},
        {"left": backwards},
        {"left": good["left"][:-1]},
        {"features": good["features"] + 5},
        {"roots": good["roots"][:0]},
        {"values": good["values"][1:]},
    ):
        np.savez(saved, **good | wrong)
        with pytest.raises(BundleError, match="there are no trees in it"):
            TreesMember.load(saved.parent)
    saved.write_bytes(b"PK")
    with pytest.raises(BundleError, match="there are no trees in it"):
        TreesMember.load(saved.parent)
    saved.unlink()
    with pytest.raises(BundleError, match="there are no trees in it"):
        TreesMember.load(saved.parent)
    np.savez(saved, **good)
    TreesMember.load(saved.parent)
