"""The inner folds: every candidate is fitted and measured on the same ones."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import lru_cache
from typing import TypeVar

import numpy as np
from loguru import logger
from numpy.typing import NDArray

from labline.contract import Problem
from labline.features import Encoder, Encoding, Matrix, dense
from labline.model.families import FAMILIES, Device, Family, Fit
from labline.model.search.rows import TrainingRows
from labline.model.search.tried import Candidate, Tried
from labline.model.tasks import AnswerRule, Scores, Task

CACHED_CELLS_MAX = 60_000_000  # of all folds' matrices in one encoding, as if dense: half a gigabyte
ROWS_ALONE = 15  # timed one by one

Given = TypeVar("Given")
Made = TypeVar("Made")


def cores() -> int:
    """How many this process may use: a container's limit counts."""
    from joblib import cpu_count

    return max(1, int(cpu_count()))


def side_by_side(work: Callable[[Given], Made], items: Iterable[Given], workers: int | None = None) -> list[Made]:
    """The work done for each item, in threads: the libraries that fit let go of Python's lock."""
    from threadpoolctl import threadpool_limits

    # said here and not in each thread: the limit is the process's, and who ends first would lift it for the others
    with threadpool_limits(1, "blas"), ThreadPoolExecutor(workers or cores()) as pool:
        return list(pool.map(work, items))


@dataclass(frozen=True)
class _Encoded:
    """One fold in one encoding: the encoder, and the matrices of its training and its unseen rows."""

    encoder: Encoder
    train: Matrix
    test: Matrix

    def only(self, columns: Sequence[str]) -> _Encoded:
        """For some columns alone: a slice, as each column is encoded by itself."""
        encoder = self.encoder.only(columns)
        places = self.encoder.positions(columns)
        train, test = self.train[:, places], self.test[:, places]
        if self.encoder.is_sparse and not encoder.is_sparse:
            train, test = dense(train), dense(test)
        return _Encoded(encoder, train, test)


@dataclass(frozen=True)
class FoldOutcome:
    """What came of one fold: raw predictions for its unseen rows, and what they took."""

    raw: NDArray[np.float64]
    rounds: int
    fit_seconds: float
    predict_seconds: float
    row_ms: float
    cut_short: bool
    importances: dict[str, float]


