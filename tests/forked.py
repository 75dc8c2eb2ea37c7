"""Processes that begin with the heavy libraries in them: to import these takes each one seconds."""

from __future__ import annotations

import multiprocessing
import os
import sys
from multiprocessing.context import BaseContext
from typing import Any

LIBRARIES = ["labline.pipeline.training", "labline.pipeline.reporting", "mlflow", "evidently", "evidently.presets"]

if sys.platform == "win32":
    FORKED: BaseContext = multiprocessing.get_context("spawn")
else:
    from multiprocessing.context import ForkServerContext, ForkServerProcess

    class Forked(ForkServerProcess):
        """One with the environment of who asked for it, which the process that is forked does not know."""

        def __init__(self, *args: Any, **kwargs: Any) -> None:
            super().__init__(*args, **kwargs)
            self.environment = dict(os.environ)

        def run(self) -> None:
            """What it was made for."""
            os.environ.clear()
            os.environ.update(self.environment)
            super().run()

    class Forking(ForkServerContext):
        """Forks a process that has imported the libraries, and nothing else."""

        Process = Forked

    FORKED = Forking()
    FORKED.set_forkserver_preload(LIBRARIES)
