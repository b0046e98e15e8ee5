"""`LoginGuard`: the ASGI application that stands in front of a service's own."""

from __future__ import annotations

import inspect
import logging
import os
import sys
from collections import Counter
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar, Unpack, overload
from weakref import WeakSet

from sekisho.answer import Renderer, misconfigured, refuse_websocket, send_answer
from sekisho.asgi.metrics_listener import ensure_usable
from sekisho.asgi.stacked import ASIDE
from sekisho.model import Credentials, SettingsError
from sekisho.read import Accounts, MailPolicy
from sekisho.settings import load, table
from sekisho.wiring.checks import diagnoses_of
from sekisho.wiring.clocks import MACHINE
from sekisho.wiring.feedback import SERVICE, NamedAccount, named_account
from sekisho.wiring.given import Given
from sekisho.wiring.loops import EventLoops
from sekisho.wiring.own_mount import own_mount
from sekisho.wiring.process import ProcessWing

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping

    from sekisho.asgi.session_account import SessionAccount
    from sekisho.asgi.types import App, Message, Receive, Scope, Send
    from sekisho.check import DoorReport
    from sekisho.ledger.memory import MemoryLedger
    from sekisho.mail.mailer import Deliver
    from sekisho.model import Door
    from sekisho.owners import Owners
    from sekisho.read import Resolver
    from sekisho.record import AccountHook
    from sekisho.settings import Settings
    from sekisho.settings.listening import Listening
    from sekisho.settings.overrides import Overrides
    from sekisho.stepup.factors.senders import CodeHook
    from sekisho.wiring.clocks import Clocks
    from sekisho.wiring.feedback import Feedback
    from sekisho.wiring.given import PuzzleSize

