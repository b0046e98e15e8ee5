"""Promised: guesses sent all at once in one HTTP/2 connection are counted like any others."""

from __future__ import annotations

import asyncio
import socket
from collections import Counter
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import httpx
from hypercorn.asyncio import serve
from hypercorn.config import Config

from sekisho.testing import guarded
from tests.asgi.driving import Shop, address

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from sekisho.asgi.types import App

L = 5


@asynccontextmanager
async def served(app: App) -> AsyncIterator[str]:
    """The application behind an HTTP/2 server."""
    end = asyncio.Event()
    listener = socket.create_server(("127.0.0.1", 0))
    config = Config()
    config.bind = [f"fd://{listener.fileno()}"]
    config.errorlog = config.accesslog = None
    server = asyncio.ensure_future(serve(app, config, shutdown_trigger=end.wait))
    try:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
    finally:
        end.set()
        await server
        listener.detach()


async def test_of_200_streams_in_one_connection_the_limit_comes_through() -> None:
    """Row 59: a one-packet burst of 200 guesses at one account, from as many addresses behind a proxy, is limited."""
    shop = Shop()
    app = guarded(shop, challenges="none", limit_account=f"{L}/5minute", trusted_proxies="127.0.0.1")
    limits = httpx.Limits(max_connections=1)
    async with served(app) as url, httpx.AsyncClient(http1=False, http2=True, limits=limits, timeout=60) as client:

        async def guess(n: int) -> tuple[str, int]:
            answered = await client.post(
                f"{url}/login",
                data={"username": "hana", "password": f"guess {n}"},
                headers={"x-forwarded-for": address(n)},
            )
            return answered.http_version, answered.status_code

        answers = Counter(await asyncio.gather(*(guess(n) for n in range(200))))

    assert len(shop.reached) == L
    assert answers == Counter({("HTTP/2", 429): 200 - L, ("HTTP/2", 401): L})
