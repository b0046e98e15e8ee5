"""Asks Have I Been Pwned: sends five hex digits of a digest, and delays no log-in for long.

Off by default. It serves sites without a corpus, or with an old one. A question has three answers: a count, 0 for *not
seen*, None for *unknown*. A slow, failed, truncated or doubtful answer is *unknown*, which never counts as clean.

Callers hold futures, never a call. A caller that leaves early cancels nothing; a caller that asks for a range which is
already requested shares the request; and an answer that arrives after all callers have left is cached.

Each call has its own daemon thread; there are never more than `threads` of them. `ThreadPoolExecutor` is not used
because it joins its threads when the interpreter stops, and a resolver that hangs would prevent the stop.
"""

from __future__ import annotations

import asyncio
import logging
from collections import OrderedDict, deque
from contextlib import suppress
from threading import Thread
from typing import TYPE_CHECKING, NamedTuple

from sekisho.breach.hibp_protocol import URL, HibpFault, HibpProtocol
from sekisho.breach.hibp_range import PackedRange, split
from sekisho.store.breaker import Breaker

if TYPE_CHECKING:
    from collections.abc import Callable

log = logging.getLogger("sekisho.breach")

WAIT_S = 0.1


class HibpLimits(NamedTuple):
    """Every bound, with its reason. Times are in seconds.

    Attributes:
        call_s: limit of a call, including its time in the queue.
        threads: calls at once. The service answers within tens of milliseconds; more threads would only help an
            attacker.
        waiting_max: prefixes that wait for a thread; beyond it the answer is *unknown* at once.
        cache_s: how long a range is cached. The service's own list changes every few days or weeks.
        cache_bytes_max: some 1,000 ranges of 2,000 rows.
        answer_bytes_max: headers included. A padded range has some 80 KB; six times that leaves room for growth.
        rows_min: the smallest range had 381 rows in 2018, and the list has only grown. A partial mirror needs less.
        failures_max: consecutive failures before a pause.
        pause_s_min: the first pause; it doubles with each failed trial.
        pause_s_max: the longest pause.
        retry_after_s_max: the longest pause that the service may ask for.
    """

    call_s: float = 1.5
    threads: int = 4
    waiting_max: int = 64
    cache_s: float = 86_400
    cache_bytes_max: int = 16 << 20
    answer_bytes_max: int = 512 << 10
    rows_min: int = 381
    failures_max: int = 3
    pause_s_min: float = 1
    pause_s_max: float = 60
    retry_after_s_max: float = 300


class _Call:
    """One pending request, and the future that all callers who need its answer share."""

    __slots__ = ("answer", "deadline", "prefix", "ticket", "timer")
    timer: asyncio.TimerHandle

    def __init__(self, prefix: str, answer: asyncio.Future[PackedRange | None], deadline: float) -> None:
        self.prefix = prefix
        self.answer = answer
        self.deadline = deadline  # by the loop's clock
        self.ticket: int | None = None  # None: waits for a thread


