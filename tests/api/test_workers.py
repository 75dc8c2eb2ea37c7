"""Worker processes as a server has them: forked, started again when they die, and gone when their server is."""

from __future__ import annotations

import asyncio
import signal
import subprocess
import sys
import time
from concurrent.futures import ProcessPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from labline.api import workers
from labline.api.workers import Worker
from labline.config import load
from labline.errors import LablineError
from tests.server import environment

# the first line is the pids of all that it started; then it waits to be killed
PARENT = """
import asyncio, os, signal, sys, time
from labline.api.workers import Worker
from labline.config import load
from labline.errors import LablineError

def about():
    return os.getpid(), signal.SIGINT in signal.pthread_sigmask(signal.SIG_BLOCK, ()), "mlflow" in sys.modules

async def longest_wait():
    longest = 0
    while True:
        begun = time.monotonic()
        try:
            await asyncio.sleep(0.01)
        except asyncio.CancelledError:
            return longest
        longest = max(longest, time.monotonic() - begun)

async def main():
    waiting = asyncio.create_task(longest_wait())
    first, second = Worker(load()), Worker(load())
    pid, deaf, loaded = await first.run(about)
    assert deaf and loaded and pid != os.getpid()
    assert "mlflow" not in sys.modules
    waiting.cancel()
    assert await waiting < 1, "requests would have waited for the start"
    try:
        await first.run(os._exit, 3)
    except LablineError as error:
        print(error, file=sys.stderr)
    again, other = await first.run(about), await second.run(about)
    assert again[1:] == other[1:] == (True, True)
    assert len({pid, again[0], other[0]}) == 3
    print(again[0], other[0], flush=True)
    if sys.argv[1] == "stop":
        first.stop(), second.stop()
    else:
        await first.run(time.sleep, 600)

if __name__ == "__main__":
    asyncio.run(main())
"""


def is_there(pid: int) -> bool:
    """Whether it runs; one that ended may still be listed, until somebody asks for its status."""
    with suppress(FileNotFoundError, ProcessLookupError):
        return Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(") ")[2][0] != "Z"
    return False


@pytest.mark.parametrize("end", ["stop", "kill"])
def test_a_worker_that_dies_is_started_again_and_none_outlives_its_server(
    end: str, workspace: Path, tmp_path: Path
) -> None:
    script = tmp_path / "parent.py"  # a worker process imports the main one's file
    script.write_text(PARENT, encoding="utf-8")
    command = [sys.executable, str(script), end]
    with subprocess.Popen(command, env=environment(workspace), stdout=-1, stderr=-1, text=True) as parent:
        assert parent.stdout is not None
        pids = [int(pid) for pid in parent.stdout.readline().split()]
        if end == "kill":
            assert all(map(is_there, pids))
            parent.kill()
        # until its end: when the last process that could write to it is gone
        said = parent.communicate(timeout=60)[1]
    assert parent.returncode == (-signal.SIGKILL if end == "kill" else 0)
    assert len(pids) == 2
    assert "the worker process died" in said
    assert "Traceback" not in said
    started = time.monotonic()
    while any(map(is_there, pids)) and time.monotonic() - started < 30:
        time.sleep(0.1)
    assert not any(map(is_there, pids))


class Unable(ProcessPoolExecutor):
    """Whose processes have nothing to be forked from, as after its end."""

    def submit(self, *_: Any, **__: Any) -> Any:
        raise EOFError("unexpected EOF")


def test_one_that_cannot_be_started_says_why_and_the_next_call_tries_again(
    workspace: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def twice() -> float:
        worker = Worker(load(workspace))
        with monkeypatch.context() as patch:
            patch.setattr(workers, "ProcessPoolExecutor", Unable)
            with pytest.raises(LablineError, match="a worker process cannot be started: unexpected EOF"):
                await worker.run(abs, -1.0)
        found = await worker.run(abs, -1.0)
        worker.stop()
        return found

    assert asyncio.run(twice()) == 1.0
