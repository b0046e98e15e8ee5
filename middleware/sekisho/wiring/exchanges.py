"""What one event loop exchanges with the store and with other workers, each in a task of its own."""

from __future__ import annotations

import contextlib
import secrets
from typing import TYPE_CHECKING, Any, Final

from sekisho.control import StoredControl, follow
from sekisho.control.beacon import BeaconMac, ServiceBeacon
from sekisho.control.sockets import serve
from sekisho.detect import PostureExchange, StoredPostures
from sekisho.detect.written import PostureMac
from sekisho.feed import FeedMac, FeedPublisher
from sekisho.ledger.counters import StoredCounters
from sekisho.ledger.worker_sync import WorkerSync
from sekisho.model import Mode, StoreUnavailable

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Callable, Coroutine

    from sekisho.control import ControlState, MemoryControl
    from sekisho.ledger.worker_sync import News
    from sekisho.store import AnyStoreConnection
    from sekisho.wiring.process import ProcessWing


class Exchanges:
    """Tasks that run for as long as the loop: each asks or tells about once a second.

    Args:
        process: the parts shared by all event loops.
        loop: runs the tasks.
        line: the connection to the store; None where this process counts alone.
        control: the control record, as this process has applied it.
        local_control: keeps the control record where there is no store.
        hear: receives what other workers say.

    Attributes:
        postures: exchanges the posture; None where none is estimated.
    """

    def __init__(
        self,
        process: ProcessWing,
        loop: asyncio.AbstractEventLoop,
        line: AnyStoreConnection | None,
        control: ControlState,
        local_control: MemoryControl,
        hear: Callable[[News], None],
    ) -> None:
        self._process = process
        self._loop = loop
        self._line = line
        self._control = control
        self._local_control = local_control
        self._sync = self._worker_sync(line, hear) if line is not None else None
        self._syncing = self._task(self._sync.run(), "exchange") if self._sync is not None else None
        self._following = self._followed_control()
        self._marking = self._beacon(line) if line is not None else None
        self.postures: Final = self._posture_exchange()
        self._sharing = (
            self._task(self.postures.run(process.clocks.rest), "posture") if self.postures is not None else None
        )
        self._publishing = self._feed_publisher()
        campaigns = process.campaigns
        self._campaigns = campaigns.exchange(line) if campaigns is not None else None
        self._recognising = (
            self._task(self._campaigns.run(process.clocks.rest), "campaigns") if self._campaigns is not None else None
        )

    @property
    def tasks(self) -> tuple[asyncio.Task[None], ...]:
        """Return all tasks that run, in the order in which they are to be cancelled."""
        every = (self._syncing, self._following, self._marking, self._sharing, self._publishing, self._recognising)
        return tuple(task for task in every if task is not None)

    async def aclose(self) -> None:
        """Share what this worker has noted for campaigns, within one deadline of the store. The tasks have ended."""
        if self._campaigns is not None:
            await self._campaigns.aclose()

    def follow(self) -> None:
        """Start, once, the task that follows this process's own control record, so that its entries end in time."""
        if self._following is None:
            following = follow(self._local_control, self._control)
            self._following = self._task(following, "control")

    async def tell(self) -> None:
        """Share with other workers now which success rules are wrong or proved. Does nothing if no store answers."""
        if self._sync is not None:
            with contextlib.suppress(StoreUnavailable):
                await self._sync.once()

    def _task(self, running: Coroutine[Any, Any, None], name: str) -> asyncio.Task[None]:
        return self._loop.create_task(running, name=f"sekisho {name}")

    def _worker_sync(self, line: AnyStoreConnection, hear: Callable[[News], None]) -> WorkerSync:
        process = self._process
        return WorkerSync(
            line,
            process.settings.namespace,
            worker=secrets.token_bytes(8),
            take_shed=process.shed.take_refused,
            hear=hear,
            rules=lambda: process.trust.statements,
        )

    def _followed_control(self) -> asyncio.Task[None] | None:
        settings = self._process.settings
        following: Coroutine[Any, Any, None] | None = None
        if self._line is not None:
            following = follow(StoredControl(self._line, settings.namespace), self._control)
        elif settings.control_socket is not None:
            control, process = self._control, self._process
            following = serve(
                settings.control_socket, self._local_control, control, process.shown_counters, process.shown()
            )
        return self._task(following, "control") if following is not None else None

    def _beacon(self, line: AnyStoreConnection) -> asyncio.Task[None]:
        settings = self._process.settings
        mac = BeaconMac(settings.listed, settings.namespace)
        return self._task(ServiceBeacon(line, settings.namespace, mac).run(), "beacon")

    def _feed_publisher(self) -> asyncio.Task[None] | None:
        process, settings = self._process, self._process.settings
        if process.feed is None or self._line is None:
            return None
        publisher = FeedPublisher(
            process.feed,
            self._line,
            FeedMac(settings.listed, settings.namespace),
            settings.namespace,
            entries_max=settings.feed_entries_max,
            clock_s=process.clock_s,
            enforces=lambda: process.mode is Mode.ENFORCE,
            has_credit=StoredCounters(self._line, settings.store, settings.namespace).has_credit,
        )
        return self._task(publisher.run(), "feed")

    def _posture_exchange(self) -> PostureExchange | None:
        process, settings = self._process, self._process.settings
        if process.watch is None or process.postures is None:
            return None
        monotonic_s = process.clocks.monotonic_s
        if self._line is None:
            return PostureExchange(process.watch, process.postures, monotonic_s)
        doors, mac = [door.name for door in settings.doors], PostureMac(settings.listed, settings.namespace)
        stored = StoredPostures(self._line, settings.namespace, doors, mac)
        return PostureExchange(process.watch, stored, monotonic_s)
