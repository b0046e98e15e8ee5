"""Log-ins under way at other workers: right ones wait for them; sequential guesses wait for nothing."""

from __future__ import annotations

import asyncio
from base64 import b64encode
from typing import TYPE_CHECKING, Any

import pytest

from sekisho.ledger.in_flight import InFlight
from tests.asgi.driving import OPEN, Shop, address, answer, ask, guarded, http, log_in
from tests.stepup.flow.driving import stop

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from sekisho.asgi.types import Receive, Scope, Send
    from sekisho.wiring import LoginGuard

ACCOUNT: dict[str, Any] = {**OPEN, "limit_account": "5/5minutes"}
ADDRESS: dict[str, Any] = {**OPEN, "limit_account": "9999/minute", "limit_ip": "5/5minutes"}


class Slow(Shop):
    """Checks passwords when the largest number of parallel checks has arrived."""

    def __init__(self, owners: dict[str, str], enough: int) -> None:
        super().__init__(owners, asyncio.Event())
        self._enough = enough

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if len(self.reached) + 1 >= self._enough:
            asyncio.get_running_loop().call_soon(self._open)
        await super().__call__(scope, receive, send)

    def _open(self) -> None:
        assert self.gate is not None
        self.gate.set()


class Workers:
    def __init__(self, store: str) -> None:
        self._store = store
        self._started: list[LoginGuard] = []

    def start(self, number: int, shop: Shop, **settings: Any) -> list[LoginGuard]:
        settings = {"store": self._store, "store_deadline_ms": 5_000, **settings}
        started = [guarded(shop, **settings) for _ in range(number)]
        self._started += started
        return started

    async def aclose(self) -> None:
        for each in self._started:
            await stop(each)


@pytest.fixture
async def workers(redis_url: str) -> AsyncIterator[Workers]:
    found = Workers(redis_url)
    yield found
    await found.aclose()


@pytest.mark.parametrize("number", [2, 10])
async def test_ten_right_log_ins_at_once_all_pass(workers: Workers, number: int) -> None:
    """Row 4.6: of ten right log-ins five enter and five wait for them, at any worker; all pass."""
    several = workers.start(number, Slow({"hana": "right"}, 5), **ACCOUNT)

    answers = await asyncio.gather(*(log_in(several[n % number], client=address(n)) for n in range(10)))

    assert [answer.status for answer in answers] == [303] * 10


async def test_ten_right_log_ins_of_one_house_all_pass(workers: Workers) -> None:
    """The same holds at an address with a limit of five: ten accounts, two workers."""
    owners = {f"member{n}": "right" for n in range(10)}
    several = workers.start(2, Slow(owners, 5), **ADDRESS)

    answers = await asyncio.gather(*(log_in(several[n % 2], name) for n, name in enumerate(owners)))

    assert [answer.status for answer in answers] == [303] * 10


@pytest.mark.parametrize("limits", [ACCOUNT, ADDRESS], ids=["account", "address"])
@pytest.mark.parametrize("store", ["redis", "memory"])
async def test_who_guesses_one_by_one_never_waits(
    workers: Workers, monkeypatch: pytest.MonkeyPatch, limits: dict[str, Any], store: str
) -> None:
    """Sequential guesses never wait: each has failed before the next, so the refusal comes at once."""

    async def wait(*_: Any, **__: Any) -> bool:
        raise AssertionError("a guesser was made to wait")

    monkeypatch.setattr(InFlight, "wait", wait)
    several = workers.start(2, Shop(), **limits, **({} if store == "redis" else {"store": "memory://"}))
    if store == "memory":
        several = several[:1] * 2

    statuses = [(await log_in(several[n % 2], password=f"guess {n}")).status for n in range(9)]

    assert statuses == [401] * 5 + [429] * 4


async def test_ten_guesses_at_once_are_five(workers: Workers) -> None:
    """Parallel guesses wait like right log-ins, then five of ten are refused."""
    several = workers.start(2, Slow({"hana": "right"}, 5), **ACCOUNT)

    answers = await asyncio.gather(
        *(log_in(several[n % 2], password=f"guess {n}", client=address(n)) for n in range(10))
    )

    assert sorted(answer.status for answer in answers) == [401] * 5 + [429] * 5


class Api:
    """Checks HTTP Basic at each request, and notes how many checks run at once."""

    def __init__(self) -> None:
        self.reached = self.most = self._running = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        self.reached += 1
        self._running += 1
        self.most = max(self.most, self._running)
        await asyncio.sleep(0.01)
        self._running -= 1
        await answer(send, 200 if dict(scope["headers"])[b"authorization"] == basic("right") else 401)


def basic(secret: str) -> bytes:
    return b"Basic " + b64encode(f"hana:{secret}".encode())


async def call(app: LoginGuard, secret: str) -> int:
    return (await ask(app, http("/api/x", method="GET", headers=[(b"authorization", basic(secret))]))).status


async def test_a_client_of_an_api_sends_fifteen_requests_at_once() -> None:
    """Where each request is a log-in, right ones at once wait for one another, and five are checked at a time."""
    api = Api()
    app = guarded(api, login="* /api/* basic success=!401,403", **ACCOUNT)

    assert await asyncio.gather(*(call(app, "right") for _ in range(15))) == [200] * 15
    assert api.most == 5


async def test_twenty_guesses_by_basic_at_once_are_five() -> None:
    """The longer queue admits no guess more: the others are refused once the five have failed."""
    api = Api()
    app = guarded(api, login="* /api/* basic success=!401,403", **ACCOUNT)

    found = await asyncio.gather(*(call(app, f"guess {n}") for n in range(20)))

    assert sorted(found) == [401] * 5 + [429] * 15
    assert api.reached == 5