class Hibp:
    """Asks the service; see the module. Belongs to the event loop in which it was made; each loop has its own.

    Args:
        url: the service's, or that of a mirror of its range API.
        limits: see `HibpLimits`.
        clock_s: monotonic seconds, for the cache and the pauses.
        on_change: called with `False` when a pause begins, and with `True` when the service answers again.

    Raises:
        ValueError: `url` is neither http nor https.
    """

    def __init__(
        self,
        *,
        url: str = URL,
        limits: HibpLimits = HibpLimits(),  # noqa: B008 - frozen
        clock_s: Callable[[], float],
        on_change: Callable[[bool], None] = lambda _: None,
    ) -> None:
        self._wire = HibpProtocol(url, answer_bytes_max=limits.answer_bytes_max, rows_min=limits.rows_min)
        self._limits = limits
        self._clock_s = clock_s
        self._on_change = on_change
        self._breaker = Breaker(
            failures_max=limits.failures_max, pause_s_min=limits.pause_s_min, pause_s_max=limits.pause_s_max
        )
        self._cache = _Cache(limits.cache_s, limits.cache_bytes_max)
        self._loop = asyncio.get_running_loop()
        self._calls: dict[str, _Call] = {}  # by prefix: waiting for a thread or for the service
        self._waiting: deque[_Call] = deque()
        self._busy = 0  # threads, including those whose call was given up
        self._closed = False

    @property
    def answers(self) -> bool:
        """Whether the service can be asked now: False while it is left alone after failures."""
        return self._breaker.closed

    async def seen(self, digest: bytes, *, wait_s: float = WAIT_S) -> int | None:
        """Return how often the password with this SHA-1 was seen in leaks.

        Args:
            digest: 20 bytes. Five hex digits of it are sent.
            wait_s: longest wait of the caller, in seconds; a later answer is cached for the next caller.

        Returns:
            The count (16,777,215 at most), 0 for not seen, None for unknown.

        Raises:
            ValueError: `digest` does not have 20 bytes.
        """
        prefix, head = split(digest)
        if (found := self._cache.get(prefix, self._clock_s())) is None:
            found = await self._arrival(prefix, wait_s)
        return None if found is None else found.count(head)

    async def aclose(self) -> None:
        """Answer *unknown* to all waiting callers, and refuse new ones. Running threads end by their own limit."""
        self._closed = True
        self._waiting.clear()
        for call in tuple(self._calls.values()):
            self._answer(call, None)

    async def _arrival(self, prefix: str, wait_s: float) -> PackedRange | None:
        if (call := self._calls.get(prefix) or self._ask(prefix)) is None:
            return None
        # `wait` instead of `wait_for`: the latter would cancel the shared call when one caller leaves.
        await asyncio.wait((call.answer,), timeout=wait_s)
        return call.answer.result() if call.answer.done() else None

    def _ask(self, prefix: str) -> _Call | None:
        if self._closed or len(self._waiting) >= self._limits.waiting_max or not self._breaker.admits(self._clock_s()):
            return None
        call = _Call(prefix, self._loop.create_future(), self._loop.time() + self._limits.call_s)
        call.timer = self._loop.call_at(call.deadline, self._give_up, call)
        self._calls[prefix] = call
        self._waiting.append(call)
        self._start()
        return call

    def _start(self) -> None:
        """Start waiting calls while threads are free."""
        while self._waiting and self._busy < self._limits.threads:
            call = self._waiting.popleft()
            left_s = call.deadline - self._loop.time()
            # With little time left the call would fail because of its wait, and the breaker would blame the service.
            if left_s > self._limits.call_s / 2:
                call.ticket = self._breaker.enter(self._clock_s())
            if call.ticket is None:
                self._answer(call, None)
            else:
                self._send(call, left_s)

    def _send(self, call: _Call, limit_s: float) -> None:
        thread = Thread(target=self._work, args=(call, limit_s), name="sekisho hibp", daemon=True)
        try:
            thread.start()
        except RuntimeError:  # the process has reached its limit of threads
            self._settle(call, HibpFault("no thread"))
        else:
            self._busy += 1

    def _work(self, call: _Call, limit_s: float) -> None:
        """Make the request in a separate thread."""
        try:
            found: PackedRange | HibpFault = self._wire.ask(call.prefix, limit_s)
        except HibpFault as fault:
            found = fault
        with suppress(RuntimeError):  # the loop is closed, and no caller is left
            self._loop.call_soon_threadsafe(self._done, call, found)

    def _done(self, call: _Call, found: PackedRange | HibpFault) -> None:
        self._busy -= 1
        self._settle(call, found)
        self._start()

    def _give_up(self, call: _Call) -> None:
        """End a call at its limit. A call that still waits is not the service's fault; a thread cannot be interrupted.

        Such a thread keeps its place, so hanging threads never exceed the limit.
        """
        if call.ticket is None:
            self._waiting.remove(call)
            self._answer(call, None)
        else:
            self._settle(call, HibpFault("too slow"))

    def _settle(self, call: _Call, found: PackedRange | HibpFault) -> None:
        if call.answer.done() or call.ticket is None:
            return
        if isinstance(found, HibpFault):
            self._answer(call, None)
            self._failed(call.ticket, found)
        else:
            self._cache.put(call.prefix, found, self._clock_s())
            self._answer(call, found)
            self._succeeded(call.ticket)

    def _succeeded(self, ticket: int) -> None:
        if self._breaker.succeeded(ticket):
            log.info("Have I Been Pwned answers again")
            self._on_change(True)

    def _failed(self, ticket: int, fault: HibpFault) -> None:
        pause_s = None if fault.pause_s is None else min(fault.pause_s, self._limits.retry_after_s_max)
        if self._breaker.failed(ticket, self._clock_s(), pause_s=pause_s):
            log.warning(
                "Have I Been Pwned is not asked for a while: %s. Meanwhile its answer counts as unknown", fault.reason
            )
            self._on_change(False)

    def _answer(self, call: _Call, found: PackedRange | None) -> None:
        call.timer.cancel()
        del self._calls[call.prefix]
        call.answer.set_result(found)


class _Cache:
    """Ranges by prefix. Evicts the least recently used first, and keeps none for longer than `expiry_s` seconds."""

    def __init__(self, expiry_s: float, bytes_max: int) -> None:
        self._expiry_s = expiry_s
        self._bytes_max = bytes_max
        self._bytes = 0
        self._held: OrderedDict[str, tuple[float, PackedRange]] = OrderedDict()

    def get(self, prefix: str, now: float) -> PackedRange | None:
        if (held := self._held.get(prefix)) is None:
            return None
        expires, found = held
        if now >= expires:
            self._drop(prefix)
            return None
        self._held.move_to_end(prefix)
        return found

    def put(self, prefix: str, found: PackedRange, now: float) -> None:
        self._held[prefix] = now + self._expiry_s, found
        self._bytes += found.size_bytes
        while self._bytes > self._bytes_max:
            self._drop(next(iter(self._held)))

    def _drop(self, prefix: str) -> None:
        self._bytes -= self._held.pop(prefix)[1].size_bytes
