"""The encoder: plain columns, contract's and derived, to the matrix a family wants."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from functools import cached_property
from itertools import chain
from typing import Any, Literal, Self, TypeAlias

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict

from labline.contract import (
    CategoryColumn,
    Columns,
    DateTimeColumn,
    LabelsColumn,
    NumberColumn,
    Problem,
    Repeated,
    TextColumn,
)
from labline.features.blocks import (
    BandBlock,
    Block,
    CategoryBlock,
    LabelsBlock,
    MomentBlock,
    NumberBlock,
    Part,
    Scale,
    TextSizeBlock,
)
from labline.features.text import TextBlock, Unit

Matrix: TypeAlias = Part
"""Shape (rows, features): dense, or compressed sparse rows where most of it is zeros."""

LEARNED_MAX = 5000  # names of an open column that are told apart; the rarer ones are "another"
LEARNED_ROWS_MIN = 3
LONG_TEXT = 120  # characters, on average; in longer texts parts of words say little that words do not


def dense(matrix: Matrix) -> NDArray[np.float64]:
    """The matrix with its zeros, shape (rows, features)."""
    return matrix if isinstance(matrix, np.ndarray) else np.asarray(matrix.toarray())


class Encoding(BaseModel):
    """What a family wants of the encoder.

    Attributes:
        categories: `codes` gives one column of indices into the names; `onehot` one column a name.
        bands: numbers for which the contract names `bands` are cut there; the band's index is added as a column.
        log: numbers that the contract marks `log: true` go through log(1 + x).
        scale: numbers are centred and divided by their standard deviation; a missing one becomes the mean.
        words: most words and pairs of words of a text that get a column; 0: none.
        characters: likewise for parts of words, in short texts.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    categories: Literal["codes", "onehot"] = "codes"
    bands: bool = False
    log: bool = False
    scale: bool = False
    words: int = 0
    characters: int = 0


class EncoderState(BaseModel):
    """What an encoder knows, as it is kept in the bundle: `blocks`, in the order of the matrix's columns."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    encoding: Encoding
    blocks: tuple[Block, ...]


class Encoder:
    """Turns columns into a matrix of shape (rows, features), float64; missing is NaN unless scaled.

    Learned attributes: `state`, all that is needed to make the same encoder again.
    """

    def __init__(self, state: EncoderState) -> None:
        self.state = state

    @classmethod
    def fit(cls, problem: Problem, derived: Sequence[str], encoding: Encoding, columns: Columns) -> Self:
        """An encoder for the contract's columns and the derived ones, fitted to the training rows alone."""
        blocks = [
            *chain.from_iterable(_contract_blocks(problem, name, encoding, columns[name]) for name in problem.columns),
            *(_derived_block(name, encoding, columns[name]) for name in derived),
        ]
        order = ("number", "moment", "text_size", "band", "category", "labels", "text")
        blocks.sort(key=lambda block: (block.is_sparse, order.index(block.kind)))
        return cls(EncoderState(encoding=encoding, blocks=tuple(blocks)))

    @property
    def reads(self) -> tuple[str, ...]:
        """Names of the columns it needs, contract's and derived."""
        return tuple(dict.fromkeys(block.column for block in self.state.blocks))

    def only(self, columns: Collection[str]) -> Encoder:
        """The same encoder for some of its columns alone."""
        blocks = tuple(block for block in self.state.blocks if block.column in columns)
        return Encoder(EncoderState(encoding=self.state.encoding, blocks=blocks))

    def positions(self, columns: Collection[str]) -> NDArray[np.intp]:
        """Positions of the matrix's columns that some of its columns give."""
        widths = [(block.column in columns, len(block.names)) for block in self.state.blocks]
        return np.flatnonzero(np.repeat([wanted for wanted, _ in widths], [width for _, width in widths]))

    @cached_property
    def is_sparse(self) -> bool:
        """Whether it gives sparse rows."""
        return any(block.is_sparse for block in self.state.blocks)

    @property
    def feature_names(self) -> tuple[str, ...]:
        """Names of the matrix's columns."""
        return tuple(chain.from_iterable(block.names for block in self.state.blocks))

    @cached_property
    def _width(self) -> int:
        return len(self.feature_names)

    @property
    def categorical_features(self) -> tuple[int, ...]:
        """Positions of the matrix's columns that hold category codes."""
        found, at = [], 0
        for block in self.state.blocks:
            if isinstance(block, CategoryBlock) and not block.onehot:
                found.append(at)
            at += len(block.names)
        return tuple(found)

    def transform(self, columns: Columns, repeated: Mapping[str, Repeated] | None = None) -> Matrix:
        """The matrix of the columns, shape (rows, len(feature_names)); sparse where a block is.

        Args:
            columns: all that it reads.
            repeated: those of them whose distinct values are known; each of these is encoded once, and where there are
                any a dense matrix lies in memory column by column.
        """
        rows = len(next(iter(columns.values())))
        if self.is_sparse:
            from scipy import sparse

            parts = [_transformed(block, columns, repeated or {}) for block in self.state.blocks]
            return sparse.hstack([sparse.csr_matrix(part) for part in parts], format="csr")
        matrix = np.empty((rows, self._width), order="F" if repeated else "C")
        at = 0
        for block in self.state.blocks:  # each into its place: all of them at once would be the matrix twice
            place = matrix[:, at : at + len(block.names)]
            known = (repeated or {}).get(block.column)
            if known is None:
                place[:] = block.transform(columns)
            else:
                of_values = np.asarray(block.transform({block.column: known.values}))
                # mode: with another, NumPy would put what it takes elsewhere first
                of_values.T.take(known.codes, axis=1, out=place.T, mode="clip")
            at += len(block.names)
        return matrix


