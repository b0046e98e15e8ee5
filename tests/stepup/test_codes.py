"""Sent codes: for one challenge, ten minutes and one proof, without a flood of mail."""

from __future__ import annotations

import asyncio
import re
import time
from itertools import pairwise
from typing import TYPE_CHECKING

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from sekisho.crypto.seal import Sealer
from sekisho.stepup.factors.codes import LIFE_S, SENDS_MAX, Code, Codes
from tests.stepup.proving import HOUR, KEYS, NOW, SEALER, Clock, in_redis, limits, memory, trial

if TYPE_CHECKING:
    from sekisho.stepup.attempt_limits import CodeTrial
    from sekisho.store.vault import Vault


def codes(vault: Vault, sealer: Sealer = SEALER) -> Codes:
    """The codes of one worker."""
    return Codes(vault, KEYS, sealer, limits(vault))


async def sent(vault: Vault, who: CodeTrial | None = None, *, now_s: int = NOW) -> Code:
    """The code that was sent; there must be one."""
    code = await codes(vault).issue(who or trial(), now_s=now_s)
    assert code
    return code


def another(code: Code) -> str:
    """Eight digits other than the code."""
    return f"{(int(code.digits) + 1) % 10**8:08}"


async def test_a_code_is_eight_digits_good_for_ten_minutes() -> None:
    """A code has eight digits (26 bits; ASVS 6.5.4 asks for 20) and lives ten minutes, as 6.5.5 allows."""
    made = [await sent(memory()) for _ in range(200)]
    assert all(re.fullmatch("[0-9]{8}", code.digits) for code in made)
    assert {code.seconds_left for code in made} == {600}
    assert len({code.digits for code in made}) > 190
    assert {code.digits[0] for code in made} > {"0", "9"}


@pytest.mark.parametrize("write", ["{}{}", "{} {}", " {} {} "])
async def test_it_is_accepted_as_it_was_sent_once(write: str) -> None:
    """A code is accepted once, as digits or in groups."""
    vault = memory()
    digits = (await sent(vault)).digits
    typed = write.format(digits[:4], digits[4:])
    assert [await codes(vault).accept(trial(), typed) for _ in range(3)] == [True, False, False]


async def test_full_width_digits_are_read() -> None:
    """Full-width digits, as Japanese keyboards type, are accepted."""
    vault = memory()
    code = await sent(vault)
    assert await codes(vault).accept(trial(), code.digits.translate({ord(d): ord(d) + 0xFEE0 for d in "0123456789"}))


async def test_a_code_shown_in_parallel_is_accepted_once(redis_url: str) -> None:
    """Of five workers shown a code at once one accepts it, in memory and in Redis."""
    async with in_redis(redis_url) as shared:
        for vault in (memory(), shared):
            code = await sent(vault)
            shown = await asyncio.gather(*[codes(vault).accept(trial(), code.digits) for _ in range(5)])
            assert sum(shown) == 1


@pytest.mark.parametrize(
    "other",
    [trial(b"other"), trial(account="owner-2"), trial(account="Owner-1"), trial(right=False)],
)
async def test_it_is_worth_nothing_for_another_challenge_or_account(other: CodeTrial) -> None:
    """Row 82, ASVS 6.6.2: a code is void for another account or challenge, and its owner can still use it."""
    vault = memory()
    code = await sent(vault)
    assert not await codes(vault).accept(other, code.digits)
    assert await codes(vault).accept(trial(), code.digits)


async def test_after_ten_minutes_it_is_worth_nothing() -> None:
    """A code works a second before its ten minutes end, and not at their end."""
    for age_s, good in ((LIFE_S - 1, True), (LIFE_S, False)):
        clock = Clock()
        vault = memory(clock)
        code = await sent(vault)
        clock.now_s += age_s
        assert await codes(vault).accept(trial(), code.digits) is good


async def test_no_code_was_sent_and_none_is_right() -> None:
    """A challenge without a sent code accepts none."""
    assert not await codes(memory()).accept(trial(), "00000000")


async def test_a_new_send_sends_the_same_code() -> None:
    """A second send sends the same code, so either mail works; the mail says how long it still lives."""
    clock = Clock()
    vault = memory(clock)
    first = await sent(vault)
    clock.now_s += 200
    assert await sent(vault, now_s=NOW + 200) == (first.digits, 400)
    assert await codes(vault).accept(trial(), first.digits)


async def test_a_mail_never_promises_more_or_less_than_there_can_be() -> None:
    """A mail promises between nothing and ten minutes, although workers' clocks differ."""
    vault = memory()
    assert [(await sent(vault, now_s=now_s)).seconds_left for now_s in (NOW, NOW - 50, NOW + 5_000)] == [600, 600, 0]


