"""Writes the prediction log for a server: requests share commits, and what the database cannot take waits on disk."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Literal, TypeAlias

from loguru import logger
from sqlalchemy import Engine
from sqlalchemy.exc import DataError, DBAPIError, IntegrityError, SQLAlchemyError, StatementError

from labline.config import Config
from labline.database import is_embedded
from labline.errors import DatabaseError, LablineError
from labline.monitoring.prediction_log import Entry, PredictionLog
from labline.monitoring.spool import Spool, SpoolFullError, abandoned

Durability = Literal["acknowledged", "background", "none"]
BATCH_MAX = 1000  # entries of one commit
QUEUE_MAX = 20_000  # entries that may wait in memory, where nobody waits for them
REPLAY_MAX = 500  # entries of one commit while the spool is emptied
PROBE_SECONDS = 1.0  # how often a database that failed is tried
IDLE_SECONDS = 10.0  # how often a server is, while there is nothing to write
CLOSE_SECONDS = 15.0
UPKEEP = timedelta(hours=1)

Handed: TypeAlias = tuple[Sequence[Entry], asyncio.Future[None] | None]
"""Entries, and who waits for them."""


class NotLoggedError(LablineError):
    """An answer could be kept nowhere, so it must not be sent."""


@dataclass(frozen=True)
class LogOptions:
    """How a server keeps its log.

    Attributes:
        durability: acknowledged: an answer is on disk before it is sent; background: soon after; none: not at all.
        patience_seconds: how long the database may take for a commit before the spool does it.
        spool: folder under which each process has its own.
        spool_bytes: most that may wait there.
        retention: rows older than this are removed; None: never.
    """

    durability: Durability
    patience_seconds: float
    spool: Path
    spool_bytes: int
    retention: timedelta | None = None


def log_options(config: Config, problem: str) -> LogOptions:
    """What the settings say."""
    serving = config.serving
    return LogOptions(
        durability=serving.durability,
        patience_seconds=serving.log_patience_ms / 1000,
        spool=config.settings.models / "spool" / problem,
        spool_bytes=int(serving.spool_mb_max * 1_000_000),
        retention=None if serving.retention_days is None else timedelta(days=serving.retention_days),
    )


@dataclass(frozen=True)
class LogStatus:
    """How the log is doing.

    Attributes:
        failure: why the database does not take rows now, in a sentence; None when it does.
        writable: whether answers can be kept at all, be it in the spool.
        queued: entries in memory.
        spooled: entries on this machine's disk that are not in the database yet.
        spooled_bytes: their size.
        lost: entries that were kept nowhere, as only `background` allows.
    """

    failure: str | None
    writable: bool
    queued: int
    spooled: int
    spooled_bytes: int
    lost: int


@dataclass
class _Queue:
    """What requests have handed in and no commit has taken yet."""

    handed: list[Handed] = field(default_factory=list)
    entries: int = 0
    lost: int = 0
    wake: asyncio.Event = field(default_factory=asyncio.Event)

    def take(self) -> list[Handed]:
        """The first of it, as much as one commit takes."""
        taken, entries = 0, 0
        while taken < len(self.handed) and entries < BATCH_MAX:
            entries += len(self.handed[taken][0])
            taken += 1
        batch, self.handed = self.handed[:taken], self.handed[taken:]
        return batch


@dataclass
class _Aside:
    """The spool; it is in use from the first entry in it until the last is in the database, so that order is kept."""

    spool: Spool | None = None
    in_use: bool = False
    failure: str | None = None
    lock: asyncio.Lock = field(default_factory=asyncio.Lock)


class LogWriter:
    """Commits what requests hand in. Lives on one event loop; the database and the disk are used in threads.

    The database may be away when this starts, and later: then entries are spooled, and written in order once it is
    back. An entry that both may have got, for the database was slow, is in the log once all the same.

    Args:
        engine: of the database, from `open_database`.
        options: how to keep the log.
    """

    def __init__(self, engine: Engine, options: LogOptions) -> None:
        self._engine = engine
        self._options = options
        self._log: PredictionLog | None = None  # opened again after every failure: its tables may have gone
        self._aside = _Aside()
        self._failure: str | None = None
        self._queue = _Queue()
        self._roused = asyncio.Event()
        self._closing = False
        self._database = ThreadPoolExecutor(1, "prediction-log")
        self._late: asyncio.Future[None] | None = None  # what the database has not answered in time
        self._next_upkeep = datetime.min.replace(tzinfo=UTC)
        self._tasks: list[asyncio.Task[None]] = []

    async def start(self) -> None:
        """Take a spool, look for the database, and begin to write."""
        if self._options.durability == "none":
            return
        try:
            self._aside.spool = await asyncio.to_thread(Spool.take, self._options.spool, self._options.spool_bytes)
            self._aside.in_use = self._aside.spool.entries > 0
        except OSError as error:
            self._aside.failure = f"the spool cannot be used: {error.strerror or type(error).__name__}"
            logger.error("{}: {}", self._options.spool, self._aside.failure)
        await self._probe()
        self._tasks = [asyncio.create_task(self._commit_for_ever()), asyncio.create_task(self._look_after_for_ever())]

    def status(self) -> LogStatus:
        """How the log is doing now."""
        spool = self._aside.spool
        full = spool is not None and spool.bytes >= self._options.spool_bytes
        return LogStatus(
            failure=self._failure or self._aside.failure,
            writable=self._failure is None or (spool is not None and self._aside.failure is None and not full),
            queued=self._queue.entries,
            spooled=spool.entries if spool else 0,
            spooled_bytes=spool.bytes if spool else 0,
            lost=self._queue.lost,
        )

    async def add(self, entries: Sequence[Entry]) -> None:
        """Keep answers as the durability says; when this returns they may be sent.

        Raises:
            NotLoggedError: neither the database nor the spool takes them.
        """
        if self._options.durability == "acknowledged":
            done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
            self._hand_in(entries, done)
            await done
        elif self._options.durability == "background":
            self.add_later(entries)

    def add_later(self, entries: Sequence[Entry]) -> None:
        """Keep entries that nobody waits for; those that do not fit are counted, and lost."""
        if self._options.durability == "none":
            return
        if self._queue.entries + len(entries) > QUEUE_MAX:
            self._lose(len(entries), "too many wait")
        else:
            self._hand_in(entries, None)

    async def close(self) -> None:
        """Write what was handed in, then stop; what the database does not take in time stays in the spool."""
        self._closing = True
        self._queue.wake.set()
        self._roused.set()
        if self._tasks:
            _, late = await asyncio.wait(self._tasks, timeout=CLOSE_SECONDS)
            for task in late:
                task.cancel()
        self._database.shutdown(wait=False, cancel_futures=True)
        if self._aside.spool is not None:
            self._aside.spool.close()

    def _hand_in(self, entries: Sequence[Entry], done: asyncio.Future[None] | None) -> None:
        self._queue.handed.append((entries, done))
        self._queue.entries += len(entries)
        self._queue.wake.set()

    def _lose(self, entries: int, reason: str) -> None:
        self._queue.lost += entries
        logger.error("{} predictions are lost: {}", entries, reason)

    async def _commit_for_ever(self) -> None:
        while not self._closing or self._queue.handed:
            await self._queue.wake.wait()
            self._queue.wake.clear()
            while self._queue.handed:
                # everything that came in during the last commit shares the next one
                batch = self._queue.take()
                entries = [entry for handed, _ in batch for entry in handed]
                try:
                    await self._keep(entries)
                except NotLoggedError as error:
                    self._answer(batch, error)
                # whatever it is, who waits must be told, and the next must find the writer at work
                except Exception as error:  # noqa: BLE001  # pylint: disable=broad-exception-caught
                    logger.opt(exception=error).error("{} predictions could not be logged", len(entries))
                    self._answer(batch, NotLoggedError(f"the log's writer failed: {type(error).__name__}"))
                else:
                    self._answer(batch, None)
                self._queue.entries -= len(entries)

    def _answer(self, batch: Sequence[Handed], error: NotLoggedError | None) -> None:
        for entries, done in batch:
            if done is None:
                if error is not None:
                    self._lose(len(entries), error.what)
            elif not done.done():  # its request may have gone
                if error is None:
                    done.set_result(None)
                else:
                    done.set_exception(error)

    async def _keep(self, entries: Sequence[Entry]) -> None:
        """In the database, or else in the spool."""
        if self._aside.in_use or self._failure is not None or not await self._committed(entries):
            await self._keep_in_spool(entries)

    async def _committed(self, entries: Sequence[Entry]) -> bool:
        """Whether the database took them within its time."""
        asked = asyncio.get_running_loop().run_in_executor(self._database, self._insert, entries)
        await asyncio.wait((asked,), timeout=self._options.patience_seconds)
        if not asked.done():
            self._late = asked
            self._fail(f"the database has not answered for {self._options.patience_seconds * 1000:.0f} ms")
            return False
        error = asked.exception()
        if error is not None:
            self._fail(_reason(error))
        return error is None

    def _insert(self, entries: Sequence[Entry]) -> None:
        if self._log is None:
            self._log = PredictionLog(self._engine)
        self._log.add(entries)

    async def _keep_in_spool(self, entries: Sequence[Entry]) -> None:
        if self._aside.spool is None:
            raise NotLoggedError(f"{self._failure}; {self._aside.failure}")
        try:
            async with self._aside.lock:
                await asyncio.to_thread(self._aside.spool.append, entries)
                self._aside.in_use = True
        except SpoolFullError as error:
            raise NotLoggedError(f"{self._failure}; {error.what}") from error
        except OSError as error:
            self._aside.failure = f"the spool cannot be written to: {error.strerror or type(error).__name__}"
            logger.error("{}: {}", self._aside.spool.folder, self._aside.failure)
            raise NotLoggedError(f"{self._failure}; {self._aside.failure}") from error
        self._aside.failure = None
        self._roused.set()

    async def _look_after_for_ever(self) -> None:
        """Find a database that was away, empty the spool into it, and do the hourly upkeep."""
        while not self._closing:
            if self._failure is None and not self._aside.in_use:
                self._roused.clear()
                patience = None if is_embedded(self._engine) else IDLE_SECONDS
                with suppress(TimeoutError):
                    await asyncio.wait_for(self._roused.wait(), patience or UPKEEP.total_seconds())
            if self._closing:
                return
            try:
                await self._look_after()
            # whatever it is, the spool must not be forgotten
            except Exception as error:  # noqa: BLE001  # pylint: disable=broad-exception-caught
                logger.opt(exception=error).error("the prediction log could not be looked after")
                self._fail(_reason(error))
            if self._failure is not None:
                await asyncio.sleep(PROBE_SECONDS)

    async def _look_after(self) -> None:
        # one that is busy with rows is there; but the upkeep must be done some time
        if not self._queue.handed or self._failure is not None or datetime.now(UTC) >= self._next_upkeep:
            await self._probe()
        if self._failure is None:
            await self._empty_spool()

    async def _probe(self) -> None:
        """Whether rows can be written now: a server that is sent no requests must find out by itself."""
        before = self._failure
        try:
            if self._late is not None:  # it was spooled; whatever becomes of it, its time is over
                await asyncio.wait((self._late,))
                self._late = None
            await asyncio.get_running_loop().run_in_executor(self._database, self._look)
        except DatabaseError as error:
            self._fail(error.said)
        else:
            self._failure = None
            if before is not None:
                logger.info("the prediction log can be written to again")

    def _look(self) -> None:
        if self._log is None:
            self._log = PredictionLog(self._engine)
        now = datetime.now(UTC)
        if now >= self._next_upkeep:
            self._log.prepare(now)
            if self._options.retention is not None:
                self._log.prune(now - self._options.retention)
            self._next_upkeep = now + UPKEEP
        self._log.try_writing()

    async def _empty_spool(self) -> None:
        """Write to the database what waits here, and in spools whose process has gone."""
        if self._aside.spool is None:
            return
        try:
            await self._replay(self._aside.spool, self._aside.lock)
            if not self._closing:
                await self._adopt()
        except (SQLAlchemyError, DatabaseError, OSError) as error:
            self._fail(_reason(error))

    async def _adopt(self) -> None:
        for orphan in abandoned(self._options.spool, self._options.spool_bytes):
            await self._replay(orphan, asyncio.Lock())

    async def _replay(self, spool: Spool, lock: asyncio.Lock) -> None:
        while not self._closing:
            async with lock:
                oldest = await asyncio.to_thread(spool.oldest)
                if oldest is None:
                    if spool is self._aside.spool:
                        self._aside.in_use = False
                    return
            segment, entries = oldest
            await asyncio.to_thread(self._insert_again, spool, entries)
            async with lock:
                await asyncio.to_thread(spool.remove, segment)
            logger.info("{} predictions that waited are in the log now", len(entries))

    def _insert_again(self, spool: Spool, entries: Sequence[Entry]) -> None:
        """Insert what may be there already; what the database refuses for what it is is set aside."""
        if self._log is None:
            self._log = PredictionLog(self._engine)
        for start in range(0, len(entries), REPLAY_MAX):
            some = entries[start : start + REPLAY_MAX]
            try:
                self._log.add(some, again=True)
            except StatementError as error:
                if not _is_about_rows(error):
                    raise
                for entry in some:
                    self._insert_or_set_aside(spool, entry)

    def _insert_or_set_aside(self, spool: Spool, entry: Entry) -> None:
        assert self._log is not None
        try:
            self._log.add([entry], again=True)
        except StatementError as error:
            if not _is_about_rows(error):
                raise
            spool.refuse(entry)
            logger.error("{} is refused by the database and set aside: {}", entry.prediction_id, _reason(error))

    def _fail(self, reason: str) -> None:
        if self._failure is None:
            logger.warning("prediction log: {}; predictions are spooled", reason)
        self._failure = reason
        self._log = None
        self._roused.set()


def _is_about_rows(error: StatementError) -> bool:
    """Whether it is what a row holds that the database minds; another row may do."""
    return isinstance(error, DataError | IntegrityError) or not isinstance(error, DBAPIError)


def _reason(error: BaseException) -> str:
    """In words; of the driver's errors the kind alone, for the text holds what people have told."""
    return error.said if isinstance(error, LablineError) else f"rows cannot be written: {type(error).__name__}"
