"""A leak: what gives the target away or flatters the figures, where, how sure that is, and what to do about it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Kind = Literal["determines", "derivable", "near_duplicates", "identifier", "time_order"]
Severity = Literal["refuse", "warn"]


@dataclass(frozen=True)
class Leak:
    """One thing found.

    Attributes:
        kind: what kind of leak it is.
        columns: the columns it is about; none where it is about the rows and their order.
        score: how sure it is, 0 to 1; of columns that give the target away, how well a tree predicts it from them.
        severity: `refuse` where the figures of a model would say nothing of how it does on new rows; `warn` where they
            may be too good, or where it may well be honest.
        what: what was found.
        mend: what to do about it.
    """

    kind: Kind
    columns: tuple[str, ...]
    score: float
    severity: Severity
    what: str
    mend: str

    @property
    def column(self) -> str:
        """The column, or the columns, as a person would name them."""
        return " and ".join(self.columns) or "rows"

    @property
    def sure(self) -> str:
        """How sure it is, in words."""
        words = ((0.995, "certain"), (0.95, "nearly certain"), (0.75, "likely"))
        return next((word for least, word in words if self.score >= least), "possible")

    def __str__(self) -> str:
        return f"{self.what} ({self.sure}, {self.score:.3f}). Mend: {self.mend}"
