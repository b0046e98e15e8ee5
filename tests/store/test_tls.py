"""The line through TLS: data buffered by redis-py's transport is read, and an unverified server gets no key."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from tests.store.lines import Watched, counted, question, watched
from tests.store.proxy import Proxy, Said
from tests.talking import CERTIFICATE

if TYPE_CHECKING:
    from tests.servers import RedisServer

TRUST = f"?ssl_ca_certs={CERTIFICATE}"
MANY = 2_000  # answers of several records, and requests of several records


async def test_every_answer_comes_through(redis_url: str, redis_server: RedisServer) -> None:
    """Replies split over records at any byte reach their callers, large values too."""
    async with Proxy(redis_server, secure=True) as proxy, watched(proxy.url + TRUST, deadline_us=5_000_000) as found:
        assert await asyncio.gather(*[found.ask(n) for n in range(MANY)]) == [question(n) for n in range(MANY)]
        large = b"x" * 300_000
        await found.line.execute(b"SET", b"large", large)
        assert await found.line.execute(b"GET", b"large") == large
        assert proxy.connections == 1

    assert counted(redis_server) == MANY


async def test_a_broken_connection_is_made_anew(redis_url: str, redis_server: RedisServer) -> None:
    """A reset connection is replaced: callers wait no longer than a deadline, and later ones are answered."""
    async with Proxy(redis_server, secure=True) as proxy, watched(proxy.url + TRUST) as found:
        proxy.reset()
        await asyncio.wait_for(found.down.wait(), 5)
        await found.recovers()
        assert await found.ask(7) == question(7)


async def test_a_server_that_nobody_vouches_for_is_told_nothing(redis_url: str, redis_server: RedisServer) -> None:
    """A man in the middle with his own certificate is a lost store and is sent nothing."""
    async with Proxy(redis_server, secure=True) as proxy:
        found = Watched(proxy.url)
        try:
            await found.fails()
        finally:
            await found.line.aclose()

    assert counted(redis_server) == 0


async def test_sentinels_and_their_primary(redis_url: str, redis_server: RedisServer) -> None:
    """`rediss+sentinel://` uses TLS to both Sentinels and primary."""
    async with (
        Proxy(redis_server, secure=True) as proxy,
        Said(proxy.port, secure=True) as sentinel,
        watched(sentinel.service_url + TRUST, deadline_us=5_000_000) as found,
    ):
        assert await found.ask(1) == question(1)
        assert proxy.connections == 1

    assert counted(redis_server) == 1