class Folds:
    """Stratified folds of the problem's own rows; extra rows stand in every training part.

    Args:
        problem: the contract.
        task: its task.
        rows: with the derived columns.
        derived: names of the derived columns.
        folds: how many.
        seed: of the folds and the fits.
        device: `gpu` for the families that can.
    """

    def __init__(
        self,
        problem: Problem,
        task: Task,
        rows: TrainingRows,
        derived: tuple[str, ...],
        *,
        folds: int,
        seed: int,
        device: Device = "cpu",
    ) -> None:
        self.problem = problem
        self.task = task
        self.rows = rows
        self.derived = derived
        self.seed = seed
        self.device = device
        extra = np.arange(rows.own, len(rows.target))
        parts = split(task.strata(rows.own_target), folds, seed)
        self.parts = [(np.concatenate([train, extra]), test) for train, test in parts]
        wanted = FAMILIES.values() if device == "gpu" else ()
        self._on_gpu = {family.name for family in wanted if family.finds_gpu()}
        if wanted and not self._on_gpu:
            logger.warning("{}: no GPU is found that a family could use; everything is fitted without", problem.name)
        self._cached = lru_cache(maxsize=2 * len(self.parts))(self._encode)

    def sample(self, rows: int, folds: int) -> Folds:
        """Fewer folds of fewer rows, for what only has to be compared roughly; extra rows stay as many as before."""
        if self.rows.own <= rows and folds == len(self.parts):
            return self
        drawn = np.sort(np.random.default_rng(self.seed).permutation(self.rows.own)[:rows])
        kept = np.concatenate([drawn, np.arange(self.rows.own, len(self.rows.target))])
        fewer = TrainingRows(self.rows.take(kept), self.rows.target[kept], len(drawn), self.rows.weights_of(kept))
        return Folds(self.problem, self.task, fewer, self.derived, folds=folds, seed=self.seed, device=self.device)

    def _encode(self, encoding: Encoding, fold: int) -> _Encoded:
        train, test = self.parts[fold]
        columns = self.rows.take(train)
        encoder = Encoder.fit(self.problem, self.derived, encoding, columns)
        return _Encoded(encoder, encoder.transform(columns), encoder.transform(self.rows.take(test)))

    def encoder(self, candidate: Candidate) -> Encoder:
        """The encoder of a candidate's columns, fitted to all rows."""
        encoding = FAMILIES[candidate.family].encoding
        return Encoder.fit(self.problem, self.derived, encoding, self.rows.columns).only(candidate.columns)

    def device_of(self, family: Family) -> Device:
        """Where the family is fitted."""
        return self.device if family.name in self._on_gpu else "cpu"

    def encoded(self, encoding: Encoding, fold: int, columns: Sequence[str]) -> _Encoded:
        """A fold's encoder and matrices for some columns; what is encoded once serves every set of columns."""
        cells = len(self.rows.target) * len(self.rows.columns) * len(self.parts)
        whole = self._cached if cells <= CACHED_CELLS_MAX else self._encode
        return whole(encoding, fold).only(columns)

    def outcome(
        self,
        candidate: Candidate,
        fold: int,
        *,
        deadline: float | None = None,
        rounds: int | None = None,
        threads: int = 1,
    ) -> FoldOutcome:
        """Fit on a fold's training rows, stopping early on the others, and predict these."""
        family = FAMILIES[candidate.family]
        train, test = self.parts[fold]
        encoded = self.encoded(family.encoding, fold, candidate.columns)
        target = self.task.to_fit(self.rows.target)
        fit = Fit(
            self.task,
            encoded.train,
            target[train],
            encoded.encoder.categorical_features,
            self.seed,
            parameters=candidate.parameters,
            weights=self.rows.weights_of(train),
            validation=(encoded.test, target[test]),
            rounds=rounds,
            deadline=deadline,
            threads=threads,
            device=self.device_of(family),
        )
        started = time.perf_counter()
        member = family.fit(fit)
        fitted, cut_short = time.perf_counter(), fit.is_over
        raw = member.predict(encoded.test)
        seconds = time.perf_counter() - fitted
        alone = [_timed(member.predict, encoded.test[at : at + 1]) for at in range(min(ROWS_ALONE, len(test)))]
        return FoldOutcome(
            raw,
            member.rounds,
            fitted - started,
            seconds,
            1000 * float(np.median(alone)),
            cut_short,
            by_column(encoded.encoder, member.importances()),
        )

    def evaluate(
        self,
        candidate: Candidate,
        deadline: float | None = None,
        stop: Callable[[list[FoldOutcome]], bool] | None = None,
    ) -> tuple[Tried, NDArray[np.float64]] | None:
        """The candidate's figures over all folds, and its raw out-of-fold predictions, shape (own rows, …).

        Folds are fitted side by side, a thread each; a family that does not keep deadlines may run over.

        Args:
            candidate: what to try.
            deadline: after it boosters add no round.
            stop: asked after the first half of the folds; True ends it there, and nothing comes of it.
        """
        half = (len(self.parts) + 1) // 2
        outcomes: list[FoldOutcome] = []
        for wave in (range(half), range(half, len(self.parts))) if stop else (range(len(self.parts)),):
            outcomes += self._outcomes(candidate, wave, deadline)
            if stop is not None and len(outcomes) < len(self.parts) and stop(outcomes):
                return None
        raw = self.joined([outcome.raw for outcome in outcomes])
        rows = self.rows.own
        tried = self.tried(
            candidate,
            self.task.scores(raw),
            fit_seconds=sum(outcome.fit_seconds for outcome in outcomes),
            predict_seconds=1000 * sum(outcome.predict_seconds for outcome in outcomes) / rows,
            row_ms=float(np.median([outcome.row_ms for outcome in outcomes])),
            rounds=round(float(np.mean([outcome.rounds for outcome in outcomes]))),
            cut_short=any(outcome.cut_short for outcome in outcomes),
            importances={
                name: float(np.mean([outcome.importances.get(name, 0.0) for outcome in outcomes]))
                for name in candidate.columns
            },
        )
        return tried, raw

    def _outcomes(self, candidate: Candidate, wave: range, deadline: float | None) -> list[FoldOutcome]:
        """Some folds side by side; those that one core fits one after the other share the time evenly."""
        workers = min(cores(), len(wave))
        turns = -(-len(wave) // workers)
        threads = max(1, cores() // workers)

        def outcome(fold: int) -> FoldOutcome:
            share = _share(deadline, turns - (fold - wave[0]) // workers)
            return self.outcome(candidate, fold, deadline=share, threads=threads)

        return side_by_side(outcome, wave, workers)

    def joined(self, parts: Sequence[NDArray[np.float64]]) -> NDArray[np.float64]:
        """What the folds gave for their unseen rows, in the order of the rows."""
        raw = np.empty((self.rows.own, *parts[0].shape[1:]))
        for (_, test), part in zip(self.parts, parts, strict=True):
            raw[test] = part
        return raw

    def loss(self, fold: int, raw: NDArray[np.float64]) -> float:
        """The task's loss on a fold's unseen rows."""
        target = self.rows.target[self.parts[fold][1]]
        return self.task.metric(self.task.loss, target, self.task.scores(raw))

    def tried(
        self,
        candidate: Candidate,
        scores: Scores,
        *,
        fit_seconds: float,
        predict_seconds: float = 0.0,
        row_ms: float = 0.0,
        rounds: int = 0,
        cut_short: bool = False,
        importances: dict[str, float] | None = None,
        weights: dict[str, float] | None = None,
    ) -> Tried:
        """Figures over the folds; the rule that each fold is measured under was learned on the others."""
        target = self.rows.own_target
        metrics = []
        for train, test in self.parts:
            others = train[train < self.rows.own]
            ruled = self.task.ruled_by(self._rule(others, target, scores))
            metrics.append(ruled.metrics(target[test], scores[test]))
        return Tried(
            candidate=candidate,
            fold_metrics=tuple(metrics),
            fit_seconds=fit_seconds,
            predict_seconds=predict_seconds,
            row_ms=row_ms,
            rule=self.task.learn_rule(target, scores),
            rounds=rounds,
            cut_short=cut_short,
            importances=importances or {},
            weights=weights or {},
        )

    def _rule(self, rows: NDArray[np.intp], target: NDArray[np.float64], scores: Scores) -> AnswerRule:
        return self.task.learn_rule(target[rows], scores[rows])


def by_column(encoder: Encoder, importances: NDArray[np.float64]) -> dict[str, float]:
    """Shares of the columns in the importances of the matrix's features."""
    total = float(importances.sum()) or 1.0
    return {name: float(importances[encoder.positions([name])].sum()) / total for name in encoder.reads}


def split(strata: NDArray[np.intp], folds: int, seed: int) -> list[tuple[NDArray[np.intp], NDArray[np.intp]]]:
    """Training and test positions of stratified folds; strata too small for that are spread as they come."""
    from sklearn.model_selection import KFold, StratifiedKFold

    counts = np.bincount(strata)
    kind = StratifiedKFold if counts[counts > 0].min() >= folds else KFold
    return list(kind(folds, shuffle=True, random_state=seed).split(strata, strata))


def _share(deadline: float | None, turns: int) -> float | None:
    """When the first of so many even parts of the time left is over."""
    if deadline is None:
        return None
    now = time.monotonic()
    return now + (deadline - now) / turns


def _timed(predict: Callable[[Matrix], NDArray[np.float64]], row: Matrix) -> float:
    started = time.perf_counter()
    predict(row)
    return time.perf_counter() - started
