"""Refusals that rest on log-ins under way wait for their end; all others are final."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest

from sekisho.ledger.arithmetic import UNHINDERED
from sekisho.ledger.awaited_refunds import AwaitedRefunds
from sekisho.ledger.in_flight import InFlight
from tests.ledger.charges import LIMITS, charge

if TYPE_CHECKING:
    from collections.abc import Awaitable

HANA = charge(account=1, ip=1)


def refunds(asked: list[float] | None = None) -> AwaitedRefunds:
    """`asked` takes the seconds that each attempt may wait at most."""

    async def until(called: Awaitable[None], seconds: float) -> bool:
        if asked is not None:
            asked.append(seconds)
        await called
        return True

    return AwaitedRefunds(InFlight(until), LIMITS)


@pytest.mark.parametrize(
    ("signs", "lifts"),
    [
        ({"account_wait_us": 60_000_000}, True),
        ({"ip_wait_us": 60_000_000}, True),
        ({"account_wait_us": 60_000_000, "young": False}, False),
        # A network's limit is not that of one person or house: a crowd there would wait for strangers.
        ({"network_wait_us": 60_000_000}, False),
        ({"device_wait_us": 60_000_000}, False),
        ({"network_wait_us": 60_000_000, "account_wait_us": 50_000_000}, False),
        # What remains of refunded log-ins passes within two seconds, at any counter.
        ({"network_wait_us": 2_000_000}, True),
        ({"network_wait_us": 2_000_001}, False),
    ],
)
def test_a_refund_lifts_only_young_refusals_of_accounts_and_addresses(signs: dict[str, Any], lifts: bool) -> None:
    """Elsewhere a waiting attempt would only hold a connection, which is what an attacker wants."""
    verdict = UNHINDERED._replace(**{"young": True, **signs})

    assert refunds().may_lift(HANA, verdict) is lifts


async def test_as_many_wait_as_the_refusing_counter_admits_at_once() -> None:
    """An account with a limit of five has five waiting attempts at most; the sixth is refused at once."""
    held = refunds()
    verdict = UNHINDERED._replace(young=True, account_wait_us=60_000_000)
    waiting = [asyncio.create_task(held.wait(HANA, verdict, 0)) for _ in range(5)]
    await asyncio.sleep(0)

    assert not await held.wait(HANA, verdict, 0)
    for _ in waiting:
        held.refunded(HANA)
    assert await asyncio.gather(*waiting) == [True] * 5


async def test_the_end_of_the_last_log_in_calls_all() -> None:
    """Two log-ins under way: the attempts that wait at their address are called when both have ended."""
    held = refunds()
    for _ in range(2):
        held.begin(HANA)
    verdict = UNHINDERED._replace(young=True, ip_wait_us=60_000_000)
    waiting = [asyncio.create_task(held.wait(HANA, verdict, 0)) for _ in range(3)]
    await asyncio.sleep(0)

    held.end(HANA)
    await asyncio.sleep(0)
    assert not any(each.done() for each in waiting)
    held.end(HANA)
    assert await asyncio.gather(*waiting) == [True] * 3


async def test_a_short_remainder_is_waited_for_exactly() -> None:
    """Where room comes by itself within two seconds, the attempt waits so long; otherwise a quarter of a second."""
    asked: list[float] = []
    held = refunds(asked)
    for wait_us in (500_000, 60_000_000):
        task = asyncio.create_task(held.wait(HANA, UNHINDERED._replace(young=True, ip_wait_us=wait_us), 0))
        await asyncio.sleep(0)
        held.refunded(HANA)
        assert await task

    assert asked == [0.5, 0.25]


@pytest.mark.parametrize(("is_each_request", "pauses_s"), [(False, [0.25, 0.75, 1.0]), (True, [0.25] * 8)])
async def test_an_attempt_waits_for_two_seconds_in_all(is_each_request: bool, pauses_s: list[float]) -> None:
    """Three pauses, or eight where each request is a log-in; after them the refusal is final."""
    asked: list[float] = []
    held = refunds(asked)
    verdict = UNHINDERED._replace(young=True, ip_wait_us=60_000_000)
    for waited in range(len(pauses_s)):
        task = asyncio.create_task(held.wait(HANA, verdict, waited, is_each_request=is_each_request))
        await asyncio.sleep(0)
        held.refunded(HANA)
        assert await task

    assert not await held.wait(HANA, verdict, len(pauses_s), is_each_request=is_each_request)
    assert asked == pauses_s


async def test_where_each_request_is_a_log_in_more_wait_for_one_account() -> None:
    """Thirty-two of a worker's 256 places, so that no account fills them."""
    held = refunds()
    verdict = UNHINDERED._replace(young=True, account_wait_us=60_000_000)
    waiting = [asyncio.create_task(held.wait(HANA, verdict, 0, is_each_request=True)) for _ in range(32)]
    await asyncio.sleep(0)

    assert not await held.wait(HANA, verdict, 0, is_each_request=True)
    for _ in waiting:
        held.refunded(HANA)
    assert await asyncio.gather(*waiting) == [True] * 32
