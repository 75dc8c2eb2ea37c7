"""Tuning: a family's parameters, suggested by Optuna and judged by the task's loss over the folds."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from labline.model.families import FAMILIES, Family
from labline.model.search.folds import FoldOutcome, Folds
from labline.model.search.tried import Candidate, Tried

if TYPE_CHECKING:
    import optuna

CLOSED = "closed"  # what a study says of itself when nobody waits for its trials any more
WORTH_STARTING = 0.6  # of a trial's usual time; with less left, it would be cut short


class Tuning:
    """One family's tuning on one set of columns.

    Args:
        study: where trials are kept; several processes may have it open.
        folds: to judge on.
        candidate: what is tuned.
        known: what came of a candidate, if it was tried before.
        told: of every trial that was judged on all folds, and its raw out-of-fold predictions.
    """

    def __init__(
        self,
        study: optuna.Study,
        folds: Folds,
        candidate: Candidate,
        known: Callable[[str], Tried | None],
        told: Callable[[Tried, NDArray[np.float64]], None],
    ) -> None:
        self._study = study
        self._folds = folds
        self._candidate = candidate
        self._known = known
        self._told = told
        self._family: Family = FAMILIES[candidate.family]
        self._deadline = float("inf")
        self._seconds: list[float] = []

    def run(self, deadline: float, trials: int | None, usual_seconds: float = 0.0, *, own: bool = False) -> None:
        """Try until the deadline on the monotonic clock, until so many trials are done, or until the study is closed.

        Args:
            deadline: a trial that would hardly be ready by then is not begun.
            trials: in the whole study, or, with `own`, begun here.
            usual_seconds: of a trial, before one was measured.
            own: count those begun here alone.
        """
        self._deadline = deadline
        self._study.enqueue_trial(self._defaults(), skip_if_exists=True)
        begun = 0
        while not self._study.user_attrs.get(CLOSED):
            done = begun if own else sum(trial.state.is_finished() for trial in self._study.get_trials(deepcopy=False))
            expected = float(np.median(self._seconds)) if self._seconds else usual_seconds
            if (trials is not None and done >= trials) or time.monotonic() + WORTH_STARTING * expected > deadline:
                return
            # one at a time: what is asked above may have changed; trials whose process was killed are failed here
            self._study.optimize(self._objective, n_trials=1)
            begun += 1

    def _defaults(self) -> dict[str, Any]:
        """The family's own, of those parameters that are tuned."""
        import optuna

        trial = optuna.trial.FixedTrial(self._family.defaults)
        self._family.space(trial)
        return dict(trial.params)

    def candidate_of(self, trial: optuna.trial.BaseTrial) -> Candidate:
        """What a trial suggests; what is like the defaults is left unsaid, so that it is not tried twice."""
        suggested, defaults = self._family.space(trial), self._family.defaults
        parameters = {name: value for name, value in suggested.items() if defaults.get(name) != value}
        return self._candidate.model_copy(update={"parameters": parameters, "stage": "tuned"})

    def _objective(self, trial: optuna.Trial) -> float:
        import optuna

        candidate = self.candidate_of(trial)
        loss = self._folds.task.loss
        before = self._known(candidate.key)
        if before is not None and not before.cut_short:
            return before.mean(loss)
        started = time.monotonic()

        def hopeless(outcomes: list[FoldOutcome]) -> bool:
            losses = [self._folds.loss(fold, outcome.raw) for fold, outcome in enumerate(outcomes)]
            trial.report(float(np.mean(losses)), len(outcomes))
            return trial.should_prune()

        found = self._folds.evaluate(candidate, self._deadline, hopeless)
        if found is None:
            raise optuna.TrialPruned
        tried, raw = found
        if tried.cut_short:  # worse than it could be; the study is not to learn from it
            raise optuna.TrialPruned
        self._seconds.append(time.monotonic() - started)
        self._told(tried, raw)
        return tried.mean(loss)

    def best(self) -> Candidate | None:
        """The best of the study, whoever tried it; None when no trial was finished."""
        import optuna

        try:
            return self.candidate_of(optuna.trial.FixedTrial(self._study.best_params))
        except ValueError:
            return None
