"""Promised: workers on one Redis count together, for any spread of an attack."""

from __future__ import annotations

import asyncio
from collections import Counter
from contextlib import ExitStack

import httpx

from tests.acceptance.processes import worker
from tests.asgi.driving import address

L = 5
SETTINGS = {
    "limit_account": f"{L}/5minute",
    "canary": "off",  # its look at the start would count as an attempt that reached the application
    "challenges": "none",  # the limits alone: a refusal differs from a wrong guess by its status
    "trusted_proxies": "127.0.0.1",
    "store_deadline_ms": "5000",
}


async def test_of_200_parallel_guesses_over_two_processes_at_most_the_limit_come_through(redis_url: str) -> None:
    """Of 200 guesses at one account over two processes, from 200 addresses behind a proxy, five pass."""
    with ExitStack() as stack:
        urls = [stack.enter_context(worker(store=redis_url, **SETTINGS)) for _ in range(2)]
        statuses, reached = await attack(urls)
        again = await attack(urls)

    assert sum(reached) <= L
    assert statuses == Counter({429: 200 - sum(reached), 401: sum(reached)})
    assert sum(reached) == L
    assert again[0] == Counter({429: 200})


async def attack(urls: list[str]) -> tuple[Counter[int], list[int]]:
    """The answers to 200 guesses at once, half at each worker, and how many passed at each."""
    # The server may close a kept connection while a busy machine pauses.
    limits = httpx.Limits(max_connections=None, max_keepalive_connections=0)
    async with httpx.AsyncClient(limits=limits, timeout=60) as client:

        async def guess(n: int) -> int:
            data = {"username": "hana", "password": f"guess {n}"}
            headers = {"x-forwarded-for": address(n)}
            return (await client.post(f"{urls[n % 2]}/login", data=data, headers=headers)).status_code

        statuses = Counter(await asyncio.gather(*(guess(n) for n in range(200))))
        reached = [int((await client.get(f"{url}/reached")).text) for url in urls]
    return statuses, reached


async def test_what_one_worker_has_counted_the_other_one_knows(redis_url: str) -> None:
    """A device known at one worker is known at the other, and guesses count at both."""
    with ExitStack() as stack:
        here, there = [stack.enter_context(worker(store=redis_url, **SETTINGS)) for _ in range(2)]
        async with httpx.AsyncClient(timeout=60) as client:

            async def log_in(url: str, password: str, n: int, cookie: str = "") -> httpx.Response:
                headers = {"x-forwarded-for": address(n), "cookie": cookie}
                return await client.post(
                    f"{url}/login", data={"username": "hana", "password": password}, headers=headers
                )

            device = (await log_in(here, "right", 0)).headers.get_list("set-cookie")[1].partition(";")[0]
            guesses = [(await log_in(here, f"guess {n}", n)).status_code for n in range(1, L + 1)]
            stranger = await log_in(there, "right", 99)
            owner = await log_in(there, "right", 0, device)

    assert guesses == [401] * L
    assert (stranger.status_code, owner.status_code) == (429, 303)
