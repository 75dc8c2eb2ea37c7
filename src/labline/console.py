"""What the command line shows: results on standard output; progress and errors on standard error."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.live import Live
from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn
from rich.table import Column, Table

from labline.progress import Progress as Told

if TYPE_CHECKING:
    from labline.model.search import Tried

ROWS_SHOWN = 15  # of what was tried

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


class SearchTable:
    """What a search has tried: the best so far in a live table, or, where nobody looks, a line for each.

    Args:
        metric: what the rows are sorted by.
        loss: shown beside it.
        greater_first: a larger metric is the better one.
    """

    def __init__(self, metric: str, loss: str, *, greater_first: bool) -> None:
        self._metric, self._loss, self._greater_first = metric, loss, greater_first
        self._rows: list[Tried] = []
        self._step, self._done, self._ends = "", 0.0, float("inf")
        self._live: Live | None = None

    def __enter__(self) -> SearchTable:
        if ERR.is_terminal:
            self._live = Live(get_renderable=self._shown, console=ERR, transient=True, refresh_per_second=4)
            self._live.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self._live is not None:
            self._live.stop()

    def step(self, text: str, done: float = 0.0) -> None:
        """What is done now, and which share of the time is gone."""
        self._step, self._done = text, done
        if self._live is None:
            ERR.print(f"[{done:4.0%}] {text}", markup=False)

    def study(self, name: str) -> None:
        """A study was opened that others may join."""
        if self._live is None:
            ERR.print(f"       study {name}: labline tune-worker --study {name} joins it", markup=False)

    def tried(self, tried: Tried, best: Tried, left: float) -> None:
        """What came of something."""
        self._rows.append(tried)
        self._ends = time.monotonic() + left
        if self._live is None:
            said = f"{tried.family} · {tried.feature_set} · {tried.stage}: {self._figures(tried)}"
            so_far = f"best so far {best.family} {best.mean(self._metric):.4f}; {max(0.0, left):.0f} s left"
            ERR.print(f"       {said}; {so_far}", markup=False)

    def _figures(self, tried: Tried) -> str:
        figures = f"{self._metric} {tried.mean(self._metric):.4f} ± {tried.deviation(self._metric):.4f}"
        return figures if self._loss == self._metric else f"{figures}, {self._loss} {tried.mean(self._loss):.4f}"

    def _shown(self) -> Table:
        left = max(0.0, self._ends - time.monotonic())
        clock = f", {left:.0f} s left" if left < float("inf") else ""
        title = f"{self._step} · {len(self._rows)} tried{clock}"
        headers = ("family", "columns", "stage", f"{self._metric} (cv)", self._loss, "fit s")
        shown = Table(*headers, title=title, title_justify="left", box=None, pad_edge=False, header_style="bold")
        sign = -1 if self._greater_first else 1
        for at, row in enumerate(sorted(self._rows, key=lambda row: sign * row.mean(self._metric))[:ROWS_SHOWN]):
            mean = f"{row.mean(self._metric):.4f} ± {row.deviation(self._metric):.4f}"
            cells = (
                row.family,
                row.feature_set,
                row.stage,
                mean,
                f"{row.mean(self._loss):.4f}",
                f"{row.fit_seconds:.1f}",
            )
            shown.add_row(*cells, style="bold green" if at == 0 else None)
        return shown


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
