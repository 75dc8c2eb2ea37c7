"""The champion the API serves: follows the registry's alias, and changes over without dropping a request."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

from filelock import FileLock, Timeout
from loguru import logger

from labline.api.loaded import Loaded, load
from labline.api.workers import Worker
from labline.atomic import replacing
from labline.config import Config
from labline.errors import LablineError
from labline.pipeline.champion import Role, Served, ask_registry, keep_served, pointer, served

RETRY_SECONDS = 60.0
WATCH_SECONDS = 0.2  # how often a server looks whether another one, or a command, has changed what is served
TROUBLE_FILE = "trouble.txt"
LOCK_FILE = "registry.lock"


class Turn:
    """Whose turn it is to ask the registry, of all servers that share a cache, and what that one has to say.

    Args:
        folder: of the problem in the cache, made when missing.
    """

    def __init__(self, folder: Path) -> None:
        self._file = folder / TROUBLE_FILE
        self._lock = FileLock(folder / LOCK_FILE, blocking=False, thread_local=False)

    def is_mine(self) -> bool:
        """Whether it is this server's turn: from the first time that nobody else's it is, until it ends."""
        if self._lock.is_locked:
            return True
        self._file.parent.mkdir(parents=True, exist_ok=True)
        try:
            self._lock.acquire()
        except Timeout:
            return False
        return True

    @property
    def is_held(self) -> bool:
        """Whether it is this server's turn now."""
        return self._lock.is_locked

    def said(self) -> str | None:
        """The trouble that the server whose turn it is has told; None when all is well."""
        try:
            return self._file.read_text(encoding="utf-8") or None
        except FileNotFoundError:
            return None

    def say(self, trouble: str | None) -> None:
        """Tell the others, if it is this server's turn."""
        if self._lock.is_locked and self.said() != trouble:
            with replacing(self._file) as unfinished:
                unfinished.write_text(trouble or "", encoding="utf-8")

    def end(self) -> None:
        """Leave it to another server."""
        self._lock.release()


