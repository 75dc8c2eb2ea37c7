"""Rows that stand on both sides of the split: copies, and near copies."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from labline.contract import DateTimeColumn, NumberColumn, Problem, TextColumn
from labline.data.holdout import Split, row_hashes
from labline.data.leakage.leak import Leak
from labline.data.leakage.looked_at import facets

HELD_MAX = 5000
CELLS_MAX = 4_000_000  # training rows × columns; of more rows only a part is searched, and fewer twins are found
CELL = 0.01  # of a column's spread: numbers that fall into one such cell are equal but for rounding
WIDER = 16  # times the cell: copies find hardly more neighbours there
CROWD = 4  # times as many honest rows find at least: 16 in one dimension, less where the columns' cells do not line up
DIFFERING_MAX = 30  # number columns that are left out in turn, those with the most different values
CHANCE = 0.01  # of a held-out row: more twins than this by mere chance, and being one says nothing
ROWS_MIN = 30
BITS_ROWS = 2000  # of a column, that tell how often two rows are alike in it
WARN_SHARE = 0.02  # of the held-out rows: below, the figures hardly move
# A hold-out of which half is known by heart, target and all, says nothing of new rows. Anything less is a warning: a
# table may honestly hold rows that are much alike, such as the same thing sold twice.
REFUSE_SHARE = 0.5
REFUSE_AGREEMENT = 0.95  # of what is to be known of the target
MEND = "keep one row of each such group, or hold whole groups out"

Hashes = NDArray[np.uint64]


def overlap(frame: pd.DataFrame, problem: Problem, split: Split) -> NDArray[np.intp]:
    """Positions of held-out rows that also stand among the training rows, alike in every feature."""
    hashes = row_hashes(frame, problem)
    return split.holdout[np.isin(hashes[split.holdout], hashes[split.train])]


def near_duplicates(frame: pd.DataFrame, problem: Problem, split: Split, seed: int) -> list[Leak]:
    """Held-out rows with a near twin among the training rows, if they are more than chance and 2 % of all.

    Twins fall into one cell of a hundredth of the spread in every number, and are equal in everything else (texts but
    for case, spaces and punctuation); one number, whichever, may differ altogether. Rows find each other by sums of
    their columns' hashes, from which a column is taken out by a subtraction. Where far wider cells hold four times
    as many neighbours, the rows are not twins but stand close together, as honest ones do in few dimensions.

    At most 5,000 held-out rows, and 4 million cells of training rows, are searched: of larger tables a part, in which
    fewer twins are found.
    """
    names = [name for name in problem.feature_names if name in frame]
    random = np.random.default_rng(seed)
    held = _part(split.holdout, HELD_MAX, random)
    train = _part(split.train, max(HELD_MAX, CELLS_MAX // max(len(names), 1)), random)
    if min(len(held), len(train)) < ROWS_MIN:
        return []
    rows = frame.iloc[np.concatenate([held, train])]
    numbers = {name for name in names if isinstance(problem.columns[name], NumberColumn)}
    hashes = {name: _hashed(rows[name], problem, name, CELL) for name in names}
    left_out = _telling(hashes, numbers, len(train))
    near = _search(hashes, len(held), left_out)
    if not near.pairs:
        return []
    wide = _search({name: _hashed(rows[name], problem, name, WIDER * CELL) for name in names}, len(held), left_out)
    twins = near.twin >= 0
    crowd = wide.pairs / near.pairs
    copies = float(np.clip((CROWD - crowd) / (CROWD - 1), 0, 1))  # of the pairs; the others stand close together
    share = float(twins.mean()) * copies
    if share < WARN_SHARE:
        return []
    agreement = _agreement(rows[problem.target], problem, np.flatnonzero(twins), near.twin[twins])
    unlike = f", most often unlike in {near.differing} alone" if near.differing else ""
    said = f"{share:.1%} of the held-out rows have a near twin among the training rows{unlike}"
    if len(train) < len(split.train):
        said = f"at least {said}"
    serious = share >= REFUSE_SHARE and agreement >= REFUSE_AGREEMENT
    return [
        Leak(
            kind="near_duplicates",
            columns=(),
            score=copies,
            severity="refuse" if serious else "warn",
            what=f"{said}; the twin's target tells {max(agreement, 0):.0%} of theirs",
            mend=MEND,
        )
    ]


def _part(positions: NDArray[np.intp], most: int, random: np.random.Generator) -> NDArray[np.intp]:
    return positions if len(positions) <= most else np.sort(random.choice(positions, most, replace=False))


@dataclass(frozen=True)
class _Found:
    """The place of a twin of each held-out row, -1 where it has none; pairs in all; the column most often unlike."""

    twin: NDArray[np.intp]
    pairs: int
    differing: str | None


def _telling(hashes: dict[str, Hashes], numbers: set[str], train: int) -> list[str | None]:
    """Which column may be left out, None for none, and the others still make a twin by chance unlikely."""
    bits = {name: _bits(values) for name, values in hashes.items()}
    free = sum(bits.values()) - np.log2(train / CHANCE)
    most = sorted(numbers & hashes.keys(), key=lambda name: -bits[name])[:DIFFERING_MAX]
    return [name for name in (None, *most) if (bits[name] if name else 0) <= free]


def _search(hashes: dict[str, Hashes], held: int, left_out: list[str | None]) -> _Found:
    """Twins of the first `held` rows among the others."""
    total = np.add.reduce(list(hashes.values()))
    twin, pairs = np.full(held, -1, dtype=np.intp), 0
    counts: dict[str | None, int] = {}
    for name in left_out:
        keys = total - hashes[name] if name else total
        order = held + np.argsort(keys[held:], kind="stable")
        first, last = (np.searchsorted(keys[order], keys[:held], side=side) for side in ("left", "right"))
        met = (last > first) & (twin < 0)
        pairs += int((last - first).sum())
        counts[name] = int(met.sum())
        twin = np.where(met, order[np.minimum(first, len(order) - 1)], twin)
    return _Found(twin, pairs, max(counts, key=counts.__getitem__) if counts else None)


def _hashed(values: pd.Series[Any], problem: Problem, name: str, width: float) -> Hashes:
    """A hash of each value, numbers by their cell; salted with the column's name, so that sums tell columns apart."""
    column = problem.columns[name]
    salt = sum(name.encode()) * 7919 + len(name)
    if isinstance(column, NumberColumn | DateTimeColumn) and values.dtype.kind in "fM":
        numbers = values.astype("int64").astype(np.float64) if values.dtype.kind == "M" else values
        spread = float(numbers.std()) or 1.0
        return _mixed(np.floor((numbers / spread / width).to_numpy()) + 0.0, salt)
    if isinstance(column, TextColumn):
        values = values.astype("str").str.lower().str.replace(r"\W+", " ", regex=True).str.strip()
    key = f"labline {salt % 10**8:08d}"  # pandas wants 16 bytes
    return np.asarray(pd.util.hash_pandas_object(values, index=False, hash_key=key), dtype=np.uint64)


