"""Threads, and a bounded number of places to wait for them."""

from __future__ import annotations

import asyncio
import os
import threading
from concurrent.futures import Future, ThreadPoolExecutor
from functools import partial
from math import ceil
from typing import TYPE_CHECKING, Any, TypeVar

from sekisho.model import PasswordsBusy

if TYPE_CHECKING:
    from collections.abc import Callable

    from sekisho.passwords.profile import Profile

Value = TypeVar("Value")

THREADS_MAX = 4  # a service runs about one process per core, and each has its own threads
WAIT_SECONDS = 1.0  # after a longer wait people press the button again
WAITING_MAX = 1_024
STRANGERS_SHARE = 4
"""One hash in this many is a stranger's while both wait: a flood of known devices must not lock out new ones."""
FILLED_KIB_A_SECOND = 1_048_576  # by one thread; measured between one and two GiB, the most with small hashes

_Call = tuple[Future[Any], "Callable[[], Any]"]


class Pool:
    """Threads, and a bounded number of places to wait for them, for known devices and for strangers."""

    def __init__(self, threads: int, waiting_max: int, retry_after_s: int) -> None:
        self.threads = threads
        self.waiting_max = waiting_max
        self.retry_after_s = retry_after_s
        self.shed = 0
        self._lock = threading.Lock()  # shared by event loops and threads; held only briefly
        self._busy = 0
        self._known: dict[Future[Any], Callable[[], Any]] = {}
        self._strangers: dict[Future[Any], Callable[[], Any]] = {}
        self._known_in_a_row = 0  # while a stranger waited
        self._executor: ThreadPoolExecutor | None = None

    async def run(self, work: Callable[[], Value], *, known: bool = False) -> Value:
        """Run `work` in a thread, and return its result. Raises `PasswordsBusy` where there is no place to wait.

        `known`: whether a known device asks for it; known devices wait in places of their own.
        """
        result: Future[Value] = Future()
        self._enter(result, work, known=known)
        try:
            return await asyncio.wrap_future(result)
        except asyncio.CancelledError:
            # A waiting call gives up its place. A running one cannot be stopped, and keeps its thread until it is done:
            # otherwise clients that hang up could start more hashes than are allowed.
            with self._lock:
                self._known.pop(result, None)
                self._strangers.pop(result, None)
            raise

    def _enter(self, result: Future[Any], work: Callable[[], Any], *, known: bool) -> None:
        with self._lock:
            if self._busy < self.threads:
                self._executor = self._executor or ThreadPoolExecutor(self.threads, "sekisho-passwords")
                self._executor.submit(self._serve, result, work)
                self._busy += 1
            elif known and len(self._known) < self.waiting_max:
                self._known[result] = work
            elif not known and len(self._strangers) < self._strangers_max:
                self._strangers[result] = work
            else:
                self.shed += 1
                raise PasswordsBusy(self.retry_after_s)

    @property
    def _strangers_max(self) -> int:
        """As many as are served in time even while known devices wait: the others are refused now rather than late."""
        return ceil(self.waiting_max / STRANGERS_SHARE) if self._known else self.waiting_max

    def _serve(self, result: Future[Any], work: Callable[[], Any]) -> None:
        """Do one call's work, then that of waiting calls until there are none."""
        following: _Call | None = (result, work)
        while following:
            tell = _done(*following)
            # The place is freed before the answer is sent: a client that asks again on hearing it would find none.
            following = self._next()
            tell()

    def _next(self) -> _Call | None:
        with self._lock:
            if waiting := self._turn():
                result = next(iter(waiting))
                return result, waiting.pop(result)
            self._busy -= 1
            return None

    def _turn(self) -> dict[Future[Any], Callable[[], Any]]:
        """The queue whose turn it is: known devices', except for the strangers' share."""
        if not self._known or (self._strangers and self._known_in_a_row >= STRANGERS_SHARE - 1):
            self._known_in_a_row = 0
            return self._strangers
        self._known_in_a_row += bool(self._strangers)
        return self._known

    async def aclose(self) -> None:
        with self._lock:
            executor, self._executor = self._executor, None
        if executor:
            await asyncio.to_thread(executor.shutdown)


def _done(result: Future[Any], work: Callable[[], Any]) -> Callable[[], object]:
    """Do the work, unless its caller has gone; returns a function that delivers the result."""
    if not result.set_running_or_notify_cancel():
        return lambda: None
    try:
        return partial(result.set_result, work())
    except BaseException as error:  # noqa: BLE001 - any error belongs to the caller that waits for the result
        return partial(result.set_exception, error)


def pool_for(decoy: Profile, threads: int | None, waiting_max: int | None) -> Pool:
    if threads is None:
        threads = min(THREADS_MAX, max(1, _cores() // decoy.lanes))
    if threads < 1 or (waiting_max is not None and waiting_max < 0):
        raise ValueError("at least one thread is needed, and `waiting_max` is not negative")
    seconds = decoy.work_kib / FILLED_KIB_A_SECOND / threads
    if waiting_max is None:
        waiting_max = min(WAITING_MAX, max(threads, int(WAIT_SECONDS / seconds)))
    return Pool(threads, waiting_max, ceil((waiting_max + threads) * seconds))


def _cores() -> int:
    # A container is often given fewer cores than the machine has.
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
