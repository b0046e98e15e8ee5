"""Observes argon2: its calls, its parallel work, and a gate to hold it."""

from __future__ import annotations

import asyncio
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, NamedTuple

import argon2
from argon2 import low_level

from sekisho.passwords import Profile

if TYPE_CHECKING:
    from collections.abc import Iterator

    import pytest

CHEAP = Profile(1, 8, 1)
PATIENCE_S = 20  # a test that waits as long has failed


class Asked(NamedTuple):
    """A hash that argon2 was asked for, to check or to store."""

    call: str
    passes: int
    memory_kib: int
    lanes: int

    @property
    def work_kib(self) -> int:
        return self.passes * self.memory_kib


class Argon2:
    """The real argon2, observed. Computes in its caller's thread once the gate is open."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self._hash, self._verify = low_level.hash_secret, low_level.verify_secret
        self._lock = threading.Lock()
        self._gate = threading.Event()
        self._gate.set()
        self._arrivals = threading.Semaphore(0)
        self.asked: list[Asked] = []
        self.at_once = self.at_once_max = 0
        monkeypatch.setattr(low_level, "hash_secret", self._watched_hash)
        monkeypatch.setattr(low_level, "verify_secret", self._watched_verify)

    def _watched_hash(self, secret: bytes, salt: bytes, **costs: Any) -> bytes:
        with self._computing(Asked("hash", costs["time_cost"], costs["memory_cost"], costs["parallelism"])):
            return self._hash(secret, salt, **costs)

    def _watched_verify(self, phc: bytes, secret: bytes, kind: low_level.Type) -> bool:
        costs = argon2.extract_parameters(phc.decode())
        with self._computing(Asked("verify", costs.time_cost, costs.memory_cost, costs.parallelism)):
            return bool(self._verify(phc, secret, kind))

    @contextmanager
    def _computing(self, asked: Asked) -> Iterator[None]:
        with self._lock:
            self.asked.append(asked)
            self.at_once += 1
            self.at_once_max = max(self.at_once_max, self.at_once)
        self._arrivals.release()
        assert self._gate.wait(PATIENCE_S)
        try:
            yield
        finally:
            with self._lock:
                self.at_once -= 1

    @contextmanager
    def held(self) -> Iterator[None]:
        """Hashes asked for in the block start and do not end before it does."""
        self._gate.clear()
        try:
            yield
        finally:
            self._gate.set()

    async def begun(self, computations: int = 1) -> None:
        """Return when so many more have started. All ready tasks have had a turn by then."""
        for _ in range(computations):
            assert await asyncio.to_thread(self._arrivals.acquire, timeout=PATIENCE_S)

    def forget(self) -> None:
        self.asked.clear()
        while self._arrivals.acquire(blocking=False):
            pass
