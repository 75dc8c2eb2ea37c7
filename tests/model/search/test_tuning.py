"""Tuning: defaults first, trials pruned, the same for a seed, and several processes at one study."""

from __future__ import annotations

import time

import numpy as np
import optuna
import pytest

from labline.errors import RegistryError
from labline.model.families import FAMILIES
from labline.model.search import Candidate, Folds, Tried
from labline.model.search.studies import Studies
from labline.model.search.tuning import CLOSED, Tuning


def tuning(studies: Studies, folds: Folds, name: str = "told-lightgbm", family: str = "lightgbm") -> tuple:
    """A tuning on all columns, its study, and what it has told."""
    told: list[Tried] = []
    study = studies.begin(name, {CLOSED: False}, 7)
    candidate = Candidate(family=family, feature_set="raw", columns=tuple(folds.problem.columns))

    def known(key: str) -> Tried | None:
        return next((tried for tried in told if tried.key == key), None)

    return Tuning(study, folds, candidate, known, lambda tried, _raw: told.append(tried)), study, told


@pytest.mark.parametrize("family", FAMILIES)
def test_the_defaults_lie_within_the_space_and_are_the_first_trial(family: str, studies: Studies, folds: Folds) -> None:
    one, study, told = tuning(studies, folds, f"told-{family}", family)
    one.run(time.monotonic() + 60, trials=1)
    defaults = FAMILIES[family].defaults
    assert {name: defaults[name] for name in study.trials[0].params} == study.trials[0].params
    assert told[0].candidate.parameters == {}  # nothing but defaults, so it is known by the defaults' key
    assert told[0].candidate.key == Candidate(family=family, feature_set="raw", columns=told[0].candidate.columns).key


def test_a_seed_makes_the_trials_the_same(studies: Studies, folds: Folds) -> None:
    suggested = []
    for name in ("told-one", "told-two"):
        one, study, _ = tuning(studies, folds, name)
        one.run(time.monotonic() + 120, trials=5)
        suggested.append([trial.params for trial in study.trials])
    assert suggested[0] == suggested[1]
    assert len(suggested[0]) == 5


def test_a_hopeless_trial_is_pruned_after_half_of_the_folds(studies: Studies, folds: Folds) -> None:
    one, study, told = tuning(studies, folds)
    one.run(time.monotonic() + 120, trials=5)
    fits: list[int] = []
    outcome = folds.outcome

    def counted(candidate: Candidate, fold: int, **more: object) -> object:
        fits.append(fold)
        found = outcome(candidate, fold, **more)
        return type(found)(**{**vars(found), "raw": np.full_like(found.raw, 1 / 3)})  # says nothing

    folds.outcome = counted  # type: ignore[method-assign, assignment]
    one.run(time.monotonic() + 120, trials=6)
    assert study.trials[-1].state == optuna.trial.TrialState.PRUNED
    assert fits == [0, 1]
    assert len(told) == len({tried.key for tried in told}) <= 5


def test_no_trial_is_begun_that_would_hardly_be_ready(studies: Studies, folds: Folds) -> None:
    one, study, _ = tuning(studies, folds)
    one.run(time.monotonic() + 5, trials=None, usual_seconds=100)
    assert len(study.get_trials(states=[optuna.trial.TrialState.COMPLETE])) == 0


def test_a_closed_study_is_left(studies: Studies, folds: Folds) -> None:
    one, study, told = tuning(studies, folds)
    study.set_user_attr(CLOSED, True)
    one.run(time.monotonic() + 60, trials=3)
    assert told == []
    assert one.best() is None


def test_a_study_that_is_not_there_is_named_with_those_that_are(studies: Studies) -> None:
    studies.begin("told-there", {}, None)
    with pytest.raises(RegistryError, match="no study 'told-nowhere'.*told-there"):
        studies.join("told-nowhere")
