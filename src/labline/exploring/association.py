"""Association: how much one column tells of another, on one scale for all types."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from labline.exploring.views import View

PARTS = 10  # equally many rows in each, into which numbers and moments are cut


def associations(views: Mapping[str, View]) -> pd.DataFrame:
    """Cramér's V of every pair, 0 (independent) to 1, corrected for chance (Bergsma 2013); shape (views, views).

    Numbers and moments are cut into tenths, so that a curve counts as much as a line; missing is a part of its own.
    """
    names = list(views)
    cut = {name: pd.Series(_codes(views[name]), index=views[name].index, name=name) for name in names}
    found = pd.DataFrame(np.eye(len(names)), index=names, columns=names)
    for index, name in enumerate(names):
        for other in names[index + 1 :]:
            found.loc[name, other] = found.loc[other, name] = _cramers_v(*_paired(cut[name], cut[other]))
    return found


def mutual_information(views: Mapping[str, View], target: View, seed: int = 0) -> pd.Series[float]:
    """What each column tells of the target, in nats (Kraskov et al. 2004, Ross 2014), the most telling first."""
    from sklearn.feature_selection import mutual_info_classif, mutual_info_regression

    named = isinstance(target.dtype, pd.CategoricalDtype)
    estimate = mutual_info_classif if named else mutual_info_regression
    goal = pd.Series(target.cat.codes if named else target)
    found = {}
    for name, values in views.items():
        discrete = isinstance(values.dtype, pd.CategoricalDtype)
        numbers = pd.Series(_codes(values) if discrete else _filled(values), index=values.index)
        ours, theirs = _paired(numbers, goal)
        found[name] = float(estimate(ours.reshape(-1, 1), theirs, discrete_features=discrete, random_state=seed)[0])
    return pd.Series(found, dtype=float).sort_values(ascending=False)


def _paired(ours: pd.Series[Any], theirs: pd.Series[Any]) -> tuple[NDArray[Any], NDArray[Any]]:
    """Both of the same row, side by side; where a row has several names, each with each."""
    if ours.index.is_unique and theirs.index.is_unique:
        return ours.to_numpy(), theirs.reindex(ours.index).to_numpy()
    both = ours.rename("ours").to_frame().join(theirs.rename("theirs"), how="inner")
    return both["ours"].to_numpy(), both["theirs"].to_numpy()


def _codes(values: View) -> NDArray[np.intp]:
    """Which name, or which tenth, from 0; missing is one more."""
    if isinstance(values.dtype, pd.CategoricalDtype):
        return np.asarray(values.cat.codes, dtype=np.intp)
    if values.isna().all():
        return np.zeros(len(values), dtype=np.intp)
    tenths = pd.qcut(values, PARTS, labels=False, duplicates="drop")
    return np.asarray(tenths.fillna(PARTS), dtype=np.intp)


def _filled(values: View) -> NDArray[np.float64]:
    """As numbers; missing is below all that is known."""
    numbers = values.rank(method="average").to_numpy(dtype=float)  # mutual information does not mind the scale
    return np.where(np.isnan(numbers), -len(numbers) / PARTS, numbers)


def _cramers_v(ours: NDArray[np.intp], theirs: NDArray[np.intp]) -> float:
    counts = np.zeros((ours.max() + 1, theirs.max() + 1))
    np.add.at(counts, (ours, theirs), 1)
    counts = counts[counts.any(axis=1)][:, counts.any(axis=0)]
    total, (rows, columns) = counts.sum(), counts.shape
    if min(rows, columns) < 2:
        return 0.0
    expected = np.outer(counts.sum(axis=1), counts.sum(axis=0)) / total
    phi = ((counts - expected) ** 2 / expected).sum() / total
    chance = (rows - 1) * (columns - 1) / (total - 1)
    width, height = (size - (size - 1) ** 2 / (total - 1) for size in (rows, columns))
    return float(np.sqrt(max(0.0, phi - chance) / (min(width, height) - 1)))
