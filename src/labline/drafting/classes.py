"""Of two classes, which one is asked about."""

from __future__ import annotations

from collections import Counter

from labline.drafting.naming import words
from labline.drafting.questions import Ask, Question

POSITIVE = frozenset(
    (
        *("yes", "y", "true", "t", "1", "1.0", "positive", "pos", "present", "ja", "oui", "si", "sí"),
        *(
            "fraud",
            "fraudulent",
            "spam",
            "churned",
            "churn",
            "default",
            "defaulted",
            "failed",
            "failure",
            "fail",
            "sick",
        ),
        *("malignant", "bad", "abnormal", "anomaly", "attack", "lost", "left", "returned", "won", "bought", "clicked"),
        *("approved", "accepted", "survived", "active", "diseased", "toxic", "converted", "cancelled", "canceled"),
    )
)
NEGATIVE = frozenset(
    (
        *(
            "no",
            "n",
            "false",
            "f",
            "0",
            "0.0",
            "-1",
            "negative",
            "neg",
            "absent",
            "nein",
            "non",
            "none",
            "not",
            "never",
        ),
        *(
            "ham",
            "legit",
            "legitimate",
            "benign",
            "good",
            "normal",
            "healthy",
            "ok",
            "passed",
            "pass",
            "stayed",
            "died",
        ),
        *("rejected", "refused", "denied", "inactive", "genuine", "retained", "existing"),
    )
)


def binary_classes(counts: Counter[str], target: str, ask: Ask) -> tuple[tuple[str, str], str]:
    """The two classes, the positive one last, and what deserves a look, if something does.

    Args:
        counts: how many rows each has.
        target: the column's name.
        ask: answers where the words do not tell.
    """
    names = sorted(counts)
    told = _told(names)
    if told is not None:
        return _with_last(names, told), ""
    rarer = min(names, key=lambda name: (counts[name], name))
    answer = ask(Question(f"Which value of {target} is the one to find?", tuple(names), rarer, target))
    return _with_last(names, answer), f"{answer!r} is taken for the positive class, the one to find: see that it is"


def _told(names: list[str]) -> str | None:
    """The positive one, where numbers or words tell."""
    try:
        return max(names, key=float)
    except ValueError:
        leaning = {name: _leaning(name) for name in names}
    first, second = names
    return max(names, key=lambda name: leaning[name]) if leaning[first] != leaning[second] else None


def _leaning(name: str) -> int:
    """1 for a word that says yes, -1 for one that says no, and for "not …"; 0 for others."""
    lower = name.strip().lower()
    if lower in POSITIVE or lower in NEGATIVE:
        return 1 if lower in POSITIVE else -1
    parts = words(name)
    if parts and (parts[0] in {"no", "not", "non", "without", "never"}):
        return -1
    return 0


def _with_last(names: list[str], last: str) -> tuple[str, str]:
    first = next(name for name in names if name != last)
    return first, last
