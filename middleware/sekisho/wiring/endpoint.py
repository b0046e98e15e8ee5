"""The endpoint of one event loop, with all that takes a request to its end."""

from __future__ import annotations

import random
import secrets
from typing import TYPE_CHECKING, Final

from sekisho.asgi.asker import AskerCookie
from sekisho.asgi.attempt_reader import AttemptReader
from sekisho.asgi.dispatch import Dispatcher
from sekisho.asgi.endpoint import Endpoint
from sekisho.asgi.endpoint_parts import Readers, StepUps
from sekisho.asgi.first_steps import FirstSteps
from sekisho.asgi.handlers import Handlers
from sekisho.asgi.log_out import LogOuts
from sekisho.asgi.other_requests import OtherRequests
from sekisho.asgi.outcome_keeper import OutcomeKeeper
from sekisho.asgi.own_answers import OwnAnswers
from sekisho.asgi.refuser import Refuser
from sekisho.devices.asker import Askers
from sekisho.wiring.daily import takes_codes

if TYPE_CHECKING:
    from collections.abc import Callable

    from sekisho.asgi.body_reader import Patience
    from sekisho.asgi.cookies import DeviceCookie
    from sekisho.asgi.endpoint_parts import Places
    from sekisho.asgi.refusal_pace import RefusalPace
    from sekisho.asgi.suspicion import Suspicion
    from sekisho.gate import Gate
    from sekisho.pipeline import Guard
    from sekisho.record import RefusalLog
    from sekisho.settings import Settings
    from sekisho.settler import Settler
    from sekisho.wiring.process import ProcessWing
    from sekisho.wiring.step_up import StepUpWing


class EndpointWing:
    """Args:
        process: the parts shared by all event loops.
        gate, guard, settler: of this event loop.
        step_up: None where the guard only refuses.
        refusals: their log.
        pace: holds refusals back while they keep the event loop busy.
        places: where strangers wait.
        cookie: carries the device token.
        patience: how long a body may take.
        test: tests a suspected success rule; returns at once.

    Attributes:
        refuser: has the guard's mode.
        endpoint: the application, guarded.
    """

    def __init__(  # noqa: PLR0913 - all parts of the event loop
        self,
        process: ProcessWing,
        gate: Gate,
        guard: Guard,
        settler: Settler,
        step_up: StepUpWing | None,
        *,
        refusals: RefusalLog,
        pace: RefusalPace,
        places: Places,
        cookie: DeviceCookie,
        patience: Patience,
        test: Callable[[Suspicion], None],
    ) -> None:
        self._process = process
        self._gate = gate
        self._guard = guard
        self._settler = settler
        self._step_up = step_up
        self._ports = step_up.ports if step_up is not None else StepUps()
        self._places = places
        self._cookie = cookie
        self._patience = patience
        self._test = test
        self._asker = _asker(process)
        self._keeper = self._outcome_keeper()
        self.refuser: Final = self._refuser(refusals, pace)
        self.endpoint: Final = self._endpoint()

    def _endpoint(self) -> Endpoint:
        process, attempts = self._process, self._attempt_reader()
        return Endpoint(
            process.app,
            self._gate,
            self._guard,
            readers=Readers(process.reading, attempts, self._patience, process.mark, self._asker),
            handlers=self._handlers(attempts),
            admission=self._places.admission,
            step_ups=self._ports,
            events=process.events,
            judges_browsers=process.watch is not None or self._places.shared is not None,
        )

    def _handlers(self, attempts: AttemptReader) -> Handlers:
        process, dispatcher = self._process, self._dispatcher()
        return Handlers(
            self.refuser,
            dispatcher,
            self._own_answers(dispatcher),
            LogOuts(process.app, process.renderer, self._cookie, self._ports.consequences),
            self._other_requests(),
            self._first_steps(attempts),
        )

    def _first_steps(self, attempts: AttemptReader) -> FirstSteps | None:
        process = self._process
        if not any(door.name_first for door in process.settings.doors):
            return None
        return FirstSteps(process.app, attempts, process.sessions, process.events.anomaly, process.clocks.monotonic_us)

    def _refuser(self, refusals: RefusalLog, pace: RefusalPace) -> Refuser:
        process = self._process
        return Refuser(
            callers=process.reading.callers,
            renderer=process.renderer,
            events=process.events,
            log=refusals,
            pace=pace,
            jitter=random.random,
            mode=process.mode,
        )

    def _dispatcher(self) -> Dispatcher:
        asks = self._ports.asks
        return Dispatcher(
            self._process.app,
            self._settler,
            self._keeper,
            self.refuser,
            places=self._places,
            step_ups=self._ports,
            asker=self._asker,
            holds=self._process.watch is not None and asks is not None and asks.proves,
        )

    def _own_answers(self, dispatcher: Dispatcher) -> OwnAnswers:
        return OwnAnswers(
            self._guard,
            self._settler,
            self._keeper,
            reading=self._process.reading,
            events=self._process.events,
            refuser=self.refuser,
            dispatcher=dispatcher,
            step_ups=self._ports,
            asker=self._asker,
        )

    def _outcome_keeper(self) -> OutcomeKeeper:
        process = self._process
        return OutcomeKeeper(
            self._settler,
            self._guard.devices,
            reading=process.reading,
            renderer=process.renderer,
            events=process.events,
            admission=self._places.admission,
            cookie=self._cookie,
            test=self._test,
            clock_s=process.clock_s,
            consequences=self._ports.consequences,
            watch=process.watch,
        )

    def _attempt_reader(self) -> AttemptReader:
        process = self._process
        return AttemptReader(
            process.reading,
            process.events,
            patience=self._patience,
            cookie_start=self._cookie.start,
            sessions=process.sessions,
            carries=self._step_up is not None,
        )

    def _other_requests(self) -> OtherRequests:
        process, step_up = self._process, self._step_up
        return OtherRequests(
            process.app,
            self._gate,
            callers=process.reading.callers,
            renderer=process.renderer,
            events=process.events,
            jitter=random.random,
            mark=process.mark,
            fresh=self._ports.fresh,
            caps=step_up.caps if step_up else None,
            changes=step_up.changes if step_up else None,
            unnamed=process.unnamed,
        )


def _asker(process: ProcessWing) -> AskerCookie | None:
    settings = process.settings
    if not takes_codes(settings):
        return None
    askers = Askers(_signing_first(settings), settings.namespace)
    return AskerCookie(
        askers,
        settings.doors,
        sessions=process.sessions,
        clock_s=process.clocks.wall_s,
        chance=secrets.token_bytes,
    )


def _signing_first(settings: Settings) -> list[bytes]:
    return sorted(settings.secrets, key=settings.secrets_waiting.__contains__)
