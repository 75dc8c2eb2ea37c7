"""Verbs about API keys."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import Annotated

import typer

from labline import console
from labline.cli.common import AsJson, app
from labline.config.api_keys import NAME, SCOPES, Scope, new_key, written
from labline.errors import LablineError

key = typer.Typer(help="API keys: who may use the served API, and for what.", no_args_is_help=True)
app.add_typer(key, name="key")


@key.command()
def new(
    scope: Annotated[
        str, typer.Option(help="What it may do: predict, monitor, admin, or several with commas. admin may do all.")
    ] = "predict",
    name: Annotated[str, typer.Option(help="Whose it is; logs say so. Each key has its own.")] = "",
    days: Annotated[int | None, typer.Option(min=1, help="How long it is let in; for ever if none.")] = None,
    as_json: AsJson = False,
) -> None:
    """Make a key. It is shown once; what the server is given is its hash."""
    today = datetime.now(UTC).date()
    scopes = _scopes(scope)
    name = name or f"{'-'.join(scopes)}-{today:%Y%m%d}"
    if not NAME.fullmatch(name):
        raise LablineError(f"{name!r} is no name", where="--name", mend="use up to 40 letters, digits, - and _")
    expires = None if days is None else _day(today, days)
    made = new_key()
    line = written(made, name, scopes, expires)
    if as_json:
        console.as_json({"key": made, "line": line})
        return
    console.say(
        f"key, for its holder, and not shown again:\n  {made}\n\n"
        f"its hash, for the server; several stand in one text with blanks or line ends between them:\n"
        f"  LABLINE_SERVING__API_KEYS='{line}'\n"
        "or the line in the file serving__api_keys of the folder that LABLINE_SECRETS_DIR names. Then start it anew."
    )


def _scopes(text: str) -> list[Scope]:
    wanted = [part.strip() for part in text.split(",")]
    unknown = [part for part in wanted if part not in SCOPES]
    if unknown:
        raise LablineError(f"{unknown[0]!r} is no scope", where="--scope", mend=f"use {', '.join(SCOPES)}")
    return [scope for scope in SCOPES if scope in wanted]


def _day(today: date, days: int) -> date:
    try:
        return today + timedelta(days=days)
    except OverflowError:
        raise LablineError(
            f"{days} days are too many", where="--days", mend="leave it out for a key without an end"
        ) from None
