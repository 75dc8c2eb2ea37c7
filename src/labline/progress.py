"""How long-running steps tell how far they are; the CLI shows it, notebooks and the API need not."""

from __future__ import annotations

from typing import Protocol


class Progress(Protocol):
    """Told of each step of a use case."""

    def __call__(self, text: str, done: float = 0.0) -> None:
        """Say what is going on, and which share of the whole (0 to 1) is done."""


def silent(text: str, done: float = 0.0) -> None:
    """Show nothing."""
    del text, done
