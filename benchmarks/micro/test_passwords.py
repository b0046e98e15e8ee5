"""What one password costs the service: by profile, and the pool's own part of it."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest

from sekisho import passwords
from sekisho.passwords import Passwords, Profile

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pytest_benchmark.fixture import BenchmarkFixture

# Without RFC9106_HIGH_MEMORY: its two GiB are more than many a service has.
PROFILES = ["OWASP_46MIB", "OWASP_19MIB", "OWASP_12MIB", "OWASP_9MIB", "OWASP_7MIB", "RFC9106_LOW_MEMORY"]
AT_ONCE = 4


@pytest.fixture
def runner() -> Iterator[asyncio.Runner]:
    with asyncio.Runner() as started:
        yield started


@pytest.mark.parametrize("name", PROFILES)
def test_wrong_passwords(benchmark: BenchmarkFixture, runner: asyncio.Runner, name: str) -> None:
    """Four log-ins at once, by as many threads as there are by default: a quarter of it is what each took."""
    pool = Passwords(getattr(passwords, name), waiting_max=AT_ONCE)

    async def check() -> int:
        return sum(map(bool, await asyncio.gather(*(pool.verify(None, "guess") for _ in range(AT_ONCE)))))

    assert benchmark(lambda: runner.run(check())) == 0
    runner.run(pool.aclose())


def test_the_way_to_a_thread_and_back(benchmark: BenchmarkFixture, runner: asyncio.Runner) -> None:
    """Argon2 over eight KiB costs hardly anything, so the pool's own cost remains."""
    pool = Passwords(Profile(1, 8, 1))
    assert not benchmark(lambda: runner.run(pool.verify(None, "guess")))
    runner.run(pool.aclose())
