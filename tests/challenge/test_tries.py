"""Tries: what a challenge and an account allow, and what concerns nobody."""

from __future__ import annotations

import asyncio
from collections import Counter
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sekisho.challenge.keys import VaultKeys, enrolment_binding
from sekisho.challenge.tries import ACCOUNT_TRIES_MAX, APP_PERIOD_S, CHALLENGE_TRIES_MAX, DOOR, Guess, Trial
from tests.challenge.proving import HOUR, Clock, in_redis, memory, trial, tries

if TYPE_CHECKING:
    from sekisho.store.vault import Vault

CHALLENGES = [bytes([number]) for number in range(8)]


async def test_a_challenge_allows_five_tries() -> None:
    """The sixth is refused, however many follow."""
    counted = tries(memory())
    allowed = [await counted.of_guessable(trial()) for _ in range(8)]
    assert allowed == [True] * 5 + [False] * 3


async def test_a_new_challenge_does_not_bring_new_tries_for_the_account() -> None:
    """Row 80: whoever starts again after every three guesses gets ten in an hour, and ten in the next."""
    clock = Clock()
    counted = tries(memory(clock))

    async def allowed_from(first: int) -> int:
        return sum([await counted.of_guessable(trial(bytes([first + n // 3]))) for n in range(60)])

    assert await allowed_from(0) == 10
    clock.now_s += HOUR - 1
    assert await allowed_from(50) == 0
    clock.now_s += 1
    assert await allowed_from(100) == 10


async def test_a_used_up_challenge_takes_nothing_from_the_account() -> None:
    """A page that goes on sending the same wrong code costs its owner five tries and not ten."""
    counted = tries(memory())
    for _ in range(50):
        await counted.of_guessable(trial(b"first"))
    assert [await counted.of_guessable(trial(b"second")) for _ in range(5)] == [True] * 5


async def test_tries_behind_a_wrong_secret_leave_the_owner_all_of_theirs() -> None:
    """R7: a hundred challenges behind wrong passwords, and the owner still has ten tries."""
    counted = tries(memory())
    for number in range(100):
        for _ in range(6):
            await counted.of_guessable(trial(b"w%d" % number, right=False))
    allowed = [await counted.of_guessable(trial(b"r%d" % (number // 5))) for number in range(15)]
    assert allowed == [True] * 10 + [False] * 5


async def test_a_wrong_secret_is_counted_in_as_many_steps_as_a_right_one() -> None:
    """Else the number of round trips would say which of a list of passwords are right."""
    steps = []
    for right in (True, False):
        vault = memory()
        allowed = [await tries(vault).of_guessable(trial(right=right)) for _ in range(7)]
        steps.append((allowed, vault.steps))
    assert steps[0] == steps[1]


async def test_parallel_tries_do_not_all_see_room(redis_url: str) -> None:
    """Two hundred at once over many challenges: ten, in memory and in Redis."""
    trials = [trial(b"c%d" % (number // 4)) for number in range(200)]
    async with in_redis(redis_url) as shared:
        for vault in (memory(), shared):
            allowed = await asyncio.gather(*[tries(vault).of_guessable(each) for each in trials])
            assert sum(allowed) == 10


async def guessed(clock: Clock, vault: Vault, hours: int, *, right: bool = True, lane: bytes = b"") -> int:
    """How many guesses somebody has at an app who takes all that he is given, hour by hour."""
    allowed = 0
    for _ in range(hours):
        for n in range(2 * ACCOUNT_TRIES_MAX):
            one = trial(b"%d %d" % (int(clock.now_s), n // 4), right=right)._replace(lane=lane)
            allowed += (await tries(vault).of_app(one)).allowed
        clock.now_s += HOUR
    return allowed


async def test_guesses_at_an_app_add_up_to_a_hundred() -> None:
    """Row 80: ten an hour would be 87,600 in a year, and one in four of those who try so long would be let in."""
    clock = Clock()
    vault = memory(clock)
    assert await guessed(clock, vault, 9) == 90
    assert await guessed(clock, vault, 500) == 10
    clock.now_s = APP_PERIOD_S
    assert await guessed(clock, vault, 1) == 10


async def test_the_last_guess_at_an_app_is_told_once() -> None:
    """Its owner must hear why the app is no longer taken; and not a hundred times."""
    clock = Clock()
    vault = memory(clock)
    assert await guessed(clock, vault, 9) == 90
    told = [await tries(vault).of_app(trial(b"%d" % (n // 4))) for n in range(15)]
    assert [one.is_last for one in told] == [False] * 9 + [True] + [False] * 5


async def test_a_proof_gives_an_app_back() -> None:
    """What was tried before it accuses nobody: neither at the log-in nor at doors. Another account's gives none."""
    clock = Clock()
    vault = memory(clock)
    assert [await guessed(clock, vault, 12, lane=lane) for lane in (b"", DOOR)] == [100, 100]
    await tries(vault).proved("owner-2")
    assert [await guessed(clock, vault, 1, lane=lane) for lane in (b"", DOOR)] == [0, 0]
    await tries(vault).proved("owner-1")
    assert [await guessed(clock, vault, 1, lane=lane) for lane in (b"", DOOR)] == [10, 10]


async def test_guesses_behind_a_wrong_secret_take_nothing_of_an_app() -> None:
    """R7: nor do those at doors, where nobody has asked for it; and what they leave behind is gone in an hour."""
    clock = Clock()
    vault = memory(clock)
    await guessed(clock, vault, 50, right=False)
    await guessed(clock, vault, 50, lane=DOOR)
    assert await guessed(clock, vault, 9) == 90
    await guessed(clock, vault, 1, right=False)
    clock.now_s += HOUR
    assert await vault.count(b"sweep", seconds=1) == 1
    for _ in range(200):
        await vault.count(b"sweep", seconds=1)
    assert vault.entries < 10


async def test_a_guess_at_an_app_takes_the_same_steps_whatever_is_behind_it() -> None:
    """Within the caps and beyond each of them: only behind a right secret is there one to reach."""
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
    """For any interleaving: both caps hold, and the right ones get what they would have got alone."""
    made = [Trial(CHALLENGES[n], account, right) for n, (account, right) in enumerate(owners)]
    everything = [made[number] for number in order]
    right = [each for each in everything if each.behind_right_secret]

    async def allowed(those: list[Trial]) -> list[Trial]:
        counted = tries(memory())
        return [each for each in those if await counted.of_guessable(each)]

    together, alone = asyncio.run(allowed(everything)), asyncio.run(allowed(right))
    assert [each for each in together if each.behind_right_secret] == alone
    assert together == _expected(everything)


def _expected(those: list[Trial]) -> list[Trial]:
    """The rule in a few lines; what is behind a wrong secret has a challenge's tries and nothing else to use up."""
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
    """Least of all whether the password was right."""
    assert f"{trial()} {trial()!r} {trial(right=False)}" == "Trial(...) Trial(...) Trial(...)"


@pytest.mark.parametrize("other", [(b"kinds", "ab", "c"), (b"kind", "a", "bc"), (b"kind", "abc"), (b"kind", "ab", "C")])
def test_names_do_not_run_into_each_other(other: tuple[bytes, *tuple[str, ...]]) -> None:
    """Another use, or the same letters divided otherwise, is another name."""
    keys = VaultKeys([b"s" * 32])
    assert keys.of(b"kind", "ab", "c") not in (keys.of(*other), b"")


def test_names_outlive_a_rotation_and_differ_between_services() -> None:
    """A secret put in front changes no name, or each rotation would hand out tries; another service's differ."""
    old, rotated, foreign = (VaultKeys(secrets) for secrets in ([b"o" * 32], [b"n" * 32, b"o" * 32], [b"f" * 32]))
    assert old.of(b"kind", "a") == rotated.of(b"kind", "a") != foreign.of(b"kind", "a")


def test_enrolments_are_told_apart_by_account_and_id() -> None:
    """No two pairs bind the same bytes; an account may be any text that an application reads."""
    pairs = [("ab", "c"), ("a", "bc"), ("", "abc"), ("abc", ""), ("\ud800", "c"), ("Ab", "c")]
    assert len({enrolment_binding(*pair) for pair in pairs}) == len(pairs)


async def test_a_try_before_the_end_of_the_run_is_counted_once_by_whoever_settles_it() -> None:
    """Its own worker, the one that ran the application, or both at once: an owner's ten tries are ten."""
    vault = memory()
    for challenge in (b"one", b"two"):
        for _ in range(6):
            early = await tries(vault).counted(Trial(challenge, "owner-1", behind_right_secret=False))
            await tries(vault).defer(early, Guess.CODE)
    for challenge in (b"one", b"one", b"two"):
        await asyncio.gather(*(tries(vault).settle(trial(challenge)) for _ in range(3)))
    left = [await tries(vault).of_guessable(trial(b"three")) for _ in range(5)]
    assert left == [False] * 5


async def test_settled_tries_behind_a_wrong_secret_concern_nobody() -> None:
    """R7, in as many steps as behind a right one."""
    steps = []
    for right in (True, False):
        vault = memory()
        for number in range(30):
            early = await tries(vault).counted(Trial(b"w%d" % (number // 3), "owner-1", behind_right_secret=False))
            await tries(vault).defer(early, Guess.APP)
            await tries(vault).settle(trial(b"w%d" % (number // 3), right=right))
        steps.append(vault.steps)
        assert [await tries(vault).of_guessable(trial(b"r"))] == [not right]
    assert steps[0] == steps[1]


async def test_the_last_guess_at_an_app_is_told_also_where_it_is_settled() -> None:
    """Its owner must hear why the app is no longer taken."""
    clock = Clock()
    vault = memory(clock)
    assert await guessed(clock, vault, 9) == 90
    told = []
    for number in range(12):
        early = await tries(vault).counted(Trial(b"e%d" % (number // 4), "owner-1", behind_right_secret=False))
        await tries(vault).defer(early, Guess.APP)
        told.append(await tries(vault).settle(trial(b"e%d" % (number // 4))))
    assert told == [False] * 9 + [True] + [False] * 2


async def test_early_codes_of_invented_accounts_are_one_count() -> None:
    """A day is long: a name each would fill the store for whoever invents names."""
    vault = memory()
    allowed = []
    for number in range(12):
        early = await tries(vault).counted(Trial(b"e%d" % number, f"nobody-{number}", behind_right_secret=False))
        allowed.append(await tries(vault).early(early, Guess.APP, exists=False))
    assert allowed == [True] * 10 + [False] * 2
    assert vault.entries == 12 + 1
