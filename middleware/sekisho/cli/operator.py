"""Shared by an operator's commands: the service's settings, its control record, and the operator's name."""

from __future__ import annotations

import getpass
import json
import logging
import os
import platform
import re
import secrets
import sys
import time
from contextlib import asynccontextmanager, contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, NamedTuple

from sekisho.cli.environment import ensure_secret
from sekisho.cli.right_service import warn_of_other_service
from sekisho.cli.usage import Misused
from sekisho.control import ControlMac, StoredControl, change, earlier_in, record_in
from sekisho.control.acts import TEXT_BYTES_MAX
from sekisho.control.claim import CLAIM_S, Claim, ClaimMac, ClaimTaken, Holder
from sekisho.control.earlier import EarlierWorkers
from sekisho.control.sockets import SocketControl
from sekisho.feed import FeedReader
from sekisho.ledger.counters import SocketCounters, StoredCounters
from sekisho.ledger.opening import open_line
from sekisho.ledger.worker_sync import SyncKeys
from sekisho.model import SekishoError, StoreRefuses, StoreUnavailable
from sekisho.settings import load
from sekisho.settings.store import MEMORY
from sekisho.settings.table import STORE
from sekisho.store import refusals_told

try:
    import pwd
except ModuleNotFoundError:  # Windows
    pwd = None  # type: ignore[assignment]

if TYPE_CHECKING:
    import argparse
    from collections.abc import AsyncIterator, Callable, Iterator, Mapping

    from sekisho.control import Act, ControlPlace, ControlRecord
    from sekisho.ledger.counters import CounterPlace
    from sekisho.settings import Settings
    from sekisho.store import AnyStoreConnection

DEADLINE_US = 10_000_000  # an operator waits longer than a log-in, above all during a flood
LOST = "SEKISHO_STORE does not answer (`sekisho doctor` looks for the reason)"
SAID = "SEKISHO_STORE cannot be used, for the reason above"
UNHEARD = "the process at SEKISHO_CONTROL_SOCKET does not answer: does it run, as this user?"
SOCKETLESS = "with SEKISHO_STORE=memory:// this needs SEKISHO_CONTROL_SOCKET, here and in the service"
STORELESS = (
    "SEKISHO_STORE is not set here: run this with the environment of the service. A service that has none counts in "
    "memory, and is reached by SEKISHO_CONTROL_SOCKET, here and in the service"
)
UNDONE = "; nothing was done"
DOUBTFUL = "; a change may or may not be done"
NOT_OURS = (
    "the store holds a control record that this SEKISHO_SECRET has not signed: if it is not the secret of the service, "
    "no worker follows, and a change removes what the record held\n"
)
NO_WORKERS = (
    "no worker was heard in the last minute at this SEKISHO_STORE under this SEKISHO_NAMESPACE: if the service runs, "
    "these are not its own, and no worker follows\n"
)
_SECONDS = {"s": 1, "m": 60, "h": 3_600, "d": 86_400}
_SPAN = re.compile(r"([0-9]{1,9})([smhd])")


class Unreachable(SekishoError):  # noqa: N818 - a state of the service, not of the program
    """The service's control record cannot be reached."""


class AnotherOperator(SekishoError):  # noqa: N818 - a state of the service, not of the program
    """Another operator does the same work at this moment."""


class NotConfirmed(SekishoError):  # noqa: N818 - an answer, not a mistake of the program
    """The operator did not confirm."""


def settings() -> Settings:
    """The settings of the service, from its environment. Raises `SettingsErrors`."""
    ensure_secret(os.environ)
    return settings_in(os.environ)


def settings_in(environ: Mapping[str, str]) -> Settings:
    """The settings that a service with this environment would have. Raises `SettingsErrors`."""
    # The application may give LoginGuard its owners and senders as objects, which cannot be seen from here.
    return load(environ, has_owners="SEKISHO_OWNERS" not in environ, has_sender=True, has_session_account=True)


def _taken(holder: Holder | None) -> str:
    who = "another operator" if holder is None else holder.by
    since = "" if holder is None else f" since {moment(holder.at_s)}"
    return (
        f"nothing was done: {who} is at it{since}. Run this again when that is done; "
        f"if that process was killed, its claim ends within {CLAIM_S} seconds"
    )


