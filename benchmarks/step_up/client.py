"""One client on one connection that is kept: it sends a request, and looks at the clock when the answer is whole."""

from __future__ import annotations

import json
import secrets
import select
import socket
import time
from http.client import HTTPResponse
from typing import TYPE_CHECKING, Any, NamedTuple, Self
from urllib.parse import urlencode

from benchmarks.login_post import form_post

if TYPE_CHECKING:
    from collections.abc import Sequence


class Timed(NamedTuple):
    """Attributes:
    us: from the request's first byte to the answer's last.
    """

    us: float
    status: int
    body: bytes

    def said(self, status: int, code: str = "") -> Self:
        """Itself. Raises `RuntimeError` where it is another answer than the one that is measured."""
        if self.status != status or (code and self.json["code"] != code):
            raise RuntimeError(f"expected {status} {code}, was answered {self.status}: {self.body[:200]!r}")
        return self

    @property
    def json(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(self.body)
        return found


class Client:
    """A native app: it keeps no cookies, and is a stranger each time."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._connect()

    def _connect(self) -> None:
        self._socket = socket.create_connection(("127.0.0.1", self._port), timeout=30)
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._socket.close()

    def log_in(self, account: str, password: str, *, address: str, browser_key: str = "new", token: str = "") -> Timed:
        """`holder`: of the ticket that is asked for. `token`: of a device that is known."""
        known = [f"Sekisho-Device: {token}"] if token else []
        fields = {"username": account, "password": password}
        return self._post("/login", fields, address, [f"Sekisho-Challenge: {browser_key}", *known])

    def prove(self, challenge: str, code: str, *, address: str, browser_key: str) -> Timed:
        fields = {"challenge": challenge, "factor": "totp", "code": code}
        return self._post("/sekisho/step-up", fields, address, [f"Sekisho-Challenge: {browser_key}"])

    def knock(self, path: str, fields: dict[str, str], *, address: str, cookies: str = "") -> Timed:
        """A request at another door."""
        return self._post(path, fields, address, [f"Cookie: {cookies}"] if cookies else [])

    def _post(self, path: str, fields: dict[str, str], address: str, more: Sequence[str]) -> Timed:
        request = form_post(path, urlencode(fields), address, *more)
        # Nothing is owed, so what there is to read is the end: the server hangs up on who was silent for five seconds.
        if select.select([self._socket], [], [], 0)[0]:
            self._socket.close()
            self._connect()
        begun = time.perf_counter_ns()
        self._socket.sendall(request)
        answer = HTTPResponse(self._socket, method="POST")
        answer.begin()
        read = answer.read()
        us = (time.perf_counter_ns() - begun) / 1000
        answer.close()
        return Timed(us, answer.status, read)


def new_browser_key() -> str:
    """22 characters, as an app is handed them and hands them back."""
    return secrets.token_urlsafe(16)
