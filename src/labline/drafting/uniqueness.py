"""Whether no value of a column stands there twice, told over chunks without keeping the values."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

if TYPE_CHECKING:
    import pyarrow as pa

ROWS_MAX = 5_000_000  # 40 MB of hashes; what is unique so far is taken to stay so


@dataclass
class Uniqueness:
    """Learns from values until one is found twice; keeps 8 bytes for each."""

    broken: bool = False
    rows: int = 0
    hashes: list[NDArray[Any]] = field(default_factory=list)

    def take(self, values: NDArray[Any]) -> None:
        """Learn from more numbers."""
        if self.broken or self.rows > ROWS_MAX:
            return
        # -0.0 and 0.0 are one number
        self._keep(values if values.dtype.kind in "iu" else (values.astype(np.float64) + 0.0).view(np.int64))

    def take_texts(self, different: pa.Array, count: int) -> None:
        """Learn from more texts, of which these are the different ones among `count`."""
        self.broken = self.broken or len(different) < count
        if self.broken or self.rows > ROWS_MAX:
            self.hashes.clear()
            return
        texts = different.to_numpy(zero_copy_only=False)
        self._keep(pd.util.hash_array(texts.astype(object), categorize=False).view(np.int64))

    def _keep(self, values: NDArray[Any]) -> None:
        self.rows += len(values)
        # a look into each chunk alone ends it early for nearly every column
        self.broken = len(np.unique(values)) < len(values)
        if self.broken:
            self.hashes.clear()
        else:
            self.hashes.append(values.astype(np.int64))

    def holds(self) -> bool:
        """Whether every value met was new."""
        if self.broken or not self.hashes:
            return False
        values = np.concatenate(self.hashes)
        return len(np.unique(values)) == len(values)
