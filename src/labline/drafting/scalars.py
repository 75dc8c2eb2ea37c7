"""YAML by hand, so that comments can stand in it: scalars, lists and flow mappings that read back as they are."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from typing import Any

WIDTH = 120
KEY_MAX = 1000  # YAML's keys on one line end at 1,024 characters
# Begins with a letter and has no sign in it that means something in YAML.
_PLAIN = re.compile(r"[A-Za-z_](?:[A-Za-z0-9_./%+-]| (?=[A-Za-z0-9_]))*", re.ASCII)
# Words that some reader of YAML takes for something other than text.
_WORDS = frozenset({"true", "false", "null", "yes", "no", "on", "off", "y", "n", "t", "f", "none", "nan", "inf"})
# What YAML's readers refuse or fold, and what no editor shows.
_HIDDEN = re.compile(
    r"[\x00-\x1f\x7f-\xa0\u00ad\u2000-\u200f\u2028-\u202f\u205f-\u206f\ud800-\udfff\ufeff\ufff0-\uffff]"
)


def text(value: str) -> str:
    """A string; in quotes wherever it could be read as something else."""
    if _PLAIN.fullmatch(value) and value.lower() not in _WORDS:
        return value
    return _HIDDEN.sub(lambda sign: f"\\u{ord(sign.group()):04x}", json.dumps(value, ensure_ascii=False))


def number(value: float) -> str:
    """A number that YAML 1.1 reads as one: whole ones without a point, an exponent only after one."""
    if float(value).is_integer() and abs(value) < 1e16:
        return str(int(value))
    written = repr(float(value))
    mantissa, mark, exponent = written.partition("e")
    if not mark:
        return written
    return f"{mantissa if '.' in mantissa else f'{mantissa}.0'}e{exponent if exponent[0] in '+-' else f'+{exponent}'}"


def value(of: Any) -> str:
    """Anything that a contract holds, on one line."""
    if isinstance(of, str):
        return text(of)
    if isinstance(of, bool):
        return "true" if of else "false"
    if isinstance(of, int | float):
        return number(of)
    if isinstance(of, Mapping):
        return "{" + ", ".join(f"{text(key)}: {value(inner)}" for key, inner in of.items()) + "}"
    return "[" + ", ".join(value(inner) for inner in of) + "]"


def mapping(of: Mapping[str, Any], indent: str) -> list[str]:
    """A flow mapping, on as many lines as it needs; long lists are broken between items."""
    whole = f"{indent}{value(of)}"
    if len(whole) <= WIDTH:
        return [whole]
    lines = [f"{indent}{{"]
    for key, inner in of.items():
        is_list = isinstance(inner, Sequence) and not isinstance(inner, str)
        written = [value(item) for item in inner] if is_list else []
        one = f"{indent}  {text(key)}: {value(inner)},"
        if is_list and len(one) > WIDTH:
            lines += [f"{indent}  {text(key)}: [", *wrapped(written, f"{indent}    "), f"{indent}  ],"]
        else:
            lines.append(one)
    return [*lines, f"{indent}}}"]


def wrapped(items: Sequence[str], indent: str) -> list[str]:
    """The items with commas, on lines of the usual width."""
    lines = [indent]
    for item in items:
        if len(lines[-1]) + len(item) + 2 > WIDTH and lines[-1] != indent:
            lines[-1] = lines[-1].rstrip()
            lines.append(indent)
        lines[-1] += f"{item}, "
    return [*lines[:-1], lines[-1].rstrip().removesuffix(",")]


def key(name: str, indent: str) -> list[str]:
    """A key of a block mapping, up to the place where its value begins on the next line."""
    if len(text(name)) > KEY_MAX:
        return [f"{indent}? {text(name)}", f"{indent}:"]
    return [f"{indent}{text(name)}:"]


def comment(sentence: str, indent: str = "") -> list[str]:
    """A comment, on as many lines as it needs; what could end it is not shown as it is."""
    shown = _HIDDEN.sub("·", " ".join(sentence.split()))
    lines = [f"{indent}#"]
    for word in shown.split(" "):
        if len(lines[-1]) + len(word) + 1 > WIDTH and lines[-1] != f"{indent}#":
            lines.append(f"{indent}#")
        lines[-1] += f" {word}"
    return lines
