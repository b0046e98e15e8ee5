"""What one event loop has of its own, and the guard's middleware built on it."""

from __future__ import annotations

import asyncio
import logging
import random
import secrets
from functools import partial
from importlib.metadata import version
from threading import get_ident
from typing import TYPE_CHECKING, Final
from weakref import ref

from sekisho.asgi.admission import Admission
from sekisho.asgi.body_reader import Patience
from sekisho.asgi.cookies import DeviceCookie
from sekisho.asgi.endpoint_parts import Places
from sekisho.asgi.outcome_keeper import ANSWERS_BELOW, NO_ROUTE, NOT_THERE, READS_BASIC
from sekisho.asgi.place_queue import PlaceQueue
from sekisho.asgi.refusal_pace import RefusalPace
from sekisho.asgi.shared_addresses import SharedAddresses
from sekisho.check import Canary
from sekisho.control.asked import AskedAccounts
from sekisho.crypto.random_pool import RandomPool
from sekisho.devices.age import AgeStamps
from sekisho.gate import Gate
from sekisho.judge.gradient import GradientLimit
from sekisho.judge.policy_choice import PolicyChoice
from sekisho.known_devices import KnownDevices
from sekisho.ledger.awaited_refunds import AwaitedRefunds
from sekisho.ledger.in_flight import InFlight
from sekisho.ledger.opening import ledger_on, open_line
from sekisho.ledger.redis_caps import RedisCaps
from sekisho.metrics import Additions, Gauges
from sekisho.model import Mode
from sekisho.pipeline import Guard
from sekisho.read import Networks
from sekisho.record import RefusalLog
from sekisho.settings import StoreFailure
from sekisho.settings.store import MEMORY
from sekisho.settler import Settler
from sekisho.store.health import Health
from sekisho.store.redis_vault import RedisVault
from sekisho.wiring.daily import DailyParts
from sekisho.wiring.endpoint import EndpointWing
from sekisho.wiring.exchanges import Exchanges
from sekisho.wiring.site import Site

if TYPE_CHECKING:
    from collections.abc import Callable

    from sekisho.asgi.types import App
    from sekisho.breach.hibp import Hibp
    from sekisho.control import Applied, ControlState, MemoryControl
    from sekisho.ledger.worker_sync import News
    from sekisho.model import Ledger
    from sekisho.settings import Settings
    from sekisho.settings.networks import Network
    from sekisho.store import AnyStoreConnection
    from sekisho.store.vault import Vault
    from sekisho.wiring.metrics import MetricsWing
    from sekisho.wiring.otel import Exports
    from sekisho.wiring.process import ProcessWing
    from sekisho.wiring.step_up import StepUpWing

log = logging.getLogger("sekisho")

LOOKING_S: Final = 2.0
"""How long the end waits for the look for doors, which takes some milliseconds after the start."""


