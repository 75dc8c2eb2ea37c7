"""A small domain classifier: can rows of the window be told from rows of the reference, beyond what a column shows?

A classifier two-sample test (Lopez-Paz and Oquab 2017). The classifier is of nearest shrunken centroids (Tibshirani et
al. 2002) over interactions of columns, and scores rows that it has not learned from. Reference rows are weighted so
that every column has the window's shares (raking: Deming and Stephan 1940): a column that drifts by itself, or is
missing more often, is no news here.
"""

from __future__ import annotations

from contextlib import AbstractContextManager
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict

from labline.monitoring.coarse import CoarseRows, Codes, Values, coarse_columns, shares_of
from labline.monitoring.drawing import draw_rows
from labline.monitoring.interactions import Interactions, interactions

LOOKED_AT_MAX = 20_000
ROWS_MAX = 1000  # kept, or drawn
COLUMNS_MAX = 30
FOLDS = 5
SHRINKAGE = 3.0  # standard errors: what is no further apart counts for nothing
ROUNDS = 6  # of raking
WEIGHT_MIN = 50  # rows' worth of reference left by raking: with fewer nothing is said
SIZES = (100, 300, 1000, 2000)  # of windows for which the null is measured; of a larger window the last rows count
WINDOWS = 20  # of each size
# Folds share what they learn from, so their mean varies more than independent parts' would: 1/k + 1/(k - 1) instead of
# 1/k (Nadeau and Bengio 2003).
CORRECTION = float(np.sqrt(1 + FOLDS / (FOLDS - 1)))
SAID_MAX = 3


class Null(BaseModel):
    """What windows of so many rows give where nothing changed.

    Attributes:
        rows: of the window.
        auc: the mean.
        inflation: how many times their standard deviation is that of a Mann-Whitney statistic of as many rows; at least
            what cross-validation makes it.
    """

    model_config = ConfigDict(frozen=True)

    rows: int
    auc: float
    inflation: float


class Domain(BaseModel):
    """Reference rows, and what the classifier gives for windows of the reference's own distribution.

    Attributes:
        rows: kept, or drawn.
        null: by size of the window, ascending.
    """

    model_config = ConfigDict(frozen=True)

    rows: CoarseRows
    null: tuple[Null, ...]


class Separation(BaseModel):
    """How well a classifier tells the window from the reference.

    Attributes:
        auc: of scores out of fold; 0.5: not at all.
        null_low: between this and `null_high` it is with probability 1 - alpha where nothing changed.
        null_high: the other end.
        p_value: of such a distance from the interval's middle.
        alarm: beyond the interval, and far enough to matter.
        rows: of the window that were looked at.
        drawn: whether the reference's rows are drawn from its margins and correlations, and not kept.
        columns: which tell most, and in what share of what the classifier goes by each has a part, from 0 to 1.
    """

    model_config = ConfigDict(frozen=True)

    auc: float
    null_low: float
    null_high: float
    p_value: float
    alarm: bool
    rows: int
    drawn: bool
    columns: dict[str, float]

    @property
    def said(self) -> str:
        """The figure, its interval and the columns, in words."""
        by = ", ".join(f"{name} {share:.0%}" for name, share in self.columns.items())
        usual = f"AUC {self.auc:.3f}, usual are {self.null_low:.3f} to {self.null_high:.3f}"
        return f"{usual}, by {by}" if by else usual


@dataclass(frozen=True)
class _Held:
    """A window held against reference rows.

    Attributes:
        features: of the window's rows, then of the reference's.
        weights: of the reference's rows.
    """

    features: Interactions
    weights: NDArray[np.float64]

    @property
    def rows(self) -> int:
        """Of the window."""
        return int(self.features.functions.shape[1]) - len(self.weights)

    @property
    def compared(self) -> int:
        """How many columns are known on both sides; the constant function is of none."""
        return len(np.unique(self.features.columns[self.features.functions.any(axis=1)])) - 1

    @property
    def effective(self) -> float:
        """As many unweighted rows the reference's are worth (Kish 1965)."""
        return float(self.weights.sum() ** 2 / (self.weights**2).sum())

    @property
    def deviation(self) -> float:
        """Standard deviation of an AUC, where scores are not learned and nothing changed (Mann and Whitney 1947)."""
        return float(np.sqrt((1 / self.rows + 1 / self.effective) / 12))


