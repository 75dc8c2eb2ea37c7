"""Interactions: functions of two or three columns of coarse rows, which none of the columns shows by itself."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import combinations

import numpy as np
from numpy.typing import NDArray

from labline.monitoring.coarse import Codes

DEGREE_MAX = 3  # of a polynomial of one number's normal scores
DEGREES_MAX = 4  # of two columns together
PAIRS_MAX = 1000  # the simplest, of columns by lot where they are more
TRIPLES_MAX = 500
BLOCK = 128  # so many at a time stay in the processor's cache


@dataclass(frozen=True)
class Interactions:
    """Products of functions of different columns.

    Attributes:
        functions: of single columns, shape (functions, rows), float32; the first is 1 everywhere.
        products: which three of them each interaction is the product of, shape (interactions, 3).
        columns: the positions of the columns that each function is of; -1 for the first.
    """

    functions: NDArray[np.float32]
    products: NDArray[np.intp]
    columns: NDArray[np.intp]

    def blocks(self) -> Iterator[slice]:
        """Positions of the products, some at a time."""
        return (slice(at, at + BLOCK) for at in range(0, len(self.products), BLOCK))

    def values(self, products: slice) -> NDArray[np.float32]:
        """Of some products, shape (products, rows)."""
        chosen, functions = self.products[products], list(self.functions)
        found = np.empty((len(chosen), self.functions.shape[1]), dtype=np.float32)
        for each, (first, second, third) in zip(found, chosen.tolist(), strict=True):  # gathered at once they cost more
            np.multiply(functions[first], functions[second], out=each)
            if third:
                np.multiply(each, functions[third], out=each)
        return found


def interactions(codes: Codes, shares: Sequence[NDArray[np.float64]], ranked: Sequence[bool]) -> Interactions:
    """Interactions of columns, each of mean 0 where the columns are independent (functional ANOVA: Hoeffding 1948).

    Args:
        codes: of the rows.
        shares: of each column's cells, and last of the rows in none.
        ranked: which columns' cells are sixteenths of ranks, and not names.
    """
    functions, columns, degrees = [np.ones(len(codes), dtype=np.float32)], [-1], [0]
    for at, (share, is_ranked) in enumerate(zip(shares, ranked, strict=True)):
        found = _orthonormal(tuple(share[:-1].tolist()), is_ranked=is_ranked)
        functions += [one[codes[:, at]] for one in found.T]
        columns += [at] * found.shape[1]
        degrees += range(1, found.shape[1] + 1) if is_ranked else [1] * found.shape[1]
    return Interactions(np.array(functions), _products(tuple(columns), tuple(degrees)), np.array(columns))


@lru_cache(maxsize=256)  # nearly all numbers have the same shares
def _orthonormal(shares: tuple[float, ...], *, is_ranked: bool) -> NDArray[np.float32]:
    """Functions of one column's cells, shape (cells + 1, functions): of mean 0, variance 1, and uncorrelated.

    Of ranks polynomials of normal scores, of names one less than names. Where a value is missing all are 0.
    """
    from scipy import special

    cells = len(shares)
    scores = special.ndtri((np.arange(cells) + 0.5) / cells)
    basis = np.vander(scores, DEGREE_MAX + 1, increasing=True) if is_ranked else np.eye(cells)
    basis[:, 0] = 1
    root = np.sqrt(np.array(shares) / max(sum(shares), 1e-12))[:, None]
    found, upper = np.linalg.qr(root * basis)
    found = (found * np.where(np.diag(upper) < 0, -1, 1))[:, 1:]  # so that no sign turns where shares change a little
    found = np.divide(found, root, out=np.zeros_like(found), where=root > 0)
    return np.vstack([found, np.zeros(found.shape[1])]).astype(np.float32)


@lru_cache(maxsize=8)
def _products(columns: tuple[int, ...], degrees: tuple[int, ...]) -> NDArray[np.intp]:
    random = np.random.default_rng(0)
    linear = [at for at, degree in enumerate(degrees) if degree == 1]
    pairs = np.array(
        [
            (first, second, 0)
            for first, second in combinations(range(1, len(columns)), 2)
            if columns[first] != columns[second] and degrees[first] + degrees[second] <= DEGREES_MAX
        ],
        dtype=np.intp,
    ).reshape(-1, 3)
    triples = np.array(
        [three for three in combinations(linear, 3) if len({columns[at] for at in three}) == 3], dtype=np.intp
    ).reshape(-1, 3)
    pairs = random.permutation(pairs)
    simplest = np.argsort(np.array(degrees)[pairs].sum(axis=1), kind="stable")[:PAIRS_MAX]
    return np.concatenate([pairs[simplest], random.permutation(triples)[:TRIPLES_MAX]])
