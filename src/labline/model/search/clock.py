"""The budget as a clock: how much is left, and when a part of it ends."""

from __future__ import annotations

import time
from dataclasses import dataclass


@dataclass(frozen=True)
class Clock:
    """Wall-clock time for a search.

    Attributes:
        started: on the monotonic clock, in seconds.
        seconds: from then until it is over.
    """

    started: float
    seconds: float

    @classmethod
    def starting(cls, seconds: float, spent: float = 0.0) -> Clock:
        """One that starts now, with some of its time gone already."""
        return cls(time.monotonic() - spent, seconds)

    @property
    def spent(self) -> float:
        """Seconds gone."""
        return time.monotonic() - self.started

    @property
    def left(self) -> float:
        """Seconds left; negative when it is over."""
        return self.seconds - self.spent

    @property
    def end(self) -> float:
        """When it is over, on the monotonic clock."""
        return self.started + self.seconds

    def until(self, share: float, *, reserve: float = 0.0) -> float:
        """When a share of what is left will be gone, on the monotonic clock; the reserve is kept for what follows."""
        return time.monotonic() + max(0.0, self.left - reserve) * share