def fit_domain(values: Values, *, keep: bool, seed: int = 0) -> Domain | None:
    """Reference rows, and the null; None where there are no two columns, or too few rows to measure it.

    Args:
        values: of the reference; of very many rows some are looked at.
        keep: whether coarse rows may be kept; if not, they are synthetic.
        seed: of which rows are looked at and kept.
    """
    with _one_thread():
        return _fitted(values, keep=keep, seed=seed)


def _fitted(values: Values, *, keep: bool, seed: int) -> Domain | None:
    total = min((len(one) for one in values.values()), default=0)
    order = np.random.default_rng(seed).permutation(total)[:LOOKED_AT_MAX]
    some = {name: one[order] for name, one in values.items()}
    columns = _telling(coarse_columns(some), some)
    half = len(order) // 2
    if len(columns.columns) < 2 or half < SIZES[0]:
        return None
    known = min(ROWS_MAX, half) if keep else half  # the null is measured with the others
    codes = columns.coded(some)[:known]
    rows = columns.written(codes if keep else draw_rows(columns, codes, ROWS_MAX, seed), drawn=not keep)
    others = {name: some[name][known:] for name in columns.columns}
    sizes = [size for size in SIZES if size <= len(order) - known]
    return Domain(rows=rows, null=tuple(_null(rows, others, size) for size in sizes))


def _one_thread() -> AbstractContextManager[Any]:
    """Matrices this small gain nothing from more threads, and lose much where cores are shared."""
    return _libraries().limit(limits=1, user_api="blas")  # type: ignore[no-any-return]


@cache
def _libraries() -> Any:
    from threadpoolctl import ThreadpoolController

    return ThreadpoolController()  # looks through all that is loaded, which takes some milliseconds


def _telling(columns: CoarseRows, values: Values) -> CoarseRows:
    """Of very many columns those that go together most with another."""
    if len(columns.columns) <= COLUMNS_MAX:
        return columns
    codes = columns.coded({name: one[:ROWS_MAX] for name, one in values.items()})
    with np.errstate(divide="ignore", invalid="ignore"):  # of a column that is missing in all of these rows
        strength = np.nan_to_num(np.abs(np.corrcoef(codes, rowvar=False)) - np.eye(codes.shape[1]))
    most = np.sort(np.argsort(-strength.max(axis=1), kind="stable")[:COLUMNS_MAX])
    names = list(columns.columns)
    return CoarseRows(columns={names[at]: columns.columns[names[at]] for at in most})


def _null(rows: CoarseRows, values: Values, size: int) -> Null:
    """From windows of other rows than those that the reference was made from."""
    random, total = np.random.default_rng(size), len(next(iter(values.values())))
    aucs, deviations = [], []
    for _ in range(WINDOWS):
        drawn = random.choice(total, size, replace=False)
        held = _hold(rows, {name: one[drawn] for name, one in values.items()})
        aucs.append(_told(held)[0])
        deviations.append(held.deviation)
    return Null(
        rows=size, auc=float(np.mean(aucs)), inflation=max(CORRECTION, float(np.std(aucs) / np.mean(deviations)))
    )


def domain_test(reference: Domain, values: Values, *, alpha: float, floor: float) -> Separation | None:
    """Tell a window from the reference.

    Args:
        reference: from the profile.
        values: of the window; columns may be missing. Of more rows than the null is known for, the last are looked at.
        alpha: probability of an alarm where nothing changed.
        floor: smallest difference that matters, of Somers' D, which is 2 AUC - 1.

    Returns:
        None where fewer than two columns can be compared, or where hardly a row of the reference is like the window's.
    """
    from scipy import special

    last = {name: one[-reference.null[-1].rows :] for name, one in values.items()}
    with _one_thread():
        held = _hold(reference.rows, last)
        auc, columns = _told(held)
    if held.compared < 2 or held.effective < WEIGHT_MIN:
        return None
    size, sizes = np.log(held.rows), np.log([one.rows for one in reference.null])
    middle = float(np.interp(size, sizes, [one.auc for one in reference.null]))
    deviation = held.deviation * float(np.interp(size, sizes, [one.inflation for one in reference.null]))
    beyond = float(-special.ndtri(alpha / 2)) * deviation
    names = list(reference.rows.columns)
    most = np.argsort(-columns, kind="stable")[:SAID_MAX]
    return Separation(
        auc=auc,
        null_low=max(0.0, middle - beyond),
        null_high=min(1.0, middle + beyond),
        p_value=float(2 * special.ndtr(-abs(auc - middle) / deviation)),
        alarm=abs(auc - middle) > max(beyond, floor / 2),
        rows=held.rows,
        drawn=reference.rows.drawn,
        columns={names[at]: float(columns[at]) for at in most if columns[at] > 0},
    )


