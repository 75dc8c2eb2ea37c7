"""Guesses the task: what kind of question the target answers, its classes or range, and a fitting metric."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

import numpy as np

from labline.contract.problem import CLASSES_MAX, TaskName, Value
from labline.drafting import naming
from labline.drafting.classes import binary_classes
from labline.drafting.facts import TRUE_OR_FALSE
from labline.drafting.lists import label_counts, separator_of
from labline.drafting.numbers import is_skewed
from labline.drafting.questions import Ask
from labline.drafting.seen import Seen
from labline.errors import DataError

ROWS_MIN = 20  # with fewer, nothing is left to hold out
GRADES_MAX = 10  # so few whole numbers are grades rather than a quantity
ROWS_A_GRADE = 5
ROWS_A_CLASS = 2  # a class with fewer cannot stand on both sides of a split
ROWS_A_LABEL = 10
LABELS_KEPT = 100
RARE_POSITIVE = 0.05
UNEVEN = 5  # times as many rows in the commonest class as in the rarest
MISTAKES_MAX = 0.02


@dataclass(frozen=True)
class Target:
    """What is guessed of the target.

    Attributes:
        task: of the contract.
        metric: that fits.
        why: what in the values led to the task.
        classes: the names, in order.
        value: of a regression.
        separator: between the labels of a list.
        ignores: whether some labels are not listed.
        drops: whether some rows must be left out.
        look: what a person should see to.
    """

    task: TaskName
    metric: str
    why: str
    classes: tuple[str, ...] = ()
    value: Value = field(default_factory=Value)
    separator: str = ","
    ignores: bool = False
    drops: bool = False
    look: tuple[str, ...] = ()


def guess_target(seen: Seen, ask: Ask) -> Target:
    """The task that the target poses.

    Raises:
        DataError: nothing can be learnt from it: too few rows, one value, names of rows, dates.
    """
    facts = seen.facts
    if facts.known == 0:
        raise _refused(seen, "every value is missing", "name another target, or bring rows that have it")
    if facts.known < ROWS_MIN:
        raise _refused(seen, f"{facts.known} rows have it: too few to learn from", f"bring {ROWS_MIN} or more")
    if facts.distinct == 1 and not facts.lists:
        raise _refused(seen, f"it is {seen.commonest!r} in every row", "bring rows with another value")
    if facts.moments or (facts.dates.are_dates and not facts.numbers):
        raise _refused(seen, "it is a date, which no task predicts", "make a number of it, like days until then")
    if separator := _separator(seen):
        return _multilabel(seen, separator)
    if _is_quantity(seen):
        return _regression(seen)
    return _classes(seen, ask)


def _refused(seen: Seen, what: str, mend: str) -> DataError:
    return DataError(what, where=f"target {seen.name}", mend=mend)


def _separator(seen: Seen) -> str | None:
    facts = seen.facts
    if facts.lists:
        return ","
    return separator_of(seen.texts, seen.name) if facts.prose.texts == facts.known else None


def _is_quantity(seen: Seen) -> bool:
    facts = seen.facts
    if facts.number_share < 1 - MISTAKES_MAX or facts.padded or seen.beyond_exact or naming.names_rows(seen.name):
        return False
    if facts.distinct is None:
        return True
    grades = facts.span.whole and facts.distinct <= GRADES_MAX
    few = facts.distinct == 2 or (grades and facts.known >= ROWS_A_GRADE * facts.distinct)
    return not few


def _regression(seen: Seen) -> Target:
    facts = seen.facts
    log = facts.span.low >= 0 and is_skewed(seen.numbers)
    unit = naming.unit_in(seen.name)
    value = Value(unit=unit, **({"minimum": 0.0, "log": True} if log else {}))
    look = ["the unit is guessed from the name"] if unit else []
    if log:
        look.append("most values are small and some very large, so models learn its logarithm: see that this is meant")
    if facts.number_share < 1:
        look.append(f"{facts.known - facts.numbers:,} rows have something that is no number there; they are left out")
    look += _without(seen)
    said = "a number with many values"
    drops = facts.number_share < 1 or seen.missing > 0
    return Target("regression", "rmsle" if log else "rmse", said, value=value, drops=drops, look=tuple(look))


def _classes(seen: Seen, ask: Ask) -> Target:
    counts = _counts_of_classes(seen)
    rare = [name for name, rows in counts.items() if rows < ROWS_A_CLASS]
    kept = Counter({name: rows for name, rows in counts.items() if rows >= ROWS_A_CLASS})
    if len(kept) < 2:
        raise _refused(seen, "no two of its values come twice", "bring more rows, or name another target")
    if len(kept) > CLASSES_MAX:
        raise _refused(seen, f"it has {len(kept):,} values: too many classes", "name another target, or group them")
    look = _without(seen)
    if rare:
        shown = ", ".join(map(repr, rare[:3])) + (", …" if len(rare) > 3 else "")
        look.append(f"{len(rare)} values come only once ({shown}): these rows are left out of training")
    drops = bool(rare or seen.missing)
    if len(kept) == 2:
        return _binary(seen, kept, ask, tuple(look), drops)
    if seen.are_numbers:
        look.append("few whole numbers are taken for classes: say task: regression if they are a quantity")
    metric = "f1_macro" if max(kept.values()) >= UNEVEN * min(kept.values()) else "accuracy"
    why = f"{len(kept)} different values"
    return Target("multiclass", metric, why, in_order(kept), drops=drops, look=tuple(look))


def _counts_of_classes(seen: Seen) -> Counter[str]:
    counts = seen.facts.counts
    if counts is None or len(counts) > 0.5 * seen.facts.known:
        raise _refused(
            seen, "nearly every row has a value of its own, and it is no number", "name a target with classes"
        )
    return counts


def in_order(counts: Counter[str]) -> tuple[str, ...]:
    """Class names in the order to show them: numbers by size, then the others by name."""
    return tuple(sorted(counts, key=lambda name: (_number(name), name)))


def _number(name: str) -> float:
    try:
        return float(name)
    except ValueError:
        return np.inf


def _binary(seen: Seen, counts: Counter[str], ask: Ask, look: tuple[str, ...], drops: bool) -> Target:
    classes, said = binary_classes(counts, seen.name, ask)
    share = counts[classes[1]] / counts.total()
    metric = "average_precision" if share < RARE_POSITIVE else "roc_auc"
    look = (*look, said) if said else look
    words = {name.lower() for name in classes} == TRUE_OR_FALSE
    why = "true or false" if words else f"two values, {classes[1]!r} the positive one"
    return Target("binary", metric, why, classes, drops=drops, look=look)


def _multilabel(seen: Seen, separator: str) -> Target:
    facts = seen.facts
    # all values where they could be counted, else what the sample shows
    counted = facts.counts is not None and not facts.lists
    counts = label_counts(facts.counts if counted and facts.counts else seen.sample, separator)
    enough = max(2.0, ROWS_A_LABEL * (1 if counted else len(seen.sample) / facts.known))
    kept = [name for name, rows in counts.items() if rows >= min(enough, 0.05 * facts.known)][:LABELS_KEPT]
    if not kept:
        raise _refused(seen, "no label comes back often enough to learn it", "bring more rows")
    look = _without(seen)
    ignores = len(kept) < len(counts) or not counted
    if len(kept) < len(counts):
        look.append(f"{len(counts) - len(kept):,} rarer labels are not learnt; list them in classes if they matter")
    why = "lists of labels" if facts.lists else f"labels with {separator!r} between them"
    return Target(
        *("multilabel", "f1_weighted", why, tuple(kept)),
        separator=separator,
        ignores=ignores,
        drops=seen.missing > 0,
        look=tuple(look),
    )


def _without(seen: Seen) -> list[str]:
    return [f"{seen.missing:,} rows have no target; they are left out of training"] if seen.missing else []
