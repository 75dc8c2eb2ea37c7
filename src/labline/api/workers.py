"""Worker processes for what must not run in the server's: MLflow, pandas, Evidently."""

from __future__ import annotations

import asyncio
import gc
import multiprocessing
import os
import signal
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from functools import lru_cache, partial
from multiprocessing.context import BaseContext
from typing import Any, TypeVar

from loguru import logger

from labline.config import Config
from labline.config.logging import configure
from labline.errors import LablineError

Result = TypeVar("Result")


@lru_cache
def context() -> BaseContext:
    """How they are started: forked from a process that has loaded `preloaded`; where none can fork, each by itself."""
    if "forkserver" not in multiprocessing.get_all_start_methods():
        return multiprocessing.get_context("spawn")
    forking = multiprocessing.get_context("forkserver")
    forking.set_forkserver_preload([f"{__package__}.preloaded"])
    return forking


class Worker:
    """One process that is started when it is first needed, and again when it died.

    Args:
        config: its log is configured from it.
    """

    def __init__(self, config: Config) -> None:
        self._config = config
        self._pool: ProcessPoolExecutor | None = None
        self._turn = asyncio.Lock()
        self._submitting = threading.Lock()  # besides: a call that is cancelled leaves its thread behind

    async def run(self, function: Callable[..., Result], *args: Any, **kwargs: Any) -> Result:
        """The function's result, from the process; what it raises is raised here.

        Raises:
            LablineError: the process died, e.g. for want of memory, or cannot be started; the next call tries again.
        """
        pool = None
        try:
            async with self._turn:  # one thread at a time: others need them too
                pool = self._pool = self._pool or ProcessPoolExecutor(
                    1, context(), initializer=_start, initargs=(self._config,)
                )
                # in a thread: the first time it waits for what is loaded before
                future = await asyncio.to_thread(self._submit, pool, partial(function, *args, **kwargs))
            return await asyncio.wrap_future(future)
        except BrokenProcessPool as error:
            logger.error("a worker process died; the next request starts another")
            if self._pool is pool:  # and not one that another request has begun since
                self._pool = None
            raise LablineError("the worker process died", mend="ask again, for fewer rows if it repeats") from error

    def _submit(self, pool: ProcessPoolExecutor, call: Callable[[], Result]) -> Future[Result]:
        with self._submitting, _no_interrupt():
            if self._pool is not pool:
                raise BrokenProcessPool("it was given up")
            try:
                return pool.submit(call)
            except (EOFError, OSError) as error:
                self._pool = None
                raise LablineError(
                    f"a worker process cannot be started: {error}",
                    mend="ask again; if it repeats, see that TMPDIR is a short path that can be written to",
                ) from error

    def stop(self) -> None:
        """End the process; what it is doing is lost. One that is just starting is waited for."""
        with self._submitting:
            pool, self._pool = self._pool, None
            if pool is None:
                return
            # Python 3.14 has terminate_workers for this
            for process in list((pool._processes or {}).values()):  # pylint: disable=protected-access
                process.terminate()
            pool.shutdown(cancel_futures=True)  # its semaphores go with it: the process may end by a signal


@contextmanager
def _no_interrupt() -> Iterator[None]:
    """Processes that are started inside never hear of Ctrl-C, not even in the first moment: it is the server's."""
    if not hasattr(signal, "pthread_sigmask"):
        yield
        return
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _start(config: Config) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # where it could not be blocked
    gc.set_threshold(100_000)  # rows are thousands of small objects without a cycle; looking for one costs
    configure(config.logging)
    threading.Thread(target=_end_with_parent, name="end-with-parent", daemon=True).start()


def _end_with_parent() -> None:
    """A server that was killed tells no one; without this its workers would stay for ever."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)