log = logging.getLogger("sekisho")

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
        on_code: sends a code by the service's own channel (a text message, a push), for the factor `webhook`. A
            coroutine function, or a function that does not block.
        session_account: the account of a request's session, for services whose session cookie changes with every
            answer, and for codes that are tried without a name. A function that does not block, or a coroutine
            function, which gets two seconds.
        on_not_me: called with the account (as its owner typed it) when the owner answers a notice with *no, it was not
            me*: end its sessions, and have its owner choose another password at the next log-in.
        overrides: settings by lower-case name; they take precedence over the environment (`limit_ip="20/10minute"`).

    An invalid setting does not raise here, because some servers would then serve the application unguarded: the start
    is answered by `lifespan.startup.failed` with the reason, and every request by 503.
    """

    _clocks: ClassVar[Clocks] = MACHINE
    _prescribed: ClassVar[Overrides] = {}  # settings that take precedence over all others: test suites set them
    _puzzle_size: ClassVar[PuzzleSize | None] = None
    _chance: ClassVar[Callable[[], float] | None] = None
    _counters: ClassVar[MemoryLedger | None] = None
    _deliver: ClassVar[Deliver | None] = None

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
        on_not_me: AccountHook | None = ...,
        **overrides: Unpack[Overrides],
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
        on_not_me: AccountHook | None = ...,
        **overrides: Unpack[Overrides],
    ) -> None: ...
    def __init__(
        self,
        app: App,
        *,
        resolver: Resolver | None = None,
        mail_policy: MailPolicy | None = None,
        on_change_password: AccountHook | None = None,
        owners: Owners | str | None = None,
        on_code: CodeHook | None = None,
        session_account: SessionAccount | None = None,
        on_not_me: AccountHook | None = None,
        **overrides: Unpack[Overrides],
    ) -> None:
        self._app = app
        self._own_mount = own_mount(app)
        _guards.add(self)
        given_owners, self._overrides = owners_of(owners, overrides)
        # Of the class: a function in an instance would be bound.
        size, chance, deliver = type(self)._puzzle_size, type(self)._chance, type(self)._deliver  # noqa: SLF001
        self._given = Given(given_owners, on_code, session_account, on_not_me, size, chance, self._counters, deliver)
        self._mail_policy = mail_policy or MailPolicy()
        self._resolver = resolver
        self._on_change_password = on_change_password
        self._retired: list[EventLoops] = []
        self._start()

    def _start(self) -> None:
        self._loops: EventLoops | None = None
        self._problem = ""
        given, self._obeys = self._given, self._prescribed
        chosen = {**self._overrides, **self._obeys}
        try:
            _ensure_asgi(self._app)
            settings = load(
                os.environ,
                chosen,
                argv=sys.argv,
                has_owners=given.owners is not None,
                has_sender=given.on_code is not None,
                has_session_account=given.session_account is not None,
            )
            diagnoses = diagnoses_of(settings)
            _ensure_openable(settings)
            accounts = Accounts(self._mail_policy, self._resolver, parts=settings.account_parts)
            process = ProcessWing(
                self._app,
                settings,
                accounts,
                self._on_change_password,
                given,
                self._clocks,
                diagnoses=diagnoses,
                means=(settings, given, self._mail_policy, self._resolver, self._on_change_password),
            )
            self._loops = EventLoops(process)
        except SettingsError as error:
            self._problem = str(error)
            log.error("sekisho did not start: %s", error)  # noqa: TRY400 - its text is all there is to know
            if "secret" not in chosen:
                _tell_of_file()

    def _follow(self) -> None:
        """Start again if the settings that all guards are prescribed have changed; see `prescribe`."""
        if self._obeys is self._prescribed:
            return
        before = self._loops
        self._start()
        if before is None:
            return
        for writer in before.process.writers:
            writer.flush()
        # Their connections and tasks end with the server, which may serve several tests.
        self._retired = [one for one in (*self._retired, before) if one.is_running]
        if self._loops is not None:
            self._loops.process.lifespan_state = before.process.lifespan_state
            self._loops.process.around = before.process.around

    @property
    def problem(self) -> str:
        """Why the guard did not start; empty if it did."""
        return self._problem

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if self._own_mount and "path" in scope:
            scope = {**scope, "root_path": self._own_mount}
        loops = self._loops
        if loops is not None and loops.process.fast_path.passes(scope):  # nearly every request of a service
            return await self._app(scope, receive, send)
        if scope["type"] == "lifespan":
            return await self._lifespan(scope, receive, send)
        if loops is None:
            return await self._refuse(scope, receive, send)
        if ASIDE in scope and loops.process.stands_aside(scope[ASIDE]):
            return await self._app(scope, receive, send)
        # Not asked for attempts, which are no GET: a flood of them pays for each step here.
        if scope.get("method") == "GET" and (page := loops.page(scope)) is not None:
            return await page(scope, receive, send)
        return await loops.middleware()(scope, receive, send)

    async def _refuse(self, scope: Scope, receive: Receive, send: Send) -> None:
        answer = Renderer(frozenset()).render(misconfigured(self._problem), scope["headers"])
        if scope["type"] == "websocket":
            return await refuse_websocket(scope, receive, send, answer)
        return await send_answer(send, answer)

    async def _lifespan(self, scope: Scope, receive: Receive, send: Send) -> None:
        loops = self._loops
        if loops is None:
            await receive()
            return await send({"type": "lifespan.startup.failed", "message": self._problem})

        process = loops.process
        process.lifespan_state = scope.get("state", {})
        process.around = {name: value for name, value in scope.items() if name not in {"type", "asgi"}}

        async def receive_and_start() -> Message:
            message = await receive()
            if message["type"] == "lifespan.startup" and loops.middleware() is process.other_loop:
                process.other_loop.tell()
            return message

        said = False

        async def stop_and_send(message: Message) -> None:
            nonlocal said
            said = True
            if message["type"] in LAST_WORDS:
                await self._stop()
            await send(message)
            if message["type"] == "lifespan.startup.complete":
                loops.look_for_doors()

        try:
            await self._app(scope, receive_and_start, stop_and_send)
        except Exception:
            # In ASGI, an application without a lifespan (Django) raises here; the application itself is running.
            if not said:
                loops.look_for_doors()
            raise

    async def _stop(self) -> None:
        for loops in (*self._retired, self._loops):
            if loops is not None:
                await loops.stop()

    @property
    def doors(self) -> tuple[Door, ...]:
        """The guarded doors; empty where the guard did not start."""
        return self._loops.process.settings.doors if self._loops is not None else ()

    @property
    def counts(self) -> Counter[tuple[str, str, str]]:
        """A copy of this process's counts since the start: `door, event, reason` to the number of events.

        The door is empty for events of the whole service, such as `("", "store", "lost")`. The counts contain
        neither accounts nor addresses. Empty where the guard did not start.
        """
        return Counter(self._loops.process.events.counts if self._loops is not None else ())

    async def report_takeover(self, account: str, *, why: str = "", keep_devices: bool = False) -> None:
        """Report that somebody else has got into an account, as its owner or your own analysis says.

        Within a second, on every worker: no device is known there any more, its history is forgotten, step-ups under
        way end, and each log-in with a password is asked for a proof, for `SEKISHO_DEVICE_DAYS`. Devices that show one
        from then on are spared. End the account's sessions, and have its owner choose another password.

        Args:
            account: as its owner types it.
            why: a reason, for the event; no names.
            keep_devices: spare devices that have shown a proof before, the thief's too if one was passed on to it.

        Raises:
            SettingsError: the guard did not start.
            ValueError: no account can have this name, or the reason is too long.
            SekishoError: 2,000 accounts are asked for a proof already.
            StoreUnavailable: it may or may not be done; report it again.
        """
        named = self._named(account)
        await self._feedback.takeover(named, by=SERVICE, why=why, keep_devices=keep_devices)

    async def report_false_alarm(self, account: str, *, address: str = "", why: str = "") -> None:
        """Report that the guard has refused or asked an owner who was right.

        Counters and waits of the account begin anew, and no report or campaign asks it for a proof any more. With an
        address, its counters begin anew too, and it leaves the feed. An attacker's guesses are counted from zero again,
        so identify the owner first.

        Args:
            account: as its owner types it.
            address: the address from which the owner was refused; empty for none.
            why: a reason, for the event; no names.

        Raises:
            as `report_takeover`; ValueError also for a text that is no address.
        """
        named = self._named(account)
        await self._feedback.false_alarm(named, address, by=SERVICE, why=why)

    @property
    def _feedback(self) -> Feedback:
        if self._loops is None:
            raise SettingsError("SEKISHO", self._problem)
        return self._loops.feedback

    def _named(self, account: str) -> NamedAccount:
        if self._loops is None:
            raise SettingsError("SEKISHO", self._problem)
        process = self._loops.process
        return named_account(account, process.reading.accounts, process.subjects)

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
        if self._loops is None:
            raise SettingsError("SEKISHO", self._problem)
        return await self._loops.probe(Credentials(*known) if known else None, doors, through)


def on_clocks(
    clocks: Clocks,
    *,
    puzzle_size: PuzzleSize | None = None,
    chance: Callable[[], float] | None = None,
    counters: MemoryLedger | None = None,
    deliver: Deliver | None = None,
) -> type[LoginGuard]:
    """Return a subclass of `LoginGuard` that reads other clocks, for simulations and tests.

    It is a class, so that it can be given to `add_middleware`. Its settings are those that it is given, even if a test
    suite prescribes others for `LoginGuard`.

    Args:
        clocks: replace the machine's.
        puzzle_size: replaces `sekisho.challenge.work.difficulty`, so that simulated browsers need not compute for long.
        chance: replaces the system's randomness in when a code is handed to `on_code`, so that a run can be repeated.
        counters: guards with the same counters count together, as services with one store, namespace and secret do.
        deliver: takes letters in place of the mail relay.
    """
    replaced: dict[str, object] = {
        "_clocks": clocks,
        "_prescribed": {},
        "_puzzle_size": puzzle_size,
        "_chance": chance,
        "_counters": counters,
        "_deliver": staticmethod(deliver) if deliver is not None else None,
    }
    return type("LoginGuard", (LoginGuard,), replaced)


def prescribe(settings: Overrides, clocks: Clocks = MACHINE) -> list[LoginGuard]:
    """Prescribe settings and clocks for all guards, now and later, and return those of now. For test suites.

    Guards that obeyed another prescription start again; with `memory://` they count from zero. A new dictionary is
    another prescription, even with the same contents.
    """
    LoginGuard._prescribed, LoginGuard._clocks = settings, clocks  # noqa: SLF001 - of this module
    every = list(_guards)
    for guard in every:
        guard._follow()  # noqa: SLF001 - of this module
    return every


def owners_of(
    owners: Owners | str | None, overrides: Mapping[str, object]
) -> tuple[Owners | None, Mapping[str, object]]:
    """Split the argument `owners` into an object and the settings: an object is returned with the overrides unchanged.

    A URL is returned as the setting `owners` in the overrides, and the object is None.
    """
    return (None, {**overrides, "owners": owners}) if isinstance(owners, str) else (owners, overrides)


def _tell_of_file() -> None:
    """Say that settings in a file `.env` have not arrived, if none has: neither Python nor most servers read it."""
    with suppress(OSError):  # a folder that this user may not look into
        if Path(".env").is_file() and not any(name.startswith("SEKISHO_") for name in os.environ):
            log.error(
                "a file .env is in this folder, and no SEKISHO_ variable is set: start the server with it, as by "
                "`uvicorn --env-file .env`"
            )


def _ensure_asgi(app: object) -> None:
    """Raise `SettingsError` for an application that no ASGI server could call, such as Flask's."""
    if not _takes_asgi(app):
        raise SettingsError(
            "LoginGuard",
            "was given what is no ASGI application; of WSGI (Flask) it needs an adapter: "
            "LoginGuard(WSGIMiddleware(app)), with WSGIMiddleware of the package a2wsgi",
        )


