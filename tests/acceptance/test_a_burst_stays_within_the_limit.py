"""Promised: of any burst at most the limit passes, and ten log-ins of an owner are no burst."""

from __future__ import annotations

import asyncio
from collections import Counter
from typing import TYPE_CHECKING

import pytest

from tests.asgi.driving import OPEN, Shop, address, guarded, log_in

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from sekisho.wiring import LoginGuard

L = 5
STORES = ["memory", "redis_url", "redis_unix_url"]


class SlowShop(Shop):
    """Checks passwords when the test says so; until then every log-in is under way."""

    def __init__(self) -> None:
        super().__init__({"hana": "right"}, asyncio.Event())

    async def arrived(self, count: int) -> None:
        """Wait until so many attempts are being checked."""
        async with asyncio.timeout(10):
            while len(self.reached) < count:  # noqa: ASYNC110 - a service sets no events for its tests
                await asyncio.sleep(0)


@pytest.fixture
async def shop() -> SlowShop:
    return SlowShop()


@pytest.fixture(params=STORES)
async def guard(request: pytest.FixtureRequest, shop: SlowShop) -> AsyncIterator[LoginGuard]:
    store = "memory://" if request.param == "memory" else request.getfixturevalue(request.param)
    app = guarded(shop, store=store, store_deadline_ms=5_000, **{**OPEN, "limit_account": f"{L}/5minute"})
    yield app
    assert app._loops is not None
    await app._loops.stop()


async def test_of_200_guesses_in_one_turn_the_limit_comes_through(guard: LoginGuard, shop: SlowShop) -> None:
    """Of 200 guesses in one batch the limit passes: each sees earlier charges, and a failure ends the others'
    waiting.
    """
    tries = [asyncio.ensure_future(log_in(guard, "hana", f"guess {n}", client=address(n))) for n in range(200)]
    await shop.arrived(L)
    assert shop.gate is not None
    shop.gate.set()

    statuses = Counter([(await each).status for each in tries])

    assert statuses == Counter({401: L, 429: 200 - L})
    assert len(shop.reached) == L


@pytest.mark.parametrize("check_seconds", [0.0, 0.3], ids=["quick", "slow"])
async def test_ten_right_passwords_at_once_all_pass(guard: LoginGuard, shop: SlowShop, check_seconds: float) -> None:
    """Row 61: ten right passwords at once, twice the limit, all pass: each success admits a waiting one."""
    tries = [asyncio.ensure_future(log_in(guard, client=address(n))) for n in range(2 * L)]
    await shop.arrived(L)
    assert len(shop.reached) == L
    assert shop.gate is not None
    asyncio.get_running_loop().call_later(check_seconds, shop.gate.set)

    assert [(await each).status for each in tries] == [303] * 2 * L


async def test_guesses_hidden_among_right_passwords_are_still_counted(guard: LoginGuard, shop: SlowShop) -> None:
    """An owner's log-ins among guesses make room for no further guess: their own charges alone are refunded."""
    assert shop.gate is not None
    shop.gate.set()
    mixed = ["right" if n % 4 == 0 else f"guess {n}" for n in range(60)]

    await asyncio.gather(*(log_in(guard, "hana", each, client=address(n)) for n, each in enumerate(mixed)))

    assert len([password for _, password in shop.reached if password != "right"]) <= L
