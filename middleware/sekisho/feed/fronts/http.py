"""Requests to a front's HTTP API."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import httpx

from sekisho.feed.fronts.port import FrontFault

if TYPE_CHECKING:
    from collections.abc import Mapping

ANSWER_S_MAX: Final = 20


class Request(NamedTuple):
    """`path`: with its query. `body`: None for none."""

    method: str
    path: str
    body: Any = None

    def __str__(self) -> str:
        return f"{self.method} {self.path}" + ("" if self.body is None else " " + json.dumps(self.body))


class Refused(FrontFault):
    """The API has answered with an error. `status`: its status."""

    def __init__(self, text: str, status: int) -> None:
        super().__init__(text)
        self.status = status


async def json_answer(url: str, request: Request, headers: Mapping[str, str], name: str) -> Any:
    """Send a request, and return the answer's JSON; None for an empty answer.

    Raises `Refused` for an error's status, and `FrontFault` for other faults. Neither quotes headers or bodies.
    """
    try:
        # No redirects: a token must not follow one. No proxies of the environment: they would read it.
        async with httpx.AsyncClient(timeout=ANSWER_S_MAX, trust_env=False) as client:
            answer = await client.request(request.method, url + request.path, json=request.body, headers=dict(headers))
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        raise FrontFault(f"{name} does not answer: {type(error).__name__}") from None
    if not answer.is_success:
        raise Refused(f"{name} answers {answer.status_code} to {request.method} {_route(request)}", answer.status_code)
    try:
        return answer.json() if answer.content else None
    except ValueError:
        raise FrontFault(f"{name} answers something else than JSON") from None


def _route(request: Request) -> str:
    return request.path.partition("?")[0]
