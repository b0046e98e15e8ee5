"""`LoginGuard`: builds the guard of an application from the settings. The only module that knows all the parts."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import random
import secrets
import time
from collections import Counter
from collections.abc import Callable
from functools import partial
from hashlib import blake2b
from threading import get_ident
from typing import TYPE_CHECKING, Any, overload
from weakref import WeakSet

from sekisho.answer import Renderer, misconfigured, refuse_websocket, send_answer
from sekisho.asgi.admission import Admission
from sekisho.asgi.asker import AskerCookie
from sekisho.asgi.body_reader import Patience
from sekisho.asgi.endpoint import NOT_THERE, Cookie, Endpoint, Reading
from sekisho.asgi.examination import Examination, Known
from sekisho.asgi.fast_path import FastPath
from sekisho.asgi.other_loop import OtherLoop, runs_asyncio
from sekisho.asgi.place_queue import PlaceQueue
from sekisho.breach.corpus_file import Corpus
from sekisho.breach.header import CorpusError
from sekisho.breach.lookup import BreachLookup
from sekisho.breach.pairs import PairDigests, Pairs
from sekisho.breach.reloadable_file import FileWatcher, ReloadableCorpus, in_thread, within
from sekisho.check import Canary, DoorReport, Probe, Result, missing_routes
from sekisho.check.advice import rule_line
from sekisho.check.canary import say_wrong
from sekisho.control import Act, Applied, ControlMac, ControlState, MemoryControl, StoredControl, follow
from sekisho.control.sockets import serve
from sekisho.crypto.random_pool import RandomPool
from sekisho.devices.asker import Askers
from sekisho.devices.token import DeviceTokens
from sekisho.judge import SuccessTrust
from sekisho.judge.gradient import GradientLimit
from sekisho.ledger.daily import DailyGuesses
from sekisho.ledger.in_flight import InFlight
from sekisho.ledger.memory import MemoryLedger
from sekisho.ledger.opening import ledger_on, open_line
from sekisho.ledger.shed import Shed
from sekisho.ledger.worker_sync import News, WorkerSync
from sekisho.model import (
    Credentials,
    Door,
    Ledger,
    LimitSet,
    Mode,
    Policy,
    SettingsError,
    StoreUnavailable,
    Unreadable,
    prevalence,
)
from sekisho.pipeline import Guard
from sekisho.read import Accounts, Addresses, Callers, Digests, Doors, MailPolicy, Networks, Resolver
from sekisho.read.paths import path_keys
from sekisho.read.request import may_hide_body, read_headers
from sekisho.record import AccountHook, Answers, Counts, EventFile, Events, RefusalLog, Subject, Subjects
from sekisho.record.subjects import counted_network
from sekisho.settings import NoFactor, Settings, StoreFailure, load
from sekisho.settings.extras import missing_extras
from sekisho.settings.load import SettingsErrors
from sekisho.settings.step_up import checks_without_session_account
from sekisho.stepup.flow.csrf_cookies import CsrfCookies
from sekisho.stepup.flow.protected_routes import as_doors
from sekisho.store.clock import StoreClock
from sekisho.store.health import Health
from sekisho.store.redis_vault import RedisVault
from sekisho.store.vault import MemoryVault

if TYPE_CHECKING:
    from collections.abc import Collection, Coroutine, Mapping

    from sekisho.asgi.types import App, Message, Receive, Scope, Send
    from sekisho.breach.hibp import Hibp
    from sekisho.model.diagnosis import Diagnosis
    from sekisho.owners import Owners
    from sekisho.settings.values import Network
    from sekisho.stepup.factors.senders import CodeHook
    from sekisho.store import AnyStoreConnection
    from sekisho.wiring.step_up import StepUpWing

log = logging.getLogger("sekisho")

SessionAccount = Callable[["Scope"], "str | None"]
"""Maps a request's scope to its session's account, as the application reads it; None where there is none."""

VAULT_ENTRIES_MAX = 50_000
VAULT_BYTES_MAX = 256 << 20

_monotonic_s = time.monotonic  # called twice for each stranger's attempt, so without a wrapper of our own

ASIDE = "sekisho.aside"
"""A key in scopes made by the guard itself: it passes them on unguarded. A client cannot set keys of a scope."""
DAY_S = 86_400
OPENED_S = 10  # a disk that is awake has opened a file by then
LAST_WORDS = frozenset({"lifespan.startup.failed", "lifespan.shutdown.complete", "lifespan.shutdown.failed"})


_guards: WeakSet[LoginGuard] = WeakSet()


def guards() -> list[LoginGuard]:
    """The guards of this process, one for each list of doors: frameworks with one stack per route create many."""
    by_doors = {guard.doors: guard for guard in _guards}
    return list(by_doors.values())


class LoginGuard:
    """ASGI middleware that guards the log-in of the application behind it.

        app.add_middleware(LoginGuard)      # Starlette, FastAPI
        app = LoginGuard(app)               # any ASGI application

    Args:
        app: the application.
        resolver: maps an account as typed to its id (user name, e-mail and phone of one account are one account), or to
            None where it is unknown.
        mail_policy: domains where dots, or the part after a plus, make no difference.
        on_change_password: called with the account (as the application reported it, else as typed) after a log-in from
            a known device with a password that has leaked. A function or a coroutine function; see `AccountHook`.
        owners: stores contacts and factors: an object (see `sekisho.owners.Owners`), or a URL as in `SEKISHO_OWNERS`.
        on_code: sends a code by the service's own channel (a text message, a push), for the factor `webhook`.
        session_account: the account of a request's session, for services whose session cookie changes with every
        answer. overrides: settings by lower-case name; they take precedence over the environment
        (`limit_ip="20/10minute"`).

    An invalid setting does not raise here, because some servers would then serve the application unguarded: the start
    is answered by `lifespan.startup.failed` with the reason, and every request by 503.
    """

    # Two overloads, because Starlette passes the application by position and Litestar by name, and one signature that
    # takes both and any setting matches neither framework's types.
    @overload
    def __init__(
        self,
        app: App,
        /,
        *,
        resolver: Resolver | None = ...,
        mail_policy: MailPolicy | None = ...,
        on_change_password: AccountHook | None = ...,
        owners: Owners | str | None = ...,
        on_code: CodeHook | None = ...,
        session_account: SessionAccount | None = ...,
        **overrides: object,
    ) -> None: ...
    @overload
    def __init__(
        self,
        *,
        app: App,
        resolver: Resolver | None = ...,
        mail_policy: MailPolicy | None = ...,
        on_change_password: AccountHook | None = ...,
        owners: Owners | str | None = ...,
        on_code: CodeHook | None = ...,
        session_account: SessionAccount | None = ...,
        **overrides: object,
    ) -> None: ...
    def __init__(  # type: ignore[misc] # a setting cannot be called `app`, which the types do not say
        self,
        app: App,
        *,
        resolver: Resolver | None = None,
        mail_policy: MailPolicy | None = None,
        on_change_password: AccountHook | None = None,
        owners: Owners | str | None = None,
        on_code: CodeHook | None = None,
        session_account: SessionAccount | None = None,
        **overrides: object,
    ) -> None:
        self._app = app
        _guards.add(self)
        self._parts: _Parts | None = None
        self._problem = ""
        people, overrides = people_of(owners, overrides)
        try:
            settings = _installed(
                load(os.environ, overrides, has_owners=people is not None, has_sender=on_code is not None)
            )
            accounts = Accounts(mail_policy or MailPolicy(), resolver)
            given = (people, on_code, session_account)
            self._parts = _Parts(app, settings, accounts, on_change_password, given)
        except SettingsError as error:
            self._problem = str(error)
            log.error("sekisho did not start: %s", error)  # noqa: TRY400 - its text is all there is to know

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        parts = self._parts
        if parts is not None and parts.fast_path.passes(scope):  # nearly every request of a service
            return await self._app(scope, receive, send)
        if scope["type"] == "lifespan":
            return await self._lifespan(scope, receive, send)
        if parts is None:
            return await self._refuse(scope, receive, send)
        if ASIDE in scope:
            return await self._app(scope, receive, send)
        if parts.examination.is_asked(scope):
            return await parts.examination(scope, receive, send)
        return await parts.middleware()(scope, receive, send)

    async def _refuse(self, scope: Scope, receive: Receive, send: Send) -> None:
        answer = Renderer(frozenset()).render(misconfigured(self._problem), scope["headers"])
        if scope["type"] == "websocket":
            return await refuse_websocket(scope, receive, send, answer)
        return await send_answer(send, answer)

    async def _lifespan(self, scope: Scope, receive: Receive, send: Send) -> None:
        parts = self._parts
        if parts is None:
            await receive()
            return await send({"type": "lifespan.startup.failed", "message": self._problem})

        parts.lifespan_state = scope.get("state", {})
        parts.around = {name: value for name, value in scope.items() if name not in {"type", "asgi"}}

        async def receive_and_start() -> Message:
            message = await receive()
            if message["type"] == "lifespan.startup" and parts.middleware() is parts.other_loop:
                parts.other_loop.tell()
            return message

        said = False

        async def stop_and_send(message: Message) -> None:
            nonlocal said
            said = True
            if message["type"] in LAST_WORDS:
                await parts.stop()
            await send(message)
            if message["type"] == "lifespan.startup.complete":
                parts.look_for_doors()

        try:
            await self._app(scope, receive_and_start, stop_and_send)
        except Exception:
            # In ASGI, an application without a lifespan (Django) raises here; the application itself is running.
            if not said:
                parts.look_for_doors()
            raise

    @property
    def doors(self) -> tuple[Door, ...]:
        """The guarded doors; empty where the guard did not start."""
        return self._parts.settings.doors if self._parts is not None else ()

    @property
    def counts(self) -> Counter[tuple[str, str, str]]:
        """A copy of this process's counts since the start: `door, event, reason` to the number of events.

        The door is empty for events of the whole service, such as `("", "store", "lost")`. The counts contain
        neither accounts nor addresses. Empty where the guard did not start.
        """
        return Counter(self._parts.events.counts if self._parts is not None else ())

    async def probe(
        self, *, known: tuple[str, str] | None = None, doors: Collection[str] = (), through: App | None = None
    ) -> list[DoorReport]:
        """Try a log-in with an invented account at each `LOGIN` door, and report what the guard would have believed.

        It bypasses the guard's counters. Without `known`, a door whose success is guessed stays unproved.

        Args:
            known: account and password of a right log-in. It really logs in.
            doors: names of other doors (`POST /reset`) to try as well.
            through: the whole application, with this guard inside; by default the application behind the guard.

        Raises:
            SettingsError: the guard did not start.
        """
        if self._parts is None:
            raise SettingsError("SEKISHO", self._problem)
        return await self._parts.probe(Credentials(*known) if known else None, doors, through)


def addresses_of(settings: Settings) -> Addresses:
    """The settings from which a request's address is determined."""
    return Addresses(
        settings.trusted_proxies,
        settings.client_ip_header,
        settings.device_headers,
        trust_unix=settings.trust_unix,
    )


