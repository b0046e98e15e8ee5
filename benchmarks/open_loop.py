"""An open-loop load generator: requests leave by the clock, independent of earlier requests.

A closed loop (wrk, and every generator that waits for an answer before it asks again) stops asking while the server is
slow, so the requests that would have suffered are never sent, and the slowness shows in one latency instead of in
hundreds: coordinated omission. Here each request has an instant, drawn beforehand from a Poisson process, and its
latency counts from that instant, also while it waits for a free connection.

The generator watches how late it notices that a request is due. Figures taken while it is late measure its own slowness
and are refused.
"""

from __future__ import annotations

import contextlib
import ctypes
import gc
import os
import random
import select
import socket
import time
from collections import Counter, deque
from math import ceil
from typing import TYPE_CHECKING, NamedTuple, Self

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

CONNECTIONS = 128
LATE_SHARE_MAX = 0.1  # of the latency at the same quantile
LATE_US_MIN, LATE_US_MAX = 200.0, 2_000.0  # no less is asked of it, and no more is forgiven
SLEEP_NS_MIN = 10_000  # a shorter sleep ends late
GRACE_S = 5.0  # for answers after the last request; later ones are lost

_TIMER_SLACK = 29  # PR_SET_TIMERSLACK; by default Linux lets a sleeper sleep 50 µs longer


def poisson(rate: float, seconds: float, seed: int) -> list[int]:
    """Instants in nanoseconds at which requests are due: independent of each other, `rate` a second on average."""
    chance = random.Random(seed)
    found: list[int] = []
    at = chance.expovariate(rate)
    while at < seconds:
        found.append(int(at * 1e9))
        at += chance.expovariate(rate)
    return found


def percentile(ranked: Sequence[float], share: float) -> float:
    """The smallest value that at least this share of all values does not exceed (the nearest rank)."""
    return ranked[max(0, ceil(share * len(ranked)) - 1)]


class Run(NamedTuple):
    """What came of one schedule. Times in nanoseconds, by request.

    Attributes:
        latency: from the instant a request was due until its answer was complete; -1 for an answer that never came.
        late: from that instant until the generator noticed it.
        queued: requests that found no connection free.
        cpu_share: of its core that the generator itself took.
        statuses: of the answers.
    """

    latency: list[int]
    late: list[int]
    queued: int
    cpu_share: float
    statuses: Counter[bytes]

    def after(self, due: Sequence[int], warm_s: float) -> Run:
        """The same without the requests that were due while everything warmed up."""
        first = next((place for place, at in enumerate(due) if at >= warm_s * 1e9), len(due))
        return self._replace(latency=self.latency[first:], late=self.late[first:])

    @property
    def lost(self) -> int:
        return self.latency.count(-1)

    def percentiles_us(self) -> dict[str, float]:
        """Of latency, and of the generator's own lateness. A lost answer took as long as it was waited for, or more."""
        answered = sorted(GRACE_S * 1e6 if each < 0 else each / 1e3 for each in self.latency)
        late = sorted(each / 1e3 for each in self.late)
        shares = {"p50": 0.5, "p90": 0.9, "p99": 0.99, "p99.9": 0.999}
        return {name: percentile(answered, share) for name, share in shares.items()} | {
            "late_p50": percentile(late, 0.5),
            "late_p99": percentile(late, 0.99),
        }

    def refusal(self) -> str:
        """Why this run measures the generator and not the server; empty where it does not."""
        found = self.percentiles_us()
        allowed = min(LATE_US_MAX, max(LATE_US_MIN, LATE_SHARE_MAX * found["p99"]))
        if found["late_p99"] > allowed:
            return f"the generator was late: {found['late_p99']:.0f} µs at the 99th percentile, {allowed:.0f} allowed"
        return ""


