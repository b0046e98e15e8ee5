"""The number of running and waiting hashes is bounded for any crowd."""

from __future__ import annotations

import asyncio
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from sekisho import passwords as module
from sekisho.passwords import Passwords, PasswordsBusy, Profile, Verified
from tests.passwords.watching import CHEAP, Argon2

PASSWORD = "an old pond, a frog"
CALLERS = 200


def check_all(passwords: Passwords, callers: int = CALLERS) -> list[asyncio.Task[Verified]]:
    return [asyncio.create_task(passwords.verify(None, "guess")) for _ in range(callers)]


async def test_of_two_hundred_some_run_some_wait_and_the_others_are_told_at_once(argon2: Argon2) -> None:
    """Of two hundred callers three run, twenty wait, and all others are told at once, before any hash ends."""
    passwords = Passwords(CHEAP, threads=3, waiting_max=20)
    with argon2.held():
        calls = check_all(passwords)
        await argon2.begun(3)
        shed = [call for call in calls if call.done()]
        assert (len(argon2.asked), len(shed), passwords.shed) == (3, CALLERS - 23, CALLERS - 23)
        assert all(isinstance(call.exception(), PasswordsBusy) for call in shed)

    answered = await asyncio.gather(*(call for call in calls if call not in shed))

    assert (len(answered), argon2.at_once_max, passwords.checks) == (23, 3, 23)


async def test_two_hundred_at_once_are_all_served_where_there_is_room(argon2: Argon2) -> None:
    """With enough room all two hundred get their own answer, in real threads, four at a time."""
    passwords = Passwords(CHEAP, threads=4, waiting_max=CALLERS)
    stored = await passwords.hash(PASSWORD)

    checks = [passwords.verify(stored, PASSWORD if number % 2 else "guess") for number in range(CALLERS)]
    answers = await asyncio.gather(*checks)

    assert [bool(answer) for answer in answers] == [bool(number % 2) for number in range(CALLERS)]
    assert argon2.at_once_max <= 4


async def test_those_who_wait_are_served_in_the_order_they_came(argon2: Argon2) -> None:
    """Waiting callers are served in order."""
    passwords = Passwords(CHEAP, threads=1, waiting_max=10)
    order: list[asyncio.Task[Verified]] = []
    with argon2.held():
        calls = check_all(passwords, 5)
        for call in calls:
            call.add_done_callback(order.append)
        await argon2.begun()
    await asyncio.gather(*calls)
    assert order == calls


async def test_sign_ups_and_log_ins_share_the_bound(argon2: Argon2) -> None:
    """Sign-ups and log-ins share the bound: a flood of either costs the same."""
    passwords = Passwords(CHEAP, threads=1, waiting_max=1)
    with argon2.held():
        calls = [*check_all(passwords, 1), asyncio.create_task(passwords.hash(PASSWORD))]
        await argon2.begun()
        for refused in (passwords.hash(PASSWORD), passwords.verify(None, "guess")):
            with pytest.raises(PasswordsBusy):
                await refused
    await asyncio.gather(*calls)


async def test_the_error_says_when_to_come_back() -> None:
    """The error gives the wait in whole seconds, one at least, from a full queue's duration in this profile."""
    waits = {}
    for name in ("OWASP", "RFC9106_LOW_MEMORY", "RFC9106_HIGH_MEMORY"):
        passwords = Passwords(getattr(module, name), threads=1, waiting_max=8)
        waits[name] = passwords._pool.retry_after_s
    assert waits == {"OWASP": 1, "RFC9106_LOW_MEMORY": 2, "RFC9106_HIGH_MEMORY": 18}
    assert str(PasswordsBusy(2)) == "too many passwords are being checked; try again in 2 s"
    assert PasswordsBusy(2).retry_after_s == 2


def test_by_default_as_many_wait_as_are_done_in_a_second() -> None:
    """By default as many wait as are served in a second (a GiB per second and thread): few for dear profiles, and
    always one.
    """
    waiting = {
        profile: Passwords(profile, threads=2)._pool.waiting_max
        for profile in (module.OWASP, module.RFC9106_LOW_MEMORY, module.RFC9106_HIGH_MEMORY, CHEAP)
    }
    assert list(waiting.values()) == [53, 10, 2, 1_024]


def test_by_default_threads_are_few() -> None:
    """By default there is a thread per core at most, fewer if a hash uses several, and never more than four."""
    wide = Passwords(Profile(1, 8 * 64, 64))._pool.threads
    narrow = Passwords(CHEAP)._pool.threads
    assert 1 == wide <= narrow <= 4


@pytest.mark.parametrize(("threads", "waiting_max"), [(0, 1), (-1, 1), (1, -1)])
def test_a_pool_of_nothing_is_a_mistake(threads: int, waiting_max: int) -> None:
    """A pool of zero is an error at once, not at the first log-in."""
    with pytest.raises(ValueError, match="at least one thread"):
        Passwords(CHEAP, threads=threads, waiting_max=waiting_max)


# Callers that disconnect.


