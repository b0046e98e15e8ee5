"""The guard as an installation has it, before Starlette, for what refusals cost: one that asks for work, or, with
`BENCH_FACTORS`, for a proof; then the log-in never answers. Without `BENCH_STORE` it is Starlette alone.
"""

from __future__ import annotations

import asyncio
import os
from typing import TYPE_CHECKING, Any

from starlette.applications import Starlette
from starlette.responses import PlainTextResponse
from starlette.routing import Route

from sekisho import LoginGuard
from sekisho.owners import Contact, MemoryOwners

if TYPE_CHECKING:
    from starlette.requests import Request


async def _login(_: Request) -> PlainTextResponse:
    if "BENCH_FACTORS" in os.environ:
        await asyncio.Event().wait()  # or runs behind the seal would be counted with refusals
    return PlainTextResponse("wrong", 401)


def _factors() -> dict[str, Any]:
    factors = os.environ.get("BENCH_FACTORS")
    if not factors:
        return {}
    # With work besides, work would be asked for first where queues are full.
    owners = MemoryOwners(dict[str, Contact]())
    return {"factors": factors, "owners": owners, "service_name": "Shop", "challenges": "none"}


def _app() -> Any:
    site = Starlette(routes=[Route("/login", _login, methods=["POST"])])
    if "BENCH_STORE" not in os.environ:
        return site
    return LoginGuard(
        site,
        secret="for-benchmarks-on-loopback-and-nothing-else",
        store=os.environ["BENCH_STORE"],
        login="POST /login form:username,password success=302:/home",
        trusted_proxies="127.0.0.0/8",
        **_factors(),
    )


app = _app()