class Desk(NamedTuple):
    """What an operator's command works with.

    Attributes:
        settings: the service's.
        place: keeps the control record.
        mac: signs it.
        line: to the store; None with `memory://`.
        where: the text about a service that does not answer.
    """

    settings: Settings
    place: ControlPlace
    mac: ControlMac
    line: AnyStoreConnection | None
    where: str

    @property
    def counters(self) -> CounterPlace:
        """The way to the service's counters: in the store, or through the control socket of its one process."""
        if self.line is not None:
            return StoredCounters(self.line, self.settings.store, self.settings.namespace)
        return SocketCounters(SocketControl(self.settings.control_socket or "").look)

    @property
    def earlier(self) -> EarlierWorkers | None:
        """The way to tell workers of earlier versions; None without a store, where there can be none."""
        return EarlierWorkers(self.line, self.settings.namespace) if self.line is not None else None

    @property
    def feed(self) -> FeedReader | None:
        """The feed of refused addresses; None where the service has none."""
        settings = self.settings
        if self.line is None or not settings.feed:
            return None
        return FeedReader.of(settings, self.line, time.time)

    async def record(self) -> ControlRecord:
        """The record in force, with all acts that are kept, those beside it too.

        Raises `ControlError`, `StoreUnavailable`.
        """
        record = record_in(await self.place.get(), self.mac)
        return replace(record, acts=(*earlier_in(await self.place.earlier(), self.mac), *record.acts))

    async def warn(self, *, changes: bool = False) -> None:
        """Warn on standard error of settings that are not those of the service.

        For every command, once its line is known to be right and before it changes anything. Raises `Unreachable`,
        which says that nothing was done.

        `changes`: the command goes on to change something. Raises `Unreachable` as well where the service has another
        secret: its workers would not follow, and what operators had set would be lost with the record that is replaced.
        """
        with answering(self.where, UNDONE):
            has_another_secret = await self._warn()
        if changes and has_another_secret:
            raise Unreachable("nothing was done: under this SEKISHO_SECRET no worker would follow")

    async def _warn(self) -> bool:
        """Warn, and return whether the service has another secret."""
        signed = await self.place.get()
        if signed and self.mac.verified(signed) is None:
            sys.stderr.write(NOT_OURS)
        return self.line is not None and await warn_of_other_service(self.settings, self.line)

    async def say_unheard(self) -> None:
        """Warn on standard error, after a change, if no worker of the service is running that could follow it."""
        workers = SyncKeys.of(self.settings.namespace).workers
        if self.line is not None and not await self.line.execute(b"ZCARD", workers):
            sys.stderr.write(NO_WORKERS)

    async def do(self, act: Act, changed: Callable[[ControlRecord], ControlRecord]) -> ControlRecord:
        """Change the control record, and have all workers obey `act`, to which the operator's name is added.

        `warn` comes first: it refuses where no worker would follow. Returns the new record. Raises `ControlError`,
        `StoreUnavailable`.
        """
        record = await change(self.place, self.mac, changed, time.time, act._replace(by=operator()))
        await self.say_unheard()
        return record

    @asynccontextmanager
    async def alone(self, work: str) -> AsyncIterator[None]:
        """A context in which no other operator does this kind of work. Without a store it is not ensured.

        Raises `AnotherOperator`, `StoreUnavailable`.
        """
        if self.line is None:
            yield
            return
        found = self.settings
        claim = Claim(self.line, found.namespace, work, ClaimMac(found.listed, found.namespace))
        try:
            async with claim.held(Holder(operator(), int(time.time()), secrets.token_hex(8))):
                yield
        except ClaimTaken as taken:
            raise AnotherOperator(_taken(taken.holder)) from None

    async def note(self, changed: Callable[[ControlRecord], ControlRecord]) -> None:
        """Change the control record alone: no worker is told, and no event is made.

        Raises `ControlError`, `StoreUnavailable`.
        """
        await change(self.place, self.mac, changed, time.time)


@asynccontextmanager
async def desk() -> AsyncIterator[Desk]:
    """A context with the way to the running service.

    Raises `SettingsErrors`, and `Unreachable` where it does not answer.
    """
    found = settings()
    line, place, where = _way(found)
    try:
        with answering(where, DOUBTFUL):
            yield Desk(found, place, ControlMac(found.listed, found.namespace), line, where)
    finally:
        if line is not None:
            await line.aclose()


