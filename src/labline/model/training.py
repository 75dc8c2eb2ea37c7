"""Training: feature sets and families compared in cross-validation, the best refitted on all training rows."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
from loguru import logger
from numpy.typing import NDArray

from labline.config.training import Training
from labline.contract import Columns, Problem
from labline.features import DerivedFeatures, Encoder, Encoding
from labline.model.families import FAMILIES, Family, Fit, Member
from labline.model.tasks import AnswerRule, Baseline, Scores, Target, Task, greater_is_better
from labline.progress import Progress

SELECTION_SHARE = 0.7  # of the budget; the rest is for the refit


@dataclass(frozen=True)
class Tried:
    """One thing that was tried: what it is, and its figures over the inner folds."""

    family: str
    feature_set: str
    fold_metrics: tuple[dict[str, float], ...]
    fit_seconds: float
    rule: AnswerRule
    rounds: int = 0

    def mean(self, metric: str) -> float:
        """Mean of the metric over the folds."""
        return float(np.mean([fold[metric] for fold in self.fold_metrics]))

    def deviation(self, metric: str) -> float:
        """Standard deviation of the metric over the folds."""
        return float(np.std([fold[metric] for fold in self.fold_metrics], ddof=1))


@dataclass(frozen=True)
class FittedBaseline:
    """The best of the baselines, fitted on all training rows."""

    name: str
    task: Task
    _estimator: Any
    _rows_of: Callable[[Columns], Any]

    def scores(self, columns: Columns) -> Scores:
        """Its scores for the contract's columns."""
        return self.task.estimated(self._estimator, self._rows_of(columns))


