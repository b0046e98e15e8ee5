"""Answers `GET {MOUNT}/metrics` to the holder of the token, which Prometheus sends."""

from __future__ import annotations

from hmac import compare_digest
from typing import TYPE_CHECKING, Final

from sekisho.answer import Answer, send_answer

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from sekisho.asgi.types import Receive, Scope, Send

PATH: Final = "/metrics"
"""Below the mount."""

_REFUSED: Final = Answer(
    401,
    (
        (b"content-type", b"text/plain; charset=utf-8"),
        (b"www-authenticate", b'Bearer realm="metrics"'),
        (b"cache-control", b"no-store"),
        (b"content-length", b"57"),
    ),
    b"metrics need the bearer token of SEKISHO_METRICS_TOKEN.\r\n",
)


class MetricsPage:
    """Args:
    mount: the path of the guard's own pages.
    token: the bearer token.
    write: an `Accept` header to the metrics and their content type.
    """

    def __init__(self, mount: str, token: bytes, write: Callable[[str], Awaitable[tuple[bytes, str]]]) -> None:
        self._path = mount + PATH
        self._authorization = b"Bearer " + token
        self._write = write

    def is_asked(self, scope: Scope) -> bool:
        at_path: bool = scope["path"].endswith(self._path)
        return at_path and scope["type"] == "http" and scope["method"] == "GET"

    async def __call__(self, scope: Scope, _receive: Receive, send: Send) -> None:
        headers = dict(scope["headers"])
        # Compared in constant time: the time of a plain comparison tells how much of a guess was right.
        if not compare_digest(headers.get(b"authorization", b""), self._authorization):
            return await send_answer(send, _REFUSED)
        body, content_type = await self._write(headers.get(b"accept", b"").decode("latin-1"))
        own = (
            (b"content-type", content_type.encode()),
            (b"content-length", b"%d" % len(body)),
            (b"cache-control", b"no-store"),
        )
        return await send_answer(send, Answer(200, own, body))
