"""Owners are told of a right password without a proof and of every new device, and of nothing else."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest

from tests.stepup.flow.driving import challenge, stop
from tests.stepup.flow.letters import subject, writing

if TYPE_CHECKING:
    from tests.servers import RedisServer

LIFE_S = 0.3


@pytest.fixture(autouse=True)
def _soon(monkeypatch: pytest.MonkeyPatch) -> None:
    """Shorten the ten minutes that a notice waits, and the interval of the check."""
    monkeypatch.setattr("sekisho.stepup.flow.unfinished.TICKET_S", LIFE_S)
    monkeypatch.setattr("sekisho.stepup.flow.unfinished.SLOT_S", 0.1)
    monkeypatch.setattr("sekisho.stepup.flow.unfinished.LATE_S", 10)


async def test_a_right_password_without_a_proof_is_told_to_its_owner() -> None:
    """The owner is told of a right password without a proof; the step-up can no longer be completed then."""
    async with writing() as post:
        thief = post.site.client()
        ticket = challenge(await thief.log_in("Alice", "wonder"))
        [letter] = await post.letters(1)
        assert (letter.to, letter.subject) == (("alice@example.test",), subject("step_up_not_completed"))
        assert "198.51.100" in letter.text
        assert (await thief.show(ticket, post.site.code())).code == "start_again"


async def test_a_step_up_that_was_completed_is_no_news() -> None:
    """A completed step-up causes no theft notice; the new device is reported once."""
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
    """A wrong password or an account without an address causes no mail: a list of names would flood account owners."""
    async with writing() as post:
        await post.site.client().log_in(account, password)
        await asyncio.sleep(2 * LIFE_S)
        assert not post.server.received


async def test_wrong_codes_do_not_silence_the_notice() -> None:
    """Wrong codes do not cancel the notice; only a proof does."""
    async with writing() as post:
        thief = post.site.client()
        ticket = challenge(await thief.log_in("Alice", "wonder"))
        for _ in range(6):
            await thief.show(ticket, "000000")
        [letter] = await post.letters(1)
        assert letter.subject == subject("step_up_not_completed")


# Any number of times.

NEVER = {"limit_account": "1000/minute", "limit_ip": "1000/minute", "limit_network": "1000/minute"}


async def test_many_thefts_are_a_few_letters(caplog: pytest.LogCaptureFixture) -> None:
    """Of fifty-two thefts in a row the first is mailed, then the tenth, which says that it stands for ten."""
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
    """A notice outlives the worker: after a restart within the ten minutes another worker sends it, once."""
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
    """Wait until the run's answer, the slot's count and the entry are in the store."""
    async with asyncio.timeout(10):
        while len([key for key in server.cli("KEYS", "*", text=False) if b"{v" in key]) < 3:  # noqa: ASYNC110
            await asyncio.sleep(0.01)
