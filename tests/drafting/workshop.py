"""A workspace of the test's own, in which problems are drafted from tables made on the spot."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from labline.config import Config, load
from labline.drafting import Ask, Question
from labline.drafting.guess import Guess
from labline.pipeline.drafting import Drafted, draft

ROWS = 120


class Workshop:
    """Drafts problems from frames, texts and files in an empty workspace."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.config: Config = load(root)

    def write(self, content: str | bytes, name: str = "rows.csv") -> str:
        file = self.root / name
        file.write_bytes(content if isinstance(content, bytes) else content.encode())
        return str(file)

    def draft(
        self,
        rows: Mapping[str, Sequence[Any]] | pd.DataFrame | str | bytes,
        target: str | None = "y",
        file: str = "rows.csv",
        name: str = "mine",
        ask: Ask | None = None,
    ) -> Drafted:
        """The problem drafted from a table, or from a file's content."""
        if not isinstance(rows, str | bytes):
            rows = pd.DataFrame(rows).to_csv(index=False)
        return draft(self.config, name, self.write(rows, file), target=target, ask=ask)


def guess_of(drafted: Drafted, name: str) -> Guess:
    return next(guess for guess in drafted.draft.columns if guess.name == name)


class Answers:
    """Gives the answers it was made with, and keeps the questions."""

    def __init__(self, *answers: str) -> None:
        self.answers = list(answers)
        self.asked: list[Question] = []

    def __call__(self, question: Question) -> str:
        self.asked.append(question)
        return self.answers.pop(0)
