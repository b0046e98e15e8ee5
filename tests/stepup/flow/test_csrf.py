"""Behind the seal a log-in sees its CSRF cookie, but no session under that name; the log says what is missing."""

from __future__ import annotations

import logging
import re
import secrets
from typing import TYPE_CHECKING, Any

import pytest
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.middleware.sessions import SessionMiddleware
from starlette.responses import HTMLResponse, RedirectResponse
from starlette.routing import Route

from sekisho.read.csrf import has_form_token
from tests.asgi.driving import OPEN, Answer, answer, read
from tests.stepup.flow.driving import Client, Shop, Site, challenge, runs_ended

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.responses import Response

    from sekisho.asgi.types import Receive, Scope, Send

DJANGO = "a1B2" * 8
RULED = "POST /login form:username,password success=303:/account"


class Careful(Shop):
    """A shop that wants its token in a cookie and in a header, as Django's scripts send it."""

    def __init__(self, cookie: str = "csrftoken") -> None:
        super().__init__()
        self.cookie = cookie

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        headers = dict(scope["headers"])
        token = headers.get(b"x-csrftoken", b"-")
        if scope["path"] == "/login" and f"{self.cookie}=".encode() + token not in headers.get(b"cookie", b""):
            self.saw.append(headers)
            return await answer(send, 403, body=b"no token")
        return await super().__call__(scope, receive, send)


async def log_in(client: Client, cookie: str = "csrftoken", token: str = DJANGO, password: str = "right") -> Answer:
    client.jar |= {cookie: token, "session": "old"}
    headers = [(b"content-type", b"application/x-www-form-urlencoded"), (b"x-csrftoken", token.encode())]
    return await client.log_in(password=password, headers=headers)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("csrftoken", DJANGO),  # Django's secret
        ("csrftoken", DJANGO * 2),  # and masked
        ("csrftoken", "0f" * 64),  # Litestar
        ("csrftoken", "ImFiY2RlZmdoIg.Zz1-aQ.bXk1c2lnbmF0dXJlLTAxMjM0NTY3"),  # starlette-csrf, asgi-csrf
        ("XSRF-TOKEN", "6f2a1c3e-0000-4000-8000-0123456789ab"),
        ("fastapi-csrf-token", "ImFiY2RlZmdoIg.Zz1-aQ.bXk1c2lnbmF0dXJlLTAxMjM0NTY3"),
    ],
)
async def test_an_owner_logs_in_where_the_form_needs_its_csrf_cookie(name: str, value: str) -> None:
    """Without `cookies=` an owner on a new device gets the form's CSRF cookie through; once nobody could, and no log
    line said so.
    """
    site = Site(shop=Careful(name), settings={"login": RULED})
    await site.enrol()
    client = site.client()

    shown = await client.show(challenge(await log_in(client, name, value)), site.code())

    assert shown.status == 303
    assert site.shop.saw[0][b"cookie"] == f"{name}={value}".encode()


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("csrftoken", "hana|1|root"),  # no library writes such a token
        ("csrftoken", "short"),
        ("csrftoken", "a" * 400),
        ("fastapi-csrf-token", DJANGO),
        ("csrf", DJANGO),
        ("session_csrftoken", DJANGO),
        ("CSRFTOKEN", DJANGO),
    ],
)
async def test_nothing_else_that_is_called_so_is_seen(name: str, value: str) -> None:
    """A value that is no CSRF token is hidden: a service could keep a session under that name."""
    site = Site(shop=Careful(name), settings={"login": RULED})
    client = site.client()

    await log_in(client, name, value)
    await runs_ended()

    assert b"cookie" not in site.shop.saw[0]


async def test_a_cookie_that_a_rule_takes_for_a_session_is_no_csrf_cookie() -> None:
    """A cookie that a success rule takes for a session is hidden at every door: the run would log the attacker's
    session in.
    """
    doors = "POST /login form:username,password; POST /other form:username,password success=cookie:csrftoken"
    site = Site(shop=Careful(), settings={"login": doors})

    await log_in(site.client())
    await runs_ended()

    assert b"cookie" not in site.shop.saw[0]


