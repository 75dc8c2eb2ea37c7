"""What is measured of texts, whatever their language: how many words, how long, what signs, how many are familiar."""

from __future__ import annotations

import zlib
from collections import Counter
from collections.abc import Collection, Iterable
from itertools import chain

import numpy as np
from numpy.typing import NDArray

from labline.features.text import WORD

FAMILIAR_MAX = 2000  # words; rarer ones come and go by chance
MEASURES = ("words", "letters a word", "capitals", "other signs", "familiar words")


def familiar_words(texts: Iterable[str | None]) -> frozenset[int]:
    """Hashes (CRC-32) of the commonest words, each once a text and in two texts or more; no word can be read off."""
    counts = Counter(chain.from_iterable(set(_words(text)) for text in texts if text is not None))
    return frozenset(_hash(word) for word, count in counts.most_common(FAMILIAR_MAX) if count > 1)


def measures_of_texts(texts: Iterable[str | None], familiar: Collection[int]) -> dict[str, NDArray[np.float64]]:
    """By name one number a text, shape (rows,); NaN where the text is missing, or has nothing to measure.

    Words in it; mean characters of a word; of its letters the share of capitals; of its characters the share of those
    that are neither letter, digit nor space; of its words the share of familiar ones.
    """
    rows = [_measured(text, familiar) if text else (np.nan,) * len(MEASURES) for text in texts]
    table = np.array(rows, dtype=np.float64).reshape(-1, len(MEASURES))
    return dict(zip(MEASURES, table.T, strict=True))


def _measured(text: str, familiar: Collection[int]) -> tuple[float, ...]:
    words = _words(text)
    letters = sum(map(str.isalpha, text))
    others = sum(not (sign.isalnum() or sign.isspace()) for sign in text)
    count = len(words) or np.nan
    return (
        float(len(words)),
        sum(map(len, words)) / count,
        sum(map(str.isupper, text)) / (letters or np.nan),
        others / len(text),
        sum(_hash(word) in familiar for word in words) / count,
    )


def _words(text: str) -> list[str]:
    return WORD.findall(text.lower())


def _hash(word: str) -> int:
    return zlib.crc32(word.encode())
