"""Device tokens over HTTP: who is handed one, how it is carried, and what may not take it away again."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import pytest

from sekisho.middleware.visit import DEVICE_HEADER
from tests.middleware.driving import (
    FORM,
    JSON,
    OPEN,
    RULED,
    SESSION,
    Clock,
    Shop,
    address,
    answer,
    ask,
    form,
    guarded,
    http,
    known_device,
    log_in,
    read,
)

if TYPE_CHECKING:
    from sekisho.assemble import LoginGuard
    from sekisho.middleware.asgi import Receive, Scope, Send

L = 3
TIGHT: dict[str, Any] = {**OPEN, "limit_account": f"{L}/hour"}
CHROME = b"Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/126.0 Safari/537.36"
FIREFOX = b"Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0"


async def is_known(app: LoginGuard, clock: Clock, token: str, account: str = "hana", **more: Any) -> bool:
    """Whether a token has a lane of its own, when what strangers have at the account is used up."""
    for n in range(L):
        clock.advance(3)
        await log_in(app, account, f"burn {clock.us} {n}", client=address(n))
    clock.advance(3)
    assert (await log_in(app, account, f"no {clock.us}")).status == 429
    return (await log_in(app, account, f"yes? {clock.us}", token=token, **more)).status == 401


async def test_the_cookie_has_exactly_these_attributes() -> None:
    """Tied to the host, out of reach of scripts and of plain HTTP, and not sent when another site posts a form."""
    answered = await log_in(guarded(Shop(), device_days=30))

    (line,) = [line for line in answered.all(b"set-cookie") if line.startswith(b"__Host-")]
    assert line.partition(b"; ")[2] == b"Max-Age=2592000; Path=/; Secure; HttpOnly; SameSite=Lax"
    assert answered.all(b"set-cookie")[0] == SESSION[1]


async def test_the_cookie_may_have_another_name(clock: Clock) -> None:
    """Two services on one host keep their cookies apart."""
    app = guarded(Shop(), device_cookie="__Host-shop", **TIGHT)
    line = (await log_in(app)).all(b"set-cookie")[1]
    cookie = (b"cookie", line.partition(b";")[0])

    assert line.startswith(b"__Host-shop=")
    assert await is_known(app, clock, "", headers=[cookie])


@pytest.mark.parametrize("password", ["wrong", ""])
async def test_whoever_fails_is_handed_nothing(password: str) -> None:
    """Wrong or unreadable: no token, and none that was shown is renewed."""
    app = guarded(Shop())
    token = await known_device(app)

    assert not (await log_in(app, "hana", password)).device
    assert not (await log_in(app, "hana", password, token=token)).device


async def test_a_native_application_carries_its_token_in_a_header(clock: Clock) -> None:
    """Where there is no cookie jar: an empty header asks for one, and what was answered is sent again."""
    app = guarded(Shop(), **TIGHT)

    first = await log_in(app, headers=[(DEVICE_HEADER, b"")])
    token = first.header(DEVICE_HEADER) or b""
    again = await log_in(app, headers=[(DEVICE_HEADER, token)])

    assert token
    assert again.header(DEVICE_HEADER) not in {None, token}
    assert not first.device
    assert not again.device
    assert await is_known(app, clock, "", headers=[(DEVICE_HEADER, again.header(DEVICE_HEADER) or b"")])


@pytest.mark.parametrize(
    "before",
    [b"theme=dark", b"my__Host-sekisho=x", b"x=__Host-sekisho=", b"__Host-sekisho-old=1; a=b"],
    ids=lambda one: one.decode(),
)
@pytest.mark.parametrize("split", [False, True])
async def test_the_cookie_is_found_among_others(before: bytes, split: bool, clock: Clock) -> None:
    """In one header or, as HTTP/2 allows (RFC 9113 section 8.2.3), in several; and no other name looks like it."""
    app = guarded(Shop(), **TIGHT)
    ours = b"__Host-sekisho=" + (await known_device(app)).encode()
    headers = [(b"cookie", before), (b"cookie", ours)] if split else [(b"cookie", before + b"; " + ours + b"; z=1")]

    assert await is_known(app, clock, "", headers=headers)


async def test_it_is_good_for_its_own_account_alone(clock: Clock) -> None:
    """R3: counted together, trusted apart. Whoever registers `hana` gets no lane at `Hana`."""
    app = guarded(Shop({"Hana": "right", "hana": "also right"}), **TIGHT)
    token = await known_device(app, "hana", "also right")

    assert await is_known(app, clock, token, "hana")
    assert not await is_known(app, clock, token, "Hana")
    assert not await is_known(app, clock, token, "kenji")


async def test_a_token_in_another_browser_is_a_strangers(clock: Clock) -> None:
    """A cookie that wandered was taken."""
    app = guarded(Shop(), **TIGHT)
    token = (await log_in(app, headers=[(b"user-agent", CHROME)])).device

    assert await is_known(app, clock, token, headers=[(b"user-agent", CHROME.replace(b"126", b"140"))])
    assert not await is_known(app, clock, token, headers=[(b"user-agent", FIREFOX)])


async def test_a_token_is_worthless_behind_another_secret(clock: Clock) -> None:
    """Staging's tokens open nothing in production; a rotated secret's still do."""
    old, new = "the old one that nobody has guessed", "the new one that nobody will guess"
    token = await known_device(guarded(Shop(), secret=old, **TIGHT))

    assert await is_known(guarded(Shop(), secret=f"{new},{old}", **TIGHT), clock, token)
    assert not await is_known(guarded(Shop(), secret=new, **TIGHT), clock, token)


@pytest.mark.parametrize("garbage", ["", ".", "x" * 63, "\xff" * 40, "A" * 5_000, "." * 900])
async def test_garbage_in_the_cookie_is_a_stranger_and_no_error(garbage: str, clock: Clock) -> None:
    """Whatever stands there, the log-in works and hands out a token that does."""
    app = guarded(Shop(), **TIGHT)

    answered = await log_in(app, headers=[(b"cookie", b"__Host-sekisho=" + garbage.encode("latin-1"))])

    assert answered.status == 303
    assert await is_known(app, clock, answered.device)


# Renewal.


async def test_a_copy_of_a_renewed_token_is_a_strangers_after_a_minute(clock: Clock) -> None:
    """Two tabs may use one token at once; a copy that turns up later finds its lane closed."""
    app = guarded(Shop(), **TIGHT)
    copied = await known_device(app)
    newest = (await log_in(app, token=copied)).device
    assert (await log_in(app, token=copied)).status == 303

    clock.advance(61)

    assert await is_known(app, clock, newest)
    assert not await is_known(app, clock, copied)


async def test_an_owner_with_an_old_copy_is_a_new_device_and_not_next_in_line(clock: Clock) -> None:
    """A browser restored from a backup: its log-in makes it known again at once, as a device of its own."""
    app = guarded(Shop(), **TIGHT)
    old = newest = await known_device(app)
    for _ in range(4):
        newest = (await log_in(app, token=newest)).device
        clock.advance(61)

    restored = (await log_in(app, token=old)).device

    assert await is_known(app, clock, restored)
    assert await is_known(app, clock, newest)


async def change(scope: Scope, receive: Receive, send: Send) -> None:
    """A page where the password is changed: it logs nobody in."""
    await read(receive)
    await answer(send, 303, [(b"location", b"/done"), SESSION])


async def test_a_success_at_another_door_hands_out_nothing_and_takes_nothing_away(clock: Clock) -> None:
    """Only a log-in makes a device known; and what is not renewed in the browser must not be spent behind its back."""
    shop = Shop()

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await (change if scope["path"] == "/password" else shop)(scope, receive, send)

    guard = guarded(app, change="POST /password form:username,password", **TIGHT)
    token = await known_device(guard)

    changed = await log_in(guard, path="/password", token=token)
    clock.advance(61)

    assert (changed.status, changed.device) == (303, "")
    assert await is_known(guard, clock, token)


async def test_a_success_that_is_reported_too_late_takes_nothing_away(clock: Clock) -> None:
    """Once the headers are gone no token can follow; the one in the browser stays good."""
    shop = Shop()

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["path"] != "/api/token":
            return await shop(scope, receive, send)
        await read(receive)
        await send({"type": "http.response.start", "status": 200, "headers": []})
        scope["state"]["sekisho"].report(success=True)
        return await send({"type": "http.response.body", "body": b""})

    guard = guarded(app, login=f"{RULED}; POST /api/token", **TIGHT)
    token = await known_device(guard)

    assert not (await log_in(guard, path="/api/token", token=token)).device
    clock.advance(61)

    assert await is_known(guard, clock, token)


async def test_a_json_log_in_is_handed_a_renewed_token(clock: Clock) -> None:
    """Where the body decides, the answer waits for it, and its cookie is the next generation."""

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        right = b"right" in await read(receive)
        await answer(send, 200 if right else 401, [JSON], b'{"access_token": "t"}' if right else b"{}")

    guard = guarded(app, login="POST /login success=json:access_token", **TIGHT)
    token = await known_device(guard)

    renewed = (await log_in(guard, token=token)).device
    clock.advance(61)

    assert renewed not in {"", token}
    assert await is_known(guard, clock, renewed)
    assert not await is_known(guard, clock, token)


async def test_a_family_shares_a_browser(clock: Clock) -> None:
    """Each account has its own lane in the one cookie."""
    app = guarded(Shop({"hana": "right", "kenji": "right"}), **TIGHT)
    cookie = await known_device(app, "hana")

    cookie = (await log_in(app, "kenji", token=cookie)).device

    assert await is_known(app, clock, cookie, "hana")
    assert await is_known(app, clock, cookie, "kenji")


async def test_a_device_over_its_own_budget_is_a_stranger(clock: Clock) -> None:
    """A stolen token is worth ten guesses an hour, not a way round every limit."""
    app = guarded(Shop(), **TIGHT, limit_lane="2/hour")
    token = await known_device(app)

    found = []
    for n in range(2 + L + 2):
        found.append((await log_in(app, "hana", f"guess {n}", token=token)).status)
        clock.advance(3)

    assert found == [401] * (2 + L) + [429] * 2


async def test_a_door_for_programs_reads_the_cookie_and_sets_none(clock: Clock) -> None:
    """Basic alone: its clients keep no cookies, and a browser's stays as it is."""
    app = guarded(Shop(), login=f"{RULED}; * /api/* basic success=2xx", **TIGHT)
    token = await known_device(app)
    basic = [(b"authorization", b"Basic aGFuYTpyaWdodA=="), (b"cookie", b"__Host-sekisho=" + token.encode())]

    assert not (await ask(app, http("/api/x", method="GET", headers=basic))).device
    clock.advance(61)

    assert await is_known(app, clock, token)


async def test_a_log_in_without_any_body_of_its_own_is_none() -> None:
    """An empty form is refused, not passed on, whatever cookie comes with it."""
    app = guarded(Shop())
    token = await known_device(app)

    answered = await ask(app, http(headers=[FORM, (b"cookie", b"__Host-sekisho=" + token.encode())]), b"")

    assert answered.status == 400
    assert (await ask(app, http(), form("hana", "right"))).status == 303


async def test_a_device_is_known_at_a_worker_whose_clock_is_behind(
    clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What was handed out ninety seconds in the future of one machine is no forgery."""
    app = guarded(Shop(), **TIGHT)
    now_s = time.time()
    monkeypatch.setattr("time.time", lambda: now_s + 90)
    token = await known_device(app)
    monkeypatch.setattr("time.time", lambda: now_s)
    assert await is_known(guarded(Shop(), **TIGHT), clock, token)
