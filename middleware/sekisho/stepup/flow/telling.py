"""Tells owners what happened at their account: changes that the application has made, and what strangers tried.

A change is told before its answer has left: an attacker who can crash the worker must not keep the owner from hearing
of it. All else is told beside the answer, which waits for nothing and so shows nothing of the account.
"""

from __future__ import annotations

import asyncio
import logging
from contextvars import ContextVar
from typing import TYPE_CHECKING, Final, NamedTuple

from sekisho.devices.token import browser_name
from sekisho.model import DoorKind, Outcome, SekishoError, StoreUnavailable
from sekisho.read import from_start
from sekisho.read.request import headers_by_name
from sekisho.read.response.head import readable
from sekisho.tasks import TaskSet

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from sekisho.asgi.types import Message, Scope, Send
    from sekisho.crypto.vault_keys import VaultKeys
    from sekisho.model import Attempt, Door
    from sekisho.owners import Contact
    from sekisho.stepup.factors import Factors
    from sekisho.stepup.factors.senders import Senders
    from sekisho.stepup.flow.protected_routes import Protection
    from sekisho.store.vault import Vault

log = logging.getLogger("sekisho")

FAILURES, LINK = "failures", "link"
KIND_OF: Final = {FAILURES: "failed_attempts", LINK: "link_attempted"}
"""The notices that a stranger can cause, by the words of `SEKISHO_STRANGER_NOTICES`."""

WEEK_S: Final = 7 * 86_400
MONTH_S: Final = 30 * 86_400
DAY_S: Final = 86_400
AT_ONCE: Final = 8
"""Look-ups for notices that strangers cause, under way at once: more would take the log-ins' connections."""

_CHANGED: Final = {"address": "address_changed", "payout": "payout_changed"}


_BEFORE: ContextVar[Contact | None] = ContextVar("sekisho_before", default=None)
"""The owner's contact before this request changes their address."""


class NoticeMeans(NamedTuple):
    """What notices need besides the owner.

    Attributes:
        vault: counts notices.
        keys: the vault's.
        strangers: of `KIND_OF`, the notices that strangers may cause.
        strangers_max: such notices of the whole site in a day.
        clock_s: Unix time.
        address_of: the client's address, by the request.
    """

    vault: Vault
    keys: VaultKeys
    strangers: frozenset[str]
    strangers_max: int
    clock_s: Callable[[], float]
    address_of: Callable[[Scope], str]


class NoticeCause(NamedTuple):
    """The client that caused a notice. `address`: only its network is written."""

    browser: str
    address: str

    def __repr__(self) -> str:
        return "NoticeCause(...)"