class Champion:
    """What is served now, and why nothing is when nothing is.

    Of all servers on a machine that share a cache one asks the registry; it fetches and tries a new champion, and
    writes its name into a file. All of them watch that file, so that they change over together.

    Attributes:
        current: the champion in memory; None until there is one.
        previous: the one before, kept so that going back takes no loading; or the next, from its announcement on.
        challenger: the challenger in memory, where it is to get a part of the requests.
        trouble: what stands between the registry's champion and this server, in a sentence; None when all is well.
    """

    def __init__(self, config: Config, problem: str, worker: Worker) -> None:
        self._config = config
        self._problem = problem
        self._worker = worker
        self._turn = Turn(pointer(config, problem).parent)
        self._refused: dict[Served, float] = {}
        self._seen: dict[Role, int] = {}
        self._news = asyncio.Event()
        self._changing = asyncio.Lock()
        self.current: Loaded | None = None
        self.previous: Loaded | None = None
        self.challenger: Loaded | None = None
        self.trouble: str | None = "the registry has not answered yet"

    async def start(self) -> None:
        """Serve at once what this machine served last; `follow` then asks the registry."""
        await self._watch()

    async def follow(self) -> None:
        """Watch what is to be served, and ask the registry whenever it is this server's turn. Runs until cancelled."""
        try:
            await asyncio.gather(self._again(self._watch, WATCH_SECONDS), self._ask_for_ever())
        finally:
            self._turn.end()

    def ask_soon(self) -> None:
        """Ask the registry now: somebody said that it changed."""
        self._news.set()

    async def _ask_for_ever(self) -> None:
        async def wait_for_news(seconds: float) -> None:
            try:
                await asyncio.wait_for(self._news.wait(), seconds)
            except TimeoutError:
                return
            self._news.clear()

        await self._again(self.refresh, self._config.serving.champion_poll_seconds, wait_for_news)

    async def _again(
        self,
        step: Callable[[], Awaitable[None]],
        seconds: float,
        wait: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        while True:
            try:
                await step()
            # whatever it is, the server must not stop following
            except Exception as error:  # noqa: BLE001  pylint: disable=broad-exception-caught
                logger.opt(exception=error).error("the champion could not be looked up")
                self._say(f"it could not be looked up: {type(error).__name__}")
            await wait(seconds)

    async def refresh(self) -> None:
        """Ask the registry once, if no other server on this machine does."""
        if not await asyncio.to_thread(self._turn.is_mine):
            self.trouble = await asyncio.to_thread(self._turn.said)
            return
        try:
            asked = await self._worker.run(ask_registry, self._config, self._problem)
        except LablineError as error:
            self._say(str(error))
            return
        if asked.champion is None:
            self._say(asked.trouble)
            return
        await self._take(asked.champion, "champion")
        await self._take(asked.challenger, "challenger")

    async def _take(self, found: Served | None, role: Role) -> None:
        """Serve what the registry names, once it is known to load here."""
        now = self._in(role)
        if found is not None and (now is None or now.served != found):
            if self._was_refused(found):
                return
            if role == "champion":
                await asyncio.to_thread(keep_served, self._config, self._problem, found, "next")
            await self._change(found, role)
            now = self._in(role)
            if now is None or now.served != found:
                return
        elif role == "champion":
            self._say(None)
        await asyncio.to_thread(keep_served, self._config, self._problem, found, role)

    async def _watch(self) -> None:
        """Load what the files name, where that has changed."""
        for role, changed in (await asyncio.to_thread(self._changed)).items():
            if changed == self._seen.get(role):
                continue
            self._seen[role] = changed
            found = await asyncio.to_thread(served, self._config, self._problem, role)
            now = self._in(role)
            if role == "next":
                if found is not None and not self._turn.is_held:  # who announced it is loading it
                    await self._prepare(found)
            elif found is None and role == "challenger":
                self.challenger = None
            elif found is not None and (now is None or now.served != found):
                await self._change(found, role)

    def _changed(self) -> dict[Role, int]:
        """When each file was written last; 0 where there is none."""
        roles: tuple[Role, ...] = ("next", "champion", "challenger")
        return {role: _changed_at(pointer(self._config, self._problem, role)) for role in roles}

    async def _prepare(self, found: Served) -> None:
        """Have an announced champion in memory when its turn comes."""
        try:
            self.previous = await self._load(found)
        except (LablineError, OSError) as error:  # it will not be served: who announced it finds the same
            logger.warning("version {} cannot be made ready: {}", found.version, error)

    def _in(self, role: Role) -> Loaded | None:
        return self.current if role == "champion" else self.challenger

    def _was_refused(self, found: Served) -> bool:
        """Whether this one failed to load a short while ago; later it is tried again, someone may have mended it."""
        at = self._refused.get(found)
        return at is not None and time.monotonic() - at < RETRY_SECONDS

    async def _change(self, found: Served, role: Role) -> None:
        async with self._changing:
            now = self._in(role)
            if now is None or now.served != found:
                await self._change_alone(found, role)

    async def _change_alone(self, found: Served, role: Role) -> None:
        try:
            loaded = await self._load(found)
            if role == "challenger":
                _refuse_another_contract(loaded, self.current)
        except (LablineError, OSError) as error:
            self._refused[found] = time.monotonic()  # the one in memory serves on
            said = f"version {found.version} is refused: {error}"
            if role == "champion":
                self._say(said)
            else:
                logger.warning("challenger: {}", said)
            return
        if role == "challenger":
            self.challenger = loaded
        else:
            self.previous, self.current = self.current, replace(loaded, since=datetime.now(UTC))
            self._say(None)
        data = loaded.bundle.manifest.data.kind
        logger.info("{} of {}: version {} (trained on {} data)", role, self._problem, found.version, data)

    async def _load(self, found: Served) -> Loaded:
        for known in (self.previous, self.challenger, self.current):
            if known is not None and known.served == found:
                return known
        return await asyncio.to_thread(load, found, self._config.serving.batch_rows_max)

    def _say(self, trouble: str | None) -> None:
        if trouble is not None and trouble != self.trouble:
            logger.warning("champion: {}", trouble)
        self.trouble = trouble
        self._turn.say(trouble)


def _refuse_another_contract(challenger: Loaded, champion: Loaded | None) -> None:
    """A request is read by the champion's contract: a challenger must understand it the same way."""
    if champion is not None and challenger.bundle.problem.columns != champion.bundle.problem.columns:
        raise LablineError("its contract has other columns than the champion's", mend="promote it without a trial")


def _changed_at(file: Path) -> int:
    try:
        return file.stat().st_mtime_ns
    except FileNotFoundError:
        return 0
