"""Guesses what each column is: the rules, in the order in which they are asked."""

from __future__ import annotations

from collections.abc import Callable

from labline.contract import BooleanColumn, CategoryColumn, LabelsColumn, TextColumn
from labline.contract.records import NAME_LENGTH_MAX
from labline.drafting import naming
from labline.drafting.facts import TRUE_OR_FALSE
from labline.drafting.guess import Guess, percent
from labline.drafting.lists import LABELS_MAX, label_counts, separator_of
from labline.drafting.moments import guess_date
from labline.drafting.quantities import guess_number
from labline.drafting.questions import Ask
from labline.drafting.seen import Seen

LISTED_MAX = 20  # so few names are all there are
LISTED_OR_MISSING_MAX = 200  # so many are listed, and a new one is no surprise
OWN_SHARE = 0.95  # so nearly every row its own value: nothing to learn from
TEXT_WORDS, TEXT_LETTERS = 3.0, 60.0
LENGTH_MAX = 100_000
EXAMPLE_LETTERS = 120


def guess_column(seen: Seen, ask: Ask, *, day_first: bool | None = None) -> Guess:
    """What the column is, or why it is left out.

    Args:
        seen: the column.
        ask: answers what only a person can know.
        day_first: the order of day and month that other columns of the file prove.
    """
    for rule in RULES:
        guess = rule(seen)
        if guess is not None:
            return _commented(guess, seen)
    return _commented(guess_date(seen, ask, day_first) or guess_number(seen) or _named(seen), seen)


def _commented(guess: Guess, seen: Seen) -> Guess:
    """The guess, with what is worth a look whatever the type."""
    if guess.column is None:
        return guess
    if seen.missing > 0.5 * seen.rows:
        guess = guess.with_look(f"{percent(seen.missing / seen.rows)} of the rows lack it: see whether it helps")
    if naming.is_answer(seen.name):
        guess = guess.with_look("by its name it is what a model said: see that it is known when the question is asked")
    return guess


def _nothing(seen: Seen) -> Guess | None:
    return Guess(seen.name, "all its values are missing") if seen.facts.known == 0 else None


def _constant(seen: Seen) -> Guess | None:
    if seen.facts.distinct != 1 or seen.missing or seen.facts.moments or seen.facts.lists:
        return None
    return Guess(seen.name, f"it is {_short(seen.commonest)} in every row")


def _boolean(seen: Seen) -> Guess | None:
    facts = seen.facts
    words = facts.counts is not None and {name.lower() for name in facts.counts} <= TRUE_OR_FALSE
    if facts.booleans + (facts.prose.texts if words else 0) != facts.known:
        return None
    column = BooleanColumn(type="boolean", missing=seen.policy, example=seen.commonest.lower() == "true")
    return Guess(seen.name, "only true and false", column)


def _list(seen: Seen) -> Guess | None:
    facts = seen.facts
    if facts.lists:
        if facts.lists < facts.known:
            return Guess(seen.name, "some values are lists and some are not")
        return _labels(seen, ",", "every value is a list")
    if facts.numbers or facts.moments or facts.known - facts.prose.texts:
        return None
    separator = separator_of(seen.texts, seen.name)
    return None if separator is None else _labels(seen, separator, f"labels with {separator!r} between them")


def _labels(seen: Seen, separator: str, why: str) -> Guess | None:
    counts = label_counts(seen.sample, separator)
    if not counts or len(counts) > LABELS_MAX:
        return Guess(seen.name, f"lists of {len(counts)} different labels: nothing to count on")
    given = {} if separator == "," else {"separator": separator}
    column = LabelsColumn(type="labels", missing=seen.policy, example=tuple(list(counts)[:2]), **given)
    return Guess(seen.name, why, column)


