"""Worker processes for what must not run in the server's: MLflow, pandas, Evidently."""

from __future__ import annotations

import asyncio
import gc
import multiprocessing
import os
import signal
import threading
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from functools import partial
from multiprocessing.context import BaseContext
from typing import Any, TypeVar

from loguru import logger

from labline.config import Config
from labline.config.logging import configure
from labline.errors import LablineError

Result = TypeVar("Result")
CONTEXT: BaseContext = multiprocessing.get_context("spawn")


class Worker:
    """One process that is started when it is first needed, and again when it died.

    Args:
        config: its log is configured from it.
    """

    def __init__(self, config: Config) -> None:
        self._config = config
        self._pool: ProcessPoolExecutor | None = None

    async def run(self, function: Callable[..., Result], *args: Any, **kwargs: Any) -> Result:
        """The function's result, from the process; what it raises is raised here.

        Raises:
            LablineError: the process died, e.g. for want of memory; the next call starts another.
        """
        if self._pool is None:
            self._pool = ProcessPoolExecutor(1, CONTEXT, initializer=_start, initargs=(self._config,))
        try:
            return await asyncio.get_running_loop().run_in_executor(self._pool, partial(function, *args, **kwargs))
        except BrokenProcessPool as error:
            logger.error("a worker process died; the next request starts another")
            self._pool = None
            raise LablineError("the worker process died", mend="ask again, for fewer rows if it repeats") from error

    def stop(self) -> None:
        """End the process; what it is doing is lost."""
        if self._pool is None:
            return
        # Python 3.14 has terminate_workers for this
        for process in list((self._pool._processes or {}).values()):  # pylint: disable=protected-access
            process.terminate()
        self._pool.shutdown(cancel_futures=True)  # its semaphores go with it: the process may end by a signal
        self._pool = None


def _start(config: Config) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the server's to handle
    gc.set_threshold(100_000)  # rows are thousands of small objects without a cycle; looking for one costs
    configure(config.logging)
    threading.Thread(target=_end_with_parent, name="end-with-parent", daemon=True).start()


def _end_with_parent() -> None:
    """A server that was killed tells no one; without this its workers would stay for ever."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)
