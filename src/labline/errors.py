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
        place = f"{self.where}: " if self.where else ""
        if not self.mend:
            return f"{place}{self.what}"
        stop = "" if self.what.endswith((".", "!", "?")) else "."
        return f"{place}{self.what}{stop} Mend: {self.mend}"

    def __reduce__(self) -> tuple[object, ...]:
        # Keyword-only arguments do not survive the default pickling between worker processes.
        return (_rebuild, (type(self), self.what, self.where, self.mend))


def _rebuild(kind: type[LablineError], what: str, where: str | None, mend: str | None) -> LablineError:
    return kind(what, where=where, mend=mend)


class ConfigError(LablineError):
    """A setting is unknown, of the wrong type, or out of range."""


class ContractError(LablineError):
    """A `problem.yaml` or `features.py` says something that cannot hold."""


class DataError(LablineError):
    """A source cannot be read, or its rows break the contract."""


class RegistryError(LablineError):
    """The registry is out of reach, empty, or lacks what was asked for."""


class BundleError(LablineError):
    """A bundle is incomplete, altered, or does not give its golden answers."""
