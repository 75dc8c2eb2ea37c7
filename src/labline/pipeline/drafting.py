"""Draft a problem from rows: `labline new`."""

from __future__ import annotations

import difflib
import os
import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from labline.config import Config
from labline.contract import Problem
from labline.contract.source import Source, SqlQuery
from labline.errors import ContractError, DataError
from labline.progress import Progress, silent

if TYPE_CHECKING:
    import pandas as pd

    from labline.drafting import Ask, Draft, Gathered
    from labline.drafting.writing import Unfinished

NAME = re.compile(r"^[a-z][a-z0-9_-]{0,63}$")
CELLS = 4_000_000  # of a frame that is read at a time
CHUNK_ROWS = (1000, 100_000)  # at least and at most
HALFWAY = 500_000  # rows after which the bar is in its middle: how many there are shows at the end
FINDINGS_SHOWN = 3


@dataclass(frozen=True)
class Drafted:
    """A problem that was drafted: its contract as it reads, where it is, and all that was decided."""

    problem: Problem
    folder: Path
    draft: Draft


def draft(
    config: Config,
    name: str,
    data: str | SqlQuery,
    *,
    target: str | None = None,
    title: str | None = None,
    ask: Ask | None = None,
    progress: Progress = silent,
) -> Drafted:
    """Write `problems/<name>/` from the rows of a file or a query; every guess that deserves a look is marked there.

    Args:
        config: where things are.
        name: of the new problem.
        data: a path, an fsspec address, or a query.
        target: the column to predict; asked for when not given.
        title: for people; by default made of the name.
        ask: answers what only a person can know; by default the guesses are taken.
        progress: told of each step.

    Raises:
        ContractError: the name is taken, or is none.
        DataError: the rows cannot be read, or nothing can be learnt from them.
    """
    from labline.drafting import need_free, take_guess, unfinished

    ask = ask or take_guess
    folder = config.settings.problems / _need_name(name)
    need_free(folder)
    rows = _Rows(data, config)
    progress("look at the file")
    target = rows.target(target, ask)
    gathered = rows.gathered(target, progress)
    progress("guess what the columns are", 0.7)
    guessed = _guessed(
        name, title or name.replace("_", " ").replace("-", " ").capitalize(), target, rows, gathered, ask
    )
    with unfinished(folder) as made:
        progress("hold a sample of the rows against the contract", 0.75)
        guessed, problem, frame = _that_fits(guessed, made, gathered)
        progress("look for columns that give the target away", 0.9)
        guessed, problem = _without_leaks(guessed, problem, made, frame, config.training.seed, ask)
        made.papers(guessed)
    return Drafted(problem, folder, guessed)


def _need_name(name: str) -> str:
    if not NAME.match(name):
        near = re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")[:64].lstrip("0123456789-") or "my-problem"
        raise ContractError(
            "not the name of a problem: small letters, digits, - and _, a letter first",
            where=repr(name),
            mend=f"use {near}",
        )
    return name


