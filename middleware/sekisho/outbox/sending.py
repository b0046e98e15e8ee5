"""Keeps notices in a table and sends them from there, each once as far as the mail server allows.

SMTP has no transaction that spans both sides: a worker that dies between the server's "taken" and the removal of the
row leaves a row that another worker sends again. Only notices in flight can be repeated, and those carry the same
`Message-ID`. Everything else is claimed by one worker and removed once.
"""

from __future__ import annotations

import asyncio
import logging
from hashlib import blake2b
from typing import TYPE_CHECKING, Final, NamedTuple, Protocol

from sekisho.crypto.row_sealer import RowSealer
from sekisho.crypto.vault_keys import VaultKeys
from sekisho.outbox.notice import NEVER_SUMMED, TOLD, Notice, Undelivered
from sekisho.owners import OwnersError, OwnersUnfit
from sekisho.owners.outbox import Claimed, Queued

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Collection, Sequence

    from sekisho.crypto.signers import Signer

log = logging.getLogger("sekisho.outbox")

_PURPOSE: Final = b"notice"
_HOLDER_BYTES: Final = 16
LOST_WAYS: Final = {
    "mail": "SEKISHO_SMTP: the mail server takes no notices (%s); they wait, three days at most [SEK044]",
    "webhook": "SEKISHO_NOTICES_WEBHOOK: the webhook takes no notices (%s); they wait, three days at most [SEK091]",
}


class OutboxBounds(NamedTuple):
    """Every bound, with its reason. Times are in seconds.

    Attributes:
        at_once: notices that a worker sends at once; mail servers accept several connections from one client.
        lease_s: how long a claimed row is a worker's own: twice the longest try, and the writes around it.
        poll_s: pause between looks at the table; up to half as much is added at random.
        absent_s: the same while the table is missing.
        quiet_s: after a notice of a summed kind, its next events wait for so long and share one notice.
        keep_s: from an event to giving up. A relay that is down over a weekend loses nothing.
        backoff_s: pauses after failed tries; the last is repeated.
        sweep_max: expired rows removed at once.
        removals: tries to remove a row that was sent. A failure would send it twice.
        removal_s: pause between these.
        close_s: how long `aclose` waits for notices in flight.
    """

    at_once: int = 4
    lease_s: int = 60
    poll_s: float = 5
    absent_s: float = 60
    quiet_s: int = 3_600
    keep_s: int = 3 * 86_400
    backoff_s: tuple[int, ...] = (60, 300, 900, 3_600)
    sweep_max: int = 100
    removals: int = 4
    removal_s: float = 2
    close_s: float = 5


class OutboxRows(Protocol):
    """The table; see `sekisho.owners.outbox.SqlOutbox`."""

    async def add(self, queued: Queued) -> None: ...
    async def add_once(self, marks: Collection[Queued], notices: Collection[Queued]) -> bool: ...
    async def claim(self, holder: str, *, now_s: int, lease_s: int, most: int) -> list[Claimed]: ...
    async def sent(self, row: Claimed, holder: str, *, quiet_until_s: int | None) -> None: ...
    async def postpone(self, row: Claimed, holder: str, due_s: int) -> None: ...
    async def drop(self, row: Claimed, holder: str) -> None: ...
    async def sweep(self, *, now_s: int, most: int) -> int: ...


class Cause(NamedTuple):
    """Why an owner is told, so that it is not told twice.

    Attributes:
        account_id: of the owner: an operator finds the marks by it, and removes them with the owner's notices.
        names: of what has happened, such as a campaign's. It is told once for each.
        until_s: Unix time until which this is remembered.
    """

    account_id: str
    names: tuple[str, ...]
    until_s: int

    def __repr__(self) -> str:
        return f"Cause(names={self.names!r}, ...)"


class OutboxMeans(NamedTuple):
    """Time and randomness.

    Attributes:
        clock_s: Unix time.
        sleep: waits for so many seconds.
        chance: a random number from 0 up to 1.
        fresh: so many random bytes.
    """

    clock_s: Callable[[], float]
    sleep: Callable[[float], Awaitable[None]]
    chance: Callable[[], float]
    fresh: Callable[[int], bytes]


