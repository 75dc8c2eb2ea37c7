"""Promotion: champion and challenger on the same held-out rows, the decision, and why."""

from __future__ import annotations

from dataclasses import dataclass

from labline.model.evaluation import Interval, Judged, difference
from labline.model.tasks import greater_is_better


@dataclass(frozen=True)
class Decision:
    """Whether to promote, and the reason as a sentence."""

    promote: bool
    reason: str


def decide(metric: str, challenger: Judged, champion: Judged, seed: int) -> Decision:
    """Promote when the challenger is better on the same rows; a tie or less keeps the champion.

    The reason gives the difference with its 95 % interval from a paired bootstrap.
    """
    ours, theirs = challenger.metric(metric), champion.metric(metric)
    gap: Interval = difference(metric, challenger, champion, seed)
    better = gap.value > 0 if greater_is_better(metric) else gap.value < 0
    verdict = "better" if better else "not better"
    return Decision(
        better,
        f"challenger is {verdict} on the same {len(challenger.target):,} held-out rows: {metric} {ours:.4f} against "
        f"{theirs:.4f}, difference {gap.value:+.4f} [{gap.low:+.4f}, {gap.high:+.4f}]",
    )
