"""What the verbs share: the app, options that many take, and opening the workspace."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer
from pydantic import ValidationError

from labline.config import Config, load
from labline.config.logging import configure
from labline.config.serving import Serving
from labline.config.training import Training
from labline.errors import LablineError

if TYPE_CHECKING:
    from labline.contract import Problem

app = typer.Typer(
    help="Labline: from a table to a served, monitored model. Start with `labline up obesity`.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)

PORT_MAX = 65535

Name = Annotated[
    str | None, typer.Argument(metavar="[PROBLEM]", help="Folder under problems/; the configured one if none.")
]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON, for scripts.")]
SourceOption = Annotated[
    Literal["auto", "kaggle", "sample"],
    typer.Option("--source", help="auto takes Kaggle where there are credentials, else the sample."),
]
Budget = Annotated[str | None, typer.Option(help="Wall-clock time for training, e.g. 90s or 5m.")]
AcceptLeaks = Annotated[bool, typer.Option("--accept-leaks", help="Train although a column gives the target away.")]


def open_workspace(name: str | None) -> tuple[Config, Problem]:
    """The settings in force and the contract that is meant; the log is set up."""
    from labline.pipeline.problem import open_problem

    config = load()
    configure(config.logging)
    return config, open_problem(config, name)


def with_budget(config: Config, budget: str | None) -> Config:
    """The settings with another time for training."""
    if budget is None:
        return config
    units = {"s": 1, "m": 60, "h": 3600}
    number, unit = (budget[:-1], budget[-1]) if budget[-1:] in units else (budget, "s")
    try:
        seconds = float(number) * units[unit]
    except ValueError:
        seconds = 0
    if not 0 < seconds < float("inf"):
        raise LablineError(f"{budget!r} is no time", where="--budget", mend="write it like 90s, 5m or 1h")
    return config.model_copy(update={"training": config.training.model_copy(update={"budget_seconds": seconds})})


def with_training(config: Config, **given: Any) -> Config:
    """The settings with others for training; None leaves one as it is."""
    changed = {name: value for name, value in given.items() if value is not None}
    try:
        training = Training.model_validate({**config.training.model_dump(), **changed})
    except ValidationError as error:
        first = error.errors()[0]
        name = str(first["loc"][0])
        raise LablineError(
            f"{first['input']!r} is none: {first['msg']}", where=f"--{name}", mend="see labline train --help"
        ) from error
    return config.model_copy(update={"training": training})


def with_address(config: Config, host: str | None, port: int | None) -> Config:
    """The settings with another place to listen."""
    if port is not None and not 0 <= port <= PORT_MAX:
        raise LablineError(f"{port} is no port", where="--port", mend=f"use 0 (any free one) to {PORT_MAX}")
    given = {key: value for key, value in {"host": host, "port": port}.items() if value is not None}
    serving = Serving.model_validate({**dict(config.serving), **given})
    return config.model_copy(update={"serving": serving})


def data_kind(kind: str) -> str:
    """The kind of data as tables show it: generated rows are not to be taken for real ones."""
    return "SAMPLE (generated)" if kind == "sample" else kind