def _hold(reference: CoarseRows, values: Values) -> _Held:
    window = reference.coded(values)
    shares = shares_of(window, reference)
    before = _thinned(reference.codes, shares)
    ranked = [not column.usual for column in reference.columns.values()]
    return _Held(interactions(np.concatenate([window, before]), shares, ranked), _raked(before, shares))


def _thinned(codes: Codes, shares: list[NDArray[np.float64]]) -> Codes:
    """Reference rows, with values taken out by lot where the window lacks more of them."""
    random = np.random.default_rng(0)
    found = codes.copy()
    for at, share in enumerate(shares):
        none = len(share) - 1
        lacking = np.mean(codes[:, at] == none)
        if share[none] > lacking:
            found[random.random(len(codes)) < (share[none] - lacking) / (1 - lacking), at] = none
    return found


def _raked(codes: Codes, shares: list[NDArray[np.float64]]) -> NDArray[np.float64]:
    """Weights of rows, shape (rows,), with which each column has these shares; their mean is 1."""
    weights = np.ones(len(codes))
    for _ in range(ROUNDS):
        for column, share in zip(codes.T, shares, strict=True):
            now = np.bincount(column, weights=weights, minlength=len(share)) / len(codes)
            weights *= np.divide(share, now, out=np.zeros(len(share)), where=now > 0)[column]
    return np.asarray(weights / max(weights.mean(), 1e-12))


def _told(held: _Held) -> tuple[float, NDArray[np.float64]]:
    """The AUC, and of each column what share of the classifier it has a part in.

    It learns from four folds and scores the fifth, in turn.
    """
    random, features = np.random.default_rng(0), held.features
    of_window, of_reference = (random.permutation(rows) % FOLDS for rows in (held.rows, len(held.weights)))
    learned = np.zeros((held.rows + len(held.weights), 2, FOLDS), dtype=np.float32)
    learned[: held.rows, 0] = of_window[:, None] != np.arange(FOLDS)
    learned[held.rows :, 1] = (of_reference[:, None] != np.arange(FOLDS)) * held.weights[:, None]
    learned /= learned.sum(axis=0)
    sizes = (1 - 1 / FOLDS) * np.array([held.rows, held.effective])
    scores, parts = np.zeros((FOLDS, len(learned)), dtype=np.float32), np.zeros(features.columns.max() + 1)
    total = 0.0
    for products in features.blocks():
        values = features.values(products)
        weighed = _centroids(values, learned.reshape(len(learned), -1), sizes)
        scores += weighed.T.astype(np.float32) @ values
        importance = (weighed**2).sum(axis=1)
        total += importance.sum()
        for factor in features.products[products].T:
            np.add.at(parts, features.columns[factor[factor > 0]], importance[factor > 0])
    aucs = []
    for fold, each in enumerate(scores):
        here = of_reference == fold
        aucs.append(_auc(each[: held.rows][of_window == fold], each[held.rows :][here], held.weights[here]))
    return float(np.mean(aucs)), parts / max(total, 1e-12)


def _centroids(
    values: NDArray[np.float32], learned: NDArray[np.float32], sizes: NDArray[np.float64]
) -> NDArray[np.float64]:
    """The difference of the shrunken centroids in standard deviations, shape (features, folds)."""
    means = (values @ learned).reshape(len(values), 2, FOLDS)
    variances = np.maximum((values**2 @ learned).reshape(len(values), 2, FOLDS) - means**2, 0) + 1e-6
    errors = np.sqrt((variances / sizes[:, None]).sum(axis=1))
    apart = (means[:, 0] - means[:, 1]) / errors
    shrunken = np.sign(apart) * np.maximum(np.abs(apart) - SHRINKAGE, 0)
    return np.asarray(shrunken / np.sqrt(variances.mean(axis=1)))


def _auc(window: NDArray[np.float32], reference: NDArray[np.float32], weights: NDArray[np.float64]) -> float:
    """The probability that a row of the window scores higher than a weighted one of the reference, ties by half."""
    order = np.argsort(reference)
    total = np.concatenate([[0.0], np.cumsum(weights[order])])
    below = total[np.searchsorted(reference[order], window, side="left")]
    upto = total[np.searchsorted(reference[order], window, side="right")]
    return float((below + upto).mean() / 2 / total[-1])
