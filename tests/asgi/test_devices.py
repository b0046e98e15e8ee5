"""Device tokens over HTTP: which client gets one, how it is sent, and which requests must not revoke it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from sekisho.asgi.request_context import DEVICE_HEADER
from tests.asgi.driving import (
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
    from sekisho.asgi.types import Receive, Scope, Send
    from sekisho.wiring import LoginGuard

L = 3
TIGHT: dict[str, Any] = {**OPEN, "limit_account": f"{L}/hour"}
CHROME = b"Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/126.0 Safari/537.36"
FIREFOX = b"Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0"


async def is_known(app: LoginGuard, clock: Clock, token: str, account: str = "hana", **more: Any) -> bool:
    """Whether a token has its own bucket when the strangers' attempts at the account are used up."""
    for n in range(L):
        clock.advance(3)
        await log_in(app, account, f"burn {clock.us} {n}", client=address(n))
    clock.advance(3)
    assert (await log_in(app, account, f"no {clock.us}")).status == 429
    return (await log_in(app, account, f"yes? {clock.us}", token=token, **more)).status == 401


async def test_the_cookie_has_exactly_these_attributes() -> None:
    """The cookie is host-only, hidden from scripts and plain HTTP, and not sent with another site's form."""
    answered = await log_in(guarded(Shop(), device_days=30))

    (line,) = [line for line in answered.all(b"set-cookie") if line.startswith(b"__Host-")]
    assert line.partition(b"; ")[2] == b"Max-Age=2592000; Path=/; Secure; HttpOnly; SameSite=Lax"
    assert answered.all(b"set-cookie")[0] == SESSION[1]


async def test_the_cookie_may_have_another_name(clock: Clock) -> None:
    """The cookie may have another name, so two services on one host keep theirs apart."""
    app = guarded(Shop(), device_cookie="__Host-shop", **TIGHT)
    line = (await log_in(app)).all(b"set-cookie")[1]
    cookie = (b"cookie", line.partition(b";")[0])

    assert line.startswith(b"__Host-shop=")
    assert await is_known(app, clock, "", headers=[cookie])


async def test_a_form_on_another_site_replaces_no_token(clock: Clock) -> None:
    """E47: a page logs its visitor in with the attacker's own account. The browser sends no `Lax` cookie with that form
    and keeps those of the answer: a token for the attacker's account would make the visitor's device a stranger.
    """
    form = [(b"sec-fetch-site", b"cross-site"), (b"sec-fetch-mode", b"navigate"), (b"sec-fetch-dest", b"document")]
    app = guarded(Shop(), origins="https://app.example", **TIGHT)
    planted = await log_in(app, headers=[*form, (b"origin", b"https://evil.example")])
    assert (planted.status, planted.all(b"set-cookie")) == (303, [SESSION[1]])

    token = await known_device(app)
    assert (await log_in(app, headers=form, token=token)).device  # a browser that sends its token all the same
    assert (await log_in(app, headers=[*form, (b"origin", b"https://app.example")])).device
    assert (await log_in(app, headers=[(b"sec-fetch-site", b"same-origin"), *form[1:]])).device


@pytest.mark.parametrize("password", ["wrong", ""])
async def test_whoever_fails_is_handed_nothing(password: str) -> None:
    """A wrong or unreadable attempt gets no token, and the token that it showed is not renewed."""
    app = guarded(Shop())
    token = await known_device(app)

    assert not (await log_in(app, "hana", password)).device
    assert not (await log_in(app, "hana", password, token=token)).device


async def test_a_native_application_carries_its_token_in_a_header(clock: Clock) -> None:
    """A native app asks for a token with an empty header and sends the answered token in the same header."""
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
    """The cookie is found among others, in one header or in several (HTTP/2, RFC 9113 section 8.2.3), by its exact
    name.
    """
    app = guarded(Shop(), **TIGHT)
    ours = b"__Host-sekisho=" + (await known_device(app)).encode()
    headers = [(b"cookie", before), (b"cookie", ours)] if split else [(b"cookie", before + b"; " + ours + b"; z=1")]

    assert await is_known(app, clock, "", headers=headers)


async def test_it_is_good_for_its_own_account_alone(clock: Clock) -> None:
    """R3: like names are counted together and trusted apart: registering `hana` gives no bucket at `Hana`."""
    app = guarded(Shop({"Hana": "right", "hana": "also right"}), **TIGHT)
    token = await known_device(app, "hana", "also right")

    assert await is_known(app, clock, token, "hana")
    assert not await is_known(app, clock, token, "Hana")
    assert not await is_known(app, clock, token, "kenji")


async def test_a_token_in_another_browser_is_a_strangers(clock: Clock) -> None:
    """A token in another browser is a stranger's: it was stolen."""
    app = guarded(Shop(), **TIGHT)
    token = (await log_in(app, headers=[(b"user-agent", CHROME)])).device

    assert await is_known(app, clock, token, headers=[(b"user-agent", CHROME.replace(b"126", b"140"))])
    assert not await is_known(app, clock, token, headers=[(b"user-agent", FIREFOX)])


