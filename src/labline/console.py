"""What the command line shows: results on standard output; progress and errors on standard error."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn
from rich.table import Column, Table

from labline.progress import Progress as Told

OUT = Console(highlight=False, soft_wrap=True)
ERR = Console(stderr=True, highlight=False, soft_wrap=True)


@contextmanager
def progress_bar() -> Iterator[Told]:
    """A bar on standard error in a terminal; elsewhere a line a step, so that a log shows what went on."""
    if not ERR.is_terminal:
        yield lambda text, done=0.0: ERR.print(f"[{done:4.0%}] {text}", markup=False)
        return
    columns = (SpinnerColumn(), BarColumn(), TextColumn("{task.description}"), TimeElapsedColumn())
    with Progress(*columns, console=ERR, transient=True) as shown:
        task = shown.add_task("", total=1.0)
        yield lambda text, done=0.0: shown.update(task, description=text, completed=done)


def table(columns: Sequence[str], rows: Sequence[Sequence[object]], title: str = "") -> None:
    """Print a table."""
    headers = [Column(name, overflow="fold") for name in columns]  # folded, not cut: it may be copied
    shown = Table(*headers, title=title or None, title_justify="left", box=None, pad_edge=False, header_style="bold")
    for row in rows:
        shown.add_row(*(str(value) for value in row))
    OUT.print(shown)


def as_json(value: Any) -> None:
    """Print a value as JSON, for scripts."""
    sys.stdout.write(json.dumps(value, indent=2, default=str, ensure_ascii=False) + "\n")


def say(text: str) -> None:
    """Print a line; nothing in it is taken for markup."""
    OUT.print(text, markup=False)


def print_as_is(text: str) -> None:
    """Print a text of many lines, for a person or a file."""
    sys.stdout.write(text)


def complain(text: str) -> None:
    """Print an error."""
    ERR.print("error:", style="bold red", end=" ")
    ERR.print(text, markup=False)