class OwnerTelling:
    """Belongs to one event loop."""

    def __init__(self, factors: Factors, senders: Senders, protection: Protection, means: NoticeMeans) -> None:
        self._factors = factors
        self._senders = senders
        self._protection = protection
        self._means = means
        self._tasks = TaskSet()
        self._over_cap: set[str] = set()  # accounts whose owners are being told
        self._telling: dict[int, asyncio.Task[None]] = {}  # by request: the id of its scope, which outlives the entry
        self.watches: Final = protection.has_notices

    async def aclose(self) -> None:
        await self._tasks.ended()

    # Changes that the application has made.

    def changed(self, scope: Scope, attempt: Attempt, account: str) -> None:
        """Begin to tell the owner that an attempt at a `CHANGE`, `RESET` or `LINK` door has succeeded.

        Args:
            scope: of the request.
            attempt: the change.
            account: the account that the application reported, else the attempt's.
        """
        kinds = _kinds(attempt)
        if not kinds:
            return
        sessions = self._protection.accounts_learnt(scope, int(self._means.clock_s()))
        # A link concerns both accounts. A form for logged-in users often names none: then it is the session's.
        names = {account, *sessions} if attempt.door.kind is DoorKind.LINK else {account or next(iter(sessions), "")}
        self._begin(scope, names - {""}, kinds, _client(scope, attempt.origin.address), _BEFORE.get())

    async def changing(self, scope: Scope, send: Send, door: Door, account: str) -> Send:
        """Return the `send` for an attempt at a `CHANGE`, `RESET` or `LINK` door.

        An answer's last message leaves after the owner's notice is kept. Only answers to successful changes
        wait: these differ from others anyhow.
        """
        sessions = await self._protection.accounts(scope, int(self._means.clock_s()))
        name = account or next(iter(sessions), "")
        _BEFORE.set(await self._contact(door, name))
        return self._sending(scope, send)

    async def watching(self, scope: Scope, send: Send, *, has_body: bool) -> Send:
        """Return a `send` that tells the owner of a success at a protected route with a notice; elsewhere `send`."""
        found = self._protection.noticed(scope, has_body=has_body)
        if found is None:
            return send
        door, accounts = found, await self._protection.accounts(scope, int(self._means.clock_s()))
        before = await self._contact(door, next(iter(accounts), ""))
        after = self._sending(scope, send)

        async def watch(message: Message) -> None:
            if message["type"] == "http.response.start":
                message = readable(message)
                outcome = from_start(door, message["status"], list(message.get("headers", ())), scope)
                if outcome is Outcome.SUCCEEDED:
                    client = _client(scope, self._means.address_of(scope))
                    self._begin(scope, accounts, (_CHANGED[door.notice],), client, before)
            await after(message)

        return watch

    def _sending(self, scope: Scope, send: Send) -> Send:
        key = id(scope)

        async def send_after(message: Message) -> None:
            if key in self._telling and not message.get("more_body", False) and message["type"] != _START:
                await asyncio.wait((self._telling[key],))
            await send(message)

        return send_after

    async def _contact(self, door: Door, account: str) -> Contact | None:
        """The owner's contact before the application changes the address: the earlier one must hear of it."""
        if door.notice != "address" or not account:
            return None
        try:
            return (await self._factors.owner(account)).contact
        except SekishoError:
            return None  # told to the address afterwards, at least

    def _begin(
        self,
        scope: Scope,
        accounts: Iterable[str],
        kinds: Iterable[str],
        client: NoticeCause,
        before: Contact | None,
    ) -> None:
        key, task = id(scope), self._tasks.start(self._tell_all(tuple(accounts), kinds, client, before))
        self._telling[key] = task
        task.add_done_callback(lambda _: self._telling.pop(key, None))

    async def _tell_all(
        self, accounts: Iterable[str], kinds: Iterable[str], client: NoticeCause, before: Contact | None
    ) -> None:
        for account in accounts:
            try:
                owner = await self._factors.owner(account)
                for kind in kinds:
                    self._senders.happened(owner, kind, browser=client.browser, network=client.address, before=before)
            except SekishoError as error:
                log.warning("an owner was not told of a change: %s", type(error).__name__)
                continue
            await self._senders.kept(owner.account_id)

    # What happened beside.

    def breached(self, scope: Scope, account: str, address: str) -> None:
        """Tell the owner of a log-in with a leaked password, once in a month: they may log in every day."""
        self._tasks.start(self._once("password_breached", account, _client(scope, address), MONTH_S))

    def cap_reached(self, scope: Scope, account: str) -> None:
        """Tell the owner, beside the answer, that their session asked for a payment above a cap.

        One look-up of an account at a time: a session with a proof costs an attacker nothing, and a thousand such
        requests would take the connections of other owners' log-ins.
        """
        if account not in self._over_cap:
            self._over_cap.add(account)
            client = _client(scope, self._means.address_of(scope))
            self._tasks.start(self._tell_of_cap(account, client))

    def tried(self, word: str, scope: Scope, account: str, address: str) -> None:
        """Tell the owner of a stranger's attempt of the kind `word`, if the site wants that told.

        Each kind is told once in a week, and to no more than so many owners in a day.

        Without these bounds a stranger could have the site mail all its owners.
        """
        if word in self._means.strangers and account and len(self._tasks) < AT_ONCE:
            self._tasks.start(self._tried(KIND_OF[word], account, _client(scope, address)))

    async def _tried(self, kind: str, account: str, client: NoticeCause) -> None:
        await self._once(kind, account, client, WEEK_S, budget=self._means.strangers_max)

    async def _once(self, kind: str, account: str, client: NoticeCause, seconds: int, *, budget: int = 0) -> None:
        """Tell it unless it was told within so many seconds, or the day's budget is used up (0: there is none)."""
        means = self._means
        try:
            owner = await self._factors.owner(account)
            if owner.contact is None or not await means.vault.once(
                means.keys.of(b"notice told", kind, owner.counted_by), seconds=seconds
            ):
                return
            if budget and await means.vault.count(means.keys.of(b"notices by day"), seconds=DAY_S) > budget:
                return
        except (SekishoError, StoreUnavailable):
            return  # the next such event tells it
        self._senders.happened(owner, kind, browser=client.browser, network=client.address)

    async def _tell_of_cap(self, account: str, client: NoticeCause) -> None:
        try:
            owner = await self._factors.owner(account)
        except SekishoError:
            return
        finally:
            self._over_cap.discard(account)
        self._senders.happened(owner, "cap_reached", browser=client.browser, network=client.address)


_START: Final = "http.response.start"
_PASSWORD: Final = "password_changed"  # noqa: S105 - the kind of a notice


def _kinds(attempt: Attempt) -> tuple[str, ...]:
    """The notices of a successful attempt. Any client can ask for a reset, which changes nothing yet."""
    door = attempt.door
    kinds = (_CHANGED[door.notice],) if door.notice else ()
    if door.kind is DoorKind.LINK:
        return (*kinds, "link_added")
    return (*kinds, _PASSWORD) if sets_password(attempt) else kinds


def sets_password(attempt: Attempt) -> bool:
    """Whether the success of an attempt has changed the account's password."""
    door = attempt.door
    if door.kind is DoorKind.LINK:
        return False
    return bool(attempt.new_secret) or (not door.notice and (door.kind is DoorKind.CHANGE or bool(attempt.secret)))


def _client(scope: Scope, address: str) -> NoticeCause:
    return NoticeCause(browser_name(headers_by_name(scope["headers"]).get(b"user-agent", b"")), address)
