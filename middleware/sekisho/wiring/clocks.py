"""The clocks that parts are given: the only place where the guard names the machine's time."""

from __future__ import annotations

import time

monotonic_s = time.monotonic  # called twice for each stranger's attempt, so without a wrapper of our own


def unix_us() -> int:
    return time.time_ns() // 1000


def wall_s() -> float:
    return time.time()


def unix_s() -> float:
    return unix_us() / 1_000_000


def monotonic_us() -> int:
    return time.monotonic_ns() // 1000
