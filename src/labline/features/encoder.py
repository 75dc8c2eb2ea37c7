"""The encoder: plain columns, contract's and derived, to the matrix a family wants."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal, Self

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict

from labline.contract import CategoryColumn, Columns, NumberColumn, Problem

Matrix = NDArray[np.float64]


class Encoding(BaseModel):
    """What a family wants of the encoder.

    Attributes:
        categories: `codes` gives one column of indices into the contract's values; `onehot` one column a value.
        bands: numbers for which the contract names `bands` are cut there; the band's index is added as a column.
        log: numbers that the contract marks `log: true` go through log(1 + x).
        scale: numbers are centred and divided by their standard deviation; a missing one becomes the mean.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    categories: Literal["codes", "onehot"] = "codes"
    bands: bool = False
    log: bool = False
    scale: bool = False


class EncoderState(BaseModel):
    """What an encoder knows, as it is kept in the bundle."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    encoding: Encoding
    numbers: tuple[str, ...]
    categories: dict[str, tuple[str, ...]]
    logs: frozenset[str]
    bands: dict[str, tuple[float, ...]]
    means: dict[str, float] = {}
    deviations: dict[str, float] = {}


class Encoder:
    """Turns columns into a matrix of shape (rows, features), float64; missing is NaN unless scaled.

    Learned attributes: `state`, all that is needed to make the same encoder again.
    """

    def __init__(self, state: EncoderState) -> None:
        self.state = state
        self._codes = {
            name: {value: float(index) for index, value in enumerate(values)}
            for name, values in state.categories.items()
        }

    @classmethod
    def fit(cls, problem: Problem, derived: Sequence[str], encoding: Encoding, columns: Columns) -> Self:
        """An encoder for the contract's columns and the derived ones, fitted to the training rows alone."""
        plain = {name: column for name, column in problem.columns.items() if not isinstance(column, CategoryColumn)}
        measured = {name: column for name, column in plain.items() if isinstance(column, NumberColumn)}
        state = EncoderState(
            encoding=encoding,
            numbers=(*plain, *derived),
            categories={
                n: column.values for n, column in problem.columns.items() if isinstance(column, CategoryColumn)
            },
            logs=frozenset(name for name, column in measured.items() if encoding.log and column.log),
            bands={name: column.bands for name, column in measured.items() if encoding.bands and column.bands},
        )
        if encoding.scale:
            numbers = {name: _logged(columns[name], name in state.logs) for name in state.numbers}
            state = state.model_copy(
                update={
                    "means": {name: _finite_or(np.nanmean(values), 0.0) for name, values in numbers.items()},
                    "deviations": {name: _deviation(values) for name, values in numbers.items()},
                }
            )
        return cls(state)

    @property
    def feature_names(self) -> tuple[str, ...]:
        """Names of the matrix's columns."""
        if self.state.encoding.categories == "codes":
            categories = tuple(self.state.categories)
        else:
            categories = tuple(f"{name}={value}" for name, values in self.state.categories.items() for value in values)
        return (*self.state.numbers, *(f"{name} band" for name in self.state.bands), *categories)

    @property
    def categorical_features(self) -> tuple[int, ...]:
        """Positions of the matrix's columns that hold category codes."""
        if self.state.encoding.categories != "codes":
            return ()
        total = len(self.feature_names)
        return tuple(range(total - len(self.state.categories), total))

    def transform(self, columns: Columns) -> Matrix:
        """The matrix of the columns, shape (rows, len(feature_names))."""
        state = self.state
        rows = len(next(iter(columns.values())))
        matrix = np.empty((rows, len(self.feature_names)))
        at = 0
        for name in state.numbers:
            matrix[:, at] = self._number(name, columns[name])
            at += 1
        for name, limits in state.bands.items():
            band = np.searchsorted(limits, columns[name], side="right")
            matrix[:, at] = np.where(np.isnan(columns[name]), -1, band)  # missing is a band of its own
            at += 1
        for name, codes in self._codes.items():
            coded = np.array([codes.get(value, np.nan) for value in columns[name]])
            if state.encoding.categories == "codes":
                matrix[:, at] = coded
                at += 1
            else:
                matrix[:, at : at + len(codes)] = coded[:, None] == np.arange(len(codes))
                at += len(codes)
        return matrix

    def _number(self, name: str, values: NDArray[np.float64]) -> NDArray[np.float64]:
        values = _logged(values, name in self.state.logs)
        if not self.state.encoding.scale:
            return values
        scaled = (values - self.state.means[name]) / self.state.deviations[name]
        return np.nan_to_num(scaled, nan=0.0)


def _logged(values: NDArray[np.float64], wanted: bool) -> NDArray[np.float64]:
    return np.log1p(values) if wanted else values


def _finite_or(value: np.floating[Any], otherwise: float) -> float:
    return float(value) if np.isfinite(value) else otherwise


def _deviation(values: NDArray[np.float64]) -> float:
    """The standard deviation; 1 for a constant column, which is then neither divided by zero nor by rounding errors."""
    deviation = _finite_or(np.nanstd(values), 0.0)
    rounding = 10 * np.finfo(np.float64).eps * np.abs(_finite_or(np.nanmean(values), 0.0))
    return deviation if deviation > rounding else 1.0