class _Parts:
    """State shared by all event loops of this process: settings, this worker's own counters, its shed."""

    def __init__(
        self,
        app: App,
        settings: Settings,
        accounts: Accounts,
        on_change_password: AccountHook | None,
        given: tuple[Owners | None, CodeHook | None, SessionAccount | None],
    ) -> None:
        self.app = app
        self.given = given
        self.settings = settings
        self.mode = settings.mode
        counts = Counts()
        self.event_file = EventFile(settings.events_file, counts.add) if settings.events_file else None
        self.events = Events(
            on_change_password,
            counts=counts,
            sinks=(self.event_file,) if self.event_file is not None else (),
            subjects=Subjects(settings.secrets, accounts.canonical),
        )
        self.renderer = Renderer(settings.origins)
        self.digests = Digests(settings.secrets)
        doors = Doors(settings.doors)
        addresses = addresses_of(settings)
        self.reading = Reading(
            doors,
            Callers(addresses, self.digests),
            accounts,
            Answers(doors.all, self.events),
            body_bytes_max=settings.body_bytes_max,
            exposed_header=(settings.exposed_header or "").encode("ascii"),
        )
        self.protected = as_doors(settings.protect)
        self.fast_path = FastPath(self._is_ours)
        self.tokens = DeviceTokens(settings.signers, days=settings.device_days, oldest=settings.secrets[-1])
        self.clock_s = StoreClock(_wall_s)
        self.other_loop = OtherLoop(app, self._is_guarded, self.renderer)
        self.policy = Policy(
            account_failures_max=settings.limits.account_failures_max,
            prevalence_min=prevalence(settings.breached_min),
            work=bool(settings.challenges),
            factors=bool(settings.factors),
            refuse_without_factor=settings.no_factor is NoFactor.REFUSE,
        )
        self.leaks = _Leaks(settings, self.events)
        self.shed = Shed(_monotonic_us)
        self.control = ControlState(
            ControlMac(settings.listed, settings.namespace), self._controlled, _wall_s, self._acted
        )
        self.local_control = MemoryControl(self.control.hear)
        # Per process, not per loop: Django may check a proof in another thread than the one that asked for it.
        self.vault = MemoryVault(entries_max=VAULT_ENTRIES_MAX, bytes_max=VAULT_BYTES_MAX, clock_s=time.monotonic)
        self.own = MemoryLedger(self._own_limits(settings.workers or 1), entries_max=settings.memory_entries_max,
                                clock_us=_unix_us)  # fmt: skip
        self._running: dict[asyncio.AbstractEventLoop, _Running] = {}
        self._latest: _Running | None = None
        self._warned = False
        self.lifespan_state: Mapping[str, object] = {}
        self.csrf = CsrfCookies(settings.doors, given[2])
        self.around: Mapping[str, Any] = {}  # keys that the framework puts into all its scopes
        known = Known(self._diagnoses, self._attempts, self.missing)
        self.examination = Examination(settings.mount, settings.signers, addresses, self.renderer, known, self.clock_s)
        self.trust = SuccessTrust(
            settings.doors,
            rule_key=blake2b(settings.secrets[-1], digest_size=32, person=b"sekisho.rules").digest(),
            account_burst=min(limit.burst for limit in settings.limits.account),
            ip_burst=min(limit.burst for limit in settings.limits.ip),
        )

    def _is_ours(self, scope: Scope) -> bool:
        """Whether a request's path could be that of a door, a protected route or one of the guard's own pages."""
        try:
            keys = path_keys(scope)
        except Unreadable:  # refused regardless of its route
            return True
        mount = self.settings.mount.casefold()
        return (
            self.reading.doors.stand_at(keys)
            or self.protected.stand_at(keys)
            or any(key.startswith(mount) for key in keys)
        )

    def _is_guarded(self, scope: Scope) -> bool:
        """Whether a request would not simply be passed on, judging by its headers."""
        if self.mode is not Mode.ENFORCE:
            return False
        request, _ = read_headers(scope)
        has_body = may_hide_body(request)
        try:
            return (
                self._has_pages_at(request)
                or self.reading.doors.find(request, has_body=has_body) is not None
                or self.protected.find(request, has_body=has_body) is not None
            )
        except Unreadable:
            return True

    def _has_pages_at(self, request: Scope) -> bool:
        under = f"{self.settings.mount.casefold()}/"
        has_pages = bool(self.settings.factors or self.settings.challenges)
        return has_pages and any(key.startswith(under) for key in path_keys(request))

    def middleware(self) -> App:
        """The middleware of the running loop, started if need be."""
        running = self._latest
        # In Python 3.11 `get_running_loop` asks the kernel for the process id, at the cost of three digests, and it
        # would do so for every request of the service. A running loop of this thread is the running loop.
        if running is None or running.thread != get_ident() or not running.loop.is_running():
            if not runs_asyncio():
                return self.other_loop
            running = self._latest = self._running_here()
        return running.app

    def _running_here(self) -> _Running:
        loop = asyncio.get_running_loop()
        running = self._running.get(loop)
        if running is None:
            self._warn()
            # A loop's parts refer to the loop, so a weak reference would never be cleared.
            self._running = {one: its for one, its in self._running.items() if not one.is_closed()}
            running = self._running[loop] = _Running(self, loop)
        return running

    async def stop(self) -> None:
        self._latest = None
        if not runs_asyncio():
            return
        running = self._running.pop(asyncio.get_running_loop(), None)
        if running is not None:
            await running.stop()
        if self.event_file is not None:
            await asyncio.to_thread(self.event_file.flush)

    def hear(self, news: News) -> None:
        """Apply news from the exchange."""
        if news.anew:
            self.events.counts_anew()
        if news.at_us:
            self.clock_s.heard(news.at_us)
        for rule in self.trust.hear(news.rules):
            say_wrong(rule, rule_line(rule.door))
        self.trust.share(self.settings.workers or max(1, news.workers))
        if self.settings.workers is None:
            self.own.limits = self._own_limits(max(1, news.workers))

    def _controlled(self, applied: Applied) -> None:
        """Apply the parts of the control record that are in force."""
        self._switch()
        for running in self._running.values():
            running.set_lists(applied)

    def _acted(self, acts: tuple[Act, ...]) -> None:
        """Obey and record what operators did since the last record, each act once."""
        for act in acts:
            self.events.commanded(act.word, act.by, act.why, act.of if act.word == "mode" else "", subject_of(act))
            # Counters in the store are cleared by the command.
            self.shed.forget(act.digests)
            self.own.forget(act.digests)
            if act.of == "account":
                for running in self._running.values():
                    running.unblock(act.digests)

    def _switch(self) -> None:
        # Only the signed record: an attacker who can write to the store must not switch the guard off.
        mode = self.control.applied.mode or self.settings.mode
        if mode is not self.mode:
            log.warning("mode is now %s", mode.value)
            self.events.mode_changed(mode)
            self.mode = mode
            for running in self._running.values():
                running.switch()

    def look_for_doors(self) -> None:
        """Log which doors do not exist, once the application has started."""
        if self.settings.canary and self.mode is not Mode.OFF and runs_asyncio():
            self._running_here().look_for_doors()

    async def probe(self, known: Credentials | None, names: Collection[str], through: App | None) -> list[DoorReport]:
        around = self.around if through is None else {ASIDE: True}
        probe = Probe(through or self.app, self.settings.doors, around, secrets.token_bytes)
        reports = await probe(known, names)
        for report in reports:
            self._learn(report)
        await self._running_here().tell()
        return reports

    def _learn(self, report: DoorReport) -> None:
        rule = self.trust.rule(report.door, report.invented.basis)
        if report.result is Result.WRONG:
            self.trust.latch([rule.id])
        elif report.result is Result.GOOD:
            self.trust.prove([rule.id])

    def _own_limits(self, workers: int) -> LimitSet:
        shared = self.settings.store != "memory://"
        return self.settings.limits.shared_between(workers) if shared else self.settings.limits

    def _warn(self) -> None:
        if not self._warned:
            self._warned = True
            for diagnosis in self._diagnoses():
                log.warning("%s", diagnosis.logged)

    def _diagnoses(self) -> list[Diagnosis]:
        untold = () if self.given[2] is not None else checks_without_session_account(self.settings)
        return [*self.settings.diagnoses, *untold]

    def _attempts(self) -> dict[str, int]:
        """The number of this process's events at each door since the start."""
        attempts = {door.name: 0 for door in self.settings.doors}
        for (place, _, _), count in self.events.counts.items():
            if place in attempts:
                attempts[place] += count
        return attempts

    async def missing(self) -> list[Door]:
        """The doors that the application does not have, as far as invented log-ins may be sent to find out."""
        if not self.settings.canary or self.mode is Mode.OFF or not runs_asyncio():
            return []
        return await missing_routes(self.app, self.settings.doors, self.around, secrets.token_bytes)


