"""A column as the guesses see it: its facts, and its values in the sample."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from labline.drafting.facts import EXACT, Facts
from labline.drafting.gathering import Gathered
from labline.drafting.numbers import Style, numbers_in


@dataclass(frozen=True)
class Seen:
    """A column of a source.

    Attributes:
        facts: of all its values.
        rows: of the source.
        sample: its known values in the sample.
    """

    facts: Facts
    rows: int
    sample: pd.Series[Any]

    @property
    def name(self) -> str:
        """The column's name."""
        return self.facts.name

    @property
    def missing(self) -> int:
        """How many rows lack it."""
        return self.rows - self.facts.known

    @property
    def policy(self) -> Literal["refuse", "allow"]:
        """What the contract says of missing values."""
        return "allow" if self.missing else "refuse"

    @property
    def beyond_exact(self) -> bool:
        """Whether numbers in it are so large that they cannot be told from their neighbours as numbers."""
        return (
            self.facts.numbers > 0
            and self.facts.span.whole
            and max(abs(self.facts.span.low), abs(self.facts.span.high)) >= EXACT
        )

    @property
    def are_numbers(self) -> bool:
        """Whether every known value is a number, and means a quantity as far as its digits tell."""
        facts = self.facts
        return facts.numbers == facts.known > 0 and not facts.padded and not self.beyond_exact

    @cached_property
    def numbers(self) -> NDArray[np.float64]:
        """The numbers in the sample."""
        return as_numbers(self.sample, self.facts.style)

    @cached_property
    def texts(self) -> list[str]:
        """The values in the sample as text."""
        return [value if isinstance(value, str) else str(value) for value in self.sample]

    @cached_property
    def commonest(self) -> str:
        """The value that stands there most often, as text."""
        counts = self.facts.counts or Counter(self.texts)
        return min(counts, key=lambda name: (-counts[name], name)) if counts else ""

    @cached_property
    def sample_distinct_share(self) -> float:
        """Different values in the sample, a share of all."""
        return len(set(self.texts)) / len(self.texts) if self.texts else 0.0


def see(gathered: Gathered, name: str) -> Seen:
    """The column of that name."""
    values = gathered.sample[name].dropna() if name in gathered.sample else pd.Series([], dtype="str")
    return Seen(gathered.facts[name], gathered.rows, values)


def as_numbers(values: pd.Series[Any], style: Style) -> NDArray[np.float64]:
    """Those of the values that are finite numbers, or text that is one."""
    if isinstance(values.dtype, pd.StringDtype):
        import pyarrow as pa

        found = numbers_in(pa.array(values, pa.large_string(), from_pandas=True), style)[1]
    else:
        found = pd.to_numeric(values, errors="coerce").to_numpy(dtype=np.float64)
    return found[np.isfinite(found)]
