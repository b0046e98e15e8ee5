"""The daily cap on guesses at codes: one for browsers that asked, a smaller one for others."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from sekisho.ledger.daily import DailyGuesses, DailyLimits, DayCounts
from sekisho.model import StoreUnavailable
from sekisho.store.vault import MemoryVault

MIDNIGHT = 1_700_006_400.0
HANA, AKI = b"hana".ljust(16), b"aki".ljust(16)


class Gone(MemoryVault):
    """A store that does not answer."""

    async def count(self, key: bytes, *, seconds: float) -> int:
        raise StoreUnavailable


def vault(kind: type[MemoryVault] = MemoryVault) -> MemoryVault:
    return kind(entries_max=1000, bytes_max=1_000_000, clock_s=lambda: 0.0)


def guesses(shared: MemoryVault, own: MemoryVault | None = None, **more: Any) -> DailyGuesses:
    return DailyGuesses(counts(shared, own, **more), guesses_max=10)


def counts(shared: MemoryVault, own: MemoryVault | None = None, *, let_in: bool = False) -> DayCounts:
    return DayCounts(shared, own, let_in=let_in, clock_s=lambda: MIDNIGHT + 3600)


async def test_as_many_as_were_set_and_no_more() -> None:
    """Of twenty parallel guesses ten pass, the others wait until midnight, UTC."""
    counted = guesses(vault())

    waits = await asyncio.gather(*(counted.take(HANA, asked=True) for _ in range(20)))

    assert waits == [0] * 10 + [82_800_000_000] * 10


async def test_others_have_a_fifth_and_take_nothing_away() -> None:
    """Others have a fifth, which takes nothing from browsers that asked."""
    counted = guesses(vault())

    assert [bool(await counted.take(HANA, asked=False)) for _ in range(3)] == [False, False, True]
    assert not await counted.take(HANA, asked=True)


async def test_each_account_has_its_own() -> None:
    """Guesses at one account are no guesses at another."""
    counted = guesses(vault())
    for _ in range(11):
        await counted.take(HANA, asked=True)

    assert not await counted.take(AKI, asked=True)


async def test_without_the_store_a_worker_counts_for_itself() -> None:
    """Without the store a worker counts alone, so an outage gives no extra guesses."""
    counted = guesses(vault(Gone), vault())

    assert [bool(await counted.take(HANA, asked=False)) for _ in range(3)] == [False, False, True]


async def test_without_the_store_the_settings_decide() -> None:
    """Without the store `closed` raises and `open` admits."""
    with pytest.raises(StoreUnavailable):
        await guesses(vault(Gone)).take(HANA, asked=True)
    assert not await guesses(vault(Gone), let_in=True).take(HANA, asked=True)


def limits(shared: MemoryVault, own: MemoryVault | None = None, *, let_in: bool = False) -> DailyLimits:
    return DailyLimits(counts(shared, own, let_in=let_in))


async def test_an_operator_has_sources_begin_anew() -> None:
    """What a source did today is forgotten, in the store and in this process; others keep theirs."""
    shared, own = vault(), vault()
    for counted in (limits(shared), limits(vault(Gone), own)):
        for source in (HANA, AKI):
            assert [bool(await counted.take(b"s", [(source, 1)])) for _ in range(2)] == [False, True]
            assert [bool(await counted.take(b"l", [(source, 1)], bytes([n]) * 16)) for n in (1, 2)] == [False, True]
    await limits(shared, own).forget([HANA])
    for counted in (limits(shared), limits(vault(Gone), own)):
        assert not await counted.take(b"s", [(HANA, 1)])
        assert not await counted.take(b"l", [(HANA, 1)], b"\3" * 16)
        assert await counted.take(b"s", [(AKI, 1)])
        assert await counted.take(b"l", [(AKI, 1)], b"\3" * 16)


async def test_distinct_targets_are_counted_once() -> None:
    """Of twenty targets at once five pass; those pass again, and no others until midnight, UTC."""
    counted = limits(vault())
    targets = [bytes([number]) * 16 for number in range(20)]

    waits = await asyncio.gather(*(counted.take(b"l", [(HANA, 5)], target) for target in targets))

    assert sorted(waits) == [0] * 5 + [82_800_000_000] * 15
    assert await asyncio.gather(*(counted.take(b"l", [(HANA, 5)], target) for target in targets)) == waits
    assert not await counted.take(b"l", [(AKI, 5)], targets[19])
    assert not await counted.take(b"s", [(HANA, 5)], targets[19])


async def test_a_refused_source_spares_the_next() -> None:
    """A device that is refused does not use up what its network has."""
    counted = limits(vault())

    waits = [bool(await counted.take(b"s", [(HANA, 2), (AKI, 3)])) for _ in range(9)]

    assert waits == [False, False] + [True] * 7
    assert not await counted.take(b"s", [(AKI, 3)])


async def test_beyond_the_limit_nothing_is_kept() -> None:
    """A flood of targets fills no store: after the limit no entry is added."""
    shared = MemoryVault(entries_max=7, bytes_max=1_000_000, clock_s=lambda: 0.0)
    counted = limits(shared)

    waits = [bool(await counted.take(b"l", [(HANA, 3)], bytes([number]) * 16)) for number in range(50)]

    assert waits == [False] * 3 + [True] * 47


async def test_without_the_store_days_are_counted_alone_or_as_set() -> None:
    """Without the store a worker counts alone; `closed` raises, and `open` admits."""
    alone = limits(vault(Gone), vault())
    assert [bool(await alone.take(b"s", [(HANA, 1)])) for _ in range(2)] == [False, True]
    with pytest.raises(StoreUnavailable):
        await limits(vault(Gone)).take(b"s", [(HANA, 1)])
    assert not await limits(vault(Gone), let_in=True).take(b"s", [(HANA, 1)])
