"""A flood, in a process of its own: `python -m benchmarks.overload.flood PORT KIND RATE`.

It sends by the clock and waits for no answer before it asks again. An attempt that is due while all connections wait
for answers is not sent, which counts as *unsent*. Ends when its input does, and prints JSON.
"""

from __future__ import annotations

import contextlib
import itertools
import json
import select
import socket
import sys
import time
from collections import Counter
from typing import TYPE_CHECKING

from benchmarks.login_post import JSON, address, form_post

if TYPE_CHECKING:
    from collections.abc import Callable

CONNECTIONS_MAX = 512
SLOW, IDLE = 500, 1_000
FRESH = 1_000_000  # addresses from this number on are the flood's alone


def listed_login(where: str, number: int, account: str = "", accept: str = JSON) -> bytes:
    """One line of a list: no account and no password twice, unless the account is named."""
    body = f"username={account or f'nobody{number}'}&password=wrong-{number}"
    return form_post("/login", body, where, accept=accept)


def one_address(number: int) -> bytes:
    return listed_login("203.0.113.7", number)


def few_addresses(number: int) -> bytes:
    """300 of them, in networks of their own."""
    return listed_login(address(FRESH + number % 300), number)


def fresh_addresses(number: int) -> bytes:
    return listed_login(address(FRESH + number), number)


def work_pages(number: int) -> bytes:
    """One account over its limit: each is asked for work, on a page."""
    return listed_login(address(FRESH + number), number, "victim", accept="text/html")


KINDS: dict[str, Callable[[int], bytes]] = {
    "one address": one_address,
    "300 addresses": few_addresses,
    "fresh addresses": fresh_addresses,
    "work pages": work_pages,
}


class _Connections:
    """Opened when there is something to be sent and none is idle; opened anew when the server hangs up."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._epoll = select.epoll()
        self._open: dict[int, socket.socket] = {}
        self._buffers: dict[int, bytes] = {}
        self._idle: list[int] = []
        self.statuses: Counter[str] = Counter()

    def send(self, request: bytes) -> bool:
        while self._idle:
            number = self._idle.pop()  # the last, so that no more are kept open than are needed
            if number in self._open and self._write(number, request):
                return True
        fresh = self.open()
        return fresh is not None and self._write(fresh, request)

    def open(self) -> int | None:
        """One more connection, which nothing has been sent on."""
        if len(self._open) >= CONNECTIONS_MAX:
            return None
        try:
            one = socket.create_connection(("127.0.0.1", self._port), timeout=1)
        except OSError:
            return None
        one.setblocking(False)
        number = one.fileno()
        self._open[number] = one
        self._buffers[number] = b""
        self._epoll.register(number, select.EPOLLIN)
        return number

    def fill(self) -> None:
        """Open all. uvloop accepts one in each turn of its loop: opened under the flood, they would stand in front of
        everybody else's for minutes, which is a proxy's to prevent.
        """
        while (number := self.open()) is not None:
            self._idle.append(number)
            time.sleep(0.001)

    def _write(self, number: int, request: bytes) -> bool:
        self._buffers[number] = b""
        try:
            return self._open[number].send(request) == len(request)
        except OSError:
            self._close(number)
            return False

    def _close(self, number: int) -> None:
        one = self._open.pop(number, None)
        if one is not None:
            self._epoll.unregister(number)
            one.close()

    def answers(self, seconds: float) -> None:
        for number, _ in self._epoll.poll(max(0.0, seconds)):
            try:
                data = self._open[number].recv(65_536)
            except OSError:
                data = b""
            if not data:
                self._close(number)
                continue
            self._buffers[number] += data
            if _is_whole(self._buffers[number]):
                self.statuses[self._buffers[number][9:12].decode()] += 1
                self._idle.append(number)

    def close(self) -> None:
        for number in tuple(self._open):
            self._close(number)
        self._epoll.close()


def _is_whole(buffer: bytes) -> bool:
    head = buffer.find(b"\r\n\r\n")
    at = buffer.lower().find(b"content-length: ", 0, head) if head >= 0 else -1
    return at >= 0 and len(buffer) >= head + 4 + int(buffer[at + 16 : buffer.find(b"\r\n", at)])


def by_rate(port: int, kind: str, rate: float) -> dict[str, object]:
    connections, make = _Connections(port), KINDS[kind]
    connections.fill()
    begun, sent, unsent = time.monotonic(), 0, 0
    for number in itertools.count():
        due = number / rate
        while (left := due - (time.monotonic() - begun)) > 0:
            connections.answers(left)
        if number % 16 == 0:
            connections.answers(0)
            if _is_over():
                break
        if connections.send(make(number)):
            sent += 1
        else:
            unsent += 1
            connections.answers(0)
    took = time.monotonic() - begun
    connections.close()
    return {"sent": sent, "unsent": unsent, "per_second": sent / took, "statuses": dict(connections.statuses)}


def by_connections(port: int, kind: str, factor: float) -> dict[str, object]:
    """Bodies that arrive byte by byte, or connections that say nothing; opened anew where the server hangs up."""
    head = listed_login(address(FRESH), 0).partition(b"username=")[0]
    wanted, begun, opened = int((SLOW if kind == "slow bodies" else IDLE) * factor), time.monotonic(), 0
    open_now: list[socket.socket] = []
    while not _is_over():
        while len(open_now) < wanted:
            with contextlib.suppress(OSError):
                one = socket.create_connection(("127.0.0.1", port), timeout=1)
                one.setblocking(False)
                opened += 1
                open_now.append(one)
                if kind == "slow bodies":
                    one.send(head)
            if _is_over():
                break
        time.sleep(0.5)
        open_now = [one for one in open_now if _is_open(one, drips=kind == "slow bodies")]
    for one in open_now:
        one.close()
    return {"sent": opened, "unsent": 0, "per_second": opened / (time.monotonic() - begun), "statuses": {}}


def _is_open(one: socket.socket, *, drips: bool) -> bool:
    try:
        if drips:
            one.send(b"u")
        alive = bool(one.recv(4_096))
    except BlockingIOError:
        return True
    except OSError:
        alive = False
    if not alive:
        one.close()
    return alive


def _is_over() -> bool:
    """Whether the parent has asked this process to end, or is gone."""
    return bool(select.select([sys.stdin], [], [], 0)[0])


def main() -> None:
    port, kind, rate = sys.argv[1:]
    send = by_rate if kind in KINDS else by_connections
    print(json.dumps(send(int(port), kind, float(rate))))


if __name__ == "__main__":
    main()
