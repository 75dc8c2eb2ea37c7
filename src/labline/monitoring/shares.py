"""Shares that ought to stay small: of values missing, of names never met before, of values out of range."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from labline.monitoring.profile import CategoryProfile, Reference
from labline.monitoring.tally import Counts, NameCounts

Kind = Literal["missing", "new categories", "out of range"]


@dataclass(frozen=True)
class Share:
    """How often something is met in the window and in the reference, and how probable so great a difference is."""

    kind: Kind
    window: float
    reference: float
    p_value: float


def shares_of(reference: Reference, counts: Counts) -> list[Share]:
    """The shares that can be tested: those of which there is at least one case on either side.

    Where there is none, no outcome of the test could have been an alarm, so it is no part of the tests to correct for
    (Tarone 1990).
    """
    once = reference.met_once if isinstance(reference, CategoryProfile) and not reference.others else 0
    new = counts.unknown if isinstance(counts, NameCounts) else 0
    listed = isinstance(reference, CategoryProfile) and reference.others == 0
    cases = [
        _share("missing", counts.missing, counts.rows, reference.missing, reference.rows, two_sided=True),
        _share("out of range", counts.outside, counts.rows, reference.outside, reference.rows),
        # of names the profile met once so many as new ones are to be expected (Good 1953)
        _share("new categories", new, counts.known, once, reference.known) if listed else None,
    ]
    return [case for case in cases if case is not None]


def _share(
    kind: Kind, cases: int, rows: int, reference_cases: int, reference_rows: int, *, two_sided: bool = False
) -> Share | None:
    """Fisher's exact test (1922): is the window's share another one, or a greater one, than the reference's?"""
    if not rows or not reference_rows or not cases + reference_cases:
        return None
    share, usual = cases / rows, reference_cases / reference_rows
    from scipy import stats

    # two sides, twice the smaller: SciPy's own two-sided test looks for the other side's limit among all tables
    population = (rows + reference_rows, cases + reference_cases, rows)
    more = float(stats.hypergeom.sf(cases - 1, *population))
    p_value = min(1.0, 2 * min(more, float(stats.hypergeom.cdf(cases, *population)))) if two_sided else more
    return Share(kind, share, usual, p_value)
