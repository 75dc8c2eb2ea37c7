"""Reads `problem.yaml`; what is wrong in it is refused with file, line, what and the mend."""

from __future__ import annotations

import difflib
import re
from pathlib import Path

import yaml
from pydantic import ValidationError
from pydantic_core import ErrorDetails

from labline.contract.problem import Problem
from labline.contract.refusal import REFUSED
from labline.errors import ContractError

CONTRACT_FILE = "problem.yaml"
Place = tuple[str, ...]
# What is said of pydantic's errors that need no detail, and the mend.
PLAIN = {
    "missing": ("missing", "add it"),
    "extra_forbidden": ("the contract has no such key", "correct its spelling or take it out"),
    "union_tag_not_found": ("type is missing", "say number, integer, category, boolean, datetime, text or labels"),
}


class _Loader(yaml.SafeLoader):
    """YAML 1.2's booleans, only true and false, and no dates: a category named `no` or 2024-01-31 stays a name."""


_NOT_AS_IN_1_1 = {"tag:yaml.org,2002:bool", "tag:yaml.org,2002:timestamp"}
_Loader.yaml_implicit_resolvers = {
    first: [(tag, pattern) for tag, pattern in resolvers if tag not in _NOT_AS_IN_1_1]
    for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
}
_Loader.add_implicit_resolver("tag:yaml.org,2002:bool", re.compile(r"^(?:true|false)$"), list("tf"))


def read_problem(file: Path) -> Problem:
    """The contract in `file`.

    Raises:
        ContractError: no such file, not YAML, or something in it cannot hold.
    """
    try:
        text = file.read_text(encoding="utf-8-sig")
    except FileNotFoundError as error:
        raise _no_such_problem(file) from error
    except UnicodeDecodeError as error:
        raise ContractError(f"not UTF-8: {error.reason}", where=str(file), mend="save it as UTF-8") from error
    try:
        loader = _Loader(text)
        node = loader.get_single_node()
        lines = _lines(node, file) if node is not None else {}
        content = loader.construct_document(node) if node is not None else None
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else 1
        raise ContractError(
            f"not YAML: {error.problem}", where=f"{file}:{line}", mend="correct the line; indent with spaces"
        ) from error
    except yaml.reader.ReaderError as error:
        line = text[: error.position].count("\n") + 1
        raise ContractError(
            f"not YAML: {error.reason}", where=f"{file}:{line}", mend="take out what no editor shows"
        ) from error
    except RecursionError as error:
        raise ContractError(
            "nested too deeply, or within itself", where=f"{file}:1", mend="see docs/your-own-data.md for an example"
        ) from error
    if not isinstance(content, dict):
        raise ContractError("no contract in it", where=f"{file}:1", mend="see docs/your-own-data.md for an example")
    try:
        return Problem.model_validate(content)
    except ValidationError as error:
        raise _contract_error(file, error, lines) from error


def _no_such_problem(file: Path) -> ContractError:
    name, folder = file.parent.name, file.parent.parent
    known = sorted(path.parent.name for path in folder.glob(f"*/{CONTRACT_FILE}"))
    near = difflib.get_close_matches(name, known, 1)
    mend = f"did you mean {near[0]!r}?" if near else f"use one of: {', '.join(known) or 'none is there yet'}"
    return ContractError(f"there is no problem {name!r}", where=str(file), mend=mend)


def _lines(node: yaml.Node, file: Path, path: Place = ()) -> dict[Place, int]:
    """Line of every key and item, by its path; a key given twice is refused, where YAML would take the last."""
    lines = {path: node.start_mark.line + 1}
    if isinstance(node, yaml.MappingNode):
        for key, value in node.value:
            inner = (*path, str(key.value))
            if inner in lines:
                raise ContractError(
                    f"{key.value!r} stands twice (first on line {lines[inner]})",
                    where=f"{file}:{key.start_mark.line + 1}",
                    mend="keep one of them",
                )
            lines |= _lines(value, file, inner)
            lines[inner] = key.start_mark.line + 1
    elif isinstance(node, yaml.SequenceNode):
        for index, value in enumerate(node.value):
            lines |= _lines(value, file, (*path, str(index)))
    return lines


def _contract_error(file: Path, error: ValidationError, lines: dict[Place, int]) -> ContractError:
    """All that is wrong, one line each, each with its place."""
    found = []
    for item in error.errors(include_url=False):
        place = tuple(map(str, item["loc"]))
        if place[:1] == ("columns",):
            place = place[:2] + place[3:]  # the third part is pydantic's name for the column's type
        place += tuple(map(str, item.get("ctx", {}).get("keys", ())))
        written = next(place[:end] for end in range(len(place), -1, -1) if place[:end] in lines)
        found.append((lines[written], ".".join(place) or "the contract", *_say(item)))
    said = [f"{file}:{line}: {name}: {what}. Mend: {mend}" for line, name, what, mend in sorted(found)]
    line, name, what, mend = min(found)
    return ContractError(f"{name}: {what}.", where=f"{file}:{line}", mend="\n".join([mend, *said[1:]]))


def _say(item: ErrorDetails) -> tuple[str, str]:
    """What is wrong, and the mend."""
    kind, context = item["type"], item.get("ctx", {})
    if kind in PLAIN:
        return PLAIN[kind]
    if kind == "union_tag_invalid":
        return f"there is no type {context['tag']!r}", f"use one of {context['expected_tags']}"
    if kind == REFUSED:
        return item["msg"], context["mend"]
    if kind == "string_type" and isinstance(item["input"], bool | int | float):
        return f"{item['input']!r}: a name is wanted", "put it in quotes"
    return f"{item['input']!r}: {item['msg'][0].lower()}{item['msg'][1:]}", "correct the value"