class _Leaks:
    """The files of leaked passwords and pairs, shared by all event loops."""

    def __init__(self, settings: Settings, events: Events) -> None:
        self._settings = settings
        self._events = events
        digests = PairDigests(settings.pairs_key)
        self._corpus = self._live("SEKISHO_CORPUS", settings.corpus, "passwords")
        # With another key the service still starts, and look-ups of pairs answer that they cannot tell: a file
        # exchanged too early must not keep the service from restarting.
        pairs = self._live("SEKISHO_PAIRS", settings.pairs, "pairs", digests.key_id)
        self._pairs = Pairs(pairs, digests) if pairs else None
        self._lookout = FileWatcher([file for file in (self._corpus, pairs) if file], time.monotonic, in_thread)
        self._warn_of_age()

    def breaches(self, online: Hibp | None) -> BreachLookup:
        """The breach sources for one event loop."""
        return BreachLookup(
            self._corpus,
            self._pairs,
            online,
            lookout=self._lookout,
            corpus_seconds_max=self._seconds_max,
            clock_s=time.time,
        )

    def _live(self, variable: str, path: str | None, kind: str, key_id: str = "") -> ReloadableCorpus | None:
        if path is None:
            return None
        _ensure_sound(variable, path, kind)
        source = variable.removeprefix("SEKISHO_").lower()
        return ReloadableCorpus(path, kind=kind, key_id=key_id, on_change=partial(self._events.leaks_answer, source))

    @property
    def _seconds_max(self) -> int:
        return self._settings.corpus_days_max * DAY_S

    def _warn_of_age(self) -> None:
        built = self._corpus.built if self._corpus else None
        if built is not None and time.time() - built > self._seconds_max:
            log.warning(
                "SEKISHO_CORPUS: was built more than SEKISHO_CORPUS_DAYS_MAX days ago; newer leaks are not in it "
                "[SEK020]"
            )


