"""What an encoder does for a few rows: blocks of one kind at once, for a step a block costs more than its numbers."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from itertools import groupby
from typing import Any, TypeAlias

import numpy as np

from labline.contract import Columns
from labline.features.blocks import Block, CategoryBlock, NumberBlock, Part, scaled

Step: TypeAlias = Callable[[Columns], Part]
"""From columns to a part of the matrix, shape (rows, columns of the step's blocks)."""


def steps_of(blocks: Iterable[Block]) -> tuple[Step, ...]:
    """Steps that give, one beside the other, what the blocks give, to the last bit; for blocks that are not sparse."""
    steps: list[Step] = []
    for together, each in groupby(blocks, _together):
        some = tuple(each)
        steps += [block.transform for block in some] if together is None else [together(some)]
    return tuple(steps)


def _together(block: Block) -> Callable[[Sequence[Any]], Step] | None:
    """What makes one step of such blocks; None for those that each are one."""
    if isinstance(block, NumberBlock) and not block.log:
        return _scaled_numbers if block.scale else _numbers
    if isinstance(block, CategoryBlock):
        return _one_hot if block.onehot else _codes
    return None


def _numbers(blocks: Sequence[NumberBlock]) -> Step:
    names = [block.column for block in blocks]

    def step(columns: Columns) -> Part:
        return np.array([columns[name] for name in names], dtype=np.float64).T

    return step


def _scaled_numbers(blocks: Sequence[NumberBlock]) -> Step:
    numbers, scales = _numbers(blocks), [block.scale for block in blocks if block.scale]
    means = np.array([scale.mean for scale in scales])
    deviations = np.array([scale.deviation for scale in scales])

    def step(columns: Columns) -> Part:
        return scaled(numbers(columns), means, deviations)

    return step


def _codes(blocks: Sequence[CategoryBlock]) -> Step:
    def step(columns: Columns) -> Part:
        return np.array([block.codes(columns, math.nan) for block in blocks], dtype=np.float64).T

    return step


def _one_hot(blocks: Sequence[CategoryBlock]) -> Step:
    ends = np.cumsum([block.width + 1 for block in blocks])  # the last of each is what is missing
    firsts = np.array([0, *ends[:-1]])[:, None]
    names = np.delete(np.arange(ends[-1]), ends - 1)

    def step(columns: Columns) -> Part:
        codes = firsts + np.array([block.codes(columns, block.width) for block in blocks], dtype=np.intp)
        rows = codes.shape[1]
        columns_of_all = np.zeros((rows, ends[-1]))
        columns_of_all[np.arange(rows), codes] = 1.0
        return columns_of_all.take(names, axis=1)

    return step
