"""The challenger's trial on real requests: in shadow it answers too and nobody is told; as canary, for a share."""

from __future__ import annotations

import asyncio
import secrets
import zlib
from collections.abc import Mapping
from typing import Any

from loguru import logger

from labline.api.champion import Champion
from labline.api.loaded import Loaded
from labline.config.serving import Serving
from labline.errors import LablineError
from labline.monitoring.log_writer import LogWriter
from labline.monitoring.prediction_log import Logged, Shadow

WAITING_MAX = 5000  # answers whose shadow is still to be made; more are left out, and counted
TOGETHER_MAX = 200


class Trial:
    """Which model answers a request, and what the other one would have said.

    Args:
        serving: whether there is a trial, of which share, and by which column requests stay with one model.
        champion: both models, as they are loaded now.
        log: where shadows go.
    """

    def __init__(self, serving: Serving, champion: Champion, log: LogWriter) -> None:
        self._serving = serving
        self._champion = champion
        self._log = log
        self._waiting: asyncio.Queue[tuple[Loaded, Logged, Mapping[str, Any]]] = asyncio.Queue(WAITING_MAX)
        self.left_out = 0

    def model_for(self, row: Mapping[str, Any], champion: Loaded) -> Loaded:
        """The champion, or for the canary's share of the requests the challenger.

        Requests with the same key get the same model, as long as the challenger is the same.
        """
        challenger = self._champion.challenger
        if self._serving.challenger != "canary" or challenger is None:
            return champion
        return challenger if self._is_in_share(row, champion, challenger.version) else champion

    def shadow(self, row: Mapping[str, Any], answered: Logged, champion: Loaded) -> None:
        """Have the challenger answer as well, later, if the request is in its share."""
        challenger = self._champion.challenger
        if self._serving.challenger != "shadow" or challenger is None:
            return
        if self._is_in_share(row, champion, challenger.version):
            if self._waiting.full():
                self.left_out += 1
            else:
                self._waiting.put_nowait((challenger, answered, row))

    async def run(self) -> None:
        """Make the shadows, aside from the requests. Runs until cancelled."""
        while True:
            taken = [await self._waiting.get()]
            while not self._waiting.empty() and len(taken) < TOGETHER_MAX:
                taken.append(self._waiting.get_nowait())
            for challenger in {id(model): model for model, _, _ in taken}.values():
                mine = [(answered, row) for model, answered, row in taken if model is challenger]
                try:
                    answers = await asyncio.to_thread(challenger.bundle.predict, [row for _, row in mine])
                except LablineError as error:
                    logger.warning("the challenger cannot answer: {}", error)
                    self.left_out += len(mine)
                    continue
                shadows = [
                    Shadow(one.prediction_id, challenger.version, one.at, one.problem, a.prediction, a.probabilities)
                    for (one, _), a in zip(mine, answers, strict=True)
                ]
                self._log.add_later(shadows)

    def _is_in_share(self, row: Mapping[str, Any], champion: Loaded, version: int) -> bool:
        name = self._serving.challenger_key or champion.bundle.problem.id
        key = row.get(name) if name else None
        # with another challenger others are in its share; without a key each request is drawn anew
        drawn = secrets.randbits(32) if key is None else zlib.crc32(f"{version}:{key}".encode())
        return drawn / 2**32 < self._serving.challenger_share
