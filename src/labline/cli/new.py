"""The verb that makes a problem from a table."""

from __future__ import annotations

import sys
from contextlib import ExitStack
from typing import TYPE_CHECKING, Annotated

import typer

from labline import console
from labline.cli.common import AsJson, app
from labline.config import load
from labline.config.logging import configure
from labline.errors import LablineError

if TYPE_CHECKING:
    from labline.contract.source import SqlQuery
    from labline.drafting import Question
    from labline.pipeline.drafting import Drafted
    from labline.progress import Progress

COLUMNS_SHOWN = 60
CHOICES_SHOWN = 30


@app.command()
def new(
    name: Annotated[str, typer.Argument(metavar="PROBLEM", help="Name of the new problem, and its folder's.")],
    data: Annotated[
        str | None, typer.Option(help="A file or address: .csv, .tsv, .parquet, .jsonl, .xlsx; also .gz, .zip, .7z.")
    ] = None,
    target: Annotated[str | None, typer.Option(help="The column to predict.")] = None,
    query: Annotated[str | None, typer.Option(help="In place of a file: a SELECT.")] = None,
    sql_variable: Annotated[
        str | None, typer.Option(help="Environment variable that holds the address of the query's database.")
    ] = None,
    title: Annotated[str | None, typer.Option(help="Name for people.")] = None,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Ask nothing, take the guesses.")] = False,
    as_json: AsJson = False,
) -> None:
    """Draft a problem from your own table: what each column is, the task and a metric; then `labline up PROBLEM`."""
    from labline.pipeline.drafting import draft

    rows = _rows(data, query, sql_variable)
    config = load()
    configure(config.logging)
    asks = not yes and sys.stdin.isatty() and console.ERR.is_terminal
    with _Bar() as shown:
        drafted = draft(
            config, name, rows, target=target, title=title, ask=shown.ask if asks else None, progress=shown.tell
        )
    _show(drafted, as_json=as_json)


def _rows(data: str | None, query: str | None, variable: str | None) -> str | SqlQuery:
    """The file or the query that is meant."""
    from pydantic import ValidationError

    from labline.contract.source import SqlQuery

    if data is not None and query is None and variable is None:
        return data
    if data is not None or query is None or variable is None:
        raise LablineError(
            "where the rows are is not clear", mend="give --data FILE, or both of --query and --sql-variable"
        )
    try:
        return SqlQuery(query=query, url_variable=variable)
    except ValidationError as error:
        raise LablineError(
            f"{variable!r} is no name of an environment variable, or the query is empty",
            where="--sql-variable",
            mend="name it in capitals, e.g. SHOP_DATABASE",
        ) from error


class _Bar:
    """A progress bar that makes way for a question."""

    def __init__(self) -> None:
        self._stack = ExitStack()
        self._shown: Progress | None = None

    def __enter__(self) -> _Bar:
        return self

    def __exit__(self, *_: object) -> None:
        self._hide()

    def tell(self, text: str, done: float = 0.0) -> None:
        """Show how far it is."""
        if self._shown is None:
            self._shown = self._stack.enter_context(console.progress_bar())
        self._shown(text, done)

    def ask(self, question: Question) -> str:
        """The answer of the person at the terminal; asked again until it is one of the choices."""
        self._hide()
        more = ", …" if len(question.choices) > CHOICES_SHOWN else ""
        choices = f"{', '.join(question.choices[:CHOICES_SHOWN])}{more}"
        while True:
            answer: str = typer.prompt(f"{question.text} [{choices}]", default=question.guess, err=True)
            if answer in question.choices:
                return answer
            console.complain(f"{answer!r} is none of these")

    def _hide(self) -> None:
        self._stack.close()
        self._shown = None


def _show(drafted: Drafted, *, as_json: bool) -> None:
    draft = drafted.draft
    decisions = list(draft.decisions())
    if as_json:
        console.as_json(
            {
                "problem": drafted.problem.model_dump(mode="json", exclude_defaults=True),
                "folder": drafted.folder,
                "rows": draft.rows,
                "decisions": [vars(decision) for decision in decisions],
                "look": {guess.name: guess.look for guess in draft.columns if guess.look},
            }
        )
        return
    shown = decisions[: COLUMNS_SHOWN + 1]
    console.table(("column", "taken for", "why"), [(d.about, d.decided, d.why) for d in shown])
    if len(decisions) > len(shown):
        console.say(f"and {len(decisions) - len(shown):,} more columns")
    for sentence in (*draft.notes, *draft.target.look, *draft.breaks):
        console.say(f"look: {sentence}")
    for guess in draft.features:
        for sentence in guess.look:
            console.say(f"look: {guess.name}: {sentence}")
    console.say(f"{draft.rows:,} rows; the contract is {drafted.folder / 'problem.yaml'}: correct it where it is wrong")
    console.say(f"next: labline up {draft.name}")
