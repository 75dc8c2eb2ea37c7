"""Verbs about use: predict, serve, and the whole way up."""

from __future__ import annotations

import json
import os
import shlex
import subprocess
import sys
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from labline import console
from labline.cli.common import (
    AcceptLeaks,
    Budget,
    Name,
    SourceOption,
    app,
    open_workspace,
    with_address,
    with_budget,
)
from labline.config import Config

if TYPE_CHECKING:
    from labline.contract import Problem


@app.command()
def predict(
    source: Annotated[
        str, typer.Argument(help="A file with the contract's columns: CSV, TSV, JSON lines, Parquet or Excel.")
    ],
    target: Annotated[str, typer.Argument(help="Where the predictions go: .csv, .tsv, .jsonl or .parquet.")],
    problem: Annotated[str | None, typer.Option(help="The problem; the configured one if none.")] = None,
    invalid: Annotated[
        Literal["refuse", "skip"],
        typer.Option(help="Rows that break the contract: write nothing, or set them aside in TARGET.rejected.csv."),
    ] = "refuse",
    threads: Annotated[int | None, typer.Option(min=1, help="How many; one for each core if none.")] = None,
) -> None:
    """Score a file with the champion, of any length. A run that was stopped goes on when it is asked for again."""
    from labline import pipeline

    config, contract = open_workspace(problem)
    with console.progress_bar() as progress:
        done = pipeline.predict(config, contract, source, target, progress, invalid=invalid, threads=threads)
    resumed = f" ({done.resumed:,} rows were done before)" if done.resumed else ""
    console.say(f"{done.rows:,} predictions in {target}{resumed}")
    if done.rejected:
        console.say(f"{done.rejected:,} rows set aside: {done.rejected_file}")


@app.command()
def serve(
    name: Name = None,
    host: Annotated[str | None, typer.Option(help="Where to listen.")] = None,
    port: Annotated[int | None, typer.Option(help="On which port.")] = None,
) -> None:
    """Serve the champion over HTTP; follows the registry without a restart."""
    config, problem = open_workspace(name)
    _serve(with_address(config, host, port), problem)


def _serve(config: Config, problem: Problem) -> None:
    from labline.doctor import refuse_busy_port
    from labline.serving import serve as run

    refuse_busy_port(config.serving.host, config.serving.port)
    run(config, problem.name, when_ready=lambda address: _what_to_try(config, problem, address))


@app.command()
def up(
    name: Name = None,
    source: SourceOption = "auto",
    budget: Budget = None,
    host: Annotated[str | None, typer.Option(help="Where to listen.")] = None,
    port: Annotated[int | None, typer.Option(help="On which port.")] = None,
    no_serve: Annotated[bool, typer.Option("--no-serve", help="Stop when there is a champion.")] = False,
    accept_leaks: AcceptLeaks = False,
) -> None:
    """The main job: data if there is none, a champion if there is none, then the API in front.

    A first champion takes a minute at most; with --budget it is searched for as long as that.
    """
    from labline import pipeline
    from labline.doctor import refuse_busy_port

    config, problem = open_workspace(name)
    config = with_address(with_budget(config, budget), host, port)
    if not no_serve:
        refuse_busy_port(config.serving.host, config.serving.port)
    with console.progress_bar() as progress:
        pipeline.bring_up(
            config, problem, source=source, accept_leaks=accept_leaks, thorough=budget is not None, progress=progress
        )
    if not no_serve:
        _serve_afresh(problem.name, host, port)


def _serve_afresh(name: str, host: str | None, port: int | None) -> None:
    """Become `labline serve`: what training has imported has no place in a process that answers requests."""
    given = (("--host", host), ("--port", port))
    words = [word for option, value in given if value is not None for word in (option, str(value))]
    command = [sys.executable, "-m", "labline", "serve", name, *words]
    sys.stdout.flush()  # what is not written yet would be lost with this process's memory
    if os.name == "posix":
        os.execv(command[0], command)  # noqa: S606 - our own command
    sys.exit(subprocess.call(command))  # elsewhere a process cannot become another


def _what_to_try(config: Config, problem: Problem, address: str) -> None:
    from labline.contract.examples import example_record

    record = shlex.quote(json.dumps(example_record(problem), ensure_ascii=False))
    uri = config.storage.tracking_uri
    lines = (
        f"\n{problem.title} is served. Try:",
        f"  the page      {address}",
        f"  a prediction  curl -s {address}/predict -H 'content-type: application/json' -d {record}",
        f"  monitoring    curl -s '{address}/monitor?source=current'",
        f"  the runs      mlflow ui --backend-store-uri {uri} --port 5000",
        "Ctrl-C stops it.\n",
    )
    console.say("\n".join(lines))
