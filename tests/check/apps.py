"""Applications whose answers mislead a rule of success, and one that counts what it is asked."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl

from tests.asgi.driving import SESSION, answer, read

if TYPE_CHECKING:
    from sekisho.asgi.types import Receive, Scope, Send

OWNERS = {"hana": {"right"}}


class Site:
    """A log-in that renews its session cookie with every answer, so `cookie:session` proves nothing.

    Args:
        owners: account → its passwords.
        token: the value that `x-csrftoken` and the cookie `csrftoken` must both have; "" for none.
    """

    def __init__(self, owners: dict[str, set[str]] | None = None, token: str = "") -> None:
        self.owners = {name: set(secrets) for name, secrets in (OWNERS if owners is None else owners).items()}
        self.token = token
        self.asked: list[tuple[str, str]] = []
        self.scopes: list[Scope] = []

    @property
    def invented(self) -> list[tuple[str, str]]:
        """The invented log-ins that arrived."""
        return [pair for pair in self.asked if pair[0].endswith(".invalid")]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        form = dict(parse_qsl((await read(receive)).decode()))
        self.scopes.append(scope)
        if scope["path"] != "/login" or scope["method"] != "POST":
            return await answer(send, 404)
        pair = form.get("username", ""), form.get("password", "")
        self.asked.append(pair)
        if self.token and not self._has_token(dict(scope["headers"])):
            return await answer(send, 403)
        right = pair[1] in self.owners.get(pair[0], set())
        return await answer(send, 303, [(b"location", b"/home" if right else b"/login"), SESSION])

    def _has_token(self, headers: dict[bytes, bytes]) -> bool:
        cookie = f"csrftoken={self.token}".encode()
        return cookie in headers.get(b"cookie", b"") and headers.get(b"x-csrftoken") == self.token.encode()


def header_names(scope: Any) -> set[bytes]:
    return {name for name, _ in scope["headers"]}
