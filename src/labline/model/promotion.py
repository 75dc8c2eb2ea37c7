"""Promotion: what a version has to show to become champion, the decision, and its reasons."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from labline.config.promotion import Promotion
from labline.model.evaluation import SEGMENT_ROWS_MIN, Interval, Judged, difference, increase
from labline.model.tasks import greater_is_better

BETWEEN = "; "  # of reasons on one line; no reason has it in itself
FORCED = "forced, although "


@dataclass(frozen=True)
class Check:
    """One thing that was looked at, as a sentence with its figures."""

    passed: bool
    said: str


@dataclass(frozen=True)
class Decision:
    """Whether to promote, and why.

    Attributes:
        promote: the verdict.
        checks: all that was looked at, passed or failed.
        gap: challenger minus champion in the metric; None where the two were not compared.
    """

    promote: bool
    checks: tuple[Check, ...]
    gap: Interval | None = None

    @classmethod
    def by(cls, checks: Sequence[Check], gap: Interval | None = None) -> Decision:
        """To promote, everything has to be passed."""
        return cls(all(check.passed for check in checks), tuple(checks), gap)

    @property
    def reasons(self) -> tuple[str, ...]:
        """A sentence each, what failed first."""
        return tuple(check.said for check in sorted(self.checks, key=lambda check: check.passed))

    @property
    def reason(self) -> str:
        """All reasons on one line."""
        return BETWEEN.join(self.reasons)

    def forced(self) -> Decision:
        """The same decision in favour of the challenger, which says what spoke against it."""
        checks = tuple(check if check.passed else replace(check, said=FORCED + check.said) for check in self.checks)
        return Decision(True, checks, self.gap)


def compare(
    metric: str,
    challenger: Judged,
    champion: Judged,
    segments: Mapping[str, NDArray[np.bool_]],
    seed: int,
    limits: Promotion,
) -> Decision:
    """Judge a challenger by a paired bootstrap of the same rows.

    It has to be better in the metric by more than the least gain; a tie keeps the champion. And no segment of enough
    rows may lose too much: it is refused when the lower end of the interval of the relative increase of the task's
    loss exceeds the limit, so that noise in a small segment refuses nothing.

    Args:
        metric: the problem's.
        challenger: what it says of the rows.
        champion: what it says of the same rows.
        segments: which of the rows are in each.
        seed: of the bootstrap.
        limits: from `promotion.yaml`.
    """
    better, gap = _better(metric, challenger, champion, seed, limits)
    masks = {name: np.flatnonzero(rows) for name, rows in segments.items() if rows.sum() >= SEGMENT_ROWS_MIN}
    return Decision.by([better, *_segments_hold(challenger, champion, masks, seed, limits)], gap)


def bundle_mb(folder: Path) -> float:
    """The size of a bundle's files, in megabytes (10⁶ bytes)."""
    return sum(file.stat().st_size for file in folder.rglob("*") if file.is_file()) / 1e6


def costs(latency_ms: float, size_mb: float, limits: Promotion) -> tuple[Check, ...]:
    """Whether a version is quick and small enough to be served."""
    return (
        _at_most(latency_ms, limits.latency_ms_max, "one row takes", "ms"),
        _at_most(size_mb, limits.bundle_mb_max, "the bundle has", "MB"),
    )


def _better(metric: str, challenger: Judged, champion: Judged, seed: int, limits: Promotion) -> tuple[Check, Interval]:
    ours, theirs = challenger.metric(metric), champion.metric(metric)
    gap = difference(metric, challenger, champion, seed, limits.resamples)
    better = (gap.value if greater_is_better(metric) else -gap.value) > limits.minimum_gain
    verdict = f"{'better' if better else 'not better'}{_by(limits.minimum_gain)}"
    said = (
        f"the challenger is {verdict} on the same {len(challenger.target):,} held-out rows: {metric} {ours:.4f} "
        f"against {theirs:.4f}, difference {gap.value:+.4f} [{gap.low:+.4f}, {gap.high:+.4f}]"
    )
    return Check(better, said), gap


def _by(gain: float) -> str:
    return f" by more than {gain:g}" if gain else ""


def _segments_hold(
    challenger: Judged, champion: Judged, segments: Mapping[str, NDArray[np.intp]], seed: int, limits: Promotion
) -> list[Check]:
    """One check for each segment that loses too much, or one for all of them."""
    loss = challenger.task.loss
    grown = {
        name: increase(loss, challenger.of(rows), champion.of(rows), seed, limits.resamples)
        for name, rows in segments.items()
    }
    limit = limits.segment_loss_max
    losers = {name: found for name, found in grown.items() if found.low > limit}
    if losers:
        return [
            Check(
                False,
                f"the segment “{name}” of {len(segments[name]):,} rows loses more than {limit:.0%}: "
                f"{loss} {challenger.of(segments[name]).metric(loss):.4f} against "
                f"{champion.of(segments[name]).metric(loss):.4f}, {_grown(found)}",
            )
            for name, found in losers.items()
        ]
    if not grown:
        return []
    worst = max(grown, key=lambda name: grown[name].value)
    said = f"none of {len(grown)} segments loses more than {limit:.0%} in {loss} for sure"
    return [Check(True, f"{said} (the most: “{worst}” {_grown(grown[worst])})")]


def _grown(share: Interval) -> str:
    return f"{share.value:+.1%} [{share.low:+.1%}, {share.high:+.1%}]"


def _at_most(value: float, limit: float, what: str, unit: str) -> Check:
    if value <= limit:
        return Check(True, f"{what} {value:.3g} {unit} (at most {limit:g})")
    return Check(False, f"{what} {value:.3g} {unit}, more than {limit:g}")