async def test_a_token_is_worthless_behind_another_secret(clock: Clock) -> None:
    """A token is void under another secret, such as staging's; a rotated secret's token stays valid."""
    old, new = "the old one that nobody has guessed", "the new one that nobody will guess"
    token = await known_device(guarded(Shop(), secret=old, **TIGHT))

    assert await is_known(guarded(Shop(), secret=f"{new},{old}", **TIGHT), clock, token)
    assert not await is_known(guarded(Shop(), secret=new, **TIGHT), clock, token)


@pytest.mark.parametrize("garbage", ["", ".", "x" * 63, "\xff" * 40, "A" * 5_000, "." * 900])
async def test_garbage_in_the_cookie_is_a_stranger_and_no_error(garbage: str, clock: Clock) -> None:
    """Garbage in the cookie is no error: the log-in works and issues a valid token."""
    app = guarded(Shop(), **TIGHT)

    answered = await log_in(app, headers=[(b"cookie", b"__Host-sekisho=" + garbage.encode("latin-1"))])

    assert answered.status == 303
    assert await is_known(app, clock, answered.device)


# Renewal.


async def test_a_copy_of_a_renewed_token_is_a_strangers_after_a_minute(clock: Clock) -> None:
    """A renewed token's copy works for a minute (two tabs at once); after that its bucket is closed."""
    app = guarded(Shop(), **TIGHT)
    copied = await known_device(app)
    newest = (await log_in(app, token=copied)).device
    assert (await log_in(app, token=copied)).status == 303

    clock.advance(61)

    assert await is_known(app, clock, newest)
    assert not await is_known(app, clock, copied)


async def test_an_owner_with_an_old_copy_is_a_new_device_and_not_next_in_line(clock: Clock) -> None:
    """A browser restored from a backup becomes a new device at its log-in, not the next generation of the old one."""
    app = guarded(Shop(), **TIGHT)
    old = newest = await known_device(app)
    for _ in range(4):
        newest = (await log_in(app, token=newest)).device
        clock.advance(61)

    restored = (await log_in(app, token=old)).device

    assert await is_known(app, clock, restored)
    assert await is_known(app, clock, newest)


async def change(scope: Scope, receive: Receive, send: Send) -> None:
    """A page where the password is changed; it logs nobody in."""
    await read(receive)
    await answer(send, 303, [(b"location", b"/done"), SESSION])


async def test_a_success_at_another_door_hands_out_nothing_and_takes_nothing_away(clock: Clock) -> None:
    """Only a log-in makes a device known; success at another door does not spend a token that the browser keeps."""
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
    """A success reported after the headers issues no token, so the browser's token stays valid."""
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
    """A JSON answer waits for its body, and its cookie is the next generation."""

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
    """Each account of a family has its own bucket in one cookie."""
    app = guarded(Shop({"hana": "right", "kenji": "right"}), **TIGHT)
    cookie = await known_device(app, "hana")

    cookie = (await log_in(app, "kenji", token=cookie)).device

    assert await is_known(app, clock, cookie, "hana")
    assert await is_known(app, clock, cookie, "kenji")


async def test_a_device_over_its_own_budget_is_a_stranger(clock: Clock) -> None:
    """A stolen token gives ten guesses an hour; beyond that its device is a stranger under all limits."""
    app = guarded(Shop(), **TIGHT, limit_lane="2/hour")
    token = await known_device(app)

    found = []
    for n in range(2 + L + 2):
        found.append((await log_in(app, "hana", f"guess {n}", token=token)).status)
        clock.advance(3)

    assert found == [401] * (2 + L) + [429] * 2


async def test_a_door_for_programs_reads_the_cookie_and_sets_none(clock: Clock) -> None:
    """A Basic door reads the cookie and sets none: programs keep no cookies, and a browser's stays unchanged."""
    app = guarded(Shop(), login=f"{RULED}; * /api/* basic success=2xx", **TIGHT)
    token = await known_device(app)
    basic = [(b"authorization", b"Basic aGFuYTpyaWdodA=="), (b"cookie", b"__Host-sekisho=" + token.encode())]

    assert not (await ask(app, http("/api/x", method="GET", headers=basic))).device
    clock.advance(61)

    assert await is_known(app, clock, token)


async def test_a_log_in_without_any_body_of_its_own_is_none() -> None:
    """An empty form is refused and not passed on, with any cookie."""
    app = guarded(Shop())
    token = await known_device(app)

    answered = await ask(app, http(headers=[FORM, (b"cookie", b"__Host-sekisho=" + token.encode())]), b"")

    assert answered.status == 400
    assert (await ask(app, http(), form("hana", "right"))).status == 303


async def test_a_device_is_known_at_a_worker_whose_clock_is_behind(clock: Clock) -> None:
    """A token issued by a machine whose clock is ninety seconds ahead is accepted."""
    app = guarded(Shop(), **TIGHT)
    clock.advance(90)
    token = await known_device(app)
    clock.advance(-90)
    assert await is_known(guarded(Shop(), **TIGHT), clock, token)
