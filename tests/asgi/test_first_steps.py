"""A log-in that sends the name first, and then name and password to the same path."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl, urlencode

import pytest

from sekisho.testing import guarded
from tests.asgi.driving import FORM, HERE, OPEN, SESSION, Answer, address, answer, ask, http, read

if TYPE_CHECKING:
    from sekisho.asgi.types import Receive, Scope, Send
    from sekisho.wiring import LoginGuard
    from tests.asgi.driving import Clock

TWO_STEPS: dict[str, Any] = {**OPEN, "challenges": "none", "limit_account": "3/hour"}
RULED = "POST /login form:username,password success=302:/home first=name"
IN_JSON = "POST /login form:username,password success=json:access_token first=name"
TYPE_JSON = (b"content-type", b"application/json")


class Service:
    """Answers a name alone with a page and a session that keeps it; `admin` is let in by the name alone."""

    def __init__(self) -> None:
        self.reached: list[dict[str, str]] = []

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        sent = dict(parse_qsl((await read(receive)).decode()))
        self.reached.append(sent)
        if sent["username"] == "admin" or sent.get("password") == "right":
            return await answer(send, 302, [(b"location", b"/home"), SESSION])
        if "password" in sent:
            return await answer(send, 401)
        return await answer(send, 200, [(b"set-cookie", b"flow=f; HttpOnly")], b"and the password?")


class Speaking(Service):
    """The same in JSON."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        sent = dict(parse_qsl((await read(receive)).decode()))
        told = {"next": "password"} if sent["username"] != "admin" else {"access_token": "t"}
        if sent["username"] == "long":
            told["pad"] = "x" * 70_000
        return await answer(send, 200, [TYPE_JSON], json.dumps(told).encode())


async def post(app: LoginGuard, client: str = HERE, **fields: str) -> Answer:
    return await ask(app, http("/login", client=client, headers=[FORM]), urlencode(fields).encode())


async def test_the_name_passes_and_the_password_is_counted() -> None:
    """First steps use up nothing: the account's limit is as many guesses as without them."""
    app = guarded(Service(), login=RULED, **TWO_STEPS)
    steps = [await post(app, address(n), username="hana") for n in range(30)]
    guesses = [(await post(app, address(n), username="hana", password="wrong")).status for n in range(4)]

    assert {(step.status, step.body) for step in steps} == {(200, b"and the password?")}
    assert steps[0].all(b"set-cookie") == [b"flow=f; HttpOnly"]
    assert guesses == [401, 401, 401, 429]


async def test_without_the_option_a_name_alone_is_refused(caplog: pytest.LogCaptureFixture) -> None:
    """By default a request without the door's secret does not reach the application; the log names the option."""
    service = Service()
    app = guarded(service, login=RULED.removesuffix(" first=name"), **TWO_STEPS)
    refused = await post(app, username="hana")

    assert (refused.status, refused.code, service.reached) == (400, "unreadable_attempt", [])
    (said,) = [line for line in caplog.messages if "[SEK084]" in line]
    assert "add first=name to the door" in said


class Wizard:
    """django-two-factor-auth: name and password, then a code alone to the same path, in a session that waits."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        sent = dict(parse_qsl((await read(receive)).decode()))
        is_waiting = waits_for_code(scope) is not None
        if sent.get("token-otp_token") == "287082" and is_waiting:
            return await answer(send, 302, [(b"location", b"/home"), SESSION])
        if sent.get("auth-password") == "right":
            return await answer(send, 200, [(b"set-cookie", b"flow=hana; HttpOnly")], b"and the code?")
        return await answer(send, 200, [], b"wrong")


def waits_for_code(scope: Scope) -> str | None:
    cookie = dict(scope["headers"]).get(b"cookie", b"")
    return "hana" if b"flow=hana" in cookie else None


WIZARD = "POST /login form:auth-username,auth-password success=302:/home"
WIZARD_WITH_CODE = WIZARD.replace("password", "password|token-otp_token") + " first=name"


async def type_code(app: LoginGuard, client: str, code: str) -> Answer:
    headers = [FORM, (b"cookie", b"flow=hana")]
    body = urlencode({"token-otp_token": code, "login_view-current_step": "token"}).encode()
    return await ask(app, http("/login", client=client, headers=headers), body)


async def test_a_code_alone_at_the_path_of_the_password_is_counted_at_its_sessions_account() -> None:
    """The recipe for django-two-factor-auth: a right code is the log-in, and wrong ones use up the account's limit."""
    app = guarded(Wizard(), login=WIZARD_WITH_CODE, session_account=waits_for_code, **TWO_STEPS)
    first = await post(app, address(1), **{"auth-username": "hana", "auth-password": "right"})
    right = await type_code(app, address(1), "287082")
    guesses = [(await type_code(app, address(n), f"00000{n}")).status for n in (2, 3, 4)]

    assert (first.status, first.body) == (200, b"and the code?")
    assert (right.status, len(right.all(b"set-cookie"))) == (302, 2)
    assert guesses == [200, 200, 429]