def _mixed(numbers: NDArray[np.float64], salt: int) -> Hashes:
    """Hashes of numbers: the finalizer of SplitMix64 (Steele, Lea and Flood 2014) over their bits."""
    found = np.ascontiguousarray(numbers).view(np.uint64) + np.uint64(salt * 0x9E3779B97F4A7C15 % 2**64)
    found = (found ^ (found >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    found = (found ^ (found >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return found ^ (found >> np.uint64(31))


def _bits(hashes: Hashes) -> float:
    """How much it says that two rows are alike in this column: -log2 of the chance that any two are."""
    counts = np.unique(hashes[-BITS_ROWS:], return_counts=True)[1]
    rows = counts.sum()
    return float(-np.log2(max((counts * (counts - 1.0)).sum(), 1.0) / (rows * (rows - 1.0))))


def _agreement(target: pd.Series[Any], problem: Problem, held: NDArray[np.intp], twin: NDArray[np.intp]) -> float:
    """How much the target of a twin tells of a row's own, beyond what any row's does: 0 nothing, 1 all."""
    told = facets(target, problem)
    by_chance = 2 * told.var(axis=0).sum()
    return float(1 - ((told[held] - told[twin]) ** 2).sum(axis=1).mean() / by_chance) if by_chance else 0.0
