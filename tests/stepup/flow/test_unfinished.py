"""Step-ups left uncompleted are reported once, by any worker, and bounded."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from sekisho.crypto.vault_keys import VaultKeys
from sekisho.model import StoreUnavailable
from sekisho.owners import Contact, OwnersUnavailable
from sekisho.stepup.escrow import Escrow, Purpose, Ticket
from sekisho.stepup.factors import AccountOwner
from sekisho.stepup.factors.letter_budget import LetterBudget
from sekisho.stepup.flow.unfinished import Unfinished
from sekisho.store.vault import MemoryVault

SECRETS = (b"s" * 32,)
T0 = 1_750_000_000.0
TOLD = ("hana", "Firefox", "192.0.2.7")


class World:
    """A vault, a clock, and any number of workers."""

    def __init__(self) -> None:
        self.now_s = T0
        self.vault = MemoryVault(entries_max=5_000, bytes_max=1 << 24, clock_s=lambda: self.now_s)
        self.escrow = Escrow(SECRETS, self.vault, clock_ms=lambda: int(self.now_s * 1000))
        self.told: list[tuple[str, str, str]] = []
        self.is_gone = False

    def worker(self, secrets: tuple[bytes, ...] = SECRETS) -> Unfinished:
        here: Any = self
        return Unfinished(self.vault, secrets, self.escrow, here, here, clock_s=lambda: self.now_s, sleep=self._sleep)

    async def owner(self, account: str) -> AccountOwner:
        if self.is_gone:
            raise OwnersUnavailable
        return AccountOwner(account, Contact("1", "hana@example.test", None), ())

    def not_completed(self, owner: AccountOwner, *, browser: str, network: str) -> None:
        self.told.append((owner.account, browser, network))

    async def _sleep(self, seconds: float) -> None:
        self.now_s += seconds
        await asyncio.sleep(0)

    async def noted(self, worker: Unfinished) -> Ticket:
        ticket, _ = self.escrow.issue(Ticket(b"", Purpose.LOGIN, "POST /login", "hana"), "h" * 22)
        await worker.note(ticket, browser="Firefox", network="192.0.2.7")
        return ticket

    async def passes(self, seconds: float, *workers: Unfinished) -> None:
        """Let so much time pass with these workers."""
        end_s = self.now_s + seconds
        tasks = [asyncio.create_task(worker.run()) for worker in workers]
        while self.now_s < end_s:  # noqa: ASYNC110 - the workers' sleeping moves the clock
            await asyncio.sleep(0)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


@pytest.fixture
def world() -> World:
    return World()


async def test_it_is_told_once_when_the_ticket_has_ended(world: World) -> None:
    """It is reported once, when the ticket has ended, although three workers look."""
    workers = [world.worker() for _ in range(3)]
    await world.noted(workers[0])
    await world.passes(590, *workers)
    assert world.told == []
    await world.passes(60, *workers)
    assert world.told == [TOLD]


async def test_a_ticket_that_was_redeemed_is_no_news(world: World) -> None:
    """A redeemed ticket is not reported, even half an hour late."""
    worker = world.worker()
    ticket = await world.noted(worker)
    await world.escrow.claim(ticket)
    world.now_s += 2_200
    await world.passes(60, world.worker())
    assert world.told == []


async def test_a_worker_that_starts_tells_what_is_late(world: World) -> None:
    """A starting worker reports overdue entries, except those older than a redeemed ticket's mark."""
    await world.noted(world.worker())
    world.now_s += 2_300
    await world.passes(30, world.worker())
    assert world.told == [TOLD]

    await world.noted(world.worker())
    world.now_s += 2_600
    await world.passes(30, world.worker())
    assert world.told == [TOLD]


@pytest.mark.parametrize("step_s", [-86_400, 30 * 86_400])
async def test_a_clock_that_is_set_puts_no_notice_off(world: World, step_s: int) -> None:
    """Set back, a notice waited until the clock had caught up, or was forgotten; the next ones are told as ever."""
    worker, set_s = world.worker(), 0.0
    world.vault = MemoryVault(entries_max=5_000, bytes_max=1 << 24, clock_s=lambda: world.now_s - set_s)
    world.escrow = Escrow(SECRETS, world.vault, clock_ms=lambda: int(world.now_s * 1000))
    worker = world.worker()
    await world.noted(worker)
    task = asyncio.create_task(worker.run())
    while world.now_s < T0 + 30:  # noqa: ASYNC110
        await asyncio.sleep(0)
    set_s = step_s
    world.now_s += step_s
    begun_s = world.now_s
    while world.now_s < begun_s + 30:  # noqa: ASYNC110
        await asyncio.sleep(0)
    assert world.told == [TOLD]
    await world.noted(worker)
    while world.now_s < begun_s + 700:  # noqa: ASYNC110
        await asyncio.sleep(0)
    task.cancel()
    assert world.told == [TOLD, TOLD]


async def test_a_slot_is_bounded_and_its_end_is_said_once(world: World, caplog: pytest.LogCaptureFixture) -> None:
    """A slot is bounded to a thousand in ten seconds, which is logged once, so the store is not filled."""
    worker = world.worker()
    for _ in range(1_010):
        await world.noted(worker)
    await world.passes(660, worker)
    assert len(world.told) == 1_000
    assert caplog.messages == ["too many unfinished step-ups: some owners are not notified"]


async def test_an_outage_is_caught_up_with(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """Reports that were due while the store was gone are made up for."""
    worker = world.worker()
    await world.noted(worker)
    get = world.vault.get

    async def gone(key: bytes) -> bytes | None:
        raise StoreUnavailable

    monkeypatch.setattr(world.vault, "get", gone)
    task = asyncio.create_task(worker.run())
    while world.now_s < T0 + 700:  # noqa: ASYNC110
        await asyncio.sleep(0)
    monkeypatch.setattr(world.vault, "get", get)
    while world.now_s < T0 + 730:  # noqa: ASYNC110
        await asyncio.sleep(0)
    task.cancel()
    assert world.told == [TOLD]


async def test_what_cannot_be_told_is_said_without_a_name(world: World, caplog: pytest.LogCaptureFixture) -> None:
    """A report that fails (owners' database gone, secret removed) is logged without a name."""
    worker = world.worker()
    await world.noted(worker)
    world.is_gone = True
    await world.passes(660, worker)
    assert caplog.messages == ["a notice of a step-up that was not completed was not sent: OwnersUnavailable"]
    world.is_gone = False
    await world.noted(world.worker((b"new" * 11, *SECRETS)))
    await world.passes(660, worker)
    assert world.told == []


async def test_letters_of_a_kind_are_few_and_say_how_many_they_stand_for(world: World) -> None:
    """Of each kind an hour's first few mails are sent, then the tenth, hundredth, thousandth with its count, per
    owner.
    """
    budget = LetterBudget(world.vault, VaultKeys(SECRETS))
    kinds = {"step_up_not_completed": 1, "new_device": 3, "factor_changed": 10, "factor_reset_asked": 1}
    for kind, at_once in kinds.items():
        said = [await budget.times(kind, "1") for _ in range(120)]
        together = [number for number in (10, 100) if number > at_once]
        assert [times for times in said if times] == [1] * at_once + together, kind
    assert await budget.times("new_device", "2") == 1
    world.now_s += 3_601
    assert await budget.times("new_device", "1") == 1
    assert await budget.times("step_up_not_completed", "1") == 1