async def test_a_code_alone_that_the_door_does_not_read_is_refused_with_advice(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Owners with a second step cannot log in by such a door, and the log says what to write."""
    refused = await type_code(guarded(Wizard(), login=WIZARD, **TWO_STEPS), HERE, "287082")

    assert (refused.status, refused.code) == (400, "unreadable_attempt")
    (said,) = [line for line in caplog.messages if "[SEK084]" in line]
    assert "form:ACCOUNT,SECRET|CODE" in said
    assert "first=name" in said


@pytest.mark.parametrize(("service", "door"), [(Service, RULED), (Speaking, IN_JSON)])
async def test_a_first_step_that_logs_in_is_withheld(
    service: type[Service], door: str, caplog: pytest.LogCaptureFixture
) -> None:
    """An answer that counts as a success leaves with no byte, no session, and a line in the log."""
    app = guarded(service(), login=door, **TWO_STEPS)
    found = await post(app, username="admin")

    assert (found.status, found.code, found.all(b"set-cookie")) == (400, "unreadable_attempt", [])
    assert b"access_token" not in found.body
    said = [line for line in caplog.messages if "without a secret counts as a success" in line]
    assert len(said) == 1
    assert "admin" not in said[0]


async def test_an_answer_that_cannot_be_judged_is_withheld() -> None:
    """A JSON answer that is too long to be read may hold a token; a short one without a token passes."""
    app = guarded(Speaking(), login=IN_JSON, **TWO_STEPS)

    assert (await post(app, username="long")).status == 400
    assert (await post(app, username="hana")).body == b'{"next": "password"}'


async def test_a_success_that_the_application_reports_is_withheld() -> None:
    """A handler that reports a success has logged somebody in, regardless of its answer."""

    class Reporting(Service):
        async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
            scope["state"]["sekisho"].report(success=True)
            return await super().__call__(scope, receive, send)

    found = await post(guarded(Reporting(), login=RULED, **TWO_STEPS), username="hana")

    assert (found.status, found.all(b"set-cookie")) == (400, [])


async def test_in_monitor_nothing_is_withheld(caplog: pytest.LogCaptureFixture) -> None:
    """In `monitor` the answer passes, and the log tells of it."""
    app = guarded(Service(), login=RULED, **{**TWO_STEPS, "mode": "monitor"})

    assert (await post(app, username="admin")).status == 302
    assert any("counts as a success" in line for line in caplog.messages)


async def test_a_flood_of_names_from_one_address_ends(clock: Clock) -> None:
    """An address has 120 first steps in ten minutes; others have theirs."""
    app = guarded(Service(), login=RULED, **TWO_STEPS)
    found = [(await post(app, username=f"name{n}")).status for n in range(121)]

    assert found == [200] * 120 + [429]
    assert (await post(app, address(7), username="hana")).status == 200
    clock.advance(600)
    assert (await post(app, username="hana")).status == 200


async def test_a_guess_under_another_spelling_does_not_pass() -> None:
    """A secret that only a lenient parser would find does not come in as a first step."""
    service = Service()
    app = guarded(service, login=RULED, **TWO_STEPS)

    assert (await post(app, username="hana", Password="right")).status == 400
    assert (await post(app, username="hana", password="")).status == 400
    assert service.reached == []


# The second step with the password alone: the session keeps the name.


class Keeping:
    """Keeps the name in a cookie, and takes it from there alone; the password of all accounts is `right`."""

    def __init__(self) -> None:
        self.reached: list[dict[str, str]] = []

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        sent = dict(parse_qsl((await read(receive)).decode()))
        self.reached.append(sent)
        if "password" not in sent:
            return await answer(send, 200, [(b"set-cookie", b"flow=" + sent["username"].encode())])
        right = sent["password"] == "right"
        return await answer(send, 302 if right else 401, [(b"location", b"/home"), SESSION] if right else [])


async def whose(scope: Scope) -> str | None:
    return dict(scope["headers"]).get(b"cookie", b"").partition(b"flow=")[2].decode() or None


async def second(app: LoginGuard, flow: str, client: str = HERE, **fields: str) -> Answer:
    cookies = [(b"cookie", f"flow={flow}".encode())] if flow else []
    return await ask(app, http("/login", client=client, headers=[FORM, *cookies]), urlencode(fields).encode())


async def test_a_password_alone_is_counted_at_its_sessions_account() -> None:
    """Guesses from new addresses use up the account that the session names, and of no other."""
    app = guarded(Keeping(), login=RULED, session_account=whose, **TWO_STEPS)
    guesses = [(await second(app, "hana", address(n), password="wrong")).status for n in range(4)]

    assert guesses == [401, 401, 401, 429]
    let_in = await second(app, "otto", password="right")
    assert (let_in.status, bool(let_in.device)) == (302, True)


@pytest.mark.parametrize("told", [None, whose])
async def test_a_password_whose_account_nothing_tells_is_refused(told: Any) -> None:
    """Without `session_account`, or without a session, such a request does not reach the application."""
    service = Keeping()
    app = guarded(service, login=RULED, session_account=told, **TWO_STEPS)
    found = await second(app, "" if told else "hana", password="right")

    assert (found.status, found.code, service.reached) == (400, "unreadable_attempt", [])


async def test_a_password_beside_another_spelling_of_the_name_is_refused() -> None:
    """An application that found the name there would check a guess that is counted at another account."""
    service = Keeping()
    app = guarded(service, login=RULED, session_account=whose, **TWO_STEPS)
    found = [await second(app, "hana", password="x", **{name: "otto"}) for name in ("UserName", "user[username]")]

    assert [each.status for each in found] == [400, 400]
    assert service.reached == []


async def test_a_password_whose_session_cannot_be_read_is_not_tried() -> None:
    """While the database of sessions fails, no password alone is tried."""

    async def broken(_: Scope) -> str | None:
        raise ConnectionError

    service = Keeping()
    found = await second(guarded(service, login=RULED, session_account=broken, **TWO_STEPS), "hana", password="x")

    assert (found.status, found.code, service.reached) == (503, "unavailable", [])
