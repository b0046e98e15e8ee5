"""`fastapi-sentinel`: its middleware, and its guard around the check of the password, as its README has it.

It knows no devices. Its three counters are requests by address, failures by address and failures by account (and a
fourth for the pair of both, which a success takes back). Without its audit trail, which is an option of its own.
"""

from __future__ import annotations

import os

from fastapi import FastAPI, Request, Response
from sentinelapi.config import SentinelSettings
from sentinelapi.integration import install_sentinel
from starlette.requests import ClientDisconnect

from benchmarks.apps import endpoint
from benchmarks.apps.respond import response

app = FastAPI()
_sentinel = install_sentinel(
    app,
    SentinelSettings(
        backend="redis",
        redis_url=os.environ["BENCH_STORE"],
        audit=False,
        trusted_proxies=("127.0.0.0/8",),
        rate_limit_max_requests=20,
        rate_limit_window_seconds=600,
        rate_limit_exempt_paths=("/reached",),
    ),
)


@app.post("/login")
async def _login(request: Request) -> Response:
    try:
        body = await request.body()
    except ClientDisconnect:  # the load generator disconnects in the middle of a request, which is no error
        return Response()
    account = endpoint.keys_of(request.headers.raw, body).account
    await _sentinel.login_guard.check(request, account)
    said = endpoint.verdict(body)
    if said is endpoint.FAILED:
        await _sentinel.login_guard.failed(request, account)
    else:
        await _sentinel.login_guard.succeeded(request, account)
    return response(said)


@app.get("/reached")
async def _reached() -> Response:
    return Response(endpoint.reached())
