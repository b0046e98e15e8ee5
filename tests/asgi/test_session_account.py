"""Whose session a request shows, as told by a function of the service that may ask a database."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest

from sekisho.asgi import session_account
from sekisho.asgi.session_account import SessionAccounts
from sekisho.model import SessionUnread
from sekisho.testing import guarded
from tests.asgi.driving import answer, read
from tests.asgi.test_codes import CODES, Browser, Codes

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sekisho.asgi.types import Receive, Scope, Send
    from tests.asgi.driving import Clock

NAMELESS = {**CODES, "code": "POST /code form:,code"}
SCOPE: dict[str, Any] = {"headers": [(b"cookie", b"session=s")]}


async def hanas(scope: Mapping[str, Any]) -> str | None:
    await asyncio.sleep(0)
    return "hana" if scope["type"] == "http" else None


async def hangs(_: Mapping[str, Any]) -> str | None:
    await asyncio.Event().wait()
    return "hana"


async def fails(_: Mapping[str, Any]) -> str | None:
    raise ConnectionError("session s3cret of hana@example.com")


def fails_at_once(_: Mapping[str, Any]) -> str | None:
    raise ConnectionError("session s3cret of hana@example.com")


def tells_bytes(_: Mapping[str, Any]) -> Any:
    return b"hana"


class Refusing(Codes):
    """Finds every secret wrong."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        self.reached.append(await read(receive))
        await answer(send, 401)


async def test_a_coroutine_function_names_whose_code_it_is(clock: Clock) -> None:
    """A code without a name counts for the account that a coroutine function finds, from every address."""
    app = guarded(Codes(), challenges="none", session_account=hanas, **NAMELESS)

    assert await Browser(app, 0).guesses(7, clock) == [401] * 5 + [429] * 2


async def test_guesses_at_the_old_password_count_for_the_session_s_account(clock: Clock) -> None:
    """A thief with a session guesses the password at a `CHANGE` door whose form names no account, from a new address
    each time: five guesses reach the application, and those by any other door count with them.
    """
    settings = {**CODES, "change": "POST /password form:,old_password,new_password"}
    app = guarded(Refusing(), challenges="none", session_account=hanas, **settings)
    thief = Browser(app, 0)
    clock.advance(3)

    guesses = [await thief.post("/password", old_password=f"guess {n}", new_password="unheard of 17") for n in range(7)]
    assert [one.status for one in guesses] == [401] * 5 + [429] * 2
    assert (await thief.post("/login", username="hana", password="guess 7")).status == 429


@pytest.mark.parametrize("unable", [hangs, fails, fails_at_once, tells_bytes])
async def test_a_code_whose_session_is_unknown_is_not_tried(
    unable: Any, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Without an answer no code reaches the application, and the log says why, once, without the error's text."""
    monkeypatch.setattr(session_account, "SECONDS_MAX", 0)
    service = Codes()
    app = guarded(service, challenges="none", session_account=unable, **NAMELESS)
    found = [await Browser(app, 50 * number).tries("123456") for number in range(3)]

    assert [(each.status, each.code) for each in found] == [(503, "unavailable")] * 3
    assert service.reached == []
    said = [line for line in caplog.messages if "session_account" in line]
    assert len(said) == 1
    assert said[0].startswith("session_account does not tell whose session a request shows (")
    assert "hana" not in caplog.text
    assert "s3cret" not in caplog.text


async def test_in_monitor_an_unknown_session_stops_nothing() -> None:
    """In `monitor` a code passes whose session is unknown."""
    app = guarded(Codes(), challenges="none", session_account=fails, **{**NAMELESS, "mode": "monitor"})

    assert (await Browser(app, 0).tries("123456")).status == 303


async def test_the_function_is_asked_once_for_a_request() -> None:
    """One look-up serves all of a request, and none serves a copy of it with other cookies."""
    asked: list[bytes] = []

    async def counted(scope: Mapping[str, Any]) -> str | None:
        asked.append(dict(scope["headers"])[b"cookie"])
        return "hana"

    sessions = SessionAccounts(counted, print)
    copied = {**SCOPE, "headers": [(b"cookie", b"csrftoken=s")]}
    told = [await sessions.of(scope) for scope in (SCOPE, {**SCOPE}, copied)]

    assert told == ["hana"] * 3
    assert asked == [b"session=s", b"csrftoken=s"]
    assert sessions.learnt(copied) == "hana"
    assert sessions.learnt(SCOPE) is None


async def test_what_failed_is_not_asked_again_for_the_same_request() -> None:
    """A request whose look-up failed waits for no second one, and is never taken for one without a session."""
    told: list[str] = []
    sessions = SessionAccounts(fails, told.append)
    for _ in range(2):
        with pytest.raises(SessionUnread):
            await sessions.of(SCOPE)
    with pytest.raises(SessionUnread):
        sessions.learnt(SCOPE)

    assert len(told) == 1


@pytest.mark.parametrize(("networks", "hanging"), [(1, 86), (40, 244)])
async def test_slow_sessions_keep_no_other_network_out(networks: int, hanging: int) -> None:
    """Sessions that hang leave room for others, from one network or from forty."""

    async def slow_for(scope: Mapping[str, Any]) -> str | None:
        return await hangs(scope) if scope["network"] != b"owner" else "hana"

    sessions = SessionAccounts(slow_for, lambda _: None, lambda scope: scope["network"])
    flood = [
        asyncio.ensure_future(sessions.of({"headers": [], "network": network}))
        for network in [b"%d" % (number % networks) for number in range(600)] + [b"owner"]
    ]
    await asyncio.wait(flood, timeout=0.1)

    assert sum(not one.done() for one in flood) == hanging
    assert await flood[-1] == "hana"
    for one in flood:
        one.cancel()
    await asyncio.gather(*flood, return_exceptions=True)


async def test_a_flood_does_not_queue_behind_a_database_that_hangs(monkeypatch: pytest.MonkeyPatch) -> None:
    """Beyond a bound of look-ups under way the next is given up at once."""
    monkeypatch.setattr(session_account, "ASKING_MAX", 1)
    sessions = SessionAccounts(hangs, lambda _: None)
    first = asyncio.ensure_future(sessions.of(SCOPE))
    await asyncio.sleep(0)

    with pytest.raises(SessionUnread):
        await sessions.of({**SCOPE, "headers": []})
    assert not first.done()
    first.cancel()
