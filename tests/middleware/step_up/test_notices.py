"""What owners hear of: a right password without a proof, and every new device. And what they are not bothered with."""

from __future__ import annotations

import asyncio

import pytest

from tests.middleware.step_up.driving import challenge
from tests.middleware.step_up.letters import subject, writing

LIFE_S = 0.3


@pytest.fixture(autouse=True)
def _soon(monkeypatch: pytest.MonkeyPatch) -> None:
    """The ten minutes after which nobody comes any more."""
    monkeypatch.setattr("sekisho.middleware.step_up.asking.TICKET_S", LIFE_S)


async def test_a_right_password_without_a_proof_is_told_to_its_owner() -> None:
    """Nobody else could know that it is known; and what was begun can no longer be ended."""
    async with writing() as post:
        thief = post.site.client()
        ticket = challenge(await thief.log_in("Alice", "wonder"))
        [letter] = await post.letters(1)
        assert (letter.to, letter.subject) == (("alice@example.test",), subject("step_up_not_completed"))
        assert "198.51.100" in letter.text
        assert (await thief.show(ticket, post.site.code())).code == "start_again"


async def test_a_step_up_that_was_completed_is_no_news() -> None:
    """But the device is, once."""
    async with writing() as post:
        client = post.site.client()
        assert (await client.show(challenge(await client.log_in("Alice", "wonder")), post.site.code())).status == 303
        [letter] = await post.letters(1)
        assert (letter.to, letter.subject) == (("alice@example.test",), subject("new_device"))
        assert (await client.log_in("Alice", "wonder")).status == 303
        await asyncio.sleep(2 * LIFE_S)
        assert len(post.server.received) == 1


@pytest.mark.parametrize(
    ("account", "password"), [("Alice", "wrong"), ("nobody", "wonder"), ("alice", "hatter"), ("alice", "wrong")]
)
async def test_a_wrong_password_is_told_to_nobody(account: str, password: str) -> None:
    """A list of names would be enough to flood their owners; and who has no address is written nothing."""
    async with writing() as post:
        await post.site.client().log_in(account, password)
        await asyncio.sleep(2 * LIFE_S)
        assert not post.server.received


async def test_wrong_codes_do_not_silence_the_notice() -> None:
    """Only a proof does."""
    async with writing() as post:
        thief = post.site.client()
        ticket = challenge(await thief.log_in("Alice", "wonder"))
        for _ in range(6):
            await thief.show(ticket, "000000")
        [letter] = await post.letters(1)
        assert letter.subject == subject("step_up_not_completed")
