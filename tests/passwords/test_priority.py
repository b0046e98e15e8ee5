"""Known devices are served first, and strangers are never shut out."""

from __future__ import annotations

import asyncio
from contextvars import copy_context
from functools import partial
from typing import TYPE_CHECKING

import pytest

from sekisho.model import DEVICE_CLASS, Device
from sekisho.passwords import Passwords, PasswordsBusy, Profile
from tests.passwords.watching import CHEAP, Argon2

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

    from sekisho.passwords import Verified

OLD = Profile(1, 16, 1)


class Crowd:
    """Named callers of one pool, in the order in which they are answered."""

    def __init__(self, passwords: Passwords) -> None:
        self._passwords = passwords
        self.answered: list[str] = []
        self._calls: list[asyncio.Task[None]] = []

    async def call(self, device: Device, *names: str) -> None:
        """Call, and let all run: callers that were not refused are queued."""
        for name in names:
            self._calls.append(asyncio.create_task(self._call(device, name)))
            await asyncio.sleep(0)

    async def _call(self, device: Device, name: str) -> None:
        DEVICE_CLASS.set(device)  # as the guard does, for this task and its calls
        try:
            await self._passwords.verify(None, "guess")
        except PasswordsBusy:
            self.answered.append(f"{name} busy")
        else:
            self.answered.append(name)

    async def gone(self) -> list[str]:
        await asyncio.gather(*self._calls)
        return self.answered


@pytest.fixture
async def crowd(argon2: Argon2) -> Crowd:
    """One thread, used by `first`; eight callers may wait."""
    passwords = Passwords(CHEAP, threads=1, waiting_max=8)
    return Crowd(passwords)


async def test_known_devices_are_served_before_strangers_who_came_first(crowd: Crowd, argon2: Argon2) -> None:
    """A known device waits for the running hash and its own, before queued strangers."""
    with argon2.held():
        await crowd.call(Device.STRANGER, "first", "a", "b")
        await crowd.call(Device.SEEN, "seen")
        await crowd.call(Device.PROVED, "proved")
        await argon2.begun()

    assert await crowd.gone() == ["first", "seen", "proved", "a", "b"]


async def test_one_hash_in_four_is_a_strangers_while_known_devices_wait(crowd: Crowd, argon2: Argon2) -> None:
    """While known devices wait one hash in four is a stranger's, so stolen devices cannot shut strangers out."""
    with argon2.held():
        await crowd.call(Device.STRANGER, "first", "a", "b")
        await crowd.call(Device.PROVED, *"12345678")
        await argon2.begun()

    assert await crowd.gone() == ["first", "1", "2", "3", "a", "4", "5", "6", "b", "7", "8"]


async def test_a_full_line_of_strangers_leaves_known_devices_their_room(crowd: Crowd, argon2: Argon2) -> None:
    """Each class has its own bound, so neither crowds out the other."""
    with argon2.held():
        await crowd.call(Device.STRANGER, "first", *"abcdefgh", "late")
        await crowd.call(Device.SEEN, *"12345678", "9")
        await argon2.begun()
        assert crowd.answered == ["late busy", "9 busy"]

    assert len(await crowd.gone()) == 19


async def test_a_stranger_who_would_wait_four_times_as_long_is_told_at_once(crowd: Crowd, argon2: Argon2) -> None:
    """While a known device waits, strangers have a quarter of their room, as their queue is four times as slow."""
    with argon2.held():
        await crowd.call(Device.STRANGER, "first", "a")
        await crowd.call(Device.SEEN, "known")
        await crowd.call(Device.STRANGER, "b", "c")
        await argon2.begun()
        assert crowd.answered == ["c busy"]

    assert await crowd.gone() == ["c busy", "first", "known", "a", "b"]


async def test_a_caller_without_a_guard_counts_as_a_stranger(argon2: Argon2) -> None:
    """A caller on an unguarded route counts as a stranger."""
    passwords = Passwords(CHEAP, threads=1, waiting_max=1)
    with argon2.held():
        calls = [asyncio.create_task(passwords.verify(None, "guess")) for _ in range(2)]
        await argon2.begun()
        with pytest.raises(PasswordsBusy):
            await passwords.hash("a new password")
    await asyncio.gather(*calls)


async def test_a_renewal_stands_before_no_owner(monkeypatch: pytest.MonkeyPatch) -> None:
    """A renewal after a known device's log-in, for which nobody waits, is queued behind owners."""
    passwords, known_first = Passwords(CHEAP, threads=1, waiting_max=8, decoy=OLD), []
    stored, renewed = await Passwords(OLD).hash("right"), asyncio.Event()
    run = passwords._pool.run

    async def watched(work: Callable[[], object], *, known: bool) -> object:
        known_first.append(known)
        return await run(work, known=known)

    monkeypatch.setattr(passwords._pool, "run", watched)
    DEVICE_CLASS.set(Device.PROVED)
    assert await passwords.verify(stored, "right", renew=lambda _: renewed.set())
    await renewed.wait()

    assert known_first == [True, False]


# Where the device class arrives.


def in_a_thread(
    call: Callable[[], Coroutine[None, None, Verified]], loop: asyncio.AbstractEventLoop, asked: asyncio.Event
) -> None:
    """Ask the pool of the service's loop from a thread, as a synchronous handler does."""
    result = asyncio.run_coroutine_threadsafe(call(), loop)
    loop.call_soon_threadsafe(asked.set)  # later calls have their turn after the call's first step
    result.result()


async def test_it_reaches_a_synchronous_handler_in_a_thread(crowd: Crowd, argon2: Argon2) -> None:
    """The class reaches a synchronous handler's thread and back: frameworks copy the context."""
    passwords, asked, loop = crowd._passwords, asyncio.Event(), asyncio.get_running_loop()
    DEVICE_CLASS.set(Device.SEEN)
    with argon2.held():
        await crowd.call(Device.STRANGER, "first")
        call = partial(passwords.verify, None, "guess")
        thread = asyncio.create_task(asyncio.to_thread(in_a_thread, call, loop, asked))
        await asked.wait()
        assert (len(passwords._pool._known), len(passwords._pool._strangers)) == (1, 0)
        await argon2.begun()
    await thread
    await crowd.gone()


async def test_it_does_not_reach_a_bare_executor(argon2: Argon2) -> None:
    """A bare executor's thread has its own context and counts as a stranger, unless `device` says otherwise."""
    DEVICE_CLASS.set(Device.SEEN)

    there = await asyncio.get_running_loop().run_in_executor(None, DEVICE_CLASS.get)

    assert (there, copy_context()[DEVICE_CLASS]) == (Device.STRANGER, Device.SEEN)


async def test_a_service_may_say_itself_whose_call_it_is(crowd: Crowd, argon2: Argon2) -> None:
    """A service may state the class itself, such as in a queue's worker."""
    passwords = crowd._passwords
    with argon2.held():
        await crowd.call(Device.STRANGER, "first", *"abcdefgh")
        known = asyncio.create_task(passwords.verify(None, "guess", device=Device.PROVED))
        await argon2.begun()
    await known
    await crowd.gone()

    assert passwords.shed == 0
