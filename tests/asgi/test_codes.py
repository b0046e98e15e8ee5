"""Codes, resets and links at their doors: a short secret can be guessed, even with work for each guess."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

from sekisho.testing import guarded
from tests.asgi.driving import FORM, OPEN, Answer, Clock, address, answer, ask, http, log_in, read

if TYPE_CHECKING:
    from sekisho.asgi.types import Receive, Scope, Send
    from sekisho.wiring import LoginGuard

DAY_S = 86_400
CODES: dict[str, Any] = {
    "code": "POST /code form:username,code success=303:/home; POST /code/send form:username",
    "limit_account": "5/5minute",
    **OPEN,
}


class Codes:
    """A service that sends codes on request and answers every request alike."""

    def __init__(self) -> None:
        self.reached: list[bytes] = []

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        body = await read(receive)
        self.reached.append(body)
        if b"123456" in body or b"password=right" in body:
            session = (b"set-cookie", b"session=s; HttpOnly; Path=/")
            return await answer(send, 303, [(b"location", b"/home"), session])
        return await answer(send, 401 if b"code=" in body or b"password=" in body else 200)


class Browser:
    """Keeps the asker cookie. Each attempt comes from a new address."""

    def __init__(self, app: LoginGuard, first: int) -> None:
        self.app = app
        self.jar = b""
        self._address = first

    async def asks(self, account: str = "hana") -> Answer:
        """Ask for a code."""
        return await self.post("/code/send", username=account)

    async def tries(self, code: str) -> Answer:
        return await self.post("/code", username="hana", code=code)

    async def post(self, path: str, **fields: str) -> Answer:
        self._address += 1
        cookies = [(b"cookie", b"lang=ja; " + self.jar)] if self.jar else []
        scope = http(path, client=address(self._address), headers=[FORM, *cookies])
        found = await ask(self.app, scope, urlencode(fields).encode())
        for line in found.all(b"set-cookie"):
            if line.startswith(b"__Host-sekisho-asker="):
                self.jar = line.partition(b";")[0]
        return found

    async def guesses(self, count: int, clock: Clock, *, seconds: float = 3) -> list[int]:
        """The answers to so many wrong codes."""
        found = []
        for number in range(count):
            found.append((await self.tries(f"9{self._address}{number}")).status)
            clock.advance(seconds)
        return found


async def test_no_work_buys_another_guess_at_a_code(clock: Clock) -> None:
    """Row 4.17: beyond its account's limit a code is refused, and no work is offered."""
    app = guarded(Codes(), challenges="pow", **CODES)
    stranger = Browser(app, 0)

    assert await stranger.guesses(5, clock) == [401] * 5
    refused = await stranger.tries("000001")

    assert (refused.status, refused.code) == (429, "too_many_attempts")


async def test_guesses_of_others_do_not_touch_the_browser_that_asked(clock: Clock) -> None:
    """Row 4.17: a stranger's guesses leave the owner's attempts alone, so they lock nobody out."""
    app = guarded(Codes(), challenges="none", **CODES)
    owner, stranger = Browser(app, 0), Browser(app, 500)
    asked = await owner.asks()
    guessed = await stranger.guesses(8, clock)

    assert asked.status == 200
    assert guessed == [401] * 5 + [429] * 3
    assert (await owner.tries("000000")).status == 401
    assert (await owner.tries("123456")).status == 303


async def test_the_browser_that_asked_has_a_limit_too(clock: Clock) -> None:
    """Row 4.17: a browser that asked for another's code has no more guesses than the account's limit."""
    app = guarded(Codes(), challenges="pow", **CODES)
    thief = Browser(app, 0)
    await thief.asks()

    assert await thief.guesses(7, clock) == [401] * 5 + [429] * 2


async def test_asking_again_gives_no_new_guesses(clock: Clock) -> None:
    """Row 4.17: asking again gives a browser no new guesses: it keeps its identity."""
    app = guarded(Codes(), challenges="none", **CODES)
    thief = Browser(app, 0)
    await thief.asks()
    await thief.guesses(5, clock)
    again = await thief.asks()

    assert again.all(b"set-cookie") == []
    assert await thief.guesses(1, clock) == [429]


