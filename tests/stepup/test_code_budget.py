"""The site's budget of sent codes: bounded, no oracle at its limit, and exhausted it lets nobody in."""

from __future__ import annotations

import random
from itertools import pairwise
from typing import TYPE_CHECKING, Any

from sekisho.model.posture import Posture
from sekisho.stepup.attempt_limits import CodeTrial
from sekisho.stepup.factors.code_budget import CodeBudget, dropped_share
from sekisho.stepup.factors.codes import Codes
from tests.stepup.flow.driving import challenge
from tests.stepup.flow.test_familiar import HOME, Town
from tests.stepup.flow.test_familiar import run as on_virtual_time
from tests.stepup.proving import KEYS, NOW, SEALER, limits, memory

if TYPE_CHECKING:
    from collections.abc import Callable

    from sekisho.store.vault import Vault


def budget(vault: Vault, chance: Callable[[], float], said: list[str], most: int = 100) -> CodeBudget:
    return CodeBudget(vault, KEYS, codes_max=most, chance=chance, exhausted=lambda: said.append("exhausted"))


def trial(number: int, *, right: bool = True) -> CodeTrial:
    """Each at an account of its own, so that no account's cap is reached."""
    return CodeTrial(b"challenge %d" % number, f"account {number}", right)


async def test_no_more_leave_than_the_budget_and_it_is_said_once() -> None:
    """An unlucky draw drops the first code beyond four fifths; the luckiest sends as many as there are, no more."""
    for chance, leave in ((0.0, 81), (0.999, 100)):
        said: list[str] = []
        mine = budget(memory(), lambda chance=chance: chance, said)  # type: ignore[misc]
        assert sum([await mine.take(sends=True) for _ in range(150)]) in {leave - 1, leave}
        assert said == ["exhausted"]


async def test_only_codes_behind_right_secrets_use_it_up() -> None:
    """A flood of wrong secrets must not keep owners out. Both take the same steps at the store."""
    vault, said = memory(), list[str]()
    codes = Codes(vault, KEYS, SEALER, limits(vault), budget=budget(vault, random.Random(1).random, said))
    for number in range(500):
        assert await codes.issue(trial(number, right=False), now_s=NOW) is None
    assert await codes.issue(trial(1000), now_s=NOW) is not None
    assert said == []


def test_one_guess_at_the_limit_shows_nothing() -> None:
    """At each state of a budget of 20,000, one more code changes the odds of the next by 1 in 3,900 at most: an
    attacker would have to fill the budget thousands of times to see whether one guess was right.
    """
    shares = [dropped_share(sent, 20_000) for sent in range(1, 20_002)]
    assert (shares[0], shares[15_999], shares[20_000]) == (0.0, 0.0, 1.0)
    assert max(after - before for before, after in pairwise(shares)) < 1 / 3_900


def test_an_exhausted_budget_never_means_allow() -> None:
    """No code comes, and the log-in stays behind its question, in calm and in an alarm; the answers are as ever."""

    async def story() -> None:
        town = Town(step_up_familiar="attack", codes_max="100")
        before = await asked(town)
        assert town.guard._loops is not None
        loop: Any = town.guard._loops._latest
        site = loop._step_up._runs._parts.proving.factors._parts.codes._budget
        for _ in range(100):
            await site.take(sends=True)
        for posture in (Posture.CALM, Posture.ATTACK):
            town.watch.force(posture)
            assert await asked(town) == before
        assert town.codes.qsize() == 1
        odd = [number for (_, name, text), number in town.guard.counts.items() if name == "odd" and "CODES_MAX" in text]
        assert odd == [1]

    on_virtual_time(story)


async def asked(town: Town) -> tuple[int, int]:
    """The statuses of a stranger's right secret, and of asking for its code."""
    client = town.client(HOME)
    question = await client.log_in("kenji")
    sent = await client.send("/sekisho/step-up/send", f"challenge={challenge(question)}&factor=webhook".encode())
    await client.show(challenge(question), "00000000", factor="webhook")
    assert await client.who() == "None"
    return question.status, sent.status
