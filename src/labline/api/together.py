"""Requests that arrive together are predicted together: a call of a model costs about as much as a row in it."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any

from labline.errors import LablineError
from labline.model.bundle import Bundle
from labline.model.tasks import Answer

ROWS_MAX = 32  # of one call: the event loop waits for it

Waiting = tuple[Mapping[str, Any], asyncio.Future[Answer]]


class Together:
    """Collects rows until the event loop has taken in what is there, then predicts them with one call.

    Nobody is waited for: a request alone is answered at once. A row's answer does not depend on the rows beside it.

    Args:
        bundle: that predicts.
    """

    def __init__(self, bundle: Bundle) -> None:
        self._bundle = bundle
        self._waiting: list[Waiting] = []

    async def predict(self, row: Mapping[str, Any]) -> Answer:
        """The answer to one row, by column name, as the request model gives it.

        Raises:
            LablineError: a derived feature fails on this row.
        """
        loop = asyncio.get_running_loop()
        answer: asyncio.Future[Answer] = loop.create_future()
        if not self._waiting:
            loop.call_soon(self._answer)
        self._waiting.append((row, answer))
        return await answer

    def _answer(self) -> None:
        now, self._waiting = self._waiting[:ROWS_MAX], self._waiting[ROWS_MAX:]
        if self._waiting:
            asyncio.get_running_loop().call_soon(self._answer)
        try:
            answers = self._bundle.predict([row for row, _ in now])
        # a future must be told of whatever it is, or its request would wait for ever
        except Exception as error:  # noqa: BLE001  # pylint: disable=broad-exception-caught
            self._one_by_one(now, error)
            return
        for (_, future), answer in zip(now, answers, strict=True):
            if not future.done():  # its request may have gone
                future.set_result(answer)

    def _one_by_one(self, waiting: list[Waiting], error: Exception) -> None:
        """One row that cannot be predicted must not cost the others their answers."""
        for row, future in waiting:
            if future.done():
                continue
            if len(waiting) == 1 or not isinstance(error, LablineError):
                future.set_exception(error)
                continue
            try:
                [answer] = self._bundle.predict([row])
            except LablineError as own:
                future.set_exception(own)
            else:
                future.set_result(answer)