async def test_new_browsers_have_the_days_cap_together(clock: Clock) -> None:
    """Row 4.17: 50 guesses a day for all browsers that asked and all codes that were sent."""
    clock.us = 1_700_006_400_000_000  # midnight, UTC
    app = guarded(Codes(), challenges="none", code_guesses_max=12, **CODES)
    found = []
    for number in range(4):
        thief = Browser(app, 50 * number)
        clock.advance(3600)
        await thief.asks()
        found += await thief.guesses(4, clock)
    refused = await thief.tries("000001")
    clock.advance(DAY_S - 4 * 3600)

    assert found == [401] * 12 + [429] * 4
    assert 3600 <= int(refused.header(b"retry-after") or b"0") <= DAY_S
    assert await thief.guesses(1, clock) == [401]


async def test_others_have_a_fifth_of_the_cap(clock: Clock) -> None:
    """Row 4.17: browsers that did not ask have two of ten guesses a day, and the asker still has ten."""
    app = guarded(Codes(), challenges="none", code_guesses_max=10, **CODES)
    owner = Browser(app, 500)
    await owner.asks()

    assert await Browser(app, 0).guesses(4, clock, seconds=1200) == [401, 401, 429, 429]
    assert await owner.guesses(10, clock, seconds=1200) == [401] * 10


async def test_a_token_of_another_account_is_none(clock: Clock) -> None:
    """Row 4.17: an asker token of one account gives no guesses at another."""
    app = guarded(Codes(), challenges="none", **CODES)
    stranger = Browser(app, 500)
    await Browser(app, 0).guesses(5, clock)
    await stranger.asks("mallory")

    assert stranger.jar
    assert await stranger.guesses(1, clock) == [429]


async def test_a_form_on_another_site_replaces_no_token_of_the_browser() -> None:
    """E47: a page has its visitor's browser ask for a code of the attacker's account: the visitor's own guesses would
    count with those of strangers from then on.
    """
    app = guarded(Codes(), **CODES)
    planted = [
        FORM,
        (b"sec-fetch-site", b"cross-site"),
        (b"sec-fetch-mode", b"navigate"),
        (b"sec-fetch-dest", b"document"),
    ]
    asked = await ask(app, http("/code/send", headers=planted), b"username=mallory")
    assert (asked.status, asked.all(b"set-cookie")) == (200, [])


async def test_requests_for_a_code_leave_the_log_in_alone(clock: Clock) -> None:
    """Row 4.23: ten requests for a code use up none of the account's log-ins."""
    app = guarded(Codes(), challenges="pow", reset="POST /reset form:username", **CODES)
    for number in range(10):
        await Browser(app, 50 * number).asks()
        await Browser(app, 50 * number).post("/reset", username="hana")
        clock.advance(3)

    assert (await log_in(app)).status == 303


async def test_a_sign_up_leaves_the_log_in_alone(clock: Clock) -> None:
    """Row 4.23: choosing a password at sign-up is no guess at the account."""
    app = guarded(Codes(), challenges="pow", signup="POST /signup form:username,password", **CODES)
    for number in range(10):
        await Browser(app, 50 * number).post("/signup", username="hana", password=f"chosen {number}")
        clock.advance(3)

    assert (await log_in(app)).status == 303


async def test_a_proven_reset_gives_its_charge_back(clock: Clock) -> None:
    """Row 4.23: a successful reset refunds its charge to the account's log-ins."""
    settings = {**CODES, "reset": "POST /reset form:username,token success=303:/home"}
    app = guarded(Codes(), challenges="none", **settings)
    for number in range(8):
        done = await Browser(app, 50 * number).post("/reset", username="hana", token="123456")
        clock.advance(3)

    assert done.status == 303
    assert (await log_in(app)).status == 303


async def test_the_application_names_whose_code_it_is(clock: Clock) -> None:
    """Row 4.17: a code without a name is counted for the account of its session."""
    settings = {**CODES, "code": "POST /code form:,code"}
    app = guarded(Codes(), challenges="none", session_account=lambda _scope: "hana", **settings)

    assert await Browser(app, 0).guesses(7, clock) == [401] * 5 + [429] * 2


