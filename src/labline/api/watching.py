"""What the API does by itself: count what came, judge the last window, and tell of a change of status."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable

from loguru import logger
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

from labline import pipeline
from labline.api.deps import Services
from labline.errors import LablineError


class Watching(Collector):
    """Looks again and again, in the worker that also answers GET /monitor.

    Attributes:
        last: what was found last, gauges among it; None until the first look.
    """

    def __init__(self, services: Services) -> None:
        self._services = services
        self.last: pipeline.Watched | None = None

    def render(self) -> bytes:
        """What was found last, in Prometheus' text format."""
        registry = CollectorRegistry()
        registry.register(self)
        return generate_latest(registry)

    def collect(self) -> Iterable[GaugeMetricFamily]:
        """The gauges by name, as the library asks for them."""
        families: dict[str, GaugeMetricFamily] = {}
        for one in self.last.gauges if self.last is not None else ():
            family = families.setdefault(one.name, GaugeMetricFamily(one.name, one.help, labels=list(one.labels)))
            family.add_metric(list(one.labels.values()), one.value)
        return families.values()

    async def run(self) -> None:
        """Look every so many seconds, the first time after as many. Runs until cancelled."""
        while True:
            await asyncio.sleep(self._services.config.monitoring.watch_seconds)
            try:
                await self.look()
            except LablineError as error:
                logger.warning("monitoring: {}", error)
            # whatever it is, the next look may find it gone
            except Exception as error:  # noqa: BLE001  pylint: disable=broad-exception-caught
                logger.opt(exception=error).error("monitoring: a look at the last window failed")

    async def look(self) -> None:
        """Look once, and send what there is to tell."""
        services = self._services
        loaded = services.champion.current
        if loaded is None:
            return
        self.last = await services.summary_worker.run(pipeline.watch, services.config, loaded.served)
        await asyncio.to_thread(pipeline.send_notices, services.config, loaded.bundle.problem.name)
