"""The search itself: baselines, every family with its defaults, feature selection, tuning, a blend, the refit."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from loguru import logger
from numpy.typing import NDArray

from labline.config.training import Training
from labline.contract import Problem
from labline.features import DerivedFeatures
from labline.model.ensemble import Ensemble
from labline.model.families import FAMILIES
from labline.model.search import refit, selection
from labline.model.search.baselines import FittedBaseline, candidate_of, fit_baseline, try_baseline
from labline.model.search.choice import Choice, choose
from labline.model.search.clock import Clock
from labline.model.search.folds import Folds, cores
from labline.model.search.journal import Journal
from labline.model.search.rows import TrainingRows
from labline.model.search.selection import Curve
from labline.model.search.studies import Studies
from labline.model.search.tried import Candidate, Tried
from labline.model.search.tuning import CLOSED, Tuning
from labline.model.tasks import AnswerRule, Baseline, Task, greater_is_better
from labline.progress import Progress, silent

# Shares of what is left when the stage begins, what the refit needs put aside.
DEFAULTS_SHARE = 0.8  # they end long before, unless the budget is small or the rows are many
SELECTION_SHARE = 0.15
FINALISTS = 3  # families that are worth selecting columns for, and tuning
BLENDED = 6  # members of a blend, at most
PATIENT = 0.35  # times the learning rate, when the parameters are found: more and smaller steps rarely lose
REFIT_SHARE_MAX = 0.2  # of the budget; with more members, some seeds are left out
REFIT_SHARE_OF_REST = 0.8  # for one seed of each member; finding the weights takes some time too


@dataclass(frozen=True)
class Fitted:
    """The best of what was tried, refitted on all training rows, and everything that was tried.

    Attributes:
        ensemble: fitted on all training rows.
        choice: what it is made of, and why.
        tried: everything that was, baselines first.
        baseline: the best of the baselines, fitted on all of the problem's own training rows.
        curves: of feature selection, by family.
        parameters: of the members, as a run's parameters.
    """

    ensemble: Ensemble
    choice: Choice
    tried: tuple[Tried, ...]
    baseline: FittedBaseline
    curves: dict[str, Curve]
    parameters: dict[str, Any] = field(default_factory=dict)

    @property
    def best(self) -> Tried:
        """What was chosen."""
        return self.choice.best

    @property
    def rule(self) -> AnswerRule:
        """How its scores become answers, learned on the folds."""
        return self.choice.best.rule


@dataclass(frozen=True)
class Watcher:
    """Who is told of what is going on.

    Attributes:
        step: what is done now, and which share of the whole is done.
        tried: what came of something, the best so far, and seconds left.
        curve: how selection goes on.
        study: a study was opened that others may join, by its name.
    """

    step: Progress
    tried: Callable[[Tried, Tried, float], None] = lambda _tried, _best, _left: None
    curve: Callable[[Curve], None] = lambda _curve: None
    study: Callable[[str], None] = lambda _name: None


class Search:
    """Compares what is to be tried on the same folds of the training rows.

    Args:
        problem: the contract.
        task: its task.
        derived: the derived features.
        rows: to learn from; no held-out row among them.
        settings: seed, folds, families and the rest.
        clock: the budget.
        journal: where everything that was tried is kept; what stands there already is not tried again.
        studies: opens the studies' database; called when there is something to tune.
        reserve: seconds that the caller needs after the search.
    """

    def __init__(
        self,
        problem: Problem,
        task: Task,
        derived: DerivedFeatures,
        rows: TrainingRows,
        settings: Training,
        *,
        clock: Clock,
        journal: Journal,
        studies: Callable[[], Studies],
        reserve: float = 0.0,
    ) -> None:
        self._problem = problem
        self._task = task
        self._settings = settings
        self._clock = clock
        self._journal = journal
        self._studies = studies
        self._reserve = reserve
        self._rows = rows.derive(derived)
        self._derived = derived.names
        self._curves: dict[str, Curve] = {}
        self._watcher = Watcher(silent)
        self.folds = Folds(
            problem, task, self._rows, derived.names, folds=settings.folds, seed=settings.seed, device=settings.device
        )

    def run(self, watcher: Watcher) -> Fitted:
        """All stages; each ends when its part of the budget does, and what it found by then is used."""
        self._watcher = watcher
        started = self._clock.spent
        window = self._clock.left - self._reserve
        baselines = self._task.baselines(self._settings.seed)
        beaten = self._try_baselines(baselines)
        self._try_families(time.monotonic() + window * DEFAULTS_SHARE - (self._clock.spent - started))
        self._select()
        self._tune()
        choice = self._choose()
        self._tell(choice.best, beaten)
        watcher.step(f"refit {choice.best.family} on all training rows", self._done)
        ensemble = refit.refit(
            self.folds,
            choice.members,
            seeds=self._settings.seeds,
            latency_ms_max=self._settings.latency_ms_max,
            end=self._clock.end - self._reserve,
        )
        about = {"seeds": len(ensemble.parts) // len(choice.members), "rounds": ensemble.rounds}
        own = np.arange(self._rows.own)
        return Fitted(
            ensemble=ensemble,
            choice=choice,
            tried=tuple(self._journal.tried),
            baseline=fit_baseline(self.folds, beaten.family, baselines[beaten.family], own),
            curves=self._curves,
            parameters=about | choice.parameters,
        )

    def _choose(self) -> Choice:
        """Kept in the journal where it is a blend, which was not tried until now."""
        self._watcher.step("choose, or blend", self._done)
        best = max(self.contenders(), key=self._rank)
        several = self._to_blend() if self._settings.blend else []
        choice = choose(self.folds, best, several, self._journal.raw, self._settings.latency_ms_max)
        if choice.said:
            logger.info("{}: {}", self._problem.name, choice.said)
        if self._journal.found(choice.best.key) is None:
            self._record(choice.best, choice.raw)
        return choice

    def _to_blend(self) -> list[Tried]:
        """The best of every family and set of columns, as many as there is time to refit."""
        found: dict[tuple[str, str], Tried] = {}
        for tried in sorted(self.contenders(), key=self._loss):
            found.setdefault((tried.family, tried.feature_set), tried)
        left = max(self._clock.left - self._reserve, 0.0)
        costs = np.cumsum([refit.seconds(tried, self._settings.folds) / cores() for tried in found.values()])
        affordable = int((costs <= REFIT_SHARE_OF_REST * left).sum())
        return list(found.values())[: min(BLENDED, affordable)]

    # What is found on the way

    @property
    def _done(self) -> float:
        return min(1.0, self._clock.spent / self._clock.seconds)

    def _rank(self, tried: Tried) -> float:
        metric = self._problem.metric
        return tried.mean(metric) if greater_is_better(metric) else -tried.mean(metric)

    def _loss(self, tried: Tried) -> float:
        return tried.mean(self._task.loss)

    def _record(self, tried: Tried, raw: NDArray[np.float64] | None) -> None:
        self._journal.add(tried, raw, self._clock.spent)
        best = max(self.contenders() or self._journal.tried, key=self._rank)
        self._watcher.tried(tried, best, self._clock.left)

    def contenders(self) -> list[Tried]:
        """Of every family, set of columns and stage the one of least loss: what is chosen from.

        The one of the best metric would often be the luckiest of many trials.
        """
        best: dict[tuple[str, str, str], Tried] = {}
        for tried in self._journal.tried:
            if tried.stage in {"baseline", "blend"}:
                continue
            place = (tried.family, tried.feature_set, tried.stage)
            if place not in best or self._loss(tried) < self._loss(best[place]):
                best[place] = tried
        return list(best.values())

    def _by_family(self) -> list[Tried]:
        """Of every family the one of least loss, the best family first."""
        found: dict[str, Tried] = {}
        for tried in self.contenders():
            if tried.family not in found or self._loss(tried) < self._loss(found[tried.family]):
                found[tried.family] = tried
        return sorted(found.values(), key=self._loss)

    def _put_aside(self) -> float:
        """Seconds to keep for the refit of what is best so far, and for the caller."""
        finalists = self._by_family()[:FINALISTS]
        each = [refit.seconds(tried, self._settings.folds) for tried in finalists]
        every = sum(each) * self._settings.seeds / cores()
        return self._reserve + max(max(each, default=0.0), min(every, REFIT_SHARE_MAX * self._clock.seconds))

    # Baselines

    def _try_baselines(self, baselines: dict[str, Baseline]) -> Tried:
        found = []
        for name, baseline in baselines.items():
            tried = self._journal.found(candidate_of(self.folds, name).key)
            if tried is None:
                self._watcher.step(f"baseline: {name}", self._done)
                tried = try_baseline(self.folds, name, baseline)
                self._record(tried, None)
            found.append(tried)
        return max(found, key=self._rank)

    # Families with their defaults

    def _try_families(self, stage_end: float) -> None:
        """Every family on the raw columns; then, the best first, with the derived ones."""
        raw = tuple(self._problem.columns)
        candidates = [Candidate(family=name, feature_set="raw", columns=raw) for name in self._settings.families]
        for index, candidate in enumerate(candidates):
            self._try(candidate, _slice(stage_end, len(candidates) - index))
        if not self._derived:
            return
        ranked = [tried.family for tried in self._by_family()]
        for index, family in enumerate(ranked):
            wider = Candidate(family=family, feature_set="raw+derived", columns=(*raw, *self._derived))
            self._try(wider, _slice(stage_end, len(ranked) - index))

    def _try(self, candidate: Candidate, deadline: float) -> None:
        """Unless it was tried, or there is no time for it; something is always tried."""
        before = self._journal.found(candidate.key)
        if before is not None and not before.cut_short:
            return
        family = FAMILIES[candidate.family]
        anything = bool(self.contenders())
        left = deadline - time.monotonic()
        labels = self._rows.target.shape[1] if self._rows.target.ndim == 2 else 1
        alike = [tried for tried in self.contenders() if tried.family == candidate.family]
        took = max((tried.fit_seconds for tried in alike), default=0.0) / min(cores(), self._settings.folds)
        per_fold = left * min(cores(), self._settings.folds) / self._settings.folds
        if anything and (
            left <= 0 or not family.affordable(per_fold, labels) or (not family.keeps_deadlines and took > left)
        ):
            logger.info(
                "{}: {} on {} columns is not tried: too little of the budget is left for it",
                self._problem.name,
                candidate.family,
                candidate.feature_set,
            )
            return
        self._watcher.step(f"{candidate.family} on {candidate.feature_set} columns", self._done)
        found = self.folds.evaluate(candidate, deadline)
        if found is not None:
            self._record(*found)

    # Feature selection

    def _select(self) -> None:
        if self._settings.selection == "none":
            return
        columns = (*self._problem.columns, *self._derived)
        finalists = [tried for tried in self._by_family()[:FINALISTS] if not tried.cut_short]
        stage_end = self._clock.until(SELECTION_SHARE, reserve=self._put_aside())
        sample = self.folds.sample(selection.SAMPLE_ROWS, selection.SAMPLE_FOLDS)
        for index, tried in enumerate(finalists):
            curve = self._curve(tried, columns, sample, _even(stage_end, len(finalists) - index))
            self._curves[tried.family] = curve
            self._watcher.curve(curve)
            if curve.best is None:
                said = "too little of the budget was left to select columns for it"
                logger.info("{}: {}: {}", self._problem.name, tried.family, said)
                continue
            chosen = Candidate(
                family=tried.family, feature_set="selected", columns=curve.best.columns, stage="selected"
            )
            self._try(chosen, max(stage_end, time.monotonic() + tried.fit_seconds))

    def _curve(self, tried: Tried, columns: tuple[str, ...], sample: Folds, deadline: float) -> Curve:
        """The family's curve, gone on with where it was left off."""
        name = f"selection-{tried.family}"
        kept = self._journal.kept(name)
        curve = Curve.model_validate(kept) if kept else Curve.of(tried.family, self._task.loss, len(columns))
        if curve.complete or time.monotonic() > deadline:
            return curve
        self._watcher.step(f"select columns for {tried.family}", self._done)
        widest = max((t for t in self.contenders() if t.family == tried.family), key=lambda t: len(t.candidate.columns))
        looked_at = selection.screened(columns, widest.importances)

        def keep(curve: Curve) -> None:
            self._journal.keep(name, curve.model_dump(mode="json"))
            self._journal.note(spent=self._clock.spent)

        if self._settings.selection == "sequential":
            return selection.sequential(sample, looked_at, curve, deadline, keep)
        study = self._studies().begin(self._study_name(f"{tried.family}-columns"), {}, self._settings.seed)
        return selection.by_study(study, sample, looked_at, curve, deadline, keep)

    # Tuning

    def _study_name(self, what: str) -> str:
        return f"{self._problem.name}-{what}-{self._journal.folder.name}"

    def _tune(self) -> None:
        """The best families in turn, each on the columns that it did best with; then once more with smaller steps."""
        finalists = [tried for tried in self._by_family()[:FINALISTS] if not tried.cut_short]
        if self._settings.trials == 0:
            return
        for index, tried in enumerate(finalists):
            end = self._clock.until(1 / (len(finalists) - index), reserve=self._put_aside())
            usual = tried.fit_seconds / min(cores(), self._settings.folds)
            patient = usual / PATIENT if "learning_rate" in FAMILIES[tried.family].defaults else 0.0
            if time.monotonic() + usual < end - patient:
                self._tune_family(tried, end - patient, usual)
            best = min((t for t in self.contenders() if t.family == tried.family), key=self._loss)
            slowly = patiently(best.candidate)
            if slowly is not None and time.monotonic() + patient < end + usual:
                self._try(slowly, max(end, time.monotonic() + patient))

    def _tune_family(self, tried: Tried, end: float, usual: float) -> None:
        self._watcher.step(f"tune {tried.family}", self._done)
        name = self._study_name(tried.family)
        about = {
            "family": tried.family,
            "feature_set": tried.feature_set,
            "columns": list(tried.candidate.columns),
            "key": self._journal.about.key,
            "run_id": self._journal.about.run_id,
            CLOSED: False,
        }
        study = self._studies().begin(name, about, self._settings.seed)
        self._watcher.study(name)
        tuning = Tuning(study, self.folds, tried.candidate, self._journal.found, self._record)
        tuning.run(end, self._settings.trials, usual)
        study.set_user_attr(CLOSED, True)
        best = tuning.best()
        if best is not None:  # another process may have found it: its predictions are needed here
            self._try(best, end + usual)

    def _tell(self, best: Tried, beaten: Tried) -> None:
        metric, name = self._problem.metric, self._problem.name
        said = f"{metric} {best.mean(metric):.4f} ± {best.deviation(metric):.4f} in cross-validation"
        simple = f"{beaten.family} {beaten.mean(metric):.4f}"
        logger.info(
            "{}: {} on {} columns has {}; the best baseline, {}", name, best.family, best.feature_set, said, simple
        )
        if self._rank(best) <= self._rank(beaten):
            logger.warning(
                "{}: no family beats the baseline {}; the columns may tell nothing of the target", name, simple
            )


def patiently(candidate: Candidate) -> Candidate | None:
    """The same with a smaller learning rate; None where there is none."""
    parameters = FAMILIES[candidate.family].defaults | candidate.parameters
    if "learning_rate" not in parameters:
        return None
    slower = candidate.parameters | {"learning_rate": round(PATIENT * parameters["learning_rate"], 5)}
    return candidate.model_copy(update={"parameters": slower, "stage": "tuned"})


def _slice(end: float, parts: int) -> float:
    """When the next of so many has to be ready: it may take half of what is left, so that the first ones are whole."""
    now = time.monotonic()
    return now + (end - now) * max(0.5, 1 / parts)


def _even(end: float, parts: int) -> float:
    now = time.monotonic()
    return now + (end - now) / parts