@dataclass(frozen=True)
class Fitted:
    """The best of what was tried, refitted on all training rows, and everything that was tried.

    Attributes:
        encoder: fitted on all training rows.
        member: likewise.
        rule: how its scores become answers, learned on the folds.
        best: what was chosen.
        tried: everything that was, baselines first.
        baseline: the best of the baselines.
        parameters: of the member.
    """

    encoder: Encoder
    member: Member
    rule: AnswerRule
    best: Tried
    tried: tuple[Tried, ...]
    baseline: FittedBaseline
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
        simple = []
        for index, (name, baseline) in enumerate(baselines.items()):
            progress(f"baseline: {name}", 0.1 * index / len(baselines))
            simple.append(self._try_baseline(name, baseline))
        started = time.monotonic()  # the budget is for the families; slow baselines must not leave them without a round
        budget = self._settings.budget_seconds * SELECTION_SHARE
        candidates: list[Tried] = []
        for index, (family, name) in enumerate(runs):
            progress(f"{family} on {name} columns", 0.1 + 0.6 * index / len(runs))
            slice_end = started + budget * (index + 1) / len(runs)
            if candidates and not self._affordable(FAMILIES[family], slice_end, candidates):
                logger.info("{}: {} is not tried: too little of the budget is left for it", self._problem.name, family)
                continue
            candidates.append(self._try_family(FAMILIES[family], name, sets[name], slice_end))
        best, beaten = max(candidates, key=self._rank), max(simple, key=self._rank)
        self._tell(best, beaten)
        progress(f"refit {best.family} on all training rows", 0.75)
        encoder, member = self._refit(best, sets[best.feature_set], started)
        return Fitted(
            encoder=encoder,
            member=member,
            rule=best.rule,
            best=best,
            tried=(*simple, *candidates),
            baseline=self._fitted_baseline(beaten.family, baselines[beaten.family], self._everything),
            parameters={**FAMILIES[best.family].defaults, "rounds": member.rounds},
        )

    def _affordable(self, family: Family, deadline: float, tried: list[Tried]) -> bool:
        """Whether there is time for another try; one that cannot be cut short takes about as long as it took before."""
        left = deadline - time.monotonic()
        labels = self._target.shape[1] if self._target.ndim == 2 else 1
        took = max((other.fit_seconds for other in tried if other.family == family.name), default=0.0)
        return family.affordable(left / len(self._folds), labels) and (family.keeps_deadlines or took <= left)

    @property
    def _everything(self) -> NDArray[np.intp]:
        return np.arange(len(self._target))

    def _tell(self, best: Tried, beaten: Tried) -> None:
        metric = self._problem.metric
        said = f"{metric} {best.mean(metric):.4f} ± {best.deviation(metric):.4f} in cross-validation"
        simple = f"{beaten.family} {beaten.mean(metric):.4f}"
        name = self._problem.name
        logger.info(
            "{}: {} on {} columns has {}; the best baseline, {}", name, best.family, best.feature_set, said, simple
        )
        if self._rank(best) <= self._rank(beaten):
            logger.warning(
                "{}: no family beats the baseline {}; the columns may tell nothing of the target", name, simple
            )

    def _rank(self, tried: Tried) -> float:
        metric = self._problem.metric
        return tried.mean(metric) if greater_is_better(metric) else -tried.mean(metric)

    def _encoder(self, features: tuple[str, ...], rows: NDArray[np.intp], encoding: Encoding) -> Encoder:
        return Encoder.fit(self._problem, features, encoding, _take(self._columns, rows))

    def _fitted_baseline(self, name: str, baseline: Baseline, rows: NDArray[np.intp]) -> FittedBaseline:
        from sklearn.base import clone

        columns, encoding = _take(self._columns, rows), baseline.encoding
        rows_of = (
            partial(_as_given, baseline.reads) if encoding is None else self._encoder((), rows, encoding).transform
        )
        estimator = clone(baseline.estimator).fit(rows_of(columns), self._task.to_fit(self._target[rows]))
        return FittedBaseline(name, self._task, estimator, rows_of)

    def _try_baseline(self, name: str, baseline: Baseline) -> Tried:
        started = time.perf_counter()
        scores = [
            self._fitted_baseline(name, baseline, train).scores(_take(self._columns, test))
            for train, test in self._folds
        ]
        return self._tried(name, "raw", scores, time.perf_counter() - started)

    def _try_family(self, family: Family, name: str, features: tuple[str, ...], deadline: float) -> Tried:
        """Fit on each fold, stopping early on its other part; the folds share the time to the deadline evenly."""
        started = time.perf_counter()
        scores, rounds = [], []
        target = self._task.to_fit(self._target)
        for index, (train, test) in enumerate(self._folds):
            now = time.monotonic()
            encoder = self._encoder(features, train, family.encoding)
            matrix, unseen = (encoder.transform(_take(self._columns, rows)) for rows in (train, test))
            fit = Fit(
                self._task,
                matrix,
                target[train],
                encoder.categorical_features,
                self._settings.seed,
                validation=(unseen, target[test]),
                deadline=now + (deadline - now) / (len(self._folds) - index),
            )
            member = family.fit(fit)
            scores.append(self._task.scores(member.predict(unseen)))
            rounds.append(member.rounds)
        seconds = time.perf_counter() - started
        return self._tried(family.name, name, scores, seconds, rounds=round(float(np.mean(rounds))))

    def _tried(self, family: str, feature_set: str, scores: list[Scores], seconds: float, rounds: int = 0) -> Tried:
        """Figures over the folds; the rule that each fold is measured under was learned on the others."""
        targets = [self._target[test] for _, test in self._folds]
        metrics = []
        for index, (target, score) in enumerate(zip(targets, scores, strict=True)):
            others = [np.concatenate([*parts[:index], *parts[index + 1 :]]) for parts in (targets, scores)]
            metrics.append(self._task.ruled_by(self._task.learn_rule(*others)).metrics(target, score))
        rule = self._task.learn_rule(np.concatenate(targets), np.concatenate(scores))
        return Tried(family, feature_set, tuple(metrics), seconds, rule, rounds)

    def _refit(self, best: Tried, features: tuple[str, ...], started: float) -> tuple[Encoder, Member]:
        """On all training rows, for the mean of the folds' best numbers of rounds."""
        family = FAMILIES[best.family]
        encoder = self._encoder(features, self._everything, family.encoding)
        fit = Fit(
            self._task,
            encoder.transform(self._columns),
            self._task.to_fit(self._target),
            encoder.categorical_features,
            self._settings.seed,
            rounds=best.rounds or None,
            deadline=started + self._settings.budget_seconds,
        )
        return encoder, family.fit(fit)


def _as_given(names: tuple[str, ...], columns: Columns) -> NDArray[Any]:
    """The columns side by side, names and numbers as they are, shape (rows, columns)."""
    side_by_side = np.empty((len(columns[names[0]]), len(names)), dtype=object)
    for index, name in enumerate(names):
        side_by_side[:, index] = columns[name]
    return side_by_side


def _take(columns: Columns, rows: NDArray[np.intp]) -> Columns:
    return {name: values[rows] for name, values in columns.items()}


def _folds(strata: NDArray[np.intp], folds: int, seed: int) -> list[tuple[NDArray[np.intp], NDArray[np.intp]]]:
    """Training and test positions of stratified folds; strata too small for that are spread as they come."""
    from sklearn.model_selection import KFold, StratifiedKFold

    counts = np.bincount(strata)
    kind = StratifiedKFold if counts[counts > 0].min() >= folds else KFold
    return list(kind(folds, shuffle=True, random_state=seed).split(strata, strata))