@pytest.mark.parametrize("account", ["hana", ""])
async def test_a_cookie_that_shows_a_session_by_itself_is_no_csrf_cookie(account: str) -> None:
    """A cookie that identifies a session by itself is hidden, if the application can tell whose session a request
    is.
    """

    def whose(scope: Any) -> str | None:
        return account if b"csrftoken" in dict(scope["headers"]).get(b"cookie", b"") else None

    site = Site(shop=Careful(), settings={"login": RULED, "session_account": whose})

    await log_in(site.client())
    await runs_ended()

    assert b"cookie" not in site.shop.saw[0]


@pytest.mark.parametrize(("told", "is_shown"), [("hana", False), (None, True), (ConnectionError(), False)])
async def test_a_database_may_tell_that_a_csrf_cookie_is_a_session(
    told: str | Exception | None, is_shown: bool
) -> None:
    """A coroutine function is asked of the request with that cookie alone; without its answer the cookie is hidden."""

    async def whose(scope: Any) -> str | None:
        if isinstance(told, Exception):
            raise told
        return told if b"csrftoken" in dict(scope["headers"]).get(b"cookie", b"") else None

    site = Site(shop=Careful(), settings={"login": RULED, "session_account": whose})

    await log_in(site.client())
    await runs_ended()

    assert (b"cookie" in site.shop.saw[0]) is is_shown


async def test_a_session_in_a_csrf_cookies_clothes_is_not_logged_in() -> None:
    """A success that sets no new credential used one that the client held, so it counts as no success."""

    class Worn(Shop):
        async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
            if scope["path"] != "/login":
                return await super().__call__(scope, receive, send)
            self.saw.append(dict(scope["headers"]))
            return await answer(send, 303, [(b"location", b"/account")])

    site = Site(shop=Worn(), settings={"login": RULED})
    await site.enrol()
    client = site.client()

    shown = await client.show(challenge(await log_in(client)), site.code())

    assert site.shop.saw[0][b"cookie"] == f"csrftoken={DJANGO}".encode()
    assert shown.status != 303


async def test_what_is_missing_is_said_at_the_first_sealed_403(caplog: pytest.LogCaptureFixture) -> None:
    """The first sealed 403 logs the missing cookie once, with its name from our own table and the line to write."""
    site = Site(shop=Careful("_csrf"), settings={"login": RULED})

    for _ in range(3):
        await log_in(site.client(), "_csrf")
        await runs_ended()

    (said,) = [record.getMessage() for record in caplog.records if "403" in record.getMessage()]
    assert said.startswith("POST /login: the application answered 403 to a log-in behind a step-up")
    assert f"write the door as: {RULED} cookies=_csrf (SEKISHO_LOGIN)" in said


async def test_a_name_that_a_client_made_up_is_not_said(caplog: pytest.LogCaptureFixture) -> None:
    """A cookie name that a client made up is not logged."""
    site = Site(shop=Careful("csrf-of-mine"), settings={"login": RULED})

    await log_in(site.client(), "csrf-of-mine")
    await runs_ended()

    assert "cookies=NAME" in caplog.text
    assert "csrf-of-mine" not in caplog.text


async def in_session(request: Request) -> Response:
    """A log-in as Flask-WTF protects it: the form's token stands in the session; any mistake shows the form again."""
    form = await request.form()
    is_ours = form.get("csrf_token") == request.session.get("csrf", "-")
    if is_ours and (form["username"], form["password"]) == ("hana", "right"):
        request.session.clear()
        request.session["user"] = "hana"
        return RedirectResponse("/account", 303)
    token = request.session.setdefault("csrf", secrets.token_urlsafe(16))
    return HTMLResponse(f'<form method="post"><input type="hidden" name="csrf_token" value="{token}"></form>')


