"""The draft: everything that was decided about a problem, from which its files are written."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

from labline.contract.source import Source
from labline.drafting.columns import guess_column
from labline.drafting.gathering import Gathered
from labline.drafting.guess import Guess
from labline.drafting.questions import Ask
from labline.drafting.seen import see
from labline.drafting.target import Target
from labline.errors import DataError


@dataclass(frozen=True)
class Decision:
    """One thing that was decided: of what, what, and why."""

    about: str
    decided: str
    why: str


@dataclass(frozen=True)
class Draft:
    """A problem as guessed.

    Attributes:
        name: of the problem.
        title: for people.
        source: where the rows are, as the contract says it.
        origin: the same as the user said it.
        rows: of the source.
        target_name: the column to predict.
        target: what is guessed of it.
        columns: every other column of the file, in its order.
        notes: what deserves a look about the file.
        breaks: what rows of it break the contract, where they are left out for that.
    """

    name: str
    title: str
    source: Source
    origin: str
    rows: int
    target_name: str
    target: Target
    columns: tuple[Guess, ...]
    notes: tuple[str, ...] = ()
    breaks: tuple[str, ...] = ()

    @property
    def id(self) -> str | None:
        """The column that names the rows."""
        return next((guess.name for guess in self.columns if guess.is_id), None)

    @property
    def features(self) -> tuple[Guess, ...]:
        """The columns of the contract."""
        return tuple(guess for guess in self.columns if guess.column is not None)

    @property
    def left_out(self) -> tuple[Guess, ...]:
        """The columns of the file that are not in the contract."""
        return tuple(guess for guess in self.columns if guess.column is None and not guess.is_id)

    @property
    def drops(self) -> bool:
        """Whether some rows must be left out of training."""
        return self.target.drops or bool(self.breaks) or any(guess.drops for guess in self.columns)

    def without(self, names: dict[str, str]) -> Draft:
        """The draft with these columns left out, each for its reason.

        Raises:
            DataError: none is left.
        """
        columns = (guess.left_out(names[guess.name]) if guess.name in names else guess for guess in self.columns)
        draft = replace(self, columns=tuple(columns))
        draft.need_features()
        return draft

    def need_features(self) -> None:
        """Refuse a draft with nothing to predict from.

        Raises:
            DataError: every column is left out; says why.
        """
        if not self.features:
            said = "; ".join(f"{guess.name}: {guess.why}" for guess in self.left_out[:5]) or "there is no other column"
            raise DataError(
                f"no column is left to predict {self.target_name!r} from ({said})",
                where=self.origin,
                mend="bring a file with more columns",
            )

    def decisions(self) -> Iterator[Decision]:
        """What was decided and why: the task first, then every column in the file's order."""
        yield Decision("task", f"{self.target.task}, by {self.target.metric}", self.target.why)
        for guess in self.columns:
            yield Decision(guess.name, guess.kind, guess.why)


def guess_columns(gathered: Gathered, target: str, ask: Ask) -> tuple[Guess, ...]:
    """What each column of the file is but the target, in the file's order."""
    orders = {facts.dates.day_first for facts in gathered.facts.values()} - {None}
    day_first = next(iter(orders)) if len(orders) == 1 else None
    alike = _alike(gathered, target)
    guesses = []
    for name in gathered.facts:
        if name == target:
            continue
        if name in alike:
            guesses.append(Guess(name, f"it is the same as {alike[name]!r}"))
        else:
            guesses.append(guess_column(see(gathered, name), ask, day_first=day_first))
    return tuple(_with_one_id(guesses))


def _alike(gathered: Gathered, target: str) -> dict[str, str]:
    """Columns that have the same values as the target or an earlier one in every row of the sample."""
    seen: dict[int, str] = {}
    alike = {}
    names = [target, *(name for name in gathered.facts if name != target)]
    for name in names:
        facts = gathered.facts[name]
        if facts.known == 0 or facts.distinct == 1 or facts.lists:
            continue
        values = gathered.sample[name]
        key = hash((facts.known, *values.astype("str").where(values.notna(), "\0").tolist()))
        if key in seen:
            alike[name] = seen[key]
        else:
            seen[key] = name
    return alike


def _with_one_id(guesses: list[Guess]) -> Iterator[Guess]:
    """One column names the rows; others that could are left out."""
    chosen = next((guess.name for guess in guesses if guess.is_id), None)
    for guess in guesses:
        if guess.is_id and guess.name != chosen:
            yield guess.left_out(f"it names the rows as well as {chosen!r}")
        else:
            yield guess
