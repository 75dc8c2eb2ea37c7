"""Verbs about the contract itself: its JSON Schema, and what changed in it."""

from __future__ import annotations

import sys
from dataclasses import asdict
from typing import Annotated

import typer

from labline import console
from labline.cli.common import AsJson, app
from labline.config import load
from labline.config.logging import configure

schema = typer.Typer(help="The contract: its JSON Schema, and what changed in it.", no_args_is_help=True)
app.add_typer(schema, name="schema")

WHICH = "A problem's name, a path to a problem.yaml, or NAME@champion, NAME@challenger, NAME@VERSION."


@schema.command()
def diff(
    old: Annotated[str, typer.Argument(help=WHICH)],
    new: Annotated[str, typer.Argument(help=WHICH)],
    as_json: AsJson = False,
) -> None:
    """What changed from OLD to NEW, and whether it breaks clients; exit status 1 if it does."""
    from labline.contract.diff import compare
    from labline.pipeline.problem import find_contract

    config = load()
    configure(config.logging)
    changes = compare(find_contract(config, old), find_contract(config, new))
    if as_json:
        console.as_json([asdict(change) for change in changes])
    else:
        for change in changes:
            console.say(str(change))
        if not changes:
            console.say("no difference")
    if any(change.breaking for change in changes):
        raise typer.Exit(1)


@schema.command(name="json")
def json_() -> None:
    """Print the JSON Schema of problem.yaml, by which an editor completes it."""
    from labline.contract.schema import contract_schema

    sys.stdout.write(contract_schema())