@contextlib.contextmanager
def first_on_its_core() -> Iterator[None]:
    """Run before all else on this core, if the system permits it (to root, and with `CAP_SYS_NICE`).

    A process that shares the core with the generator, as Redis does here, makes it late, and then it measures its own
    lateness. In the other order Redis waits for the generator, which counts against the measured variant.
    """
    before = os.sched_getscheduler(0), os.sched_getparam(0)
    with contextlib.suppress(PermissionError):
        os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(1))
    try:
        yield
    finally:
        os.sched_setscheduler(0, *before)


class _Connection:
    __slots__ = ("buffer", "expected", "request", "socket")

    def __init__(self, port: int) -> None:
        self.socket = socket.create_connection(("127.0.0.1", port))
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.socket.setblocking(False)
        self.buffer = b""
        self.expected = -1
        self.request = -1

    def send(self, number: int, request: bytes) -> None:
        self.request, self.buffer, self.expected = number, b"", -1
        if self.socket.send(request) < len(request):
            raise ConnectionError("a request did not fit into an empty socket")

    def takes(self) -> bool:
        """Read what has come; whether the answer is complete."""
        data = self.socket.recv(65_536)
        if not data:
            raise ConnectionError("the server hung up")
        self.buffer += data
        if self.expected < 0:
            head = self.buffer.find(b"\r\n\r\n")
            if head < 0:
                return False
            at = self.buffer.find(b"content-length: ", 0, head)
            self.expected = head + 4 + int(self.buffer[at + 16 : self.buffer.find(b"\r\n", at)])
        return len(self.buffer) >= self.expected


class OpenLoop:
    """Kept connections to a server on loopback, one request at a time on each."""

    def __init__(self, port: int, connections: int = CONNECTIONS) -> None:
        ctypes.CDLL(None).prctl(_TIMER_SLACK, 1_000)
        self._epoll = select.epoll()
        self._by_fd = {one.socket.fileno(): one for one in (_Connection(port) for _ in range(connections))}
        for number in self._by_fd:
            self._epoll.register(number, select.EPOLLIN)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._epoll.close()
        for one in self._by_fd.values():
            one.socket.close()

    def send_when_due(self, requests: Sequence[bytes], due: Sequence[int]) -> Run:
        """Send each request when it is due (nanoseconds from the start, in order)."""
        gc.collect()
        gc.disable()
        try:
            return self._send(requests, due)
        finally:
            gc.enable()

    def _send(self, requests: Sequence[bytes], due: Sequence[int]) -> Run:
        clock, epoll, by_fd, wait = time.perf_counter_ns, self._epoll, self._by_fd, select.select
        latency, late, statuses = [-1] * len(due), [-1] * len(due), Counter[bytes]()
        # The longest idle first: a server closes connections that nobody uses.
        idle, waiting = deque(by_fd.values()), deque[int]()
        queued = following = answered = 0
        cpu, start = time.process_time(), clock() + 10_000_000
        end = due[-1] + int(GRACE_S * 1e9)
        while answered < len(due) and (now := clock() - start) < end:
            while following < len(due) and due[following] <= now:
                late[following] = now - due[following]
                if idle:
                    idle.popleft().send(following, requests[following])
                else:
                    queued += 1
                    waiting.append(following)
                following += 1
            left = (due[following] if following < len(due) else end) - (clock() - start)
            if left > SLEEP_NS_MIN:
                wait([epoll], [], [], (left - SLEEP_NS_MIN) / 1e9)  # epoll itself counts in milliseconds
            for number, _ in epoll.poll(0):
                one = by_fd[number]
                if one.takes():
                    latency[one.request] = clock() - start - due[one.request]
                    statuses[one.buffer[9:12]] += 1
                    answered += 1
                    if waiting:
                        one.send(waiting[0], requests[waiting.popleft()])
                    else:
                        idle.append(one)
        share = (time.process_time() - cpu) / max(1e-9, (clock() - start) / 1e9)
        return Run(latency, late, queued, share, statuses)
