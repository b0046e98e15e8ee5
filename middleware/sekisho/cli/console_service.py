"""The running service, as the console shows it: what `sekisho mode`, `posture` and others print."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING, Any, Final

from redis.exceptions import ResponseError

from sekisho.cli import allow, campaigns, deny, lists, look, mode, posture
from sekisho.cli.estimate import estimate
from sekisho.cli.standing import standing_of
from sekisho.cli.target import named
from sekisho.cli.usage import Misused
from sekisho.console import Unknown
from sekisho.control import ControlError
from sekisho.control.sockets import SocketControl
from sekisho.ledger.worker_sync import SyncKeys
from sekisho.model import StoreRefuses, StoreUnavailable
from sekisho.record.campaigns.written import decode_state
from sekisho.wiring.campaigns import stored

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from sekisho.cli.operator import Desk
    from sekisho.record.campaigns.live import LiveCampaign

__all__ = ["DeskService", "NoService"]

EVERY_S: Final = 2.0
_FAULTS: Final = (StoreUnavailable, ControlError, ResponseError, OSError)


class DeskService:
    """A service that can be reached. It is asked every two seconds, so that the page never waits for it.

    Attributes:
        standing: as it was last read, for JSON; `problem` says why it cannot be read.
    """

    def __init__(self, desk: Desk) -> None:
        self._desk = desk
        self.standing: dict[str, Any] = {"problem": ""}

    async def run(self, rest: Callable[[float], Awaitable[None]] = asyncio.sleep) -> None:
        """Ask until this is cancelled."""
        while True:
            await self.once()
            await rest(EVERY_S)

    async def once(self) -> None:
        """Read the service's standing once. One that does not answer is named, and what it had said stays."""
        try:
            self.standing = {"problem": "", **await self._read()}
        except _FAULTS as fault:
            self.standing = {**self.standing, "problem": _problem(fault, self._desk.where)}

    async def _read(self) -> dict[str, Any]:
        desk = self._desk
        record = await desk.record()
        told = await desk.earlier.mode() if desk.earlier is not None else ""
        return {
            "mode": mode.as_json(desk, record, told),
            "posture": posture.as_json(desk, record, await estimate(desk)),
            "deny": lists.as_json(desk, deny.LIST, record),
            "allow": lists.as_json(desk, allow.LIST, record),
            "asked": len(record.asked_accounts(time.time())),
            "workers": await self._workers(),
            "campaigns": campaigns.live_json(await self._campaigns()),
        }

    async def _workers(self) -> int | None:
        line = self._desk.line
        return int(await line.execute(b"ZCARD", SyncKeys.of(self._desk.settings.namespace).workers)) if line else None

    async def _campaigns(self) -> tuple[LiveCampaign, ...] | None:
        settings, line = self._desk.settings, self._desk.line
        if not settings.campaigns:
            return None
        if line is not None:
            return (await stored(settings, line).kept()).campaigns
        state = decode_state(await SocketControl(settings.control_socket or "").ask(b"campaigns"))
        return state.campaigns if state is not None else None

    async def look(self, kind: str, value: str) -> tuple[dict[str, Any], str, str]:
        """See `console.Service`."""
        try:
            found = named(kind, value, self._desk.settings)
            standing = await standing_of(self._desk, [found])
        except Misused as misused:
            raise Unknown(str(misused)) from None
        except _FAULTS as fault:
            raise Unknown(_problem(fault, self._desk.where)) from None
        subject = found.subject
        return look.as_json(standing), subject.account, "" if kind == "account" else subject.address


class NoService:
    """A service that cannot be reached from here. The log is shown alone. `why`: what to do."""

    def __init__(self, why: str) -> None:
        self.standing: dict[str, Any] = {"problem": "", "note": why}

    async def look(self, _kind: str, _value: str) -> tuple[dict[str, Any], str, str]:
        """See `console.Service`. Raises `Unknown`."""
        raise Unknown(self.standing["note"])


def _problem(fault: Exception, where: str) -> str:
    if isinstance(fault, StoreRefuses):
        return f"SEKISHO_STORE refuses to work: {fault}"
    return str(fault) if isinstance(fault, ControlError) else where