async def test_a_code_is_spent_for_as_long_as_it_would_have_lived_and_the_next_is_not() -> None:
    """A spent code is refused until its last second; a code sent to the same challenge after that is accepted."""
    clock = Clock()
    vault = memory(clock)
    code = await sent(vault)
    clock.now_s += 1
    assert await codes(vault).accept(trial(), code.digits)
    clock.now_s += LIFE_S - 2
    assert not await codes(vault).accept(trial(), code.digits)
    clock.now_s += 1
    assert await codes(vault).accept(trial(), (await sent(vault)).digits)


async def test_sends_at_once_agree_on_one_code(redis_url: str) -> None:
    """Parallel sends of two workers for one challenge send one code, in memory and in Redis."""
    async with in_redis(redis_url) as shared:
        for vault in (memory(), shared):
            both = await asyncio.gather(*[sent(vault) for _ in range(SENDS_MAX)])
            assert len(set(both)) == 1


async def test_an_account_is_sent_five_codes_an_hour() -> None:
    """An account is sent five codes an hour over all challenges; codes sent before the cap stay valid."""
    clock = Clock()
    vault = memory(clock)
    made = [await codes(vault).issue(trial(b"%d" % n), now_s=NOW) for n in range(20)]
    assert [code is not None for code in made] == [True] * 5 + [False] * 15
    assert made[0]
    # A log-in under way is sent the same code twice more: mail gets lost.
    again = [await codes(vault).issue(trial(b"0"), now_s=NOW) for _ in range(4)]
    assert [code and code.digits for code in again] == [made[0].digits] * 2 + [None] * 2
    assert await codes(vault).issue(trial(b"other", account="owner-2"), now_s=NOW)
    assert await codes(vault).accept(trial(b"0"), made[0].digits)
    clock.now_s += HOUR - 1
    assert await codes(vault).issue(trial(b"next"), now_s=NOW) is None
    clock.now_s += 1
    assert await codes(vault).issue(trial(b"next"), now_s=NOW)


async def test_sends_in_parallel_stay_within_the_cap(redis_url: str) -> None:
    """Fifty parallel challenges send five mails, in memory and in Redis."""
    async with in_redis(redis_url) as shared:
        for vault in (memory(), shared):
            made = await asyncio.gather(*[codes(vault).issue(trial(b"%d" % n), now_s=NOW) for n in range(50)])
            assert sum(code is not None for code in made) == SENDS_MAX


async def test_behind_a_wrong_secret_nothing_is_sent_and_the_owner_keeps_every_send_and_try() -> None:
    """R7: behind a wrong secret nothing is sent, and the owner keeps all sends and tries."""
    vault = memory()
    for number in range(30):
        who = trial(b"w%d" % number, right=False)
        assert await codes(vault).issue(who, now_s=NOW) is None
        assert not await codes(vault).accept(who, "12345678")
    made = [await sent(vault, trial(b"r%d" % n)) for n in range(SENDS_MAX)]
    assert [await codes(vault).accept(trial(b"r%d" % n), code.digits) for n, code in enumerate(made)] == [True] * 5


async def test_not_even_the_right_digits_prove_anything_behind_a_wrong_secret() -> None:
    """Behind a wrong secret even the right digits prove nothing; a code is stored so that store and timing look
    alike.
    """
    vault = memory()
    who = trial(right=False)
    await codes(vault).issue(who, now_s=NOW)
    name = codes(vault)._name(who)
    held = codes(vault)._opened(name, await vault.get(name) or b"")
    assert held
    assert not await codes(vault).accept(who, held[0])


async def test_right_and_wrong_secrets_take_the_same_steps_in_the_store() -> None:
    """Right and wrong secrets take the same store steps: sending, sending again, beyond the cap, and guessing."""
    seen = []
    for right in (True, False):
        vault = memory()
        for number in range(4):
            who = trial(b"%d" % number, right=right)
            for _ in range(3):
                await codes(vault).issue(who, now_s=NOW)
            for guess in range(7):
                await codes(vault).accept(who, f"{guess:08}")
        seen.append(vault.steps)
    assert seen[0] == seen[1]


async def test_guesses_end_with_the_challenges_tries_and_then_with_the_accounts() -> None:
    """Row 80: after five wrong codes a challenge refuses the right one; after ten every challenge of the account
    does.
    """
    vault = memory()
    mine = [await sent(vault, trial(b"%d" % number)) for number in range(3)]
    for number in (0, 1):
        for _ in range(5):
            assert not await codes(vault).accept(trial(b"%d" % number), another(mine[number]))
        assert not await codes(vault).accept(trial(b"%d" % number), mine[number].digits)
    assert not await codes(vault).accept(trial(b"2"), mine[2].digits)


