"""Columns together: two tests with half of alpha each, and what of the training rows the profile keeps for them."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import norm

from labline import pipeline
from labline.config import Config
from labline.contract import Columns, Problem
from labline.data.sources.sample import generate
from labline.model.bundle import Bundle
from labline.monitoring.profile import Profile, make_profile
from labline.monitoring.together import columns_together
from labline.pipeline.data import columns_of
from tests.conftest import ROOT


@pytest.fixture
def columns(problem: Problem) -> Columns:
    """All rows of the obesity sample."""
    return columns_of(problem, generate(ROOT / "problems" / "obesity", "train", seed=7))


def profiled(config: Config, problem: Problem, columns: Columns) -> Profile:
    bundle = Bundle.load(pipeline.champion(config, "obesity").folder)
    some = {name: values[:3000] for name, values in columns.items()}
    scores = bundle.scores({name: values[:100] for name, values in columns.items()})
    return make_profile(problem, some, bundle.task, scores, {})


def test_each_test_has_half_of_alpha(config: Config, problem: Problem, columns: Columns) -> None:
    profile = profiled(config, problem, columns)
    window = {name: values[3000:3300] for name, values in columns.items()}
    found = columns_together(profile, problem, window, config.monitoring)
    assert found is not None
    assert found.pairs is not None
    assert found.classifier is not None
    assert not found.alarm
    assert found.said == ""
    assert profile.dependence is not None
    tests = len(profile.dependence.pairs)
    assert found.pairs.null_high == pytest.approx(norm.isf(config.monitoring.together_alpha / 2 / 2 / tests))
    wide = found.classifier.null_high - found.classifier.null_low
    loose = config.monitoring.model_copy(update={"together_alpha": 0.2})
    other = columns_together(profile, problem, window, loose)
    assert other is not None
    assert other.classifier is not None
    ratio = norm.isf(0.05) / norm.isf(config.monitoring.together_alpha / 4)
    assert other.classifier.null_high - other.classifier.null_low == pytest.approx(wide * ratio)


def test_a_column_exchanged_among_the_rows_is_caught_by_both(
    config: Config, problem: Problem, columns: Columns
) -> None:
    profile = profiled(config, problem, columns)
    window = {name: values[3000:3300] for name, values in columns.items()}
    window["Weight"] = np.random.default_rng(0).permutation(window["Weight"])
    found = columns_together(profile, problem, window, config.monitoring)
    assert found is not None
    assert found.alarm
    assert found.pairs is not None
    assert found.pairs.alarm
    assert found.classifier is not None
    assert found.classifier.alarm
    assert next(iter(found.classifier.columns)) == "Weight"
    assert "Weight (+0." in found.said
    assert f"AUC {found.classifier.auc:.3f}" in found.said


def test_without_rows_in_the_profile_pairs_alone_are_tested(config: Config, problem: Problem, columns: Columns) -> None:
    before = profiled(config, problem, columns).model_copy(update={"domain": None})
    found = columns_together(before, problem, columns, config.monitoring)
    assert found is not None
    assert found.pairs is not None
    assert found.classifier is None
    neither = before.model_copy(update={"dependence": None})
    assert columns_together(neither, problem, columns, config.monitoring) is None


def test_the_contract_says_whether_rows_are_kept_and_which_columns_never_are(
    config: Config, problem: Problem, columns: Columns
) -> None:
    assert problem.reference_rows == "drawn"
    hidden = problem.columns["Age"].model_copy(update={"logged": False})
    for kind in ("drawn", "kept"):
        changes = {"reference_rows": kind, "columns": {**problem.columns, "Age": hidden}}
        domain = profiled(config, problem.model_copy(update=changes), columns).domain
        assert domain is not None
        assert domain.rows.drawn == (kind == "drawn")
        assert "Age" not in domain.rows.columns
        assert {"Height", "Weight", "Gender"} <= domain.rows.columns.keys()
