"""Synthetic coarse rows, where the contract lets none be kept: drawn from margins, correlations and interactions.

A Gaussian copula (Nelsen 2006) knows what goes up and down together. What it misses is made up for by weights with
which the drawn rows have the interactions' means too (exponential tilting, as in entropy balancing: Hainmueller 2012).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from labline.monitoring.coarse import CoarseRows, Codes, shares_of
from labline.monitoring.interactions import interactions

CANDIDATES = 10_000  # drawn from the copula; by their weights some of them are drawn again
RIDGE = 0.01
STEPS_MAX = 100


def draw_rows(columns: CoarseRows, codes: Codes, rows: int, seed: int = 0) -> Codes:
    """Synthetic rows like those of the reference.

    Args:
        columns: how they are coarse.
        codes: the reference's.
        rows: how many to draw.
        seed: of the draw.
    """
    random = np.random.default_rng(seed)
    shares = shares_of(codes, columns)
    candidates = _from_copula(codes, shares, random)
    ranked = [not column.usual for column in columns.columns.values()]
    features = interactions(np.concatenate([codes, candidates]), shares, ranked)
    known, drawn = features.functions[1:, : len(codes)].mean(axis=1), features.functions[1:, len(codes) :]
    means, values = [known], [drawn]
    for products in features.blocks():
        each = features.values(products)
        means.append(each[:, : len(codes)].mean(axis=1))
        values.append(each[:, len(codes) :])
    weights = _tilted(np.concatenate(values), np.concatenate(means))
    # systematic: as many copies of a row as its weight asks for, but for a fraction
    steps = (np.arange(rows) + random.random()) / rows
    return candidates[np.minimum(np.searchsorted(np.cumsum(weights), steps), len(weights) - 1)]


def _from_copula(codes: Codes, shares: list[NDArray[np.float64]], random: np.random.Generator) -> Codes:
    from scipy import special

    scores = np.empty(codes.shape)
    for at, column in enumerate(codes.T):
        order = random.permutation(len(column))
        order = order[np.argsort(column[order], kind="stable")]
        scores[order, at] = special.ndtri((np.arange(len(order)) + 0.5) / len(order))
    drawn = random.multivariate_normal(
        np.zeros(codes.shape[1]), np.corrcoef(scores, rowvar=False), CANDIDATES, method="eigh"
    )
    limits = [np.cumsum(share[:-1]) for share in shares]
    ranks = special.ndtr(drawn).T
    return np.column_stack([np.searchsorted(one, rank, side="right") for one, rank in zip(limits, ranks, strict=True)])


def _tilted(values: NDArray[np.float32], means: NDArray[np.float32]) -> NDArray[np.float64]:
    """Weights of rows, of sum 1 and as even as can be, with which values of shape (features, rows) have these means."""
    from scipy.optimize import minimize
    from scipy.special import logsumexp

    def dual(slopes: NDArray[np.float64]) -> tuple[float, NDArray[np.float64]]:
        exponents = (slopes.astype(np.float32) @ values).astype(np.float64)
        total = float(logsumexp(exponents))
        found = values @ np.exp(exponents - total).astype(np.float32)
        return total - float(slopes @ means) + RIDGE / 2 * float(slopes @ slopes), found - means + RIDGE * slopes

    slopes = minimize(dual, np.zeros(len(means)), jac=True, method="L-BFGS-B", options={"maxiter": STEPS_MAX}).x
    exponents = (slopes.astype(np.float32) @ values).astype(np.float64)
    return np.asarray(np.exp(exponents - logsumexp(exponents)))
