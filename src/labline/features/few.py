"""A few records on their way to matrices: for one of them, an array of each column takes longer than its numbers."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import chain, groupby
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from labline.contract import CategoryColumn, Columns, Problem, is_as_given, records_reader
from labline.features.blocks import Block, CategoryBlock, NumberBlock, scaled
from labline.features.derived import DerivedFeatures
from labline.features.encoder import Encoder, Matrix

FEW_ROWS = 64  # of more, columns are made sooner

Records: TypeAlias = Sequence[Mapping[str, Any]]
Step: TypeAlias = Callable[[NDArray[np.float64], Records, Columns], None]
"""Writes what some blocks give into a matrix of zeros, from the records or from columns."""


class FewRecords:
    """Makes the matrices of some encoders, to the last bit what `Encoder.transform` makes of the records' columns.

    Numbers that are taken as they are given, and names that the contract lists, go straight from a record into a
    matrix; columns are made of what is left, and of what derived features read.

    Args:
        problem: the contract that the records keep.
        derived: features that the encoders read.
        encoders: one a matrix.
    """

    def __init__(self, problem: Problem, derived: DerivedFeatures, encoders: Sequence[Encoder]) -> None:
        self._derived = derived
        self._plans = [_Plan(problem, encoder) for encoder in encoders]
        wanted = set(chain.from_iterable(plan.reads for plan in self._plans)).union(*(one.reads for one in derived))
        self._read = records_reader(problem, wanted)

    def __call__(self, records: Records) -> Iterator[Matrix]:
        """A matrix of shape (records, features) an encoder; records are as the request model gives them."""
        columns = self._derived(self._read(records))
        return (plan.matrix(records, columns) for plan in self._plans)


class _Plan:
    """What is done for one encoder.

    Attributes:
        reads: names of the columns that it needs beside the records.
    """

    def __init__(self, problem: Problem, encoder: Encoder) -> None:
        self._encoder = encoder
        self._width = len(encoder.feature_names)
        self._steps: list[Step] = []
        self.reads: set[str] = set()
        if encoder.is_sparse:
            self.reads.update(encoder.reads)
            return
        at = 0
        for make, each in groupby(encoder.state.blocks, lambda block: _step_for(problem, block)):
            blocks = tuple(each)
            width = sum(len(block.names) for block in blocks)
            self._steps.append(make(problem, blocks, slice(at, at + width)))
            at += width
            if make in (_from_columns, _derived_numbers):
                self.reads.update(block.column for block in blocks)

    def matrix(self, records: Records, columns: Columns) -> Matrix:
        """What the encoder makes of the records; `columns` are those that it reads."""
        if self._encoder.is_sparse:
            return self._encoder.transform(columns)
        matrix = np.zeros((len(records), self._width))
        for step in self._steps:
            step(matrix, records, columns)
        return matrix


def _step_for(problem: Problem, block: Block) -> Callable[[Problem, Sequence[Any], slice], Step]:
    """What makes the step of such a block and of those of its kind that stand beside it."""
    column = problem.columns.get(block.column)
    if isinstance(block, NumberBlock) and not block.log:
        if column is None:
            return _from_columns if block.scale else _derived_numbers
        if is_as_given(column):
            return _scaled_numbers if block.scale else _cells
    if isinstance(block, CategoryBlock) and isinstance(column, CategoryColumn) and not column.is_open:
        return _one_hot if block.onehot else _cells
    return _from_columns


def _cells(problem: Problem, blocks: Sequence[NumberBlock | CategoryBlock], place: slice) -> Step:
    """Numbers, and indices of names."""
    cells = [(block.column, _indices(problem, block) if isinstance(block, CategoryBlock) else None) for block in blocks]

    def step(matrix: NDArray[np.float64], records: Records, _: Columns) -> None:
        matrix[:, place] = [
            [
                record.get(name) if indices is None else indices.get(record.get(name), math.nan)
                for name, indices in cells
            ]
            for record in records
        ]

    return step


def _scaled_numbers(_: Problem, blocks: Sequence[NumberBlock], place: slice) -> Step:
    names = [block.column for block in blocks]
    scales = [block.scale for block in blocks if block.scale]
    means = np.array([scale.mean for scale in scales])
    deviations = np.array([scale.deviation for scale in scales])

    def step(matrix: NDArray[np.float64], records: Records, _: Columns) -> None:
        given = np.array([[record.get(name) for name in names] for record in records], dtype=np.float64)
        matrix[:, place] = scaled(given, means, deviations)

    return step


def _one_hot(problem: Problem, blocks: Sequence[CategoryBlock], place: slice) -> Step:
    positions = []
    at = place.start
    for block in blocks:
        positions.append((block.column, {name: at + index for name, index in _indices(problem, block).items()}))
        at += block.width

    def step(matrix: NDArray[np.float64], records: Records, _: Columns) -> None:
        for row, record in zip(matrix, records, strict=True):
            row[[of[name] for column, of in positions if (name := record.get(column)) in of]] = 1.0

    return step


def _derived_numbers(_: Problem, blocks: Sequence[NumberBlock], place: slice) -> Step:
    names = [block.column for block in blocks]

    def step(matrix: NDArray[np.float64], _: Records, columns: Columns) -> None:
        matrix[:, place].T[:] = [columns[name] for name in names]

    return step


def _from_columns(_: Problem, blocks: Sequence[Block], place: slice) -> Step:
    def step(matrix: NDArray[np.float64], _: Records, columns: Columns) -> None:
        at = place.start
        for block in blocks:
            width = len(block.names)
            matrix[:, at : at + width] = block.transform(columns)
            at += width

    return step


def _indices(problem: Problem, block: CategoryBlock) -> dict[str | None, int]:
    """By a name as it may be given, its index in the block; none where that counts as missing."""
    column = problem.columns[block.column]
    known = column.known if isinstance(column, CategoryColumn) else {}
    codes = block.codes({block.column: np.array([*known.values()], dtype=object)}, math.nan)
    return {given: int(code) for given, code in zip(known, codes, strict=True) if not math.isnan(code)}
