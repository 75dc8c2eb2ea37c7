"""Columns that hold lists of labels: how these are written, and how often each label stands there."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from labline.contract.written import ANGLED, names_in
from labline.drafting.naming import is_list

SEPARATORS = ("|", ";", ",")
TEXTS_TRIED = 2000
LABELS_MAX = 1000
LETTERS_MAX = 40  # a label is no sentence
LABEL_WORDS_MAX = 4


def separator_of(texts: Sequence[str], name: str) -> str | None:
    """What stands between the labels of a list; None where the texts are no lists.

    Lists are told from other texts by labels that come back, in any place of the list, in lists of several lengths.
    """
    tried = [text.strip() for text in texts[:TEXTS_TRIED] if text.strip()]
    if not tried:
        return None
    marked = [text for text in tried if text.startswith("[") or ANGLED.match(text)]
    if len(marked) >= 0.95 * len(tried) and all(names_in(text, ",") is not None for text in marked):
        return "," if _come_back([names_in(text, ",") or () for text in tried]) else None
    # words of a text come back as well: a space stands between labels only where the name says that there are some
    signs = (*SEPARATORS, " ") if is_list(name) else SEPARATORS
    found = {sign: _likeness([text.split(sign) for text in tried], named=is_list(name)) for sign in signs}
    best = max(found, key=lambda sign: found[sign])
    return best if found[best] else None


def _likeness(lists: list[list[str]], *, named: bool) -> float:
    """How much these are lists of labels: the share with more than one; 0 where they are not."""
    lists = [[part.strip() for part in parts if part.strip()] for parts in lists]
    labels = [label for parts in lists for label in parts]
    several = [parts for parts in lists if len(parts) > 1]
    if len(several) < (0.05 if named else 0.2) * len(lists) or len({len(parts) for parts in lists}) < 2:
        return 0.0
    if any(len(label) > LETTERS_MAX or len(label.split()) > LABEL_WORDS_MAX for label in labels):
        return 0.0
    # "Paris, France": what stands first never stands second
    first, later = {parts[0] for parts in several}, {label for parts in several for label in parts[1:]}
    if len(first & later) < 0.2 * min(len(first), len(later)) or len(set(labels)) > LABELS_MAX:
        return 0.0
    return len(several) / len(lists) if _come_back(lists) else 0.0


def _come_back(lists: Sequence[Sequence[str]]) -> bool:
    """Whether labels are used again: three times each, on average."""
    labels = [label for parts in lists for label in parts]
    return len(labels) >= 3 * len(set(labels)) > 0


def label_counts(values: Mapping[str, int] | Iterable[Any], separator: str) -> Counter[str]:
    """How many rows have each label, the commonest first; of values as the source has them, counted or not."""
    found: Counter[str] = Counter()
    pairs = values.items() if isinstance(values, Mapping) else ((value, 1) for value in values)
    for value, often in pairs:
        for label in names_in(value, separator) or ():
            found[label] += often
    return Counter(dict(found.most_common()))