class _Running:
    """The parts of one event loop: the connection to the store, waiting attempts, and the middleware built on them."""

    def __init__(self, parts: _Parts, loop: asyncio.AbstractEventLoop) -> None:
        self.loop = loop
        self.thread = get_ident()
        self._parts = parts
        self._line: AnyStoreConnection | None = None
        self._exchange: asyncio.Task[None] | None = None
        self._exchanging: WorkerSync | None = None
        self._control: asyncio.Task[None] | None = None
        self._health = Health(loop.call_later, parts.events.store_answers)
        self._hibp = self._online()
        self._refusals = RefusalLog(loop.call_later)
        self._looking: asyncio.Task[None] | None = None
        self._canary = Canary(
            parts.app,
            parts.trust,
            parts.events,
            shared=lambda: parts.lifespan_state,
            csrf=parts.csrf,
            may_send=self._may_send,
            clock_s=time.time,
            chance=secrets.token_bytes,
        )
        ledger = parts.own if parts.settings.store == "memory://" else self._shared_ledger()
        self._admission = Admission(
            GradientLimit(parts.settings.strangers_max or 0),
            clock_s=_monotonic_s,
            soon=loop.call_soon,
            later=loop.call_later,
        )
        self._queue = PlaceQueue(self._admission)
        self._daily = self._guesses()
        self._forgetting: asyncio.Task[None] | None = None
        self._patience = Patience(parts.settings.body_seconds_max)
        self._guard = self._pipeline(ledger)
        self.set_lists(parts.control.applied)
        self._follow_control()
        self._step_up = self._with_step_up()
        self._guarded = self._endpoint()
        self.app: App = parts.app
        self.switch()

    def switch(self) -> None:
        """Apply the current mode. `OFF` removes the guard from the path."""
        self._guarded.mode = self._parts.mode
        self.app = self._parts.app if self._parts.mode is Mode.OFF else self._guarded

    def set_lists(self, applied: Applied) -> None:
        """Apply the control record's lists, in addition to those of the settings."""
        settings = self._parts.settings
        self._guard.set_lists(_networks((*settings.allow, *applied.allow)), _networks((*settings.deny, *applied.deny)))

    def _follow_control(self) -> None:
        parts, settings = self._parts, self._parts.settings
        following: Coroutine[Any, Any, None] | None = None
        if self._line is not None:
            following = follow(StoredControl(self._line, settings.namespace), parts.control.hear)
        elif settings.control_socket is not None:
            following = serve(settings.control_socket, parts.local_control, parts.control.hear)
        if following is not None:
            self._control = self.loop.create_task(following, name="sekisho control")

    def unblock(self, digests: tuple[bytes, ...]) -> None:
        """End the step-ups under way for unblocked accounts, and forget guesses at their codes. Any thread may call."""
        if not self.loop.is_closed():
            self.loop.call_soon_threadsafe(self._unblock, digests)

    def _unblock(self, digests: tuple[bytes, ...]) -> None:
        if self._step_up is not None:
            self._step_up.end_all(digests)
        if self._daily is not None:
            self._forgetting = self.loop.create_task(self._daily.forget(digests), name="sekisho unblock")

    async def tell(self) -> None:
        """Share the state of success rules with other workers now, if the store answers."""
        if self._exchanging is not None:
            with contextlib.suppress(StoreUnavailable):
                await self._exchanging.once()

    async def stop(self) -> None:
        self._queue.close()
        self._refusals.close()
        await self._canary.aclose()
        if self._looking is not None:
            self._looking.cancel()
            await asyncio.gather(self._looking, return_exceptions=True)
        if self._step_up is not None:
            await self._step_up.aclose()
        for task in (self._exchange, self._control, self._forgetting):
            if task is not None:
                task.cancel()
                await asyncio.gather(task, return_exceptions=True)
        if self._hibp is not None:
            await self._hibp.aclose()
        if self._line is not None:
            await self._line.aclose()
        self._health.close()

    def _online(self) -> Hibp | None:
        parts, settings = self._parts, self._parts.settings
        if not settings.hibp:
            return None
        # Imported only here: it loads a web client and the system's certificates.
        from sekisho.breach.hibp import Hibp  # noqa: PLC0415

        return Hibp(url=settings.hibp_url, on_change=partial(parts.events.leaks_answer, "hibp"))

    def _shared_ledger(self) -> Ledger:
        parts, settings = self._parts, self._parts.settings
        self._line = open_line(
            settings.store,
            settings.limits,
            deadline_us=settings.store_deadline_us,
            on_change=self._health.turned,
            health=self._health,
            namespace=settings.namespace,
            bytes_max=settings.store_bytes_max,
        )
        exchange = WorkerSync(
            self._line,
            settings.namespace,
            worker=secrets.token_bytes(8),
            take_shed=parts.shed.take_refused,
            hear=parts.hear,
            rules=lambda: parts.trust.statements,
        )
        self._exchanging = exchange
        self._exchange = asyncio.get_running_loop().create_task(exchange.run(), name="sekisho exchange")
        own = parts.own if settings.on_store_failure is StoreFailure.LOCAL else None
        let_in = settings.on_store_failure is StoreFailure.OPEN
        return ledger_on(
            self._line,
            settings.store,
            settings.namespace,
            deadline_us=settings.store_deadline_us,
            own=own,
            let_in=let_in,
        )

    def _pipeline(self, ledger: Ledger) -> Guard:
        parts, settings = self._parts, self._parts.settings
        return Guard(
            ledger=ledger,
            limits=settings.limits,
            digests=parts.digests,
            tokens=parts.tokens,
            policy=parts.policy,
            shed=parts.shed,
            room=InFlight(),
            trust=parts.trust,
            allow=_networks(settings.allow),
            deny=_networks(settings.deny),
            breaches=parts.leaks.breaches(self._hibp),
            leaked_account=parts.reading.accounts.listed,
            clock_s=parts.clock_s,
            chance=RandomPool().take,
            guesses=self._daily,
        )

    def _endpoint(self) -> Endpoint:
        parts, step_up = self._parts, self._step_up
        return Endpoint(
            parts.app,
            self._guard,
            reading=parts.reading,
            renderer=parts.renderer,
            events=parts.events,
            refusals=self._refusals,
            cookie=self._cookie,
            mode=parts.mode,
            jitter=random.random,
            test=self._canary.test,
            patience=self._patience,
            admission=self._admission,
            queue=self._queue,
            asker=self._asker(),
            step_up=step_up.issuer if step_up else None,
            routes=step_up.routes if step_up else None,
        )

    def _guesses(self) -> DailyGuesses | None:
        parts, settings = self._parts, self._parts.settings
        if not _takes_codes(settings):
            return None
        local = settings.on_store_failure is StoreFailure.LOCAL
        return DailyGuesses(
            parts.vault if self._line is None else RedisVault(self._line, settings.namespace),
            parts.vault if local else None,
            let_in=settings.on_store_failure is StoreFailure.OPEN,
            guesses_max=settings.code_guesses_max,
            clock_s=_unix_s,
        )

    def _asker(self) -> AskerCookie | None:
        parts, settings = self._parts, self._parts.settings
        if not _takes_codes(settings):
            return None
        askers = Askers(_signing_first(settings), settings.namespace)
        return AskerCookie(
            askers,
            settings.doors,
            session_account=parts.given[2],
            clock_s=_unix_s,
            chance=secrets.token_bytes,
        )

    def _may_send(self) -> bool:
        """Whether the guard may send requests of its own: in monitor mode it sends none."""
        return self._parts.settings.canary and self._parts.mode is Mode.ENFORCE

    def look_for_doors(self) -> None:
        self._looking = self.loop.create_task(self._look_for_doors(), name="sekisho doors")

    async def _look_for_doors(self) -> None:
        for door in await self._parts.missing():
            log.warning(NOT_THERE, door.name, 404, f"SEKISHO_{door.kind.name}")

    @property
    def _cookie(self) -> Cookie:
        settings = self._parts.settings
        return Cookie(settings.device_cookie.encode(), settings.device_days)

    def _with_step_up(self) -> StepUpWing | None:
        parts, settings = self._parts, self._parts.settings
        if not (settings.factors or settings.challenges):
            return None
        from sekisho.wiring.step_up import Given, Site, StepUpWing  # noqa: PLC0415 - packages that others need not have

        vault = parts.vault if self._line is None else RedisVault(self._line, settings.namespace)
        site = Site(
            parts.app, self._guard, parts.reading, parts.renderer, parts.events, self._cookie,
            random.random, lambda: parts.lifespan_state, parts.csrf,
            self._canary.test, parts.clock_s, self._refusals, self._admission, self._patience,
        )  # fmt: skip
        return StepUpWing(settings, Given(*parts.given), site, vault)


