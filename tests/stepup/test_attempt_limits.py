"""Attempt limits: the caps of a challenge and an account, and guesses that count for no account."""

from __future__ import annotations

import asyncio
from collections import Counter
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sekisho.crypto.vault_keys import VaultKeys, enrolment_binding
from sekisho.stepup.attempt_limits import ACCOUNT_TRIES_MAX, APP_PERIOD_S, CHALLENGE_TRIES_MAX, DOOR, CodeTrial, Guess
from tests.stepup.proving import HOUR, Clock, in_redis, limits, memory, trial

if TYPE_CHECKING:
    from sekisho.store.vault import Vault

CHALLENGES = [bytes([number]) for number in range(8)]


async def test_a_challenge_allows_five_tries() -> None:
    """A challenge allows five tries; every later one is refused."""
    attempt_limits = limits(memory())
    allowed = [await attempt_limits.of_guessable(trial()) for _ in range(8)]
    assert allowed == [True] * 5 + [False] * 3


async def test_a_new_challenge_does_not_bring_new_tries_for_the_account() -> None:
    """Row 80: an account has ten tries an hour, over all new challenges."""
    clock = Clock()
    attempt_limits = limits(memory(clock))

    async def allowed_from(first: int) -> int:
        return sum([await attempt_limits.of_guessable(trial(bytes([first + n // 3]))) for n in range(60)])

    assert await allowed_from(0) == 10
    clock.now_s += HOUR - 1
    assert await allowed_from(50) == 0
    clock.now_s += 1
    assert await allowed_from(100) == 10


async def test_a_used_up_challenge_takes_nothing_from_the_account() -> None:
    """A page that repeats a wrong code costs its owner the five tries of the challenge and not the account's ten."""
    attempt_limits = limits(memory())
    for _ in range(50):
        await attempt_limits.of_guessable(trial(b"first"))
    assert [await attempt_limits.of_guessable(trial(b"second")) for _ in range(5)] == [True] * 5


async def test_tries_behind_a_wrong_secret_leave_the_owner_all_of_theirs() -> None:
    """R7: a hundred challenges behind wrong secrets leave the owner all ten tries."""
    attempt_limits = limits(memory())
    for number in range(100):
        for _ in range(6):
            await attempt_limits.of_guessable(trial(b"w%d" % number, right=False))
    allowed = [await attempt_limits.of_guessable(trial(b"r%d" % (number // 5))) for number in range(15)]
    assert allowed == [True] * 10 + [False] * 5


async def test_a_wrong_secret_is_counted_in_as_many_steps_as_a_right_one() -> None:
    """Right and wrong secrets take the same number of steps, or round trips would reveal right passwords."""
    steps = []
    for right in (True, False):
        vault = memory()
        allowed = [await limits(vault).of_guessable(trial(right=right)) for _ in range(7)]
        steps.append((allowed, vault.steps))
    assert steps[0] == steps[1]


async def test_parallel_tries_do_not_all_see_room(redis_url: str) -> None:
    """Of two hundred parallel tries over many challenges ten pass, in memory and in Redis."""
    trials = [trial(b"c%d" % (number // 4)) for number in range(200)]
    async with in_redis(redis_url) as shared:
        for vault in (memory(), shared):
            allowed = await asyncio.gather(*[limits(vault).of_guessable(each) for each in trials])
            assert sum(allowed) == 10


async def guessed(clock: Clock, vault: Vault, hours: int, *, right: bool = True, scope: bytes = b"") -> int:
    """How many guesses at an app an attacker gets who uses every chance, hour by hour."""
    allowed = 0
    for _ in range(hours):
        for n in range(2 * ACCOUNT_TRIES_MAX):
            one = trial(b"%d %d" % (int(clock.now_s), n // 4), right=right)._replace(scope=scope)
            allowed += (await limits(vault).of_app(one)).allowed
        clock.now_s += HOUR
    return allowed


async def test_guesses_at_an_app_add_up_to_a_hundred() -> None:
    """Row 80: an app allows a hundred guesses; ten an hour would be 87,600 a year and let in one attacker in four."""
    clock = Clock()
    vault = memory(clock)
    assert await guessed(clock, vault, 9) == 90
    assert await guessed(clock, vault, 500) == 10
    clock.now_s = APP_PERIOD_S
    assert await guessed(clock, vault, 1) == 10


async def test_the_last_guess_at_an_app_is_told_once() -> None:
    """The owner is told once of the last guess, after which the app is refused."""
    clock = Clock()
    vault = memory(clock)
    assert await guessed(clock, vault, 9) == 90
    told = [await limits(vault).of_app(trial(b"%d" % (n // 4))) for n in range(15)]
    assert [one.is_last for one in told] == [False] * 9 + [True] + [False] * 5


async def test_a_proof_gives_an_app_back() -> None:
    """A proof clears the app's guesses, at the log-in and at doors; another account's proof does not."""
    clock = Clock()
    vault = memory(clock)
    assert [await guessed(clock, vault, 12, scope=scope) for scope in (b"", DOOR)] == [100, 100]
    await limits(vault).proved("owner-2")
    assert [await guessed(clock, vault, 1, scope=scope) for scope in (b"", DOOR)] == [0, 0]
    await limits(vault).proved("owner-1")
    assert [await guessed(clock, vault, 1, scope=scope) for scope in (b"", DOOR)] == [10, 10]


async def test_guesses_behind_a_wrong_secret_take_nothing_of_an_app() -> None:
    """R7: guesses behind a wrong secret or at doors do not count against an app, and their counter ends within an
    hour.
    """
    clock = Clock()
    vault = memory(clock)
    await guessed(clock, vault, 50, right=False)
    await guessed(clock, vault, 50, scope=DOOR)
    assert await guessed(clock, vault, 9) == 90
    await guessed(clock, vault, 1, right=False)
    clock.now_s += HOUR
    assert await vault.count(b"sweep", seconds=1) == 1
    for _ in range(200):
        await vault.count(b"sweep", seconds=1)
    assert vault.entries < 10


async def test_a_guess_at_an_app_takes_the_same_steps_whatever_is_behind_it() -> None:
    """A guess at an app takes the same steps for any secret, below the caps and beyond them."""
    clock = Clock()
    seen = []
    for right in (True, False):
        vault = memory(clock)
        for _ in range(12):
            await guessed(clock, vault, 1, right=right)
        seen.append(vault.steps)
    assert seen[0] == seen[1]


@given(
    owners=st.lists(st.tuples(st.sampled_from(["a", "b"]), st.booleans()), min_size=8, max_size=8),
    order=st.lists(st.integers(0, 7), min_size=20, max_size=80),
)
def test_caps_hold_and_wrong_secrets_change_nothing(owners: list[tuple[str, bool]], order: list[int]) -> None:
    """In any interleaving both caps hold, and wrong secrets do not change what right ones get."""
    made = [CodeTrial(CHALLENGES[n], account, right) for n, (account, right) in enumerate(owners)]
    everything = [made[number] for number in order]
    right = [each for each in everything if each.behind_right_secret]

    async def allowed(those: list[CodeTrial]) -> list[CodeTrial]:
        attempt_limits = limits(memory())
        return [each for each in those if await attempt_limits.of_guessable(each)]

    together, alone = asyncio.run(allowed(everything)), asyncio.run(allowed(right))
    assert [each for each in together if each.behind_right_secret] == alone
    assert together == _expected(everything)


def _expected(those: list[CodeTrial]) -> list[CodeTrial]:
    """The rule in a few lines: tries behind a wrong secret use up their challenge alone."""
    challenges: Counter[bytes] = Counter()
    accounts: Counter[str] = Counter()
    allowed = []
    for each in those:
        challenges[each.challenge] += 1
        if challenges[each.challenge] > CHALLENGE_TRIES_MAX:
            continue
        accounts[each.account] += each.behind_right_secret
        if not each.behind_right_secret or accounts[each.account] <= ACCOUNT_TRIES_MAX:
            allowed.append(each)
    return allowed


def test_a_trial_shows_nothing_of_itself() -> None:
    """A trial's `repr` does not show whether the password was right."""
    assert f"{trial()} {trial()!r} {trial(right=False)}" == "CodeTrial(...) CodeTrial(...) CodeTrial(...)"


@pytest.mark.parametrize("other", [(b"kinds", "ab", "c"), (b"kind", "a", "bc"), (b"kind", "abc"), (b"kind", "ab", "C")])
def test_names_do_not_run_into_each_other(other: tuple[bytes, *tuple[str, ...]]) -> None:
    """Names are unambiguous: another use, or another split of the same letters, is another name."""
    keys = VaultKeys([b"s" * 32])
    assert keys.of(b"kind", "ab", "c") not in (keys.of(*other), b"")


def test_names_outlive_a_rotation_and_differ_between_services() -> None:
    """Names survive a rotation, which must not hand out new tries; they differ between services."""
    old, rotated, foreign = (VaultKeys(secrets) for secrets in ([b"o" * 32], [b"n" * 32, b"o" * 32], [b"f" * 32]))
    assert old.of(b"kind", "a") == rotated.of(b"kind", "a") != foreign.of(b"kind", "a")


def test_enrolments_are_told_apart_by_account_and_id() -> None:
    """Enrolments are told apart by account and id: no two pairs bind the same bytes, for any text."""
    pairs = [("ab", "c"), ("a", "bc"), ("", "abc"), ("abc", ""), ("\ud800", "c"), ("Ab", "c")]
    assert len({enrolment_binding(*pair) for pair in pairs}) == len(pairs)


async def test_a_try_before_the_end_of_the_run_is_counted_once_by_whoever_settles_it() -> None:
    """A try before the end of the run is counted once, by its worker, the run's worker or both: ten tries stay ten."""
    vault = memory()
    for challenge in (b"one", b"two"):
        for _ in range(6):
            early = await limits(vault).counted(CodeTrial(challenge, "owner-1", behind_right_secret=False))
            await limits(vault).defer(early, Guess.CODE)
    for challenge in (b"one", b"one", b"two"):
        await asyncio.gather(*(limits(vault).settle(trial(challenge)) for _ in range(3)))
    left = [await limits(vault).of_guessable(trial(b"three")) for _ in range(5)]
    assert left == [False] * 5


async def test_settled_tries_behind_a_wrong_secret_concern_nobody() -> None:
    """R7: settled tries behind a wrong secret count for no account, in as many steps as behind a right one."""
    steps = []
    for right in (True, False):
        vault = memory()
        for number in range(30):
            early = await limits(vault).counted(CodeTrial(b"w%d" % (number // 3), "owner-1", behind_right_secret=False))
            await limits(vault).defer(early, Guess.APP)
            await limits(vault).settle(trial(b"w%d" % (number // 3), right=right))
        steps.append(vault.steps)
        assert [await limits(vault).of_guessable(trial(b"r"))] == [not right]
    assert steps[0] == steps[1]


async def test_the_last_guess_at_an_app_is_told_also_where_it_is_settled() -> None:
    """The owner is told of the last guess at an app also if it is counted when the run ends."""
    clock = Clock()
    vault = memory(clock)
    assert await guessed(clock, vault, 9) == 90
    told = []
    for number in range(12):
        early = await limits(vault).counted(CodeTrial(b"e%d" % (number // 4), "owner-1", behind_right_secret=False))
        await limits(vault).defer(early, Guess.APP)
        told.append(await limits(vault).settle(trial(b"e%d" % (number // 4))))
    assert told == [False] * 9 + [True] + [False] * 2


async def test_early_codes_of_invented_accounts_are_one_count() -> None:
    """Early codes of invented accounts share one counter, or invented names would fill the store for a day."""
    vault = memory()
    allowed = []
    for number in range(12):
        early = await limits(vault).counted(CodeTrial(b"e%d" % number, f"nobody-{number}", behind_right_secret=False))
        allowed.append(await limits(vault).early(early, Guess.APP, exists=False))
    assert allowed == [True] * 10 + [False] * 2
    assert vault.entries == 12 + 1
