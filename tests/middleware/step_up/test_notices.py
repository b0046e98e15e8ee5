"""What owners hear of: a right password without a proof, and every new device. And what they are not bothered with."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest

from tests.middleware.step_up.driving import challenge, stop
from tests.middleware.step_up.letters import subject, writing

if TYPE_CHECKING:
    from tests.servers import RedisServer

LIFE_S = 0.3


@pytest.fixture(autouse=True)
def _soon(monkeypatch: pytest.MonkeyPatch) -> None:
    """The ten minutes after which nobody comes any more, and how often somebody looks."""
    monkeypatch.setattr("sekisho.stepup.flow.unfinished.TICKET_S", LIFE_S)
    monkeypatch.setattr("sekisho.stepup.flow.unfinished.SLOT_S", 0.1)
    monkeypatch.setattr("sekisho.stepup.flow.unfinished.LATE_S", 10)


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


# However often.

NEVER = {"limit_account": "1000/minute", "limit_ip": "1000/minute", "limit_network": "1000/minute"}


async def test_many_thefts_are_a_few_letters(caplog: pytest.LogCaptureFixture) -> None:
    """Fifty-two in a row: the first is told, then the tenth, which says that it stands for ten."""
    async with writing(**NEVER) as post:
        for _ in range(52):
            await post.site.client().log_in("Alice", "wonder")
        await post.letters(2)
        await asyncio.sleep(3 * LIFE_S)
        letters = await post.letters(2)

    assert len(post.server.received) == 2
    assert [letter.subject for letter in letters] == [subject("step_up_not_completed")] * 2
    assert sorted("10 times" in letter.text for letter in letters) == [False, True]


async def test_a_notice_outlives_the_worker_that_saw_it(own_redis_server: RedisServer) -> None:
    """Restarted before the ten minutes are over: another worker, or the next one, tells it. Once."""
    store = {"store": own_redis_server.url, "store_deadline_ms": "2000", "workers": "2"}
    async with writing(**store, **NEVER) as post:
        thief = post.site.client()
        challenge(await thief.log_in("Alice", "wonder"))
        await until_noted(own_redis_server)
        await stop(post.site.guard)
        await asyncio.sleep(2 * LIFE_S)
        assert not post.server.received

        workers = [post.site.guarded(), post.site.guarded()]
        for worker in workers:
            await post.site.client(guard=worker).send("/sekisho/sekisho.js", method="GET", headers=())
        try:
            [letter] = await post.letters(1)
            await asyncio.sleep(LIFE_S)
        finally:
            for worker in workers:
                await stop(worker)

    assert letter.subject == subject("step_up_not_completed")
    assert len(post.server.received) == 1


async def until_noted(server: RedisServer) -> None:
    """Until the run's answer, the slot's count and the entry are in the store."""
    async with asyncio.timeout(10):
        while len([key for key in server.cli("KEYS", "*", text=False) if b"{v" in key]) < 3:  # noqa: ASYNC110
            await asyncio.sleep(0.01)
