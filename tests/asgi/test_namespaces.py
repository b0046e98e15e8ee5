"""Two services on one Redis: with a namespace for each they count apart, with one namespace together."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from tests.asgi.driving import Shop, guarded, log_in
from tests.stepup.flow.driving import stop

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from sekisho.wiring import LoginGuard

    Service = Callable[..., LoginGuard]

BANK, WALLET = "bank", "wallet"
ACCOUNT: dict[str, Any] = {"limit_account": "5/hour"}
ADDRESS: dict[str, Any] = {"limit_ip": "5/hour", "limit_network": "999/minute", "limit_device": "999/minute"}


@pytest.fixture
async def service(redis_url: str) -> AsyncIterator[Service]:
    """Starts a service on the shared Redis, with one secret for all of them."""
    started: list[LoginGuard] = []

    def start(namespace: str, **settings: Any) -> LoginGuard:
        found = guarded(Shop(), store=redis_url, store_deadline_ms="5000", namespace=namespace, **settings)
        started.append(found)
        return found

    yield start
    for each in started:
        await stop(each)


@pytest.mark.parametrize("limits", [ACCOUNT, ADDRESS], ids=["account", "address"])
@pytest.mark.parametrize(("beside", "status"), [(WALLET, 401), (BANK, 429)], ids=["apart", "together"])
async def test_guesses_at_a_weak_service_count_at_the_strong_one_only_in_its_namespace(
    service: Service, limits: dict[str, Any], beside: str, status: int
) -> None:
    """Five guesses use up an account's and an address's limit: those at a service beside it, in one namespace alone."""
    weak, strong = service(beside, **limits), service(BANK, **limits)

    guesses = [(await log_in(weak, password=f"guess {n}")).status for n in range(6)]

    assert guesses == [401] * 5 + [429]
    assert (await log_in(strong, password="guess")).status == status


async def test_a_device_of_one_service_is_unknown_at_the_other(service: Service) -> None:
    """A weak service's log-in must not open the strong one's bucket for known devices."""
    weak, strong = service(WALLET, **ACCOUNT), service(BANK, **ACCOUNT)
    device = (await log_in(weak, password="right")).device
    for n in range(5):
        await log_in(strong, password=f"guess {n}")

    assert device
    assert (await log_in(strong, password="right", token=device)).status == 429
    assert (await log_in(weak, password="right", token=device)).status == 303
