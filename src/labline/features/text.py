"""Texts: words and parts of words, counted, weighted and scaled to length one (TF-IDF, Salton and Buckley 1988)."""

from __future__ import annotations

import re
import zlib
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from itertools import chain, pairwise
from typing import TYPE_CHECKING, Literal, Self

import numpy as np
from pydantic import BaseModel, ConfigDict, PrivateAttr, model_validator

from labline.contract import Columns

if TYPE_CHECKING:
    from scipy import sparse

# Letters and digits, joined by one sign, with what follows names such as c++ and c#.
WORD = re.compile(r"[^\W_]+(?:[.'_-][^\W_]+)*[+#]*")
PART_SIZES = (3, 4, 5)
HASH_BITS = 18
ROWS_MIN = 2  # a token of a single row tells nothing of others

Unit = Literal["words", "characters"]


def words(text: str) -> list[str]:
    """Words in lower case, and every pair of neighbours."""
    single = WORD.findall(text.lower())
    return single + [f"{first} {second}" for first, second in pairwise(single)]


def characters(text: str) -> list[str]:
    """Runs of 3, 4 and 5 characters within words, whose borders are marked by a space."""
    found: list[str] = []
    for word in text.lower().split():
        padded = f" {word} "
        length = len(padded)
        for size in PART_SIZES:
            if length <= size:
                found.append(padded)
                break
            found += [padded[at : at + size] for at in range(length - size + 1)]
    return found


TOKENS: dict[str, Callable[[str], list[str]]] = {"words": words, "characters": characters}


class TextBlock(BaseModel):
    """A text's tokens as a sparse row of length one.

    A token's weight is (1 + log(count in the text)) · idf, idf = 1 + log((1 + rows) / (1 + rows with the token)).

    Attributes:
        tokens: the vocabulary in the order of its columns; empty when tokens are hashed.
        weights: idf of each; empty when hashed: 2¹⁸ columns by CRC-32, all of one weight.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    kind: Literal["text"] = "text"
    column: str
    unit: Unit
    hashed: bool = False
    tokens: tuple[str, ...] = ()
    weights: tuple[float, ...] = ()
    _indices: dict[str, int] = PrivateAttr(default_factory=dict)

    @model_validator(mode="after")
    def _look_up(self) -> Self:
        self._indices.update({token: index for index, token in enumerate(self.tokens)})
        return self

    @classmethod
    def fit(cls, column: str, unit: Unit, texts: Sequence[str | None], tokens_max: int) -> TextBlock:
        """With the tokens that most of the training rows have, at most `tokens_max`, each in two rows or more."""
        split = TOKENS[unit]
        rows = Counter(chain.from_iterable(set(split(text)) for text in texts if text is not None))
        kept = sorted((n, token) for token, n in rows.items() if n >= ROWS_MIN)[-tokens_max:]
        vocabulary = tuple(sorted(token for _, token in kept))
        known = sum(text is not None for text in texts)
        counts = np.array([rows[token] for token in vocabulary], dtype=np.float64)
        weights = 1 + np.log((1 + known) / (1 + counts))
        return cls(column=column, unit=unit, tokens=vocabulary, weights=tuple(weights.tolist()))

    @property
    def names(self) -> tuple[str, ...]:
        """One column a token, or a hash."""
        if self.hashed:
            return tuple(f"{self.column} {self.unit} hash {index}" for index in range(2**HASH_BITS))
        return tuple(f"{self.column} has {token!r}" for token in self.tokens)

    @property
    def width(self) -> int:
        """How many columns it gives."""
        return 2**HASH_BITS if self.hashed else len(self.tokens)

    @property
    def is_sparse(self) -> bool:
        """Always."""
        return True

    def transform(self, columns: Columns) -> sparse.csr_matrix:
        """Shape (rows, width); a missing text, or one without a known token, is a row of zeros."""
        from scipy import sparse

        ends = [0]
        indices: list[int] = []
        counts: list[int] = []
        for text in columns[self.column]:
            found = Counter(self._known(TOKENS[self.unit](text))) if text else {}
            indices.extend(found.keys())
            counts.extend(found.values())
            ends.append(len(indices))
        columns_of = np.array(indices, dtype=np.int32)
        weights = 1 + np.log(np.array(counts, dtype=np.float64))
        if not self.hashed:
            weights *= np.array([self.weights[index] for index in indices])
        matrix = sparse.csr_matrix((weights, columns_of, ends), shape=(len(ends) - 1, self.width))
        matrix.sort_indices()  # so that sums run in one order, whatever the text's order of words
        rows = np.repeat(np.arange(matrix.shape[0]), np.diff(matrix.indptr))
        # bincount adds one after the other, so that a row alone gets the same bits as among others
        matrix.data /= np.sqrt(np.bincount(rows, matrix.data**2, matrix.shape[0]))[rows]
        return matrix

    def _known(self, tokens: Iterable[str]) -> Iterable[int]:
        if self.hashed:
            return (zlib.crc32(token.encode()) % 2**HASH_BITS for token in tokens)
        indices = self._indices
        return (indices[token] for token in tokens if token in indices)
