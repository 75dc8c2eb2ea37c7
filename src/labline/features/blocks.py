"""Blocks: what a fitted encoder keeps of one column, and how that column becomes numbers."""

from __future__ import annotations

import math
from collections.abc import Mapping
from functools import cached_property
from typing import TYPE_CHECKING, Annotated, Any, Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field

from labline.contract import Columns
from labline.features.text import TextBlock

if TYPE_CHECKING:
    from scipy import sparse

SPARSE_FROM = 64  # names; with more of them, most of a one-hot matrix is zeros

# Turns of the calendar: how many of the part make one.
CYCLES: Mapping[str, int] = {"month": 12, "day": 31, "weekday": 7, "hour": 24}
SECONDS_PER_DAY = 86_400


Part: TypeAlias = "NDArray[np.float64] | sparse.csr_matrix"
"""Some columns of the matrix."""


class _Block(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")

    column: str

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the matrix's columns that the block gives."""
        return (self.column,)

    @property
    def is_sparse(self) -> bool:
        """Whether most of what it gives is zeros."""
        return False


class Scale(BaseModel):
    """Centre and spread of the training rows; a missing value becomes the centre."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    mean: float
    deviation: float

    @classmethod
    def of(cls, values: NDArray[np.float64]) -> Scale:
        """Of the known values; a constant is neither divided by zero nor by rounding errors."""
        known = values[np.isfinite(values)]
        if not len(known):
            return cls(mean=0.0, deviation=1.0)
        mean, deviation = float(known.mean()), float(known.std())
        rounding = 10 * np.finfo(np.float64).eps * abs(mean)
        return cls(mean=mean, deviation=deviation if deviation > rounding else 1.0)

    def apply(self, values: NDArray[np.float64]) -> NDArray[np.float64]:
        """The values, centred and divided."""
        return scaled(values, self.mean, self.deviation)


def scaled(values: NDArray[np.float64], means: Any, deviations: Any) -> NDArray[np.float64]:
    """The values, centred and divided; what is missing is in the centre."""
    found: NDArray[np.float64] = (values - means) / deviations
    # of a single row, to look takes a third of the time
    return found if np.isfinite(found).all() else np.nan_to_num(found, nan=0.0)


class NumberBlock(_Block):
    """One number, as it is or through log(1 + x) and scaled; missing is NaN unless scaled."""

    kind: Literal["number"] = "number"
    log: bool = False
    scale: Scale | None = None

    def transform(self, columns: Columns) -> NDArray[np.float64]:
        """Shape (rows, 1)."""
        values = np.asarray(columns[self.column], dtype=np.float64)  # a derived one's single None is a missing number
        values = np.log1p(values) if self.log else values
        return (self.scale.apply(values) if self.scale else values)[:, None]


class BandBlock(_Block):
    """The index of the band a number lies in; missing is a band of its own, −1."""

    kind: Literal["band"] = "band"
    limits: tuple[float, ...]

    @property
    def names(self) -> tuple[str, ...]:
        """One column."""
        return (f"{self.column} band",)

    def transform(self, columns: Columns) -> NDArray[np.float64]:
        """Shape (rows, 1)."""
        values = columns[self.column]
        return np.where(np.isnan(values), -1.0, np.searchsorted(self.limits, values, side="right"))[:, None]


class MomentBlock(_Block):
    """A moment: its age in days, counted back from the newest of the training rows, and parts of the calendar.

    Scaled, a part that comes round again is a point on a circle: its sine and cosine.
    """

    kind: Literal["moment"] = "moment"
    newest: float
    parts: tuple[str, ...]
    scale: Scale | None = None

    @classmethod
    def fit(cls, column: str, values: NDArray[Any], *, scaled: bool) -> MomentBlock:
        """With those parts that differ among the training rows: dates without a time have no hour."""
        seconds = _seconds(values)
        known = ~np.isnan(seconds)
        newest = float(seconds[known].max()) if known.any() else 0.0
        parts = tuple(n for n, part in _parts(values[known]).items() if len(part) and part.min() < part.max())
        age = (newest - seconds) / SECONDS_PER_DAY
        if scaled:
            parts = tuple(name for name in parts if name in CYCLES)
        return cls(column=column, newest=newest, parts=parts, scale=Scale.of(age) if scaled else None)

    @property
    def names(self) -> tuple[str, ...]:
        """Age, then the parts."""
        turns = ("",) if self.scale is None else (" sine", " cosine")
        return (f"{self.column} age", *(f"{self.column} {part}{turn}" for part in self.parts for turn in turns))

    def transform(self, columns: Columns) -> NDArray[np.float64]:
        """Shape (rows, len(names))."""
        values = columns[self.column]
        age = (self.newest - _seconds(values)) / SECONDS_PER_DAY
        found = _parts(values)
        if self.scale is None:
            return np.column_stack([age, *(found[name] for name in self.parts)])
        angles = [2 * np.pi * found[name] / CYCLES[name] for name in self.parts]
        circle = [np.nan_to_num(turn(angle)) for angle in angles for turn in (np.sin, np.cos)]
        return np.column_stack([self.scale.apply(age), *circle])


class CategoryBlock(_Block):
    """One name of those listed or learned: its index, or a column a name.

    Attributes:
        values: the names, in the order of their indices.
        other: any name that is not among them has an index too, the last; else it counts as missing.
    """

    kind: Literal["category"] = "category"
    values: tuple[str, ...]
    other: bool = False
    onehot: bool = False

    @cached_property
    def _indices(self) -> dict[str, int]:
        return {value: index for index, value in enumerate(self.values)}

    @property
    def width(self) -> int:
        """How many names it tells apart."""
        return len(self.values) + self.other

    @property
    def names(self) -> tuple[str, ...]:
        """The column, or one a name."""
        if not self.onehot:
            return (self.column,)
        other = (f"{self.column} is another",) if self.other else ()
        return (*(f"{self.column}={value}" for value in self.values), *other)

    @property
    def is_sparse(self) -> bool:
        """One-hot and wide."""
        return self.onehot and self.width > SPARSE_FROM

    @cached_property
    def _one_hot(self) -> NDArray[np.float64]:
        """The columns of each index, shape (width + 1, width); the last row is of what is missing."""
        return np.eye(self.width + 1, self.width)

    def codes(self, columns: Columns, missing: float) -> list[float]:
        """The index of each row's name."""
        otherwise = len(self.values) if self.other else missing
        indices = self._indices
        return [missing if value is None else indices.get(value, otherwise) for value in columns[self.column].tolist()]

    def transform(self, columns: Columns) -> Part:
        """Shape (rows, len(names)); missing is NaN as an index, and zeros as columns."""
        if not self.onehot:
            return np.array(self.codes(columns, math.nan), dtype=np.float64)[:, None]
        codes = np.array(self.codes(columns, self.width), dtype=np.intp)
        if not self.is_sparse:
            return self._one_hot.take(codes, axis=0)
        from scipy import sparse  # only then: it takes a tenth of a server's start

        known = np.flatnonzero(codes < self.width)
        shape = (len(codes), self.width)
        return sparse.csr_matrix((np.ones(len(known)), (known, codes[known])), shape=shape)


class LabelsBlock(_Block):
    """Any number of names: a column for each of those listed or learned, 1 where it is there."""

    kind: Literal["labels"] = "labels"
    values: tuple[str, ...]

    @cached_property
    def _indices(self) -> dict[str, int]:
        return {value: index for index, value in enumerate(self.values)}

    @property
    def names(self) -> tuple[str, ...]:
        """One column a name."""
        return tuple(f"{self.column} has {value}" for value in self.values)

    @property
    def is_sparse(self) -> bool:
        """Where there are many names."""
        return len(self.values) > SPARSE_FROM

    def transform(self, columns: Columns) -> Part:
        """Shape (rows, len(names))."""
        from scipy import sparse

        indices = self._indices
        lists = [[indices[name] for name in value or () if name in indices] for value in columns[self.column]]
        ends = np.cumsum([0, *map(len, lists)])
        found = np.array([index for one in lists for index in one], dtype=np.int32)
        matrix = sparse.csr_matrix((np.ones(len(found)), found, ends), shape=(len(lists), len(self.values)))
        return matrix if self.is_sparse else np.asarray(matrix.toarray())


class TextSizeBlock(_Block):
    """How long a text is, in characters and in words; through log(1 + x), and scaled if wanted."""

    kind: Literal["text_size"] = "text_size"
    scales: tuple[Scale, Scale] | None = None

    @classmethod
    def fit(cls, column: str, values: NDArray[Any], *, scaled: bool) -> TextSizeBlock:
        """Scaled by the training rows."""
        if not scaled:
            return cls(column=column)
        sizes = cls(column=column).transform({column: values})
        return cls(column=column, scales=(Scale.of(sizes[:, 0]), Scale.of(sizes[:, 1])))

    @property
    def names(self) -> tuple[str, ...]:
        """Two columns."""
        return (f"{self.column} characters", f"{self.column} words")

    def transform(self, columns: Columns) -> NDArray[np.float64]:
        """Shape (rows, 2)."""
        sizes = [(np.nan, np.nan) if text is None else (len(text), len(text.split())) for text in columns[self.column]]
        found = np.log1p(np.array(sizes, dtype=np.float64).reshape(-1, 2))
        if self.scales is None:
            return found
        return np.column_stack([scale.apply(found[:, index]) for index, scale in enumerate(self.scales)])


Block = Annotated[
    NumberBlock | BandBlock | MomentBlock | CategoryBlock | LabelsBlock | TextSizeBlock | TextBlock,
    Field(discriminator="kind"),
]


def _seconds(values: NDArray[Any]) -> NDArray[np.float64]:
    """Seconds since 1970, NaN for missing."""
    return np.where(np.isnat(values), np.nan, values.astype("datetime64[s]").astype(np.float64))


def _parts(values: NDArray[Any]) -> dict[str, NDArray[np.float64]]:
    """Year, month (1 to 12), day of the month, weekday (Monday is 0) and hour; NaN for missing."""
    missing = np.isnat(values)
    months = values.astype("datetime64[M]")
    days = values.astype("datetime64[D]")
    numbers = {
        "year": values.astype("datetime64[Y]").astype(np.int64) + 1970,
        "month": months.astype(np.int64) % 12 + 1,
        "day": (days - months.astype("datetime64[D]")).astype(np.int64) + 1,
        "weekday": (days.astype(np.int64) + 3) % 7,  # the first of January 1970 was a Thursday
        "hour": values.astype("datetime64[h]").astype(np.int64) % 24,
    }
    return {name: np.where(missing, np.nan, part.astype(np.float64)) for name, part in numbers.items()}