@pytest.mark.parametrize("typed", ["", "1234567", "123456789", "1234-5678", "1234567a", "9" * 100_000])
async def test_what_cannot_be_a_code_is_no_try(typed: str) -> None:
    """Input that cannot be a code costs no try, and the store is not asked."""
    vault = memory()
    assert not await codes(vault).accept(trial(), typed)
    assert vault.steps == []


async def test_what_somebody_else_put_into_the_store_is_no_code(caplog: pytest.LogCaptureFixture) -> None:
    """A forged store entry (another secret's, another challenge's, junk) is never sent, accepted or logged."""
    foreign = memory()
    await codes(foreign, Sealer([b"f" * 32], clock_s=time.time)).issue(trial(), now_s=NOW)
    own = memory()
    code = await sent(own, trial(b"other"))
    planted = [
        await foreign.get(codes(foreign)._name(trial())),
        await own.get(codes(own)._name(trial(b"other"))),
        b"12345678",
    ]
    for value in planted:
        vault = memory()
        await vault.put(codes(vault)._name(trial()), value or b"", seconds=60)
        assert await codes(vault).issue(trial(), now_s=NOW) is None
        assert not await codes(vault).accept(trial(), code.digits)
        assert not await codes(vault).accept(trial(), "12345678")
    assert len(caplog.records) == 9
    assert "owner-1" not in caplog.text


async def test_codes_and_accounts_are_shown_nowhere(caplog: pytest.LogCaptureFixture) -> None:
    """Codes and accounts appear neither in the store nor in logs or `repr`."""
    caplog.set_level(0)
    vault = memory()
    code = await sent(vault)
    assert await codes(vault).accept(trial(), code.digits)
    seen = vault.contents() + f"{caplog.text} {code} {code!r} {(code,)}".encode()
    assert code.digits.encode() not in seen
    assert f"{code.digits[:4]} {code.digits[4:]}".encode() not in seen
    assert b"owner-1" not in seen


class Sending(RuleBasedStateMachine):
    """Sends, guesses, redemptions and waits in any order, over three challenges of an account, two of them genuine."""

    challenges = st.sampled_from([trial(b"a"), trial(b"b"), trial(b"c", right=False)])

    def __init__(self) -> None:
        super().__init__()
        self.clock = Clock()
        self.vault = memory(self.clock)
        self.mails: dict[CodeTrial, list[tuple[float, str]]] = {}
        self.redeemed: list[str] = []
        self.sends: list[float] = []

    @rule(who=challenges)
    def send(self, who: CodeTrial) -> None:
        code = asyncio.run(codes(self.vault).issue(who, now_s=int(self.clock.now_s)))
        if code:
            assert who.behind_right_secret
            self.sends.append(self.clock.now_s)
            self.mails.setdefault(who, []).append((self.clock.now_s, code.digits))

    @rule(who=challenges, guess=st.integers(0, 10**8 - 1))
    def guess(self, who: CodeTrial, guess: int) -> None:
        if all(f"{guess:08}" != digits for _, digits in self.mails.get(who, ())):
            assert not asyncio.run(codes(self.vault).accept(who, f"{guess:08}"))

    @precondition(lambda self: self.mails)
    @rule(data=st.data())
    def redeem(self, data: st.DataObject) -> None:
        who = data.draw(st.sampled_from(sorted(self.mails)))
        sent_s, digits = data.draw(st.sampled_from(self.mails[who]))
        if asyncio.run(codes(self.vault).accept(who, digits)):
            assert self.clock.now_s - sent_s < LIFE_S
            self.redeemed.append(digits)

    @rule(seconds=st.sampled_from([1, 30, 299, 600, 1_801, 3_600]))
    def wait(self, seconds: int) -> None:
        self.clock.now_s += seconds

    @invariant()
    def each_code_proves_once(self) -> None:
        assert len(self.redeemed) == len(set(self.redeemed))

    @invariant()
    def codes_of_a_challenge_do_not_overlap(self) -> None:
        """While a challenge's code is valid, no other is sent."""
        for mails in self.mails.values():
            first_sent = {digits: sent_s for sent_s, digits in reversed(mails)}
            starts = sorted(first_sent.values())
            assert all(later - sooner >= LIFE_S for sooner, later in pairwise(starts))

    @invariant()
    def no_flood(self) -> None:
        """At most twice the cap is sent around the edge of a fixed period, and never more."""
        for start in self.sends:
            assert sum(start <= sent_s < start + HOUR for sent_s in self.sends) <= 2 * SENDS_MAX


Sending.TestCase.settings = settings(max_examples=30, stateful_step_count=30, deadline=None)
test_any_order_of_sends_and_proofs = Sending.TestCase