class WithFormToken(Shop):
    """A shop whose log-in is Starlette's, with its token in the session."""

    def __init__(self) -> None:
        super().__init__()
        middleware = [Middleware(SessionMiddleware, secret_key="k" * 32)]
        routes = [Route("/login", in_session, methods=["GET", "POST"])]
        self.starlette = Starlette(routes=routes, middleware=middleware)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await (self.starlette if scope["path"] == "/login" else super().__call__)(scope, receive, send)


async def as_a_browser(client: Client) -> Answer:
    """Load the form, and send it filled."""
    page = await client.send("/login", method="GET", headers=())
    found = re.search(rb'value="([^"]+)"', page.body)
    assert found
    filled = b"csrf_token=%s&username=hana&password=right" % found[1]
    answered = await client.send("/login", filled)
    await runs_ended()
    return answered


async def test_a_token_whose_session_is_withheld_is_said(caplog: pytest.LogCaptureFixture) -> None:
    """A token in the session, and failures that are answered 200: ten owners in a row stay out, and the log says why.

    With the cookie named, the owner gets in, and nothing is said.
    """
    lost = Site(shop=WithFormToken(), settings={"login": RULED, "limit_account": "1000/minute"})
    for number in range(12):
        await as_a_browser(lost.client(f"198.51.100.{number}"))

    (said,) = [record.getMessage() for record in caplog.records if "SEK071" in record.getMessage()]
    assert said.startswith("POST /login: none of 10 log-ins behind a step-up succeeded that sent a CSRF token")
    assert f"write the door as: {RULED} cookies=NAME (SEKISHO_LOGIN)" in said

    caplog.clear()
    mended = Site(shop=WithFormToken(), settings={"login": f"{RULED} cookies=session"})
    await mended.enrol()
    client = mended.client()
    shown = await client.show(challenge(await as_a_browser(client)), mended.code())
    assert (shown.status, shown.all(b"location")) == (303, [b"/account"])
    assert "SEK071" not in caplog.text


@pytest.mark.parametrize(
    ("body", "is_there"),
    [
        (b"csrf_token=x&username=hana", True),
        (b"username=hana&csrfmiddlewaretoken=x", True),
        (b"user%5B_csrf%5D=x", True),
        (b'{"username": "hana", "_csrf": "x"}', True),
        (b'Content-Disposition: form-data; name="csrf_token"\r\n\r\nx', True),
        (b"__RequestVerificationToken=x", True),
        (b"csrf_token=&username=hana", False),
        (b"username=hana&password=csrf", False),
        (b'{"username": "csrf_fan"}', False),
        (b"token=x", False),
        (b"", False),
    ],
)
def test_a_token_of_a_form_is_seen_by_its_name(body: bytes, is_there: bool) -> None:
    """In forms, JSON and multipart; a value is no name."""
    assert has_form_token(body) is is_there


def never_recognised(caplog: pytest.LogCaptureFixture) -> list[tuple[int, str]]:
    found = [record for record in caplog.records if "none was recognised" in record.getMessage()]
    return [(record.levelno, record.getMessage()) for record in found]


async def test_a_door_that_never_recognises_a_success_is_said(caplog: pytest.LogCaptureFixture) -> None:
    """A door whose success is never recognised lets nobody in with factors; after ten unclear answers the log says so
    once, because a right log-in's page sets a session and a wrong one is refused.
    """
    guard = "POST /login form:username,password"

    class Page(Shop):
        async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
            if b"wrong" in await read(receive):
                return await answer(send, 401)
            session = (b"set-cookie", b"session=n; HttpOnly; Secure; Path=/")
            return await answer(send, 200, [(b"content-type", b"text/html"), session], b"<p>welcome")

    site = Site(shop=Page(), settings={"login": guard, "limit_account": "99/hour"})
    for number in range(14):
        await site.client(f"198.51.100.{number}").log_in(password="right" if number else "wrong")
        await runs_ended()

    ((level, said),) = never_recognised(caplog)
    assert level == logging.ERROR
    assert said.startswith("POST /login: of 11 log-ins behind a step-up none was recognised as a success")
    assert said.endswith("[SEK072]")
    assert f"Write the door as: {guard} success=RULE (SEKISHO_LOGIN)" in said


