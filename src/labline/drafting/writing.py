"""Writes the draft as a problem's folder: all of it, or nothing."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from labline.contract import CONTRACT_FILE, Problem, read_problem
from labline.drafting.contract import problem_yaml
from labline.drafting.draft import Draft
from labline.drafting.papers import features_py, readme, test_py
from labline.errors import ContractError


class Unfinished:
    """A problem's folder in the making, beside the place it will have.

    Args:
        folder: a new folder that nobody looks into.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def contract(self, draft: Draft) -> Problem:
        """The draft's contract, written and read back.

        Raises:
            ContractError: something was guessed that cannot hold, or the file cannot be written.
        """
        self._write(CONTRACT_FILE, problem_yaml(draft))
        return read_problem(self._folder / CONTRACT_FILE)

    def papers(self, draft: Draft) -> None:
        """Write what stands beside the contract."""
        files = {"README.md": readme(draft), "features.py": features_py(draft), f"test_{draft.name}.py": test_py(draft)}
        for name, text in files.items():
            self._write(name, text)

    def _write(self, name: str, text: str) -> None:
        try:
            (self._folder / name).write_text(text, encoding="utf-8")
        except OSError as error:
            raise _unwritable(self._folder.parent, error) from error


@contextmanager
def unfinished(folder: Path) -> Iterator[Unfinished]:
    """A problem's folder to write to; it takes its name when the block ends well, and is gone when not.

    Raises:
        ContractError: the problem is there already, or the folder cannot be written.
    """
    need_free(folder)
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        made = Path(tempfile.mkdtemp(dir=folder.parent, prefix=f".{folder.name}."))
    except OSError as error:
        raise _unwritable(folder, error) from error
    try:
        yield Unfinished(made)
        made.chmod(0o755)  # mkdtemp lets its owner alone look in
        try:
            # over a folder that another process has made since, and put files in, this fails
            made.rename(folder)
        except OSError as error:
            raise _taken(folder) from error
    finally:
        shutil.rmtree(made, ignore_errors=True)  # when it has its name, nothing is left here


def need_free(folder: Path) -> None:
    """Refuse to write over a problem.

    Raises:
        ContractError: the folder is there.
    """
    if folder.exists():
        raise _taken(folder)


def _unwritable(folder: Path, error: OSError) -> ContractError:
    return ContractError(
        f"cannot be written: {error.strerror}",
        where=str(folder),
        mend="see who may write there, and that there is room",
    )


def _taken(folder: Path) -> ContractError:
    return ContractError(
        f"there is a problem {folder.name!r} already", where=str(folder), mend="choose another name, or remove it first"
    )