def _row_name(seen: Seen) -> Guess | None:
    """Columns that tell rows apart or number them."""
    facts = seen.facts
    fraction = facts.numbers > 0 and not facts.span.whole
    if not facts.is_unique or seen.missing or fraction or facts.prose.words_each > 1.5:
        return None
    if naming.names_rows(seen.name):
        return Guess(seen.name, "by its name and as no value comes twice", is_id=True)
    counts = (
        facts.numbers == facts.known and facts.span.low in {0, 1} and facts.span.high - facts.span.low + 1 == seen.rows
    )
    if counts and (naming.counts_rows(seen.name) or _ascends(seen)):
        return Guess(seen.name, "it counts the rows")
    return None


def _ascends(seen: Seen) -> bool:
    return bool((seen.numbers[1:] > seen.numbers[:-1]).all())


RULES: tuple[Callable[[Seen], Guess | None], ...] = (_nothing, _constant, _boolean, _list, _row_name)


def _named(seen: Seen) -> Guess:
    """Names and texts: what is neither number nor date."""
    if is_text(seen):
        return _text(seen)
    if _is_own(seen):
        return Guess(seen.name, "nearly every row has a value of its own, and it is no text")
    return _category(seen)


def is_text(seen: Seen) -> bool:
    """Whether the values are sentences, or at least several words, and rarely the same."""
    facts = seen.facts
    many = facts.distinct is None or facts.distinct > max(LISTED_MAX, 0.3 * facts.known)
    long = facts.prose.words_each >= TEXT_WORDS or facts.prose.letters_each >= TEXT_LETTERS
    return facts.prose.longest > NAME_LENGTH_MAX or (many and long and facts.prose.words_each > 1.2)


def _is_own(seen: Seen) -> bool:
    distinct = seen.facts.distinct
    if distinct is not None:
        return distinct > LISTED_MAX and distinct >= OWN_SHARE * seen.facts.known
    return seen.sample_distinct_share >= OWN_SHARE


def _text(seen: Seen) -> Guess:
    facts = seen.facts
    given: dict[str, bool | int] = {}
    if facts.prose.markup > 0.2 * facts.prose.texts:
        given["html"] = True
    if facts.prose.longest > LENGTH_MAX:
        given["maximum_length"] = 2 * facts.prose.longest
    short = sorted({text for text in seen.texts if text.strip()}, key=lambda text: (abs(len(text) - 40), text))
    example = " ".join(short[0].split())[:EXAMPLE_LETTERS] if short else None
    column = TextColumn(type="text", missing=seen.policy, example=example, **given)
    look = ("the example is from the file: take another one if that is private",) if example else ()
    return Guess(seen.name, f"{max(1, round(facts.prose.words_each))} words on average, rarely the same", column, look)


def _category(seen: Seen) -> Guess:
    facts = seen.facts
    look = _look_at_names(seen)
    example = seen.commonest
    if facts.counts is None or len(facts.counts) > LISTED_OR_MISSING_MAX:
        many = "more than 1,000" if facts.counts is None else f"{len(facts.counts):,}"
        column = CategoryColumn(type="category", missing=seen.policy, example=example)
        return Guess(seen.name, f"{many} different names, so any is allowed", column, look)
    names = tuple(sorted(facts.counts, key=lambda name: (_as_number(name), name)))
    # a name seen once will not be the last one
    closed = len(names) <= LISTED_MAX and min(facts.counts.values()) > 1
    given = {} if closed else {"unknown": "missing"}
    column = CategoryColumn(type="category", missing=seen.policy, values=names, example=example, **given)
    said = "" if closed else "; another one counts as missing"
    return Guess(seen.name, f"{len(names)} different names{said}", column, look)


def _look_at_names(seen: Seen) -> tuple[str, ...]:
    facts = seen.facts
    if not facts.numbers:
        return ()
    if facts.padded:
        return ("numbers that begin with 0 are names, like postcodes",)
    if seen.beyond_exact:
        return ("numbers this large are names: as numbers they could not be told apart",)
    if facts.numbers == facts.known:
        return ("numbers under the name of a code are names, so requests give them in quotes: see whether they are",)
    return (f"{percent(facts.number_share)} of the values are numbers, the others are not: see what is meant",)


def _as_number(name: str) -> float:
    return float(name) if name.isdecimal() else -1.0


def _short(text: str) -> str:
    return repr(text if len(text) <= 40 else f"{text[:40]}…")
