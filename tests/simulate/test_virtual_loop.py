"""Virtual time: sleeps and timeouts keep their order and their distances, and nobody waits for them."""

from __future__ import annotations

import asyncio

import pytest

from sekisho.simulate.virtual_loop import VirtualLoop

MONTH_S = 30 * 86_400


def test_a_month_passes_at_once() -> None:
    """A sleep of a month ends when its month has passed on the loop's clock."""
    with asyncio.Runner(loop_factory=VirtualLoop) as runner:

        async def month() -> float:
            await asyncio.sleep(MONTH_S)
            return asyncio.get_running_loop().time()

        assert runner.run(month()) == pytest.approx(MONTH_S, abs=1e-3)


def test_years_pass_too() -> None:
    """Floats of many seconds are coarser than a nanosecond: a timer that is due then must not be waited for."""
    with asyncio.Runner(loop_factory=VirtualLoop) as runner:

        async def ticks() -> float:
            await asyncio.sleep(123 * MONTH_S)
            for _ in range(1_000):
                await asyncio.sleep(0.1)
            return asyncio.get_running_loop().time()

        assert runner.run(ticks()) == pytest.approx(123 * MONTH_S + 100, abs=1e-2)


def test_sleeps_end_in_order() -> None:
    """An earlier sleep ends earlier, regardless of which began first; time stands still during a computation."""
    ended: list[tuple[str, float]] = []

    async def sleep(name: str, seconds: float) -> None:
        await asyncio.sleep(seconds)
        ended.append((name, asyncio.get_running_loop().time()))

    async def all_three() -> None:
        await asyncio.gather(sleep("hour", 3600), sleep("moment", 0.001), sleep("day", 86_400))

    with asyncio.Runner(loop_factory=VirtualLoop) as runner:
        runner.run(all_three())
    assert [name for name, _ in ended] == ["moment", "hour", "day"]
    assert [at_s for _, at_s in ended] == pytest.approx([0.001, 3600, 86_400], abs=1e-3)


def test_a_timeout_ends_what_is_late() -> None:
    """A timeout fires at its time and not before."""

    async def late() -> float:
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(5):
                await asyncio.sleep(6)
        return asyncio.get_running_loop().time()

    with asyncio.Runner(loop_factory=VirtualLoop) as runner:
        assert runner.run(late()) == pytest.approx(5, abs=1e-3)


def test_work_of_a_thread_is_waited_for() -> None:
    """With no timer left the loop waits for a thread as any other does."""
    with asyncio.Runner(loop_factory=VirtualLoop) as runner:
        assert runner.run(asyncio.to_thread(sum, (1, 2))) == 3