async def test_after_the_password_a_browser_has_asked(clock: Clock) -> None:
    """Row 4.17: a second step after the right password belongs to the browser that knew the password."""
    app = guarded(Codes(), challenges="none", login="POST /login success=303:/other", **CODES)
    owner = Browser(app, 500)
    await owner.post("/login", username="hana", password="right")
    await Browser(app, 0).guesses(5, clock)

    assert owner.jar
    assert (await owner.tries("123456")).status == 303


async def test_a_failed_log_in_asks_for_nothing() -> None:
    """Row 4.17: a wrong password gives no guesses at codes."""
    app = guarded(Codes(), challenges="none", **CODES)
    found = await log_in(app, password="wrong")

    assert (found.status, found.all(b"set-cookie")) == (401, [])


STEPS: dict[str, Any] = {
    "login": "POST /login success=302!/2fa",
    "code": "POST /2fa form:username,code success=303:/home; POST /2fa/send form:username success=200",
    "limit_account": "5/hour",
    "challenges": "none",
    "no_factor": "refuse",
    **OPEN,
}


class TwoSteps:
    """A service that asks for its own code after a right password."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        body = await read(receive)
        if b"password=right" in body:
            return await answer(send, 302, [(b"location", b"/2fa")])
        if b"code=123456" in body:
            return await answer(send, 303, [(b"location", b"/home"), (b"set-cookie", b"session=s")])
        return await answer(send, 200)  # the page again


async def test_a_right_code_makes_the_device_known(clock: Clock) -> None:
    """Row 4.20: a log-in ends with the application's own second step, which then makes the device known."""
    app = guarded(TwoSteps(), **STEPS)
    first = await log_in(app)
    second = await step(app, "123456")

    assert (first.status, first.device, second.status) == (302, "", 303)
    assert second.device
    for n in range(5):  # others use up the account
        await log_in(app, password=f"guess {n}", client=address(n + 1))
    assert (await log_in(app, client=address(9))).status == 403  # a stranger, and there is no factor to ask for
    assert (await log_in(app, token=second.device)).status == 302


async def test_no_device_is_known_for_less(clock: Clock) -> None:
    """Row 4.20: a wrong code, a request for a code or a guessed success makes no device known."""
    app = guarded(TwoSteps(), **STEPS)
    guessing = guarded(TwoSteps(), **{**STEPS, "code": "POST /2fa form:username,code"})
    asked = await ask(app, http("/2fa/send", headers=[FORM]), b"username=hana")
    found = [await step(app, "000000"), asked, await step(guessing, "123456")]

    assert [one.device for one in found] == ["", "", ""]


async def test_a_right_code_gives_its_charge_back(clock: Clock) -> None:
    """Row 4.20: a right code refunds its charge: an account's own log-ins do not use up its codes."""
    app = guarded(TwoSteps(), **STEPS)

    assert [(await step(app, "123456")).status for _ in range(8)] == [303] * 8


async def test_two_years_of_second_steps_shut_nobody_out(clock: Clock) -> None:
    """Row 4.20: a known device's log-ins end without a success at the first step, and none counts as a failure."""
    app = guarded(TwoSteps(), **STEPS)
    token = (await step(app, "123456")).device
    statuses = []
    for _ in range(120):
        clock.advance(3_600)
        statuses.append((await log_in(app, token=token)).status)
        token = (await step(app, "123456", token=token)).device or token

    assert statuses == [302] * 120


async def test_a_stolen_device_without_a_code_has_a_hundred_guesses(clock: Clock) -> None:
    """Row 4.20: wrong codes and requests for codes clear no failures: a stolen device has a hundred guesses."""
    app = guarded(TwoSteps(), code_guesses_max=1_000, **STEPS)
    token = (await step(app, "123456")).device
    statuses = []
    for n in range(101):
        clock.advance(3_600)
        cookie = (b"cookie", f"__Host-sekisho={token}".encode())
        await ask(app, http("/2fa/send", headers=[FORM, cookie]), b"username=hana")
        statuses.append((await log_in(app, password=f"guess {n}", token=token)).status)

    assert statuses == [200] * 100 + [403]


async def step(app: LoginGuard, code: str, *, token: str = "", client: str = address(7)) -> Answer:
    """The second step of a log-in."""
    cookies = [(b"cookie", f"__Host-sekisho={token}".encode())] if token else []
    scope = http("/2fa", client=client, headers=[FORM, *cookies])
    return await ask(app, scope, urlencode({"username": "hana", "code": code}).encode())
