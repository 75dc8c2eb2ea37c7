"""The champion the API serves: follows the registry's alias, and changes over without dropping a request."""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Annotated

from loguru import logger
from pydantic import BaseModel, Field, TypeAdapter

from labline.api.together import Together
from labline.api.workers import Worker
from labline.config import Config
from labline.contract.records import request_model
from labline.errors import LablineError
from labline.model.bundle import Bundle
from labline.pipeline.champion import Served, champion, served

RETRY_SECONDS = 60.0


@dataclass(frozen=True)
class Loaded:
    """A champion in memory, the request model of its contract, and columns that stay out of the log."""

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
    """Load a bundle, hashes and golden answers checked."""
    bundle = Bundle.load(found.folder)
    record = request_model(bundle.problem)
    unlogged = frozenset(name for name, column in bundle.problem.columns.items() if not column.logged)
    batch = TypeAdapter(batch_type(record, rows_max))
    return Loaded(found, bundle, record, batch, datetime.now(UTC), unlogged, Together(bundle))


def batch_type(record: type[BaseModel], rows_max: int) -> type[list[BaseModel]]:
    """The type of a batch's body: a list of records, at least one and at most so many."""
    return Annotated[list[record], Field(min_length=1, max_length=rows_max)]  # type: ignore[valid-type, return-value]


class Champion:
    """What is served now, and why nothing is when nothing is.

    Attributes:
        current: the champion in memory; None until there is one.
        trouble: what stands between the registry's champion and this server, in a sentence; None when all is well.
    """

    def __init__(self, config: Config, problem: str, worker: Worker) -> None:
        self._config = config
        self._problem = problem
        self._worker = worker
        self._refused: tuple[Served, float] | None = None
        self.current: Loaded | None = None
        self.trouble: str | None = "the registry has not answered yet"

    async def start(self) -> None:
        """Serve at once what this machine served last; `follow` then asks the registry."""
        known = served(self._config, self._problem)
        if known is not None:
            await self._change(known)

    async def follow(self) -> None:
        """Ask the registry again and again, and change over when the champion has changed. Runs until cancelled."""
        while True:
            try:
                await self.refresh()
            # whatever it is, the server must not stop following
            except Exception as error:  # noqa: BLE001  pylint: disable=broad-exception-caught
                logger.opt(exception=error).error("the champion could not be looked up")
                self._say(f"it could not be looked up: {type(error).__name__}")
            await asyncio.sleep(self._config.serving.champion_poll_seconds)

    async def refresh(self) -> None:
        """Ask the registry once."""
        try:
            found = await self._worker.run(champion, self._config, self._problem)
        except LablineError as error:
            self._say(str(error))
            return
        if self.current is not None and found == self.current.served:
            self._say(None)
        elif not self._was_refused(found):
            await self._change(found)

    def _was_refused(self, found: Served) -> bool:
        """Whether this one failed to load a short while ago; later it is tried again, someone may have mended it."""
        if self._refused is None:
            return False
        refused, at = self._refused
        return found == refused and time.monotonic() - at < RETRY_SECONDS

    async def _change(self, found: Served) -> None:
        try:
            loaded = await asyncio.to_thread(load, found, self._config.serving.batch_rows_max)
        except (LablineError, OSError) as error:
            self._refused = (found, time.monotonic())  # the one in memory serves on
            self._say(f"version {found.version} is refused: {error}")
            return
        self.current = loaded
        self._say(None)
        data = loaded.bundle.manifest.data.kind
        logger.info("serving {} version {} (trained on {} data)", self._problem, found.version, data)

    def _say(self, trouble: str | None) -> None:
        if trouble is not None and trouble != self.trouble:
            logger.warning("champion: {}", trouble)
        self.trouble = trouble