def subject_of(act: Act) -> Subject:
    """The subject of an operator's act, for its event. A network is cut to one that events name."""
    network = counted_network(act.of) if act.word not in {"mode", "unblock"} else ""
    return Subject(network, act.account, act.address, act.device)


def people_of(owners: Owners | str | None, overrides: dict[str, object]) -> tuple[Owners | None, dict[str, object]]:
    """Split `owners`: an object is returned as it is, a URL becomes a setting."""
    return (None, {**overrides, "owners": owners}) if isinstance(owners, str) else (owners, overrides)


def _signing_first(settings: Settings) -> list[bytes]:
    return sorted(settings.secrets, key=settings.secrets_waiting.__contains__)


def _installed(settings: Settings) -> Settings:
    """The settings themselves. Raises `SettingsErrors` where they need packages that are not installed."""
    if mistakes := missing_extras(settings):
        raise SettingsErrors(mistakes)
    if settings.factors or settings.challenges:
        # Cryptography, pages, passkeys: a second of imports, now rather than at the first request.
        from sekisho.wiring.step_up import ensure_sound  # noqa: PLC0415 - packages that others need not have

        ensure_sound(settings)
    return settings


def _ensure_sound(variable: str, path: str, kind: str) -> None:
    """Raise `SettingsError` for a missing or damaged file at the start; later the same is treated as an outage."""
    problem = "its disk does not answer"
    try:
        if within(OPENED_S, lambda: _ensure_opens(path, kind)):
            return
    except CorpusError as error:
        problem = str(error).removeprefix(f"{path}: ")
    raise SettingsError(variable, f"names a file that cannot be used: {problem}")


def _networks(listed: tuple[Network, ...]) -> Networks | None:
    return Networks(listed) if listed else None


def _takes_codes(settings: Settings) -> bool:
    return any(door.secret_is_small for door in settings.doors)


def _ensure_opens(path: str, kind: str) -> None:
    Corpus.open(path, kind=kind)


def _unix_us() -> int:
    return time.time_ns() // 1000


def _wall_s() -> float:
    return time.time()


def _unix_s() -> float:
    return _unix_us() / 1_000_000


def _monotonic_us() -> int:
    return time.monotonic_ns() // 1000
