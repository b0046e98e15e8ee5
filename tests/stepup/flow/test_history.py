"""Row L9: a sealed attempt enters neither history nor credit until a proof is shown, right or wrong."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import pytest

from sekisho.ledger.memory import MemoryLedger
from sekisho.model import Effect
from tests.stepup.flow.driving import Site, challenge

if TYPE_CHECKING:
    from sekisho.model import Charge, Verdict


class Settled(NamedTuple):
    place: bytes
    learns: bool
    earns: bool


@pytest.fixture
def settled(monkeypatch: pytest.MonkeyPatch) -> list[Settled]:
    """What settlements told the ledger of the history."""
    found: list[Settled] = []
    settle = MemoryLedger.settle

    def watched(self: MemoryLedger, charge: Charge, verdict: Verdict, effects: int = 0) -> None:
        found.append(Settled(charge.place, effects & Effect.LEARNS != 0, effects & Effect.EARNS != 0))
        settle(self, charge, verdict, effects)

    monkeypatch.setattr(MemoryLedger, "settle", watched)
    return found


@pytest.fixture
async def site() -> Site:
    made = Site(settings={"login": "POST /login success=303:/account"})
    await made.enrol()
    return made


@pytest.mark.parametrize("password", ["right", "wrong"])
async def test_behind_the_seal_nothing_is_learned(site: Site, settled: list[Settled], password: str) -> None:
    """The right password alone, shown or repeated, makes no network known; nor does a wrong one."""
    client = site.client()
    for _ in range(3):
        challenge(await client.log_in(password=password))

    assert not [one for one in settled if one.learns or one.earns]


async def test_a_proof_is_learned_once(site: Site, settled: list[Settled]) -> None:
    """At the place where the proof was shown."""
    client = site.client()
    asked = challenge(await client.log_in())
    assert (await client.show(asked, site.code())).status == 303

    learned = [one for one in settled if one.learns]
    assert [(len(one.place), any(one.place), one.earns) for one in learned] == [(8, True, True)]


async def test_a_proof_behind_a_wrong_password_teaches_nothing(site: Site, settled: list[Settled]) -> None:
    client = site.client()
    asked = challenge(await client.log_in(password="wrong"))
    assert (await client.show(asked, site.code())).status != 303

    assert not [one for one in settled if one.learns]


async def test_a_proved_device_earns_and_a_wrong_password_there_does_not(site: Site, settled: list[Settled]) -> None:
    client = site.client()
    await client.show(challenge(await client.log_in()), site.code())
    settled.clear()
    await client.log_in(password="wrong")
    assert settled == []
    assert (await client.log_in()).status == 303

    assert [(one.learns, one.earns) for one in settled] == [(True, True)]


@pytest.mark.parametrize("step_up", ["always", "attack"])
async def test_a_seen_device_earns_where_strangers_are_not_asked_in_calm(settled: list[Settled], step_up: str) -> None:
    """Else owners behind a NAT would have no credit, as few devices are proved, and a bot beside them shut them out."""
    site = Site(settings={"login": "POST /login success=303:/account", "step_up": step_up})
    await site.client().log_in()

    assert [(one.learns, one.earns) for one in settled if one.learns] == [(True, True)] * (step_up == "attack")
