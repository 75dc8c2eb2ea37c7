"""What is known of a column, gathered chunk by chunk in bounded memory."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from datetime import date
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from labline.data.sources.typed import as_name
from labline.drafting.dates import Dates
from labline.drafting.numbers import Style, numbers_in, whole
from labline.drafting.uniqueness import Uniqueness

if TYPE_CHECKING:
    import pyarrow as pa

DISTINCT_MAX = 1000  # names counted of a column; of a target, more
STRAYS_MAX = 50
EXACT = 2.0**53  # whole numbers beyond are no longer told apart as float64
PADDED = r"^[+-]?0\d"
TRUE_OR_FALSE = frozenset({"true", "false"})
WORD = r"\S*\p{L}\S*"  # what has a letter in it, between spaces
MARKUP = r"</?[a-zA-Z][^<>]*>"


@dataclass
class Span:
    """From where to where numbers go, and whether all of them are whole."""

    low: float = np.inf
    high: float = -np.inf
    whole: bool = True

    def take(self, numbers: NDArray[np.float64]) -> None:
        """Learn from more numbers, finite ones."""
        if len(numbers):
            self.low, self.high = min(self.low, float(numbers.min())), max(self.high, float(numbers.max()))
            self.whole = self.whole and whole(numbers)


@dataclass
class Prose:
    """How much stands in texts: how many there are, their words and letters, and how many have HTML tags."""

    texts: int = 0
    words: int = 0
    letters: int = 0
    longest: int = 0
    markup: int = 0

    @property
    def words_each(self) -> float:
        """Words of a text, on average."""
        return self.words / self.texts if self.texts else 0.0

    @property
    def letters_each(self) -> float:
        """Characters of a text, on average."""
        return self.letters / self.texts if self.texts else 0.0

    def take(self, texts: pa.Array) -> None:
        """Learn from more texts."""
        import pyarrow.compute as pc

        lengths = pc.utf8_length(texts)
        self.texts += len(texts)
        self.letters += pc.sum(lengths).as_py()
        self.longest = max(self.longest, pc.max(lengths).as_py())
        self.words += pc.sum(pc.count_substring_regex(texts, WORD)).as_py()
        self.markup += pc.sum(pc.match_substring_regex(texts, MARKUP)).as_py()


@dataclass
class Facts:
    """What is known of a column.

    Attributes:
        name: the column's.
        style: how text writes numbers.
        distinct_max: how many different values are counted.
        counts: how often each value stands there, as a name; None once there are too many.
        known: values that are not missing.
        kinds: how many of them are numbers, written or as such, and how many have another type of their own.
        span: of the numbers.
        padded: whether a number begins with a zero too many, as 01234 does.
        strays: texts that are no numbers, and how often; the first few.
        prose: what stands in these.
        dates: how far these are dates.
        uniqueness: whether a value came twice.
    """

    name: str
    style: Style
    distinct_max: int = DISTINCT_MAX
    counts: Counter[str] | None = field(default_factory=Counter)
    known: int = 0
    kinds: Counter[str] = field(default_factory=Counter)
    span: Span = field(default_factory=Span)
    padded: bool = False
    strays: Counter[str] = field(default_factory=Counter)
    prose: Prose = field(default_factory=Prose)
    dates: Dates = field(default_factory=Dates)
    uniqueness: Uniqueness = field(default_factory=Uniqueness)

    @property
    def numbers(self) -> int:
        """How many values are numbers."""
        return self.kinds["number"]

    @property
    def moments(self) -> int:
        """How many values are of a type for moments or days."""
        return self.kinds["moment"]

    @property
    def lists(self) -> int:
        """How many values are lists, not as text."""
        return self.kinds["list"]

    @property
    def booleans(self) -> int:
        """How many values are true or false, not as text."""
        return self.kinds["boolean"]

    @property
    def distinct(self) -> int | None:
        """How many different values there are; None when they are too many to count."""
        return None if self.counts is None else len(self.counts)

    @property
    def number_share(self) -> float:
        """Share of the known values that are numbers."""
        return self.numbers / self.known if self.known else 0.0

    @property
    def is_unique(self) -> bool:
        """Whether no value stands there twice."""
        return self.known > 1 and self.uniqueness.holds()

    def take(self, values: pd.Series[Any]) -> None:
        """Learn from more rows."""
        known = values.dropna()
        self.known += len(known)
        if not len(known):
            return
        if pd.api.types.is_bool_dtype(known.dtype):
            self._take_kind("boolean", known.astype("object"))
        elif pd.api.types.is_numeric_dtype(known.dtype):
            self._take_kind("number", known)
        elif pd.api.types.is_datetime64_any_dtype(known.dtype):
            self._take_kind("moment", known)
        elif isinstance(known.dtype, pd.StringDtype):
            self._take_texts(known)
        else:  # values of several types, or of one that has no array of its own
            kinds = known.map(_kind)
            for kind in kinds.unique():
                self._take_kind(kind, known[kinds == kind])

    def _take_kind(self, kind: str, values: pd.Series[Any]) -> None:
        if kind == "text":
            self._take_texts(values.map(str))
        elif kind == "number":
            self._take_numbers(values)
        else:
            self.kinds[kind] += len(values)
            if kind == "boolean":
                self._take_names(values.map(str))
            else:
                self.counts = None

    def _take_numbers(self, given: pd.Series[Any]) -> None:
        numbers = given.to_numpy(dtype=np.float64)
        finite = numbers[np.isfinite(numbers)]
        self.kinds["number"] += len(finite)
        self.span.take(finite)
        if len(finite) < len(numbers):
            self.strays["inf"] += len(numbers) - len(finite)
        self.uniqueness.take(given.to_numpy() if given.dtype.kind in "iu" else numbers)
        if self.counts is None:
            return
        if given.dtype == object:
            self._take_names(given.map(as_name))
            return
        different, often = np.unique(numbers, return_counts=True)
        if len(different) > self.distinct_max:
            self.counts = None
            return
        named = zip(different.tolist(), often.tolist(), strict=True)
        self._count({as_name(value): count for value, count in named})  # as reading names them, were they classes

    def _take_names(self, names: pd.Series[Any]) -> None:
        self._count({str(name): int(count) for name, count in names.value_counts().items()})

    def _take_texts(self, known: pd.Series[Any]) -> None:
        import pyarrow as pa
        import pyarrow.compute as pc

        texts = pa.array(known, type=pa.large_string(), from_pandas=True)
        if isinstance(texts, pa.ChunkedArray):
            texts = texts.combine_chunks()
        self._take_different(texts.dictionary_encode(), len(texts))
        is_number, numbers = numbers_in(texts, self.style)
        self.kinds["number"] += len(numbers)
        self.span.take(numbers)
        if len(numbers):
            padded = pc.match_substring_regex(pc.utf8_trim_whitespace(texts), PADDED)
            self.padded = self.padded or bool(pc.any(padded).as_py())
        if len(numbers) < len(texts):
            self._take_strays(pc.filter(texts, pa.array(~is_number)))

    def _take_different(self, coded: pa.DictionaryArray, rows: int) -> None:
        different = coded.dictionary
        self.uniqueness.take_texts(different, rows)
        if self.counts is None:
            return
        if len(different) > self.distinct_max:
            self.counts = None
            return
        often = np.bincount(coded.indices.to_numpy(zero_copy_only=False), minlength=len(different))
        self._count(dict(zip(different.to_pylist(), often.tolist(), strict=True)))

    def _take_strays(self, texts: pa.Array) -> None:
        """Learn from texts that are no numbers."""
        import pyarrow.compute as pc

        if len(self.strays) <= STRAYS_MAX:
            for pair in pc.value_counts(texts).slice(0, STRAYS_MAX + 1).to_pylist():
                self.strays[pair["values"]] += pair["counts"]
        self.prose.take(texts)
        if not self.dates.given_up:
            counted = pc.value_counts(texts)
            self.dates.take(*(counted.field(name).to_numpy(zero_copy_only=False) for name in ("values", "counts")))

    def _count(self, counts: dict[str, int]) -> None:
        if self.counts is not None:
            self.counts.update(counts)
            if len(self.counts) > self.distinct_max:
                self.counts = None


def _kind(value: Any) -> str:
    if isinstance(value, bool | np.bool_):
        return "boolean"
    if isinstance(value, list | tuple | set | np.ndarray):
        return "list"
    if isinstance(value, date | np.datetime64):
        return "moment"
    return "number" if isinstance(value, int | float | np.number) else "text"
