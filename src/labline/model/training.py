"""Training: feature sets and families compared in cross-validation, the best refitted on all training rows."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Any

import numpy as np
from loguru import logger
from numpy.typing import NDArray

from labline.config.training import Training
from labline.contract import Columns, Problem
from labline.features import DerivedFeatures, Encoder
from labline.model.families import FAMILIES, LightGBM, LightGBMMember
from labline.model.tasks import Baseline, Scores, Target, Task, greater_is_better
from labline.progress import Progress

SELECTION_SHARE = 0.7  # of the budget; the rest is for the refit


@dataclass(frozen=True)
class Tried:
    """One thing that was tried: what it is, and its figures over the inner folds."""

    family: str
    feature_set: str
    fold_metrics: tuple[dict[str, float], ...]
    fit_seconds: float
    rounds: int = 0

    def mean(self, metric: str) -> float:
        """Mean of the metric over the folds."""
        return float(np.mean([fold[metric] for fold in self.fold_metrics]))

    def deviation(self, metric: str) -> float:
        """Standard deviation of the metric over the folds."""
        return float(np.std([fold[metric] for fold in self.fold_metrics], ddof=1))


@dataclass(frozen=True)
class Fitted:
    """The best of what was tried, refitted on all training rows, and everything that was tried."""

    encoder: Encoder
    member: LightGBMMember
    best: Tried
    tried: tuple[Tried, ...]
    parameters: dict[str, Any]


class Trainer:
    """Compares what is to be tried on the same folds of the training rows.

    Args:
        problem: the contract.
        task: its task.
        derived: the derived features.
        columns: plain columns of the training rows; no held-out row among them.
        target: the encoded target of these rows, shape (rows,).
        settings: seed, folds, budget, families.
    """

    def __init__(
        self,
        problem: Problem,
        task: Task,
        derived: DerivedFeatures,
        columns: Columns,
        target: Target,
        settings: Training,
    ) -> None:
        self._problem = problem
        self._task = task
        self._derived = derived
        self._columns = derived(columns)
        self._target = target
        self._settings = settings
        self._folds = _folds(task.strata(target), settings.folds, settings.seed)

    def run(self, progress: Progress) -> Fitted:
        """Try the baselines, then every family on the raw columns and with the derived ones; refit the best."""
        baselines = self._task.baselines(self._settings.seed)
        sets = {"raw": (), "raw+derived": self._derived.names} if self._derived.names else {"raw": ()}
        runs = [(family, name) for family in self._settings.families for name in sets]
        tried = []
        for index, (name, baseline) in enumerate(baselines.items()):
            progress(f"baseline: {name}", 0.1 * index / len(baselines))
            tried.append(self._try_baseline(name, baseline))
        started = time.monotonic()  # the budget is for boosting; slow baselines must not leave it without a round
        budget = self._settings.budget_seconds * SELECTION_SHARE
        candidates = []
        for index, (family, name) in enumerate(runs):
            progress(f"{family} on {name} columns", 0.1 + 0.6 * index / len(runs))
            slice_end = started + budget * (index + 1) / len(runs)
            candidates.append(self._try_family(FAMILIES[family], name, sets[name], slice_end))
        best = max(candidates, key=self._rank)
        logger.info(
            "{}: best of {} tried is {} on {} columns, {} {:.4f} ± {:.4f} in cross-validation",
            self._problem.name,
            len(tried) + len(candidates),
            best.family,
            best.feature_set,
            self._problem.metric,
            best.mean(self._problem.metric),
            best.deviation(self._problem.metric),
        )
        progress(f"refit {best.family} on all training rows", 0.75)
        return self._refit(best, sets[best.feature_set], (*tried, *candidates), started)

    def _rank(self, tried: Tried) -> float:
        metric = self._problem.metric
        return tried.mean(metric) if greater_is_better(metric) else -tried.mean(metric)

    def _encoder(self, features: tuple[str, ...], rows: NDArray[np.intp], encoding: Any) -> Encoder:
        return Encoder.fit(self._problem, features, encoding, _take(self._columns, rows))

    def _try_baseline(self, name: str, baseline: Baseline) -> Tried:
        from sklearn.base import clone

        started = time.perf_counter()
        folds = []
        for train, test in self._folds:
            encoder = self._encoder((), train, baseline.encoding)
            estimator = clone(baseline.estimator).fit(
                encoder.transform(_take(self._columns, train)), self._target[train]
            )
            scores = self._task.estimated(estimator, encoder.transform(_take(self._columns, test)))
            folds.append(self._task.metrics(self._target[test], scores))
        return Tried(name, "raw", tuple(folds), time.perf_counter() - started)

    def _try_family(self, family: LightGBM, name: str, features: tuple[str, ...], deadline: float) -> Tried:
        """Fit on each fold, stopping early on its other part; the folds share the time to the deadline evenly."""
        started = time.perf_counter()
        folds, rounds = [], []
        for index, (train, test) in enumerate(self._folds):
            now = time.monotonic()
            encoder = self._encoder(features, train, family.encoding)
            matrix, unseen = (encoder.transform(_take(self._columns, rows)) for rows in (train, test))
            member = family.fit(
                self._task,
                matrix,
                self._target[train],
                categorical=encoder.categorical_features,
                seed=self._settings.seed,
                validation=(unseen, self._target[test]),
                deadline=now + (deadline - now) / (len(self._folds) - index),
            )
            scores: Scores = self._task.scores(member.predict(unseen))
            folds.append(self._task.metrics(self._target[test], scores))
            rounds.append(member.rounds)
        return Tried(family.name, name, tuple(folds), time.perf_counter() - started, round(float(np.mean(rounds))))

    def _refit(self, best: Tried, features: tuple[str, ...], tried: tuple[Tried, ...], started: float) -> Fitted:
        """All training rows, for the mean of the folds' best numbers of rounds."""
        family = FAMILIES[best.family]
        everything = np.arange(len(self._target))
        encoder = self._encoder(features, everything, family.encoding)
        member = family.fit(
            self._task,
            encoder.transform(self._columns),
            self._target,
            categorical=encoder.categorical_features,
            seed=self._settings.seed,
            rounds=best.rounds,
            deadline=started + self._settings.budget_seconds,
        )
        return Fitted(encoder, member, best, tried, {**family.defaults, "rounds": member.rounds})


def _take(columns: Columns, rows: NDArray[np.intp]) -> Columns:
    return {name: values[rows] for name, values in columns.items()}


def _folds(strata: NDArray[np.intp], folds: int, seed: int) -> list[tuple[NDArray[np.intp], NDArray[np.intp]]]:
    """Training and test positions of stratified folds; strata too small for that are spread as they come."""
    from sklearn.model_selection import KFold, StratifiedKFold

    counts = np.bincount(strata)
    kind = StratifiedKFold if counts[counts > 0].min() >= folds else KFold
    return list(kind(folds, shuffle=True, random_state=seed).split(strata, strata))
