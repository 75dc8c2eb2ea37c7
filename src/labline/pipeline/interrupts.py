"""Ctrl-C, told apart from what libraries make of it."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType


@contextmanager
def ctrl_c_ends() -> Iterator[None]:
    """Ctrl-C ends what is inside with KeyboardInterrupt, also where an error of a library's came of it.

    Python raises it between any two instructions, also between those with which a library ends a transaction, and some
    then raise an error of their own. Only the main thread is interrupted; elsewhere this changes nothing.

    Raises:
        KeyboardInterrupt: instead of whatever was raised after Ctrl-C.
    """
    usual = signal.getsignal(signal.SIGINT)
    if threading.current_thread() is not threading.main_thread() or not callable(usual):
        yield
        return
    came = False

    def note(number: int, frame: FrameType | None) -> None:
        nonlocal came
        came = True
        usual(number, frame)

    signal.signal(signal.SIGINT, note)
    try:
        yield
    except Exception as error:
        if came:
            raise KeyboardInterrupt from error
        raise
    finally:
        signal.signal(signal.SIGINT, usual)