class _Rows:
    """The rows that a problem is drafted from, and how they are written."""

    def __init__(self, data: str | SqlQuery, config: Config) -> None:
        from labline.data.sources.opening import shown
        from labline.drafting import Sniffed, sniff

        self._data, self._config = data, config
        if isinstance(data, SqlQuery):
            self.origin, self._sniffed = f"a query of {data.url_variable}", Sniffed()
        else:
            _need_no_password(data)
            self.origin = shown(data)
            self._sniffed = sniff(data, config.storage.object_store)
        self.dialect = self._sniffed.dialect

    @property
    def notes(self) -> tuple[str, ...]:
        """What a person should know of the file."""
        notes = self._sniffed.notes
        if self.dialect.missing:
            words = ", ".join(map(repr, self.dialect.missing))
            notes = (*notes, f"{words}: taken for missing, as other values of these columns are numbers")
        if isinstance(self._data, str) and urlsplit(self._data).query and "://" in self._data:
            notes = (*notes, "this address may hold a signature: see that it may be read by whoever reads this file")
        return notes

    @property
    def source(self) -> Source:
        """Where the rows are, as a contract says it: files of the workspace from the problem's folder."""
        if isinstance(self._data, SqlQuery):
            return Source(sql=self._data)
        return Source(file=_address(self._data, self._config), dialect=self.dialect)

    def target(self, wanted: str | None, ask: Ask) -> str:
        """The name of the column to predict.

        Raises:
            DataError: there is no such column, or none is named and nobody to ask.
        """
        from labline.drafting import Question

        names = [str(name) for name in next(self._chunks(1000)).columns]
        if wanted is None:
            question = "Which column is to be predicted?"
            return ask(Question(question, tuple(names), where=self.origin, option="name it with --target"))
        if wanted not in names:
            near = difflib.get_close_matches(wanted.strip().lower(), [name.lower() for name in names], 1)
            found = next((name for name in names if near and name.lower() == near[0]), None)
            mend = f"did you mean {found!r}?" if found else f"use one of {', '.join(names)}"
            raise DataError(f"there is no column {wanted!r}", where=self.origin, mend=mend)
        return wanted

    def gathered(self, target: str, progress: Progress) -> Gathered:
        """The facts of all rows; read again where the whole file shows more of its dialect than its head."""
        from labline.drafting import amended

        found = self._gathered(target, progress)
        for _ in range(2):  # thousands first, then words for missing, which show only when thousands are numbers
            dialect = amended(found, self.dialect) if self._is_text(found) else self.dialect
            if dialect == self.dialect:
                break
            self.dialect = dialect
            found = self._gathered(target, progress)
        return found

    def _gathered(self, target: str, progress: Progress) -> Gathered:
        from labline.drafting import gather
        from labline.drafting.numbers import Style

        def told(rows: int) -> None:
            progress(f"read the rows: {rows:,}", 0.7 * rows / (rows + HALFWAY))

        style = Style(self.dialect.decimal, self.dialect.thousands)
        fewest, most = CHUNK_ROWS
        chunks = self._chunks(min(max(CELLS // self._sniffed.columns, fewest), most))
        return gather(chunks, style, target, self._config.training.seed, told)

    def _chunks(self, rows: int) -> Iterator[pd.DataFrame]:
        from labline.data.sources import raw

        if isinstance(self._data, SqlQuery):
            return raw.query_chunks(self._data, rows)
        return raw.chunks(self._data, self.dialect, self._config.storage.object_store, rows)

    def _is_text(self, gathered: Gathered) -> bool:
        import pandas as pd

        kinds = gathered.sample.dtypes
        return isinstance(self._data, str) and all(isinstance(kind, pd.StringDtype) for kind in kinds)


def _need_no_password(address: str) -> None:
    if "://" in address and "@" in urlsplit(address).netloc:
        raise DataError(
            "the address has a user or password in it, which has no place in a tracked file",
            where="--data",
            mend="put it into the settings, under storage.object_store",
        )


def _address(data: str, config: Config) -> str:
    if "://" in data:
        return data
    file, root = Path(data).resolve(), config.settings.root.resolve()
    if not file.is_relative_to(root):
        return file.as_posix()
    # from any problem's folder: they all stand side by side
    return Path(os.path.relpath(file, config.settings.problems.resolve() / "x")).as_posix()


def _guessed(name: str, title: str, target: str, rows: _Rows, gathered: Gathered, ask: Ask) -> Draft:
    from labline.drafting import Draft, guess_columns, guess_target, see

    found = guess_target(see(gathered, target), ask)
    columns = guess_columns(gathered, target, ask)
    guessed = Draft(name, title, rows.source, rows.origin, gathered.rows, target, found, columns, rows.notes)
    guessed.need_features()
    return guessed


def _that_fits(guessed: Draft, made: Unfinished, gathered: Gathered) -> tuple[Draft, Problem, pd.DataFrame]:
    """The draft that the sample fits, with its contract and those rows; where some do not, they are to be left out.

    Raises:
        DataError: most of the rows do not.
    """
    from labline.data.sources.files import frame_of_chunks

    problem = made.contract(guessed)
    frame = frame_of_chunks([gathered.sample], problem, problem.sources.train.dialect)
    kept, findings = _usable(frame, problem)
    if findings:
        shown = findings[:FINDINGS_SHOWN]
        guessed = replace(
            guessed, breaks=tuple(f"rows that do not fit are left out of training: {one}" for one in shown)
        )
        problem = made.contract(guessed)
        kept, findings = _usable(frame, problem)
    if findings:
        raise DataError(f"no contract fits these rows: {findings[0]}", where=guessed.origin, mend="clean that column")
    return guessed, problem, kept


def _usable(frame: pd.DataFrame, problem: Problem) -> tuple[pd.DataFrame, list[str]]:
    """The rows that fit the contract, and what stands against using them."""
    from labline.data import usable

    kept, report = usable(frame, problem)
    return kept, [f"{finding.column}: {finding.what}" for finding in report.findings if finding.severity == "error"]


def _without_leaks(
    guessed: Draft, problem: Problem, made: Unfinished, frame: pd.DataFrame, seed: int, ask: Ask
) -> tuple[Draft, Problem]:
    """The draft without the columns that give the target away, unless a person keeps them."""
    from labline.data.leakage import leaking_columns
    from labline.drafting import Question

    out: dict[str, str] = {}
    for leak in leaking_columns(frame.reset_index(drop=True), problem, seed):
        if leak.severity == "refuse":
            said = f"{leak.what}: a leak?"
            question = Question(f"{said} Leave out {leak.column}?", ("leave out", "keep"), "leave out", leak.column)
            if ask(question) == "leave out":
                out |= dict.fromkeys(leak.columns, said)
    if not out:
        return guessed, problem
    guessed = guessed.without(out)
    return guessed, made.contract(guessed)
