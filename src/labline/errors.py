"""Errors a person can act on: what was wrong, where, and what to do about it."""

from __future__ import annotations


class LablineError(Exception):
    """What the user can mend. The CLI prints it as one line and exits with status 2.

    Args:
        what: what is wrong, naming the value.
        where: file and line, column and row, or address it was found at.
        mend: what to do about it.
    """

    def __init__(self, what: str, *, where: str | None = None, mend: str | None = None) -> None:
        super().__init__(what)
        self.what = what
        self.where = where
        self.mend = mend

    def __str__(self) -> str:
        return f"{self.where}: {self.said}" if self.where else self.said

    @property
    def said(self) -> str:
        """What is wrong and its mend, without the place: for clients, to whom places of a server are not told."""
        if not self.mend:
            return self.what
        stop = "" if self.what.endswith((".", "!", "?")) else "."
        return f"{self.what}{stop} Mend: {self.mend}"

    def __reduce__(self) -> tuple[object, ...]:
        # Keyword-only arguments do not survive the default pickling between worker processes.
        return (_rebuild, (type(self), self.what, self.where, self.mend))


def _rebuild(kind: type[LablineError], what: str, where: str | None, mend: str | None) -> LablineError:
    return kind(what, where=where, mend=mend)


class ConfigError(LablineError):
    """A setting is unknown, of the wrong type, or out of range."""


class DatabaseError(ConfigError):
    """The database is away, or its tables are not those that this version of Labline needs."""


class ContractError(LablineError):
    """A `problem.yaml` or `features.py` says something that cannot hold."""


class DataError(LablineError):
    """A source cannot be read, or its rows break the contract."""


class RegistryError(LablineError):
    """The registry is out of reach, empty, or lacks what was asked for."""


class BundleError(LablineError):
    """A bundle is incomplete, altered, or does not give its golden answers."""


def first_line(error: BaseException) -> str:
    """Of what a library says of its error; the error's kind where that is nothing."""
    return next(iter(str(error).splitlines()), type(error).__name__)
