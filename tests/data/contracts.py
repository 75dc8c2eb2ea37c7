"""A contract with a column of every type, for tests of reading and checking."""

from __future__ import annotations

from typing import Any

from labline.contract import Problem

COLUMNS: dict[str, dict[str, Any]] = {
    "price": {"type": "number", "unit": "€", "missing": "allow"},
    "pieces": {"type": "integer", "missing": "allow"},
    "brand": {"type": "category", "missing": "allow"},
    "sold": {"type": "boolean", "missing": "allow"},
    "day": {"type": "datetime", "formats": ["%d.%m.%Y", "%m/%d/%Y %H:%M"], "missing": "allow"},
    "note": {"type": "text", "missing": "allow"},
    "tags": {"type": "labels", "separator": ";", "missing": "allow"},
}
TASKS: dict[str, dict[str, Any]] = {
    "binary": {"metric": "accuracy", "classes": ["no", "yes"]},
    "multiclass": {"metric": "accuracy", "classes": ["a", "b", "c"]},
    "multilabel": {"metric": "f1_micro", "classes": ["c#", "java", "sql"], "separator": " "},
    "regression": {"metric": "rmse"},
}


def make_problem(task: str = "binary", columns: dict[str, dict[str, Any]] | None = None, **more: Any) -> Problem:
    """The contract; `more` are keys of it, `columns` go in the place of all."""
    content = {
        "name": "shop",
        "title": "Shop",
        "task": task,
        "target": "y",
        "id": "id",
        "sources": {"train": {"file": "shop.csv", "dialect": more.pop("dialect", {})}},
        "columns": COLUMNS if columns is None else columns,
    }
    return Problem.model_validate(content | TASKS[task] | more)
