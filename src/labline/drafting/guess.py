"""What is guessed of a column: what it is in the contract, or why it is left out, and what deserves a look."""

from __future__ import annotations

from dataclasses import dataclass, replace

from labline.contract import Column


@dataclass(frozen=True)
class Guess:
    """A column of the file.

    Attributes:
        name: the column's.
        why: what in the values or the name led to it.
        column: as the contract says it; None when it is left out.
        look: what a person should see to, each a sentence.
        is_id: whether it names the rows.
        drops: whether some of its values break the contract, so that their rows must be left out.
    """

    name: str
    why: str
    column: Column | None = None
    look: tuple[str, ...] = ()
    is_id: bool = False
    drops: bool = False

    @property
    def kind(self) -> str:
        """What it is taken for, in a word or two."""
        if self.is_id:
            return "id"
        return self.column.type if self.column else "left out"

    def with_look(self, *sentences: str) -> Guess:
        """The same guess, with more to look at."""
        return replace(self, look=(*self.look, *sentences))

    def left_out(self, why: str) -> Guess:
        """The column left out after all."""
        return Guess(self.name, why)


def percent(share: float) -> str:
    """A share as a person reads it."""
    return f"{share:.1%}" if share < 0.01 or share > 0.99 else f"{share:.0%}"