class NoticeOutbox:
    """Belongs to one event loop.

    Args:
        rows: the table.
        secrets: the service's, newest first.
        deliver: sends one notice: the notice, the number of its events, and a token that is the same for all tries.
            Raises `Undelivered`.
        on_lost: called with the kind of a notice that was given up (empty: unknown), and a word that says why.
        means: time and randomness.
        bounds: see `OutboxBounds`.
        on_way: called with `mail` or `webhook`, and whether it takes notices, when that has changed.
    """

    def __init__(
        self,
        rows: OutboxRows,
        secrets: Sequence[bytes | Signer],
        deliver: Callable[[Notice, int, str], Awaitable[None]],
        on_lost: Callable[[str, str], None],
        means: OutboxMeans,
        bounds: OutboxBounds = OutboxBounds(),  # noqa: B008 - frozen
        on_way: Callable[[str, bool], None] = lambda *_: None,
    ) -> None:
        self._rows = rows
        self._sealer = notice_sealer(secrets, means.clock_s)
        self._keys = VaultKeys(secrets)
        self._deliver = deliver
        self._on_lost = on_lost
        self._means = means
        self._bounds = bounds
        self._on_way = on_way
        self._lost_ways: set[str] = set()
        self._news = asyncio.Event()
        self._closing = False
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Start to send the notices that are due, in a task on the running event loop."""
        self._task = asyncio.get_running_loop().create_task(self._run(), name="sekisho outbox")

    async def aclose(self) -> None:
        """Stop sending, and let notices in flight arrive, for a bounded time.

        Otherwise each restart would send some of them twice.
        """
        self._closing = True
        self._news.set()
        if self._task is not None:
            await asyncio.wait((self._task,), timeout=self._bounds.close_s)
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    async def add(self, notice: Notice, counted_by: str) -> str:
        """Keep a notice: when this returns, it is sent even if this process dies. Returns the id of its row.

        Args:
            notice: what is told.
            counted_by: see `AccountOwner`. Notices of one kind to one owner are summed up, unless the kind forbids it.

        Raises:
            OwnersError: it was not kept, or perhaps not.
        """
        queued = self._queued(notice, counted_by)
        await self._rows.add(queued)
        self._news.set()
        return queued.id

    async def add_once(self, notices: Sequence[Notice], counted_by: str, cause: Cause) -> list[str]:
        """Keep notices, as `add` does, unless that was done for each of the causes before.

        Of several processes at once, one keeps them. Returns the ids of their rows; none where they were kept before.

        Raises:
            OwnersError: they were not kept, or perhaps not. Another call keeps them then, and only then.
        """
        rows = [self._queued(notice, counted_by) for notice in notices]
        if not await self._rows.add_once([self._mark(name, counted_by, cause) for name in cause.names], rows):
            return []
        self._news.set()
        return [row.id for row in rows]

    def _queued(self, notice: Notice, counted_by: str) -> Queued:
        is_summed = notice.kind not in NEVER_SUMMED
        row_id = self._slot(notice, counted_by) if is_summed else self._means.fresh(_HOLDER_BYTES).hex()
        now_s = int(self._means.clock_s())
        return Queued(row_id, is_summed, now_s, now_s + self._bounds.keep_s, self._sealed(notice, row_id))

    def _mark(self, name: str, counted_by: str, cause: Cause) -> Queued:
        row_id = self._keys.of(b"outbox mark", name, counted_by).hex()
        content = Notice(TOLD, "", "", {"account_id": cause.account_id, "cause": name})
        return Queued(row_id, False, cause.until_s, cause.until_s, self._sealed(content, row_id))

    def _sealed(self, notice: Notice, row_id: str) -> bytes:
        return self._sealer.seal(notice._replace(facts=dict(notice.facts)), bound_to=row_id.encode())

    async def _run(self) -> None:
        while not self._closing:
            await self._pause(await self._round())

    async def _round(self) -> float:
        """Send the rows that are due. Returns how long to wait before the next look."""
        bounds, now_s = self._bounds, int(self._means.clock_s())
        holder = self._means.fresh(_HOLDER_BYTES).hex()
        self._news.clear()
        if self._closing:
            return 0.0
        try:
            rows = await self._rows.claim(holder, now_s=now_s, lease_s=bounds.lease_s, most=bounds.at_once)
            # After a clock was set forward by days, rows that were never tried have expired: they are sent first.
            sweeps = len(rows) < bounds.at_once
            lost = await self._rows.sweep(now_s=now_s, most=bounds.sweep_max) if sweeps else 0
        except OwnersUnfit:
            return bounds.absent_s
        except OwnersError:
            return bounds.poll_s
        if lost:
            self._lost("", "expired", lost)
        await asyncio.gather(*(self._send(row, holder) for row in rows))
        return 0.0 if rows else bounds.poll_s

    async def _pause(self, seconds: float) -> None:
        """Wait for so long, or until this worker adds a notice."""
        if not seconds:
            return
        waits = [
            asyncio.ensure_future(self._news.wait()),
            asyncio.ensure_future(self._means.sleep(seconds * (1 + self._means.chance() / 2))),
        ]
        try:
            await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for wait in waits:
                wait.cancel()

    async def _send(self, row: Claimed, holder: str) -> None:
        content = self._sealer.open(row.sealed, bound_to=row.id.encode())
        if content is None:
            return await self._give_up(row, holder, "", "unreadable")
        notice = Notice(*content)
        try:
            await self._deliver(notice, row.times, blake2b(row.sealed, digest_size=16).hexdigest())
        except Undelivered as fault:
            if fault.way_works is not None:
                self._heard_of(_way(notice), works=fault.way_works, reason=fault.reason)
            return await self._failed(row, holder, notice.kind, fault)
        except Exception as error:  # noqa: BLE001 - its text may hold the address; only its type goes on
            return await self._failed(row, holder, notice.kind, Undelivered(type(error).__name__, passing=True))
        self._heard_of(_way(notice), works=True)
        return await self._removed(row, holder, notice.kind)

    async def _failed(self, row: Claimed, holder: str, kind: str, fault: Undelivered) -> None:
        backoff_s = self._bounds.backoff_s
        pause_s = backoff_s[min(row.tries, len(backoff_s)) - 1] * (1 + self._means.chance() / 2)
        due_s = int(self._means.clock_s() + pause_s)
        if not fault.passing or due_s >= row.expires_s:
            return await self._give_up(row, holder, kind, fault.reason)
        try:
            return await self._rows.postpone(row, holder, due_s)
        except OwnersError:
            return None  # tried again when the lease ends

    def _heard_of(self, way: str, *, works: bool, reason: str = "") -> None:
        """Say once that a way takes no notices, and once that it does again.

        They are given up after days only: without a word, owners would hear of nothing until then.
        """
        if works is (way not in self._lost_ways):
            return
        if works:
            self._lost_ways.remove(way)
            log.warning("notices leave again (%s)", way)
        else:
            self._lost_ways.add(way)
            log.warning(LOST_WAYS[way], reason)
        self._on_way(way, works)

    async def _give_up(self, row: Claimed, holder: str, kind: str, why: str) -> None:
        self._lost(kind, why)
        try:
            await self._rows.drop(row, holder)
        except OwnersError:
            return  # given up once more when the lease ends

    async def _removed(self, row: Claimed, holder: str, kind: str) -> None:
        quiet_s = None if kind in NEVER_SUMMED else int(self._means.clock_s()) + self._bounds.quiet_s
        for _ in range(self._bounds.removals):
            try:
                return await self._rows.sent(row, holder, quiet_until_s=quiet_s)
            except OwnersError:
                await self._means.sleep(self._bounds.removal_s)
        log.warning("a notice of kind %s was sent and cannot be removed: it will be sent again", kind)
        return None

    def _lost(self, kind: str, why: str, times: int = 1) -> None:
        log.error("%d notice(s) of kind %s were given up: %s", times, kind or "unknown", why)
        for _ in range(times):
            self._on_lost(kind, why)

    def _slot(self, notice: Notice, counted_by: str) -> str:
        return self._keys.of(b"outbox slot", notice.kind, counted_by, notice.to).hex()


def _way(notice: Notice) -> str:
    return "mail" if notice.to else "webhook"


def notice_sealer(secrets: Sequence[bytes | Signer], clock_s: Callable[[], float]) -> RowSealer:
    """Return a sealer of notices. Bind each notice to its row's id."""
    return RowSealer(secrets, _PURPOSE, clock_s=clock_s)


def service_id(secrets: Sequence[bytes | Signer], namespace: str) -> str:
    """The id of a service's rows, in a database that several services may share."""
    return VaultKeys(secrets).of(b"outbox service", namespace).hex()