async def test_a_door_that_has_recognised_one_is_not(caplog: pytest.LogCaptureFixture) -> None:
    """A door that has recognised a success logs no such warning for wrong passwords."""
    site = Site(settings={"login": RULED, **OPEN, "limit_account": "999/hour"})
    await site.client().log_in()
    await runs_ended()
    for number in range(55):
        await site.client(f"198.51.100.{number}").log_in(password="wrong")
        await runs_ended()

    assert never_recognised(caplog) == []


async def test_a_rule_that_nothing_fulfils_is_said_after_fifty(caplog: pytest.LogCaptureFixture) -> None:
    """A success rule that never matches is logged after fifty answers, if one looks right."""
    rule = "POST /login form:username,password success=303:/welcome"
    site = Site(settings={"login": rule, **OPEN, "limit_account": "999/hour"})
    await site.client("198.51.100.98").log_in()
    await runs_ended()
    for number in range(48):
        await site.client(f"198.51.100.{number}").log_in(password="wrong")
        await runs_ended()
    assert never_recognised(caplog) == []

    await site.client("198.51.100.99").log_in(password="wrong")
    await runs_ended()

    assert len(never_recognised(caplog)) == 1


@pytest.mark.parametrize(("rule", "said"), [(" success=303:/account", 0), ("", 1)])
async def test_a_list_of_wrong_passwords_is_no_reason_for_alarm(
    rule: str, said: int, caplog: pytest.LogCaptureFixture
) -> None:
    """A new worker in the middle of an attack sees wrong passwords alone: they say nothing against a rule. Without one
    the log says at INFO that both are possible, and what to write.
    """
    caplog.set_level(logging.INFO, "sekisho")
    login = f"POST /login form:username,password{rule}"
    site = Site(settings={"login": login, **OPEN, "limit_account": "999/hour"})
    for number in range(60):
        await site.client(f"198.51.100.{number}").log_in(password="wrong")
        await runs_ended()

    found = [record for record in caplog.records if "none of 50 log-ins was recognised" in record.getMessage()]
    assert never_recognised(caplog) == []
    assert [record.levelno for record in found] == [logging.INFO] * said
    assert all(f"Write the door as: {login} success=RULE (SEKISHO_LOGIN)" in each.getMessage() for each in found)


async def test_a_right_answer_of_another_kind_than_the_rule_is_seen(caplog: pytest.LogCaptureFixture) -> None:
    """A rule for redirects at an API that answers all with 200: its bodies show that the rule is wrong."""

    class Api(Shop):
        async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
            body = b'{"error": "no"}' if b"wrong" in await read(receive) else b'{"access_token": "t"}'
            await answer(send, 200, [(b"content-type", b"application/json")], body)

    rule = "POST /login form:username,password success=303:/account"
    site = Site(shop=Api(), settings={"login": rule, **OPEN, "limit_account": "999/hour"})
    for number in range(50):
        await site.client(f"198.51.100.{number}").log_in(password="wrong" if number else "right")
        await runs_ended()

    assert len(never_recognised(caplog)) == 1


async def test_two_right_secrets_behind_the_seal_have_the_rule_tested(caplog: pytest.LogCaptureFixture) -> None:
    """Two right secrets put the success rule in doubt: a proof still opens the answer but makes no device known."""

    class Renewing(Shop):
        async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
            if scope["path"] != "/login":
                return await super().__call__(scope, receive, send)
            session = (b"set-cookie", b"session=n; HttpOnly; Secure; Path=/")
            return await answer(send, 303, [(b"location", b"/login"), session])

    login = "POST /login form:username,password success=cookie:session"
    site = Site(shop=Renewing(), settings={"login": login, "canary": "on"})
    await site.enrol()
    client = site.client()
    for password in ("one", "two"):
        ticket = challenge(await client.log_in(password=password))
        await runs_ended()

    shown = await client.show(ticket, site.code())

    assert "was taken for a success" in caplog.text
    assert shown.status == 303
    assert not shown.device
