"""Writes the draft's `problem.yaml`, with a comment at every guess that deserves a look."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from labline.contract import Column
from labline.contract.source import Source
from labline.drafting import scalars
from labline.drafting.draft import Draft
from labline.drafting.guess import Guess

SCHEMA_LINE = "# yaml-language-server: $schema=../problem.schema.json"
# In the order a person reads them.
KEYS = (
    *("type", "unit", "formats", "values", "unknown", "separator", "html", "minimum", "maximum", "maximum_length"),
    *("log", "missing", "example"),
)
LEFT_OUT_SHOWN = 500


def problem_yaml(draft: Draft) -> str:
    """The contract as text; `read_problem` gives back what was guessed."""
    lines = [SCHEMA_LINE, *_heading(draft), "", *_sources(draft), "", *_columns(draft)]
    return "\n".join(lines) + "\n"


def _heading(draft: Draft) -> Iterator[str]:
    target = draft.target
    yield from scalars.comment(f"Drafted from {draft.rows:,} rows. Comments mark the guesses that deserve a look.")
    yield f"name: {scalars.text(draft.name)}"
    yield f"title: {scalars.text(draft.title)}"
    yield f"task: {target.task}"
    yield f"target: {scalars.text(draft.target_name)}"
    for sentence in target.look:
        yield from scalars.comment(sentence)
    if target.classes:
        yield from _classes(draft)
    if target.separator != ",":
        yield f"separator: {scalars.text(target.separator)}"
    if target.ignores:
        yield "unlisted: ignore"
    if said := target.value.model_dump(mode="json", exclude_defaults=True):
        yield f"value: {scalars.value(said)}"
    for sentence in draft.breaks:
        yield from scalars.comment(sentence)
    if draft.drops:
        yield "invalid_rows: drop"
    if draft.id is not None:
        yield f"id: {scalars.text(draft.id)}"
    yield f"metric: {target.metric}"


def _classes(draft: Draft) -> list[str]:
    names = [scalars.text(name) for name in draft.target.classes]
    one = f"classes: [{', '.join(names)}]"
    if len(one) <= scalars.WIDTH:
        return [one]
    return ["classes: [", *scalars.wrapped(names, "  "), "]"]


def _sources(draft: Draft) -> Iterator[str]:
    yield "sources:"
    for note in draft.notes:
        yield from scalars.comment(note, "  ")
    yield "  train:"
    for key, inner in _said(draft.source).items():
        yield f"    {key}: {scalars.value(inner)}"


def _said(source: Source) -> dict[str, Any]:
    return source.model_dump(mode="json", exclude_defaults=True)


def _columns(draft: Draft) -> Iterator[str]:
    yield "columns:"
    for guess in draft.features:
        yield from _feature(guess)
    if draft.left_out:
        yield ""
        yield from scalars.comment("Left out:", "  ")
    for guess in draft.left_out[:LEFT_OUT_SHOWN]:
        yield from scalars.comment(f"{scalars.text(guess.name)}: {guess.why}", "  ")
    if len(draft.left_out) > LEFT_OUT_SHOWN:
        yield from scalars.comment(f"and {len(draft.left_out) - LEFT_OUT_SHOWN:,} more", "  ")


def _feature(guess: Guess) -> Iterator[str]:
    assert guess.column is not None
    for sentence in guess.look:
        yield from scalars.comment(sentence, "  ")
    yield from scalars.key(guess.name, "  ")
    yield from scalars.mapping(as_said(guess.column), "    ")


def as_said(column: Column) -> Mapping[str, Any]:
    """What the contract must say of the column, in the order a person reads it."""
    said = {"type": column.type, **column.model_dump(mode="json", exclude_defaults=True)}
    return {key: said[key] for key in KEYS if key in said and said[key] is not None}
