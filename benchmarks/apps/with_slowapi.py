"""`slowapi` on Starlette: three decorators. Its key functions are synchronous, so the body is read before them."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from slowapi import Limiter, _rate_limit_exceeded_handler
from slowapi.errors import RateLimitExceeded
from starlette.applications import Starlette
from starlette.responses import Response
from starlette.routing import Route

from benchmarks.apps import endpoint
from benchmarks.apps.respond import response

if TYPE_CHECKING:
    from starlette.requests import Request


def _by_address(request: Request) -> str:
    keys: endpoint.Keys = request.state.keys
    return keys.address


def _by_account(request: Request) -> str:
    keys: endpoint.Keys = request.state.keys
    return keys.account


def _by_device(request: Request) -> str:
    keys: endpoint.Keys = request.state.keys
    return keys.device


_limiter = Limiter(key_func=_by_address, storage_uri=os.environ["BENCH_STORE"])


async def _login(request: Request) -> Response:
    request.state.body = await request.body()
    request.state.keys = endpoint.keys_of(request.headers.raw, request.state.body)
    limited: Response = await _limited(request)
    return limited


@_limiter.limit("20/10minute", key_func=_by_address)
@_limiter.limit("5/5minute", key_func=_by_account)
@_limiter.limit("30/10minute", key_func=_by_device)
async def _limited(request: Request) -> Response:
    return response(endpoint.verdict(request.state.body))


async def _reached(_request: Request) -> Response:
    return Response(endpoint.reached())


app = Starlette(routes=[Route("/login", _login, methods=["POST"]), Route("/reached", _reached)])
app.state.limiter = _limiter
app.add_exception_handler(RateLimitExceeded, _rate_limit_exceeded_handler)
