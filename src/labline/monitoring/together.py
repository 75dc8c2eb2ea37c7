"""Columns together: pairs' correlations and a domain classifier, each with half of the probability of a false alarm."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict

from labline.config.monitoring import Monitoring
from labline.contract import Columns, Problem
from labline.monitoring.dependence import Pairs, compare_pairs
from labline.monitoring.domain import Separation, domain_test
from labline.monitoring.profile import Profile, paired


class Together(BaseModel):
    """Whether columns go together as they did.

    Attributes:
        alarm: of either test.
        pairs: the correlations of two columns at a time; None where no two can be compared.
        classifier: whether window and reference can be told apart; None where the profile has no rows for it, be they
            kept or drawn, or too few of these are like the window's.
    """

    model_config = ConfigDict(frozen=True)

    alarm: bool
    pairs: Pairs | None
    classifier: Separation | None

    @property
    def said(self) -> str:
        """What changed, in words."""
        pairs = [self.pairs.said] if self.pairs and self.pairs.alarm else []
        told = (
            [f"a classifier tells them apart, {self.classifier.said}"]
            if self.classifier and self.classifier.alarm
            else []
        )
        return "; ".join(pairs + told)


def columns_together(profile: Profile, problem: Problem, columns: Columns, settings: Monitoring) -> Together | None:
    """Whether columns go together as they did, from the last rows of a window; None where that cannot be said."""
    rows = min((len(values) for values in columns.values()), default=0)
    if rows < settings.rows_min:
        return None
    values = paired(problem, {name: each[-settings.together_rows :] for name, each in columns.items()})
    alpha, floor = settings.together_alpha / 2, settings.effect_floor  # of two tests (Bonferroni)
    pairs, classifier = None, None
    if profile.dependence is not None:
        pairs = compare_pairs(profile.dependence, values, alpha=alpha, floor=floor)
    if profile.domain is not None:
        classifier = domain_test(profile.domain, values, alpha=alpha, floor=floor)
    if pairs is None and classifier is None:
        return None
    alarm = any(one is not None and one.alarm for one in (pairs, classifier))
    return Together(alarm=alarm, pairs=pairs, classifier=classifier)
