"""What only a person can know: asked on a terminal, guessed elsewhere."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from labline.errors import DataError


@dataclass(frozen=True)
class Question:
    """A question with its possible answers.

    Attributes:
        text: the question.
        choices: every answer.
        guess: the answer that is taken when nobody is asked; None when none can be guessed.
        where: the place that is in question, for an error.
        option: how a command answers it beforehand.
    """

    text: str
    choices: tuple[str, ...]
    guess: str | None = None
    where: str | None = None
    option: str = ""


Ask = Callable[[Question], str]


def take_guess(question: Question) -> str:
    """The guess, without asking.

    Raises:
        DataError: there is none.
    """
    if question.guess is None:
        raise DataError(
            question.text,
            where=question.where,
            mend=f"{question.option or 'choose'}: one of {', '.join(question.choices)}",
        )
    return question.guess
