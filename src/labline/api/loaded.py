"""A bundle in the memory of a server: what a request needs of it, made once."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Annotated

from pydantic import BaseModel, Field, TypeAdapter

from labline.api.together import Together
from labline.contract.records import request_model
from labline.model.bundle import Bundle
from labline.pipeline.champion import Served


@dataclass(frozen=True)
class Loaded:
    """A bundle, the request model of its contract, and columns that stay out of the log."""

    served: Served
    bundle: Bundle
    record: type[BaseModel]
    batch: TypeAdapter[list[BaseModel]]
    since: datetime
    unlogged: frozenset[str]
    together: Together

    @property
    def version(self) -> int:
        """Its number in the registry."""
        return self.served.version


def load(found: Served, rows_max: int) -> Loaded:
    """Load a bundle, hashes and golden answers checked.

    Raises:
        LablineError, OSError: it is not whole, or does not answer here as it did where it was made.
    """
    bundle = Bundle.load(found.folder)
    record = request_model(bundle.problem)
    unlogged = frozenset(name for name, column in bundle.problem.columns.items() if not column.logged)
    batch = TypeAdapter(batch_type(record, rows_max))
    return Loaded(found, bundle, record, batch, datetime.now(UTC), unlogged, Together(bundle))


def batch_type(record: type[BaseModel], rows_max: int) -> type[list[BaseModel]]:
    """The type of a batch's body: a list of records, at least one and at most so many."""
    return Annotated[list[record], Field(min_length=1, max_length=rows_max)]  # type: ignore[valid-type, return-value]