@contextmanager
def answering(where: str = LOST, then: str = "") -> Iterator[None]:
    """A context that raises `Unreachable` for a store that does not answer or refuses a command.

    Args:
        where: the text about one that does not answer, unless its connection has logged why.
        then: the end of that text: whether something was done.
    """
    said: list[str] = []
    log = logging.getLogger("sekisho.store")
    hears = _heard(said)
    log.addFilter(hears)
    try:
        with refusals_told():
            yield
    except StoreRefuses as refused:
        raise Unreachable(f"SEKISHO_STORE refuses to work: {refused}") from None
    except StoreUnavailable:
        raise Unreachable((SAID if said else where) + then) from None
    finally:
        log.removeFilter(hears)


def _heard(said: list[str]) -> Callable[[logging.LogRecord], bool]:
    """A filter that lets all records pass, and notes that there was a warning."""

    def hears(record: logging.LogRecord) -> bool:
        if record.levelno >= logging.WARNING:
            said.append(record.levelname)
        return True

    return hears


def _way(found: Settings) -> tuple[AnyStoreConnection | None, ControlPlace, str]:
    """The line to the store if there is one, the place of the record, and what to say where it does not answer."""
    if found.store != MEMORY:
        line = open_line(found.store, found.limits, deadline_us=DEADLINE_US)
        return line, StoredControl(line, found.namespace), LOST
    if found.control_socket is None:
        raise Unreachable(SOCKETLESS if STORE.variable in os.environ else STORELESS)
    return None, SocketControl(found.control_socket), UNHEARD


def operator() -> str:
    """Who runs this process, for records: login name, uid and machine; behind sudo also those of its caller."""
    return f"{_runner()} on {platform.node()[:64]}"[:TEXT_BYTES_MAX]


def _runner() -> str:
    if pwd is None:
        return getpass.getuser()[:32]
    caller = os.environ.get("SUDO_UID", "") if os.getuid() == 0 else ""
    behind = f" for {_user(int(caller))}" if caller.isdecimal() and len(caller) < 10 else ""
    return f"{_user(os.getuid())}{behind}"


def _user(uid: int) -> str:
    try:
        return f"{pwd.getpwuid(uid).pw_name[:32]} (uid {uid})"
    except KeyError:  # containers run as users without a name
        return f"uid {uid}"


def add_because(parser: argparse.ArgumentParser) -> None:
    """Add the option `--because`."""
    parser.add_argument("--because", metavar="TEXT", default="", help="the reason, for the event; no account names")


def reason(text: str) -> str:
    """Check the reason that an operator gives, and return it unchanged.

    Raises `Misused` if it is too long, or has control characters.
    """
    # Events are read in terminals: a control character could forge a line there.
    if not text.isprintable() or len(json.dumps(text)) - 2 > TEXT_BYTES_MAX:
        raise Misused(f"--because has control characters, or is longer than {TEXT_BYTES_MAX} bytes")
    return text


def seconds(text: str, option: str, most: int) -> int:
    """Read a span such as `90s`, `10m`, `1h` or `7d`; returns its seconds.

    Raises `Misused`, also for more than `most`.
    """
    found = _SPAN.fullmatch(text)
    span = int(found[1]) * _SECONDS[found[2]] if found else 0
    if not 1 <= span <= most:
        days = most // 86_400
        longest = f"{days} days" if days > 1 else "24 hours"
        raise Misused(f"{option} is not written as 90s, 10m, 1h or 7d, or is more than {longest}")
    return span


def moment(at_s: int) -> str:
    """A Unix time in seconds as text, in UTC: `2026-11-29 17:00:00 UTC`."""
    return f"{datetime.fromtimestamp(at_s, UTC):%Y-%m-%d %H:%M:%S} UTC"


def said_by(act: Act | None) -> str:
    """By which operator, when and why an act was done, as the end of a line; empty if `act` is None."""
    if act is None:
        return ""
    return f", by {act.by}, {moment(act.at_s)}" + (f": {act.why}" if act.why else "")


def by_as_json(act: Act | None) -> dict[str, str | int]:
    return {} if act is None else {"by": act.by, "at": act.at_s, "why": act.why}