class LoopWing:
    """The parts of one event loop: the connection to the store, waiting attempts, and the middleware built on them.

    Args:
        process: the parts shared by all event loops.
        control: the control record, as this process has applied it.
        local_control: keeps the control record where there is no store.
        hear: receives what other workers say.

    Attributes:
        exchanges: what this loop exchanges with the store and with other workers.
    """

    def __init__(
        self,
        process: ProcessWing,
        loop: asyncio.AbstractEventLoop,
        control: ControlState,
        local_control: MemoryControl,
        hear: Callable[[News], None],
    ) -> None:
        self.loop = loop
        self.thread = get_ident()
        self._process = process
        self._health = Health(loop.call_later, process.events.store_answers)
        self._line = self._opened_line()
        self._hibp = self._online()
        self._refusals = RefusalLog(loop.call_later)
        self._looking: asyncio.Task[None] | None = None
        self._canary = Canary(
            process.app,
            process.trust,
            process.events,
            lifespan_state=lambda: process.lifespan_state,
            csrf=process.csrf,
            may_send=self._may_send,
            clock_s=process.clocks.wall_s,
            chance=secrets.token_bytes,
        )
        ledger = process.own if self._line is None else self._shared_ledger(self._line)
        self._admission = Admission(
            GradientLimit(process.settings.strangers_max or 0),
            clock_s=process.clocks.monotonic_s,
            soon=loop.call_soon,
            later=loop.call_later,
        )
        self._pace = RefusalPace(
            clock_s=process.clocks.monotonic_s,
            later=loop.call_later,
            sleep=asyncio.sleep,
        )
        self._queue = PlaceQueue(self._admission)
        self._daily = DailyParts(process, self._vault())
        self._patience = Patience(process.settings.body_seconds_max)
        policies = PolicyChoice(process.policy, process.settings.asked)
        waits = AwaitedRefunds(InFlight(), process.settings.limits)
        devices = self._known_devices(ledger)
        self._gate = Gate(devices, process.shed, process.feed)
        self._guard = self._with_guard(ledger, devices, policies, waits)
        self._settler = self._with_settler(ledger, policies, waits)
        self.set_lists(control.applied)
        self.exchanges: Final = Exchanges(process, loop, self._line, control, local_control, hear)
        self.metrics = self._with_metrics()
        self._otel = self._with_otel()
        self._shared = self._shared_addresses()
        self._step_up = self._with_step_up()
        self._wing = self._endpoint()
        self.app: App = process.app
        self.switch()

    @property
    def line(self) -> AnyStoreConnection | None:
        """The connection to the store; None where this process counts alone."""
        return self._line

    def switch(self) -> None:
        """Apply the current mode. `OFF` removes the guard from the path."""
        self._wing.refuser.mode = self._process.mode
        self.app = self._process.app if self._process.mode is Mode.OFF else self._wing.endpoint

    def set_lists(self, applied: Applied) -> None:
        """Apply the control record: its lists, besides those of the settings, and its accounts asked for a proof."""
        settings = self._process.settings
        self._gate.set_lists(_networks((*settings.allow, *applied.allow)), _networks((*settings.deny, *applied.deny)))
        asked = AskedAccounts(applied.asked, self._process.subjects.name_of) if applied.asked else None
        self._guard.devices.asked = asked

    def unblock(self, accounts: tuple[bytes, ...], sources: tuple[bytes, ...]) -> None:
        """Forget what was counted today, and end the step-ups under way for accounts. Any thread may call.

        Args:
            accounts: digests of accounts.
            sources: digests of accounts, networks and devices that have limits of the day.
        """
        if not self.loop.is_closed():
            self.loop.call_soon_threadsafe(self._unblock, accounts, sources)

    def _unblock(self, accounts: tuple[bytes, ...], sources: tuple[bytes, ...]) -> None:
        if self._step_up is not None:
            self._step_up.end_all(accounts)
        self._daily.forget(accounts, sources)

    async def stop(self) -> None:
        self._queue.close()
        self._refusals.close()
        await self._canary.aclose()
        if self._looking is not None:
            # Cut off in an application that runs in threads, as of WSGI, a request leaves a thread that answers nobody.
            await asyncio.wait((self._looking,), timeout=LOOKING_S)
            self._looking.cancel()
            await asyncio.gather(self._looking, return_exceptions=True)
        if self._step_up is not None:
            await self._step_up.aclose()
        of_metrics = (self.metrics.adding, self.metrics.listening) if self.metrics is not None else ()
        await self._daily.aclose()
        for task in (*self.exchanges.tasks, *of_metrics):
            if task is not None:
                task.cancel()
                await asyncio.gather(task, return_exceptions=True)
        await self.exchanges.aclose()
        if self._otel is not None:
            await self._otel.stop()
        if self._hibp is not None:
            await self._hibp.aclose()
        if self._line is not None:
            await self._line.aclose()
        self._health.close()

    def _online(self) -> Hibp | None:
        process, settings = self._process, self._process.settings
        if not settings.hibp:
            return None
        # Imported only here: it loads a web client and the system's certificates.
        from sekisho.breach.hibp import Hibp  # noqa: PLC0415

        return Hibp(
            url=settings.hibp_url,
            clock_s=process.clocks.monotonic_s,
            on_change=partial(process.events.part_answers, "hibp"),
        )

    def _opened_line(self) -> AnyStoreConnection | None:
        process, settings = self._process, self._process.settings
        if settings.store == MEMORY:
            return None
        line = open_line(
            settings.store,
            settings.limits,
            deadline_us=settings.store_deadline_us,
            on_change=self._health.turned,
            health=self._health,
            namespace=settings.namespace,
            bytes_max=settings.store_bytes_max,
        )
        if process.audit is not None:
            process.audit.bridge.join(self.loop, line)
        return line

    def _shared_ledger(self, line: AnyStoreConnection) -> Ledger:
        process, settings = self._process, self._process.settings
        return ledger_on(
            line,
            settings.store,
            settings.namespace,
            deadline_us=settings.store_deadline_us,
            own=process.own if settings.on_store_failure is StoreFailure.LOCAL else None,
            let_in=settings.on_store_failure is StoreFailure.OPEN,
        )

    def _with_guard(
        self, ledger: Ledger, devices: KnownDevices, policies: PolicyChoice, waits: AwaitedRefunds
    ) -> Guard:
        process, settings = self._process, self._process.settings
        return Guard(
            ledger=ledger,
            digests=process.digests,
            devices=devices,
            policies=policies,
            gate=self._gate,
            waits=waits,
            breaches=process.leaks.breaches(self._hibp, process.reading.accounts.listed),
            clock_s=process.clock_s,
            times=process.times,
            daily=self._daily.refusals,
            watch=process.watch,
            keeps_history=settings.history,
            signals=process.plugins.signals,
        )

    def _with_settler(self, ledger: Ledger, policies: PolicyChoice, waits: AwaitedRefunds) -> Settler:
        process, settings = self._process, self._process.settings
        return Settler(
            ledger=ledger,
            digests=process.digests,
            trust=process.trust,
            policies=policies,
            waits=waits,
            clock_s=process.clock_s,
            networks_max=len(settings.limits.networks),
            keeps_history=settings.history,
            feed=process.feed,
        )

    def _known_devices(self, ledger: Ledger) -> KnownDevices:
        process = self._process
        return KnownDevices(
            process.tokens,
            ledger=ledger,
            digests=process.digests,
            shed=process.shed,
            trust=process.trust,
            clock_s=process.clock_s,
            chance=RandomPool().take,
            ages=_ages(process.settings),
        )

    def _endpoint(self) -> EndpointWing:
        return EndpointWing(
            self._process,
            self._gate,
            self._guard,
            self._settler,
            self._step_up,
            refusals=self._refusals,
            pace=self._pace,
            places=Places(self._admission, self._queue, self._shared),
            cookie=self._cookie,
            patience=self._patience,
            test=self._canary.test,
        )

    def _shared_addresses(self) -> SharedAddresses | None:
        if not self._process.settings.history:
            return None
        return SharedAddresses(clock_s=self._process.clocks.monotonic_s, sleep=asyncio.sleep, chance=random.random)

    def _vault(self) -> Vault:
        process = self._process
        return process.vault if self._line is None else RedisVault(self._line, process.settings.namespace)

    def _with_metrics(self) -> MetricsWing | None:
        process = self._process
        if not process.has_metrics:
            return None
        from sekisho.wiring.metrics import MetricsWing  # noqa: PLC0415 - a package that others need not have

        if process.additions is None:
            process.additions = Additions(process.events.counts, secrets.token_bytes(8))
        return MetricsWing(process.settings, process.additions, self._line, self._gauges, self.loop)

    def _with_otel(self) -> Exports | None:
        process = self._process
        if not process.settings.otel:
            return None
        from sekisho.wiring.otel import EXPORTS  # noqa: PLC0415 - a package that others need not have

        here = ref(self)  # instruments cannot be unmade, and must not keep a loop that has ended
        EXPORTS.start(process.events.counts, lambda: its._gauges() if (its := here()) is not None else None)  # noqa: SLF001
        return EXPORTS

    def _gauges(self) -> Gauges:
        process, line = self._process, self._line
        return Gauges(
            version("sekisho"),
            process.mode.value,
            process.workers if line is not None else None,
            line.answers if line is not None else None,
            process.leaks.corpus_age_s,
            len(self._admission.held),
            self._admission.places,
            process.watch.sites() if process.watch is not None else None,
        )

    def _may_send(self) -> bool:
        """Whether the guard may send requests of its own: in monitor mode it sends none."""
        return self._process.settings.canary and self._process.mode is Mode.ENFORCE

    def look_for_doors(self) -> None:
        self._looking = self.loop.create_task(self._look_for_doors(), name="sekisho doors")

    async def _look_for_doors(self) -> None:
        missing = await self._process.missing()
        for door in missing.doors:
            log.warning(NOT_THERE, door.name, 404, f"SEKISHO_{door.kind.name}")
        for route in missing.protected:
            log.warning(NO_ROUTE, route.name)
        for door in missing.below:
            log.warning(ANSWERS_BELOW, door.name)
        for door in missing.basic:
            log.warning(READS_BASIC, door.name)

    @property
    def _cookie(self) -> DeviceCookie:
        settings = self._process.settings
        return DeviceCookie(settings.device_cookie.encode(), settings.device_days)

    def _with_step_up(self) -> StepUpWing | None:
        process, settings = self._process, self._process.settings
        if not settings.has_pages:
            return None
        from sekisho.wiring.step_up import StepUpWing  # noqa: PLC0415 - packages that others need not have

        site = Site(
            settings=settings,
            given=process.given,
            vault=self._vault(),
            clocks=process.clocks,
            app=process.app,
            gate=self._gate,
            guard=self._guard,
            settler=self._settler,
            reading=process.reading,
            renderer=process.renderer,
            events=process.events,
            cookie=self._cookie,
            jitter=random.random,
            lifespan_state=lambda: process.lifespan_state,
            csrf=process.csrf,
            sessions=process.sessions,
            test=self._canary.test,
            clock_s=process.clock_s,
            caps=process.caps if self._line is None else RedisCaps(self._line, settings.namespace),
            refusals=self._refusals,
            admission=self._admission,
            patience=self._patience,
            watch=process.watch,
            daily=self._daily.limits,
            plugins=process.plugins,
            shared=self._shared,
        )
        return StepUpWing(site)


def _ages(settings: Settings) -> AgeStamps | None:
    days = settings.aged_device_days
    return AgeStamps(settings.signers, days=days, begins=not settings.factors) if days is not None else None


def _networks(listed: tuple[Network, ...]) -> Networks | None:
    return Networks(listed) if listed else None