async def test_a_caller_that_hangs_up_keeps_its_thread_until_the_hash_is_done(argon2: Argon2) -> None:
    """A cancelled caller's thread is busy until its hash is done: a free place would let repeated requests run any
    number.
    """
    passwords = Passwords(CHEAP, threads=2, waiting_max=0)
    with argon2.held():
        calls = check_all(passwords, 2)
        await argon2.begun(2)
        for call in calls:
            call.cancel()
        await asyncio.wait(calls)
        with pytest.raises(PasswordsBusy):
            await passwords.verify(None, "guess")
        assert argon2.at_once == 2
    await passwords.aclose()
    assert not await passwords.verify(None, "guess")
    assert argon2.at_once_max == 2


async def test_a_caller_that_hangs_up_while_waiting_gives_up_its_place_at_once(argon2: Argon2) -> None:
    """A cancelled waiting caller frees its place at once, and its hash is never computed."""
    passwords = Passwords(CHEAP, threads=1, waiting_max=1)
    with argon2.held():
        running, waiting = check_all(passwords, 2)
        await argon2.begun()
        waiting.cancel()
        await asyncio.wait([waiting])
        next_one = asyncio.create_task(passwords.hash(PASSWORD))
        await asyncio.sleep(0)
        assert not next_one.done()
    await asyncio.gather(running, next_one)
    assert [asked.call for asked in argon2.asked] == ["verify", "hash"]


async def test_a_caller_that_hangs_up_as_its_turn_comes_costs_nothing(argon2: Argon2) -> None:
    """A caller cancelled as its turn comes costs no hash, and its thread serves the next."""
    passwords = Passwords(CHEAP, threads=1, waiting_max=2)
    with argon2.held():
        running, gone, next_one = check_all(passwords, 3)
        await argon2.begun()
        next(iter(passwords._pool._strangers)).cancel()
    assert passwords._pool._executor
    passwords._pool._executor.shutdown()  # all of it, before the event loop has a turn
    await asyncio.gather(running, next_one)
    assert gone.cancelled()
    assert passwords.checks == 2


async def test_a_crowd_that_hangs_up_leaves_nothing_behind(argon2: Argon2) -> None:
    """Ten rounds of cancelled callers during one hash leave an empty queue."""
    passwords = Passwords(CHEAP, threads=1, waiting_max=50)
    with argon2.held():
        first = check_all(passwords, 1)
        await argon2.begun()
        for _ in range(10):
            crowd = check_all(passwords, 50)
            await asyncio.sleep(0)
            for call in crowd:
                call.cancel()
            await asyncio.wait(crowd)
            assert not passwords._pool._strangers
        assert passwords.shed == 0
    await asyncio.gather(*first)
    await passwords.aclose()
    assert passwords.checks == 1


async def test_one_that_fails_does_not_take_its_thread_along(argon2: Argon2, monkeypatch: pytest.MonkeyPatch) -> None:
    """An unexpected exception reaches its caller, and the thread serves the next."""
    passwords = Passwords(CHEAP, threads=1, waiting_max=5)

    def fail(*_: object) -> None:
        raise RuntimeError("nobody foresaw this")

    with monkeypatch.context() as broken:
        broken.setattr("argon2.low_level.verify_secret", fail)
        outcomes = await asyncio.gather(*check_all(passwords, 3), return_exceptions=True)
    assert [str(outcome) for outcome in outcomes] == ["nobody foresaw this"] * 3
    assert not await passwords.verify(None, "guess")


# Event loops and threads.


def test_several_event_loops_share_one_bound(argon2: Argon2) -> None:
    """Four loops in four threads with fifty callers each share a bound of two hashes."""
    passwords = Passwords(CHEAP, threads=2, waiting_max=CALLERS)

    async def crowd() -> int:
        return sum(bool(answer) for answer in await asyncio.gather(*check_all(passwords, 50)))

    with ThreadPoolExecutor(4) as loops:
        right = list(loops.map(lambda _: asyncio.run(crowd()), range(4)))
    asyncio.run(passwords.aclose())

    assert (right, passwords.checks) == ([0] * 4, CALLERS)
    assert argon2.at_once_max <= 2


def test_a_loop_that_ends_early_leaves_the_pool_usable(argon2: Argon2) -> None:
    """A loop that ends early leaves a running hash, after which other loops' callers are served."""
    passwords = Passwords(CHEAP, threads=1, waiting_max=1)

    async def leave_early() -> None:
        check_all(passwords, 2)
        await argon2.begun()

    async def check() -> bool:
        return bool(await passwords.verify(None, "guess"))

    with argon2.held():
        asyncio.run(leave_early())
    assert asyncio.run(check()) is False
    assert passwords.checks == 2


def threads_of_pools() -> set[threading.Thread]:
    return {thread for thread in threading.enumerate() if thread.name.startswith("sekisho-passwords")}


async def test_threads_begin_with_the_first_use_and_end_with_aclose(argon2: Argon2) -> None:
    """Threads start at the first use and end with `aclose`, after all queued work; the object can be used again."""
    others = threads_of_pools()
    passwords = Passwords(CHEAP, threads=1, waiting_max=1)
    assert not threads_of_pools() - others

    with argon2.held():
        calls = check_all(passwords, 2)
        await argon2.begun()
        assert len(threads_of_pools() - others) == 1
        closing = asyncio.create_task(passwords.aclose())
    await closing

    assert [bool(answer) for answer in await asyncio.gather(*calls)] == [False, False]
    assert not threads_of_pools() - others
    assert not await passwords.verify(None, "guess")
    await passwords.aclose()