def _takes_asgi(app: object) -> bool:
    """Whether an application can be called with scope, receive and send, as far as its signature tells."""
    if not callable(app):
        return False
    try:
        signature = inspect.signature(app)
    except Exception:  # noqa: BLE001 - compiled, or Python 3.14 evaluates annotations whose imports are for types alone
        return True
    try:
        signature.bind(None, None, None)
    except TypeError:
        return False
    return True


def _ensure_openable(settings: Settings) -> None:
    """Raise `SettingsError` for a place, an exporter or a file that this process cannot use."""
    if settings.metrics_listen is not None:
        _ensure_usable(settings.metrics_listen)
    if settings.otel:
        from sekisho.wiring.otel import ensure_exportable  # noqa: PLC0415 - a package that others need not have

        ensure_exportable(os.environ)
    if settings.factors or settings.challenges:
        # Cryptography, pages, passkeys: a second of imports, now rather than at the first request.
        from sekisho.wiring.step_up import import_early  # noqa: PLC0415 - packages that others need not have

        import_early(settings)


def _ensure_usable(place: Listening) -> None:
    try:
        ensure_usable(*place)
    except OSError as error:
        raise SettingsError(
            table.METRICS_LISTEN.variable, f"cannot be used here: {os.strerror(error.errno or 0)}"
        ) from None