def _transformed(block: Block, columns: Columns, repeated: Mapping[str, Repeated]) -> Part:
    """The block's part of the matrix; a row of it depends on the row's own value alone, so that it can be copied."""
    known = repeated.get(block.column)
    if known is None:
        return block.transform(columns)
    part = block.transform({block.column: known.values})
    return part[known.codes]


def _contract_blocks(problem: Problem, name: str, encoding: Encoding, values: NDArray[Any]) -> Iterator[Block]:
    column = problem.columns[name]
    if isinstance(column, CategoryColumn):
        yield _names_block(name, column.values, encoding, values)
    elif isinstance(column, LabelsColumn):
        yield LabelsBlock(column=name, values=column.values or _usual(chain.from_iterable(v for v in values if v)))
    elif isinstance(column, DateTimeColumn):
        yield MomentBlock.fit(name, values, scaled=encoding.scale)
    elif isinstance(column, TextColumn):
        yield TextSizeBlock.fit(name, values, scaled=encoding.scale)
        yield from _text_blocks(name, column, encoding, values)
    else:
        log = encoding.log and isinstance(column, NumberColumn) and column.log
        yield _number_block(name, encoding, values, log=log)
        if encoding.bands and isinstance(column, NumberColumn) and column.bands:
            yield BandBlock(column=name, limits=column.bands)


def _derived_block(name: str, encoding: Encoding, values: NDArray[Any]) -> Block:
    if values.dtype.kind == "f":
        return _number_block(name, encoding, values, log=False)
    return _names_block(name, (), encoding, values)


def _number_block(name: str, encoding: Encoding, values: NDArray[np.float64], *, log: bool) -> NumberBlock:
    if not encoding.scale:
        return NumberBlock(column=name, log=log)
    return NumberBlock(column=name, log=log, scale=Scale.of(np.log1p(values) if log else values))


def _names_block(name: str, listed: tuple[str, ...], encoding: Encoding, values: NDArray[Any]) -> CategoryBlock:
    """Of the names the contract lists, or else of those usual in the training rows."""
    onehot = encoding.categories == "onehot"
    known = listed or _usual(value for value in values if value is not None)
    return CategoryBlock(column=name, values=known, other=not listed, onehot=onehot)


def _text_blocks(name: str, column: TextColumn, encoding: Encoding, values: NDArray[Any]) -> Iterator[TextBlock]:
    texts = [text for text in values if text is not None]
    short = bool(texts) and sum(map(len, texts)) / len(texts) <= LONG_TEXT
    wanted: dict[Unit, int] = {"words": encoding.words, "characters": encoding.characters if short else 0}
    for unit, tokens_max in wanted.items():
        if tokens_max and column.hashed:
            yield TextBlock(column=name, unit=unit, hashed=True)
        elif tokens_max:
            yield TextBlock.fit(name, unit, texts, tokens_max)


def _usual(names: Any) -> tuple[str, ...]:
    """The names of enough rows to learn from, the commonest first, no more than can be told apart."""
    counts = Counter(names)
    usual = sorted((name for name, n in counts.items() if n >= LEARNED_ROWS_MIN), key=lambda n: (-counts[n], n))
    return tuple(usual[:LEARNED_MAX])
