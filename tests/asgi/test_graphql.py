"""A GraphQL API behind the guard: guesses at its log-in are counted, and nothing else is."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from sekisho.model import SettingsError
from sekisho.settings import extras
from tests.asgi.driving import JSON, OPEN, Answer, answer, ask, guarded, http, read

if TYPE_CHECKING:
    from sekisho.asgi.types import Receive, Scope, Send
    from sekisho.wiring import LoginGuard

DOOR = "POST /graphql graphql:login(email,password) success=json:data.login.token"
RESET = "POST /graphql graphql:requestReset(email)"


class Api:
    """Answers as GraphQL servers do, 200 to a wrong password as well. It knows one password, and `me`."""

    def __init__(self) -> None:
        self.reached: list[str] = []

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        sent = json.loads(await read(receive))
        self.reached.append(sent["query"])
        is_right = "login" in sent["query"] and sent.get("variables") == {"e": "hana", "p": "right"}
        data = {"login": {"token": "eyJhbGciOi"}} if is_right else {"login": None}
        said = (
            {"data": {"me": 1}}
            if "login" not in sent["query"]
            else {"data": data, "errors": [{"message": "wrong"}] * (not is_right)}
        )
        return await answer(send, 200, [(b"content-type", b"application/json")], json.dumps(said).encode())


async def call(guard: LoginGuard, query: str, headers: Any = (), **variables: str) -> Answer:
    body = json.dumps({"query": query, "variables": variables}).encode()
    return await ask(guard, http("/graphql", headers=[JSON, *headers]), body)


LOGIN = "mutation L($e: String!, $p: String!) { login(email: $e, password: $p) { token } }"


async def test_guesses_are_counted_and_nothing_else() -> None:
    """Five wrong passwords are all that one account has; other operations pass, from the same address as well."""
    api = Api()
    guard = guarded(
        api, login=DOOR, reset=RESET, limit_account="5/minute", limit_ip="7/minute", limit_network="9999/minute"
    )
    for _ in range(30):
        assert (await call(guard, "{ me }")).status == 200
    for number in range(5):
        assert (await call(guard, LOGIN, e="hana", p=f"wrong {number}")).status == 200
    assert (await call(guard, LOGIN, e="hana", p="right")).status == 429
    assert (await call(guard, 'mutation { requestReset(email: "hana") }')).status == 200
    for _ in range(3):
        await call(guard, LOGIN, e="hana", p="more")
    assert (await call(guard, LOGIN, e="otto", p="x")).status == 429
    assert (await call(guard, "{ me }")).status == 200
    assert sum("login" in query for query in api.reached) == 5
    assert {door for door, _, _ in guard.counts} >= {"POST /graphql login", "POST /graphql requestReset"}


async def test_a_right_password_makes_the_device_known() -> None:
    """The door's rule finds the token; the charge comes back, and the device is known."""
    guard = guarded(Api(), login=DOOR, limit_account="2/minute", **OPEN)
    for _ in range(4):
        found = await call(guard, LOGIN, e="hana", p="right")
        assert (found.status, bool(found.device)) == (200, True)


async def test_a_batch_is_refused_and_reaches_nothing() -> None:
    """Two guesses in one request, and a success by an alias, are refused and charged to their sender."""
    api = Api()
    guard = guarded(api, login=DOOR, limit_ip="3/minute", limit_network="9999/minute", limit_device="9999/minute")
    one = 'login(email: "hana", password: "a") { token }'
    assert (await call(guard, f"mutation {{ a: {one} b: {one} }}")).code == "unreadable_attempt"
    assert (await call(guard, f"mutation {{ login: me x: {one} }}")).code == "unreadable_attempt"
    assert (
        await ask(guard, http("/graphql", headers=[JSON]), json.dumps([{"query": f"{{{one}}}"}] * 2).encode())
    ).status == 400
    assert (await call(guard, f"mutation {{ a: {one} }}")).status == 429
    assert not api.reached


def test_a_door_without_its_parser_stops_the_start(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without graphql-core the setting that needs it says so, and how to install it."""
    monkeypatch.setattr(extras, "_is_there", lambda module: module != "graphql")
    with pytest.raises(SettingsError, match=r"^SEKISHO_RESET: needs graphql: .*\.\[graphql\]"):
        guarded(Api(), login="POST /login", reset=RESET)
