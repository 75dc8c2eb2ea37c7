"""Explanations: exact where they can be, fair to noise, and not begun where the time would not do."""

from __future__ import annotations

import time

import numpy as np
import pytest

from labline.contract import Columns
from labline.model.explanation import explain, shap_values
from tests.model.test_tasks import BINARY, REGRESSION

ROWS = 80
RANDOM = np.random.default_rng(4)
COLUMNS: Columns = {
    "much": RANDOM.normal(size=ROWS),
    "little": RANDOM.normal(size=ROWS),
    "name": RANDOM.choice(np.array(["x", "y", None], dtype=object), ROWS),
    "noise": RANDOM.normal(size=ROWS),
}


def additive(columns: Columns) -> np.ndarray:
    return np.asarray(3 * columns["much"] + 0.5 * columns["little"] + (columns["name"] == "x"))


def test_shap_values_of_an_additive_model_are_each_columns_part_and_add_up_to_the_score() -> None:
    values = shap_values(additive, COLUMNS, np.random.default_rng(1))
    assert values.shape == (ROWS, 4)
    assert np.array_equal(values[:, 3], np.zeros(ROWS))
    parts = 3 * COLUMNS["much"]
    assert np.corrcoef(values[:, 0], parts)[0, 1] > 0.85  # less what it was compared with, which is drawn
    many = np.mean([shap_values(additive, COLUMNS, np.random.default_rng(seed)) for seed in range(60)], axis=0)
    np.testing.assert_allclose(many[:, 0], parts - parts.mean(), atol=0.9)
    np.testing.assert_allclose(many.sum(axis=1), additive(COLUMNS) - additive(COLUMNS).mean(), atol=1.0)


def test_what_a_column_is_worth_follows_from_what_it_does() -> None:
    found = explain(additive, REGRESSION, COLUMNS, additive(COLUMNS), seed=7, deadline=time.monotonic() + 60)
    assert found is not None
    assert found.rows == ROWS
    for worth in (found.permutation, found.shap):
        order = sorted(worth, key=lambda name: -worth[name].mean)
        assert order[0] == "much"
        assert order[-1] == "noise"
        assert worth["noise"].mean == pytest.approx(0, abs=1e-12)
    assert found.table()["shap"]["much"]["mean"] == found.shap["much"].mean


def test_probabilities_are_explained_by_class() -> None:
    def scores(columns: Columns) -> np.ndarray:
        chance = 1 / (1 + np.exp(-additive(columns)))
        return np.column_stack([1 - chance, chance])

    target = (additive(COLUMNS) > 0).astype(int)
    found = explain(scores, BINARY, COLUMNS, target, seed=7, deadline=time.monotonic() + 60)
    assert found is not None
    assert found.loss == "log_loss"
    assert max(found.shap, key=lambda name: found.shap[name].mean) == "much"
    assert shap_values(scores, COLUMNS, np.random.default_rng(1)).shape == (ROWS, 4, 2)


def test_where_the_time_would_not_do_nothing_is_explained() -> None:
    def slow(columns: Columns) -> np.ndarray:
        time.sleep(0.05)
        return additive(columns)

    started = time.monotonic()
    assert explain(slow, REGRESSION, COLUMNS, additive(COLUMNS), seed=7, deadline=started + 1) is None
    assert time.monotonic() - started < 1
