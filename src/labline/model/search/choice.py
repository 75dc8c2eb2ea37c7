"""The choice: the best of what was tried, or a blend of the best families where that is better by more than noise."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from labline.model.families import FAMILIES
from labline.model.search import blending
from labline.model.search.folds import Folds
from labline.model.search.tried import Candidate, Tried


@dataclass(frozen=True)
class Choice:
    """What is to be refitted.

    Attributes:
        best: what was chosen: one thing that was tried, or a blend.
        members: what it is made of, with weights that add up to one.
        raw: its raw out-of-fold predictions, shape (own rows, …).
        said: what was decided about a blend, and why.
    """

    best: Tried
    members: tuple[tuple[Tried, float], ...]
    raw: NDArray[np.float64]
    said: str

    @property
    def parameters(self) -> dict[str, Any]:
        """Of one member by their names; of several, with the family before them."""
        found: dict[str, Any] = {}
        several = len(self.members) > 1
        for tried, weight in self.members:
            before = f"{tried.family}." if several else ""
            values = FAMILIES[tried.family].defaults | tried.candidate.parameters
            found |= {f"{before}{name}": value for name, value in values.items()}
            if several:
                found |= {f"{before}weight": round(weight, 4), f"{before}rounds": tried.rounds}
        return found

    @property
    def importances(self) -> dict[str, float]:
        """Share of each column, the members' weighed."""
        found: dict[str, float] = {}
        for tried, weight in self.members:
            for name, share in tried.importances.items():
                found[name] = found.get(name, 0.0) + weight * share
        return found


def choose(
    folds: Folds,
    best: Tried,
    several: Sequence[Tried],
    raw_of: Callable[[str], NDArray[np.float64]],
    latency_ms_max: float,
) -> Choice:
    """The best, or a blend of several.

    Args:
        folds: that all were tried on.
        best: by the problem's metric.
        several: the best of each family, of which a blend may be made.
        raw_of: raw out-of-fold predictions by key.
        latency_ms_max: of the members, for one row.
    """
    raw = raw_of(best.key)
    alone = Choice(best, ((best, 1.0),), raw, "")
    if len(several) < 2:
        return alone
    raws = [raw_of(tried.key) for tried in several]
    weights = blending.weights_of(folds.task, folds.rows.own_target, raws, folds.seed)
    members = tuple((tried, float(weight)) for tried, weight in zip(several, weights, strict=True) if weight > 0)
    row_ms = sum(tried.row_ms for tried, _ in members)
    if row_ms > latency_ms_max:
        said = f"a blend would take {row_ms:.1f} ms a row, where {latency_ms_max:g} are allowed"
        return Choice(best, alone.members, raw, said)
    mixed = blending.cross_fitted(folds, raws)
    better, said = blending.is_better(folds, mixed, raw, folds.problem.metric)
    if not better:
        return Choice(best, alone.members, raw, said)
    return Choice(_blend(folds, members, mixed, row_ms), members, mixed, said)


def _blend(folds: Folds, members: tuple[tuple[Tried, float], ...], mixed: NDArray[np.float64], row_ms: float) -> Tried:
    parts = [tried for tried, _ in members]
    candidate = Candidate(
        family="blend",
        feature_set=", ".join(dict.fromkeys(tried.feature_set for tried in parts)),
        columns=tuple(dict.fromkeys(name for tried in parts for name in tried.candidate.columns)),
        parameters={"members": sorted(tried.key for tried in parts)},
        stage="blend",
    )
    return folds.tried(
        candidate,
        folds.task.scores(mixed),
        fit_seconds=sum(tried.fit_seconds for tried in parts),
        predict_seconds=sum(tried.predict_seconds for tried in parts),
        row_ms=row_ms,
        weights={tried.key: weight for tried, weight in members},
    )
