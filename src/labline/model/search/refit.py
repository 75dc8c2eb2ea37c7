"""The refit: what was chosen, fitted to all training rows, with several seeds where time and latency allow."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace

from labline.model.ensemble import Ensemble, Part
from labline.model.families import FAMILIES, Fit
from labline.model.search.folds import Folds, cores, side_by_side
from labline.model.search.tried import Tried

SLOWER = 1.3  # a fit on all rows beside another one, against the folds' fits
SECONDS_MIN = 0.5  # for the first of each member, whatever the time


def seconds(tried: Tried, folds: int) -> float:
    """What one fit on all rows, on one core, will take."""
    return SLOWER * tried.fit_seconds / (folds - 1)


def refit(
    folds: Folds, members: Sequence[tuple[Tried, float]], *, seeds: int, latency_ms_max: float, end: float
) -> Ensemble:
    """Members of an ensemble, boosters for the mean of the folds' best numbers of rounds.

    Args:
        folds: whose rows are all fitted to.
        members: what to fit, with weights that add up to one.
        seeds: of each member, at most.
        latency_ms_max: for one row, of all members and seeds together.
        end: on the monotonic clock; seeds that would not be ready are left out, and no booster adds rounds after it.
    """
    started = time.monotonic()
    row_ms = sum(tried.row_ms for tried, _ in members)
    once = sum(seconds(tried, len(folds.parts)) for tried, _ in members) / cores()
    most = min(latency_ms_max / row_ms if row_ms else seeds, (end - started) / once if once else seeds)
    seeds = max(1, min(seeds, int(most)))
    jobs = [(tried, weight, seed) for seed in range(seeds) for tried, weight in members]
    workers = min(cores(), len(jobs))
    encoders = {tried.key: folds.encoder(tried.candidate) for tried, _ in members}

    def part(job: tuple[Tried, float, int]) -> Part | None:
        tried, weight, seed = job
        family, encoder = FAMILIES[tried.family], encoders[tried.key]
        fit = Fit(
            folds.task,
            encoder.transform(folds.rows.columns),
            folds.task.to_fit(folds.rows.target),
            encoder.categorical_features,
            folds.seed + seed,
            parameters=tried.candidate.parameters,
            weights=folds.rows.weights,
            rounds=tried.rounds or None,
            deadline=max(end, started + SECONDS_MIN),
            threads=max(1, cores() // workers),
            device=folds.device_of(family),
        )
        if seed and fit.is_over:
            return None
        member = family.fit(fit)
        # the first of a kind is needed, as far as it got; another that was cut short would only water it down
        return None if seed and fit.is_over else Part(tried.family, encoder, member, weight, fit.seed)

    made = side_by_side(part, jobs, workers)
    ready = [(job, one) for job, one in zip(jobs, made, strict=True) if one is not None]
    count = Counter(tried.key for (tried, _, _), _ in ready)
    return Ensemble([replace(one, weight=one.weight / count[tried.key]) for (tried, _, _), one in ready])
