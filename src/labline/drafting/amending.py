"""What only the whole file shows of its dialect: words for missing values, signs between thousands further down."""

from __future__ import annotations

from collections.abc import Iterator

from labline.contract.source import Dialect
from labline.drafting.facts import Facts
from labline.drafting.gathering import Gathered
from labline.drafting.numbers import MISSING_WORDS, STYLES, USUAL, Style, words_for_missing
from labline.drafting.seen import see


def amended(gathered: Gathered, dialect: Dialect) -> Dialect:
    """The dialect, with what the values that are no numbers in columns of numbers tell.

    Where it differs from the given one, the file is to be read again.
    """
    style = Style(dialect.decimal, dialect.thousands)
    if style == USUAL:
        style = _style(gathered)
        if style != USUAL:
            return dialect.model_copy(update={"decimal": style.decimal, "thousands": style.thousands})
    words = {word: None for facts in _mixed(gathered) for word in words_for_missing(facts.strays, facts.numbers)}
    return dialect.model_copy(update={"missing": (*dialect.missing, *words)}) if words else dialect


def _mixed(gathered: Gathered) -> Iterator[Facts]:
    """Columns with numbers and something else, all of it as text."""
    for facts in gathered.facts.values():
        if facts.numbers and facts.strays and facts.numbers + facts.prose.texts == facts.known:
            yield facts


def _style(gathered: Gathered) -> Style:
    """The style in which strays of some column are numbers as well, and no number of another is lost."""
    texts = [_strays(facts) for facts in _mixed(gathered)]
    if not any(texts):
        return USUAL
    numbers = [see(gathered, facts.name).texts for facts in gathered.facts.values() if facts.numbers == facts.known > 0]
    for style in STYLES[1:4]:
        fits = any(column and all(map(style.matches, column)) for column in texts)
        if fits and all(style.matches(text) for column in numbers for text in column):
            return style
    return USUAL


def _strays(facts: Facts) -> list[str]:
    return [text for text in facts.strays if text.strip().lower() not in MISSING_WORDS]
