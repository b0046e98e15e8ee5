"""What a site with `SEKISHO_METRICS_TOKEN` has: counts of all workers, and the page that shows them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from prometheus_client import CollectorRegistry
from prometheus_client.exposition import choose_encoder
from prometheus_client.registry import Collector

from sekisho.asgi.metrics_listener import MetricsListener
from sekisho.asgi.metrics_page import MetricsPage
from sekisho.metrics import Gauges, SharedCounts
from sekisho.metrics.families import families
from sekisho.model import StoreUnavailable
from sekisho.store import refusals_told

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Callable, Iterable, Mapping

    from prometheus_client.core import Metric

    from sekisho.metrics import Additions
    from sekisho.settings import Settings
    from sekisho.store import AnyStoreConnection


class MetricsWing:
    """The metrics of one event loop.

    Args:
        settings: of the service.
        additions: of this process.
        line: the store connection; None where the process counts alone.
        gauges: reads what this worker knows at the moment.
    """

    def __init__(
        self,
        settings: Settings,
        additions: Additions,
        line: AnyStoreConnection | None,
        gauges: Callable[[], Gauges],
        loop: asyncio.AbstractEventLoop,
    ) -> None:
        self._gauges = gauges
        self._shared = SharedCounts(additions, line, settings.namespace)
        self.adding = loop.create_task(self._shared.run(), name="sekisho metrics") if line is not None else None
        place = settings.metrics_listen
        self.page = MetricsPage("" if place else settings.mount, settings.metrics_token, self._write)
        self.listening: asyncio.Task[None] | None = None
        if place is not None:
            self.listening = loop.create_task(MetricsListener(*place, self.page).run(), name="sekisho metrics page")

    async def _write(self, accept: str) -> tuple[bytes, str]:
        try:
            with refusals_told():  # those of a full store must not take this process's gauges away
                counts: Mapping[Any, int] = await self._shared.sums()
        except StoreUnavailable:
            counts = {}
        registry = CollectorRegistry(auto_describe=False)
        registry.register(_Families(families(counts, self._gauges())))
        encode, content_type = choose_encoder(accept)
        return encode(registry), content_type


class _Families(Collector):
    def __init__(self, found: Iterable[Metric]) -> None:
        self._found = list(found)

    def collect(self) -> Iterable[Metric]:
        return self._found
