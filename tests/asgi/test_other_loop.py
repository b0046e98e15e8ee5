"""On an event loop other than asyncio's, doors are closed, other routes are open, and the log says why."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

import httpx
import pytest
import trio
from hypercorn.config import Config
from hypercorn.trio import serve

from sekisho.owners import MemoryOwners
from sekisho.testing import guarded
from tests.asgi.driving import answer, read

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sekisho.asgi.types import Receive, Scope, Send
    from sekisho.wiring import LoginGuard

FORM = {"content-type": "application/x-www-form-urlencoded"}
NEEDS_ASYNCIO = (
    "sekisho needs asyncio, and this server runs another event loop: doors answer 503, all other routes pass; "
    "start the server with asyncio or uvloop (hypercorn --worker-class asyncio)"
)


async def shop(scope: Scope, receive: Receive, send: Send) -> None:
    if scope["type"] == "lifespan":
        while (message := await receive())["type"] != "lifespan.shutdown":
            await send({"type": f"{message['type']}.complete"})
        return await send({"type": "lifespan.shutdown.complete"})
    await read(receive)
    return await answer(send, 200, body=b"reached")


def on_trio(guard: LoginGuard, *requests: tuple[str, str, Mapping[str, str], bytes]) -> list[int]:
    """The status of each request, answered by Hypercorn on trio."""

    async def main() -> list[int]:
        ended = trio.Event()
        config = Config()
        config.bind = ["127.0.0.1:0"]
        config.loglevel = "CRITICAL"
        async with trio.open_nursery() as nursery:
            app: Any = guard
            started = partial(serve, app, config, shutdown_trigger=ended.wait)
            [address] = await nursery.start(started)
            async with httpx.AsyncClient(base_url=address) as client:
                found = [
                    (await client.request(method, path, headers=dict(headers), content=body)).status_code
                    for method, path, headers, body in requests
                ]
            ended.set()
        return found

    return trio.run(main)


@pytest.mark.parametrize("mode", ["enforce", "monitor", "off"])
def test_doors_are_shut_and_routes_are_open(mode: str, caplog: pytest.LogCaptureFixture) -> None:
    """Doors are closed, as no attempt can be counted there; routes stay open; `monitor` refuses nothing."""
    guard = guarded(shop, mode=mode, factors="totp", owners=MemoryOwners({}), protect="POST /pay max_age=60")
    log_in = b"username=hana&password=right"
    found = on_trio(
        guard,
        ("GET", "/", {}, b""),
        ("GET", "/", {}, b""),
        ("POST", "/cart", FORM, b"item=1"),
        ("GET", "/login", {}, b""),
        ("POST", "/login", FORM, log_in),
        ("POST", "/LOGIN/", FORM, log_in),
        ("GET", "/login", FORM, log_in),
        ("POST", "/pay", FORM, b"yen=1"),
        ("POST", "/sekisho/step-up", FORM, b"code=1"),
    )

    assert found == [200] * 4 + ([503] * 5 if mode == "enforce" else [200] * 5)
    assert caplog.messages.count(NEEDS_ASYNCIO) == 1


def test_it_is_said_at_the_start(caplog: pytest.LogCaptureFixture) -> None:
    """It is logged at the start and not at the first log-in."""
    on_trio(guarded(shop))

    assert caplog.messages.count(NEEDS_ASYNCIO) == 1
