"""Every request that a server and a router could take for a log-in is counted or refused, through the whole guard."""

from __future__ import annotations

import asyncio
from base64 import b64decode
from typing import TYPE_CHECKING, Any

import pytest
from starlette.applications import Starlette
from starlette.authentication import AuthenticationBackend
from starlette.middleware.authentication import AuthenticationMiddleware

from tests.asgi.driving import (
    FORM,
    OPEN,
    Line,
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
    from collections.abc import Sequence

    from starlette.requests import HTTPConnection

    from sekisho.asgi.types import Receive, Scope, Send
    from sekisho.wiring import LoginGuard

GUESSES = 12
L = 3
LIMIT: dict[str, Any] = {**OPEN, "limit_account": f"{L}/hour"}
BASIC = (b"authorization", b"Basic aGFuYTpndWVzcw==")  # hana:guess
IMAGE = [(b"sec-fetch-site", b"cross-site"), (b"sec-fetch-mode", b"no-cors"), (b"sec-fetch-dest", b"image")]


class Anything:
    """A service with one handler that takes every request for a log-in and records it."""

    def __init__(self) -> None:
        self.scopes: list[Scope] = []
        self.bodies: list[bytes] = []

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        self.bodies.append(await read(receive))
        self.scopes.append(scope)
        await answer(send, 401, body=b"wrong")

    @property
    def reached(self) -> int:
        return len(self.scopes)


def different(n: int) -> bytes:
    """Guesses that differ: a repeat would be free."""
    return form("hana", f"guess {n}")


async def try_many(guard: LoginGuard, scope: Scope) -> list[int]:
    return [(await ask(guard, {**scope, "client": (address(n), 1)}, different(n))).status for n in range(GUESSES)]


@pytest.mark.parametrize("path", ["login", "x:login", "./login", "http://x/lo\tgin", "srvlogin", "\\login", "tea", "x"])
@pytest.mark.parametrize("scheme", ["http", "websocket"])
async def test_a_target_that_is_no_path_is_refused(path: str, scheme: str) -> None:
    """A target such as `login` is refused: h11 and Hypercorn pass it on, Quart, Litestar and Falcon route it."""
    shop = Anything()
    guard = guarded(shop, **LIMIT)
    if scheme == "http":
        assert await try_many(guard, http(path)) == [400] * GUESSES
    else:
        line = Line([{"type": "websocket.connect"}])
        await guard({**http(path), "type": "websocket"}, line.receive, line.send)
        assert [message["type"] for message in line.sent] == ["websocket.close"]
    assert shop.reached == 0


async def test_in_monitor_mode_such_a_target_passes() -> None:
    """In `monitor` such a target passes: nothing is refused there."""
    shop = Anything()
    assert (await ask(guarded(shop, mode="monitor"), http("login"), b"x")).status == 401
    assert shop.bodies == [b"x"]


@pytest.mark.parametrize(
    ("path", "root_path"),
    [
        ("http://x/login", ""),
        ("HTTP://x:8000/login/", ""),
        ("//x/login", ""),
        ("/srvlogin", "/srv"),
        ("/srv/login", "/srv"),
        ("/login", "/srv"),
        ("/login#x", ""),
        ("/login;x", ""),
        ("/lo%67in", ""),
    ],
)
async def test_other_ways_to_write_a_target_are_counted(path: str, root_path: str) -> None:
    """Absolute URLs, root paths within the path, fragments and double escapes are counted."""
    shop = Anything()
    statuses = await try_many(guarded(shop, **LIMIT), http(path, root_path=root_path))
    assert (statuses, shop.reached) == ([401] * L + [429] * (GUESSES - L), L)


@pytest.mark.parametrize("path", ["/files/../a", "/files/%2e%2e/a", "/x/../files/a", "//files/../a"])
async def test_dot_segments_below_a_prefix_are_counted(path: str) -> None:
    """`/files/../a` and `/x/../files/a` are both counted for the prefix `/files/`."""
    shop = Anything()
    guard = guarded(shop, login="* /files/* basic", **LIMIT)
    basic = [(b"authorization", b"Basic " + one) for one in (b"aGFuYTox", b"aGFuYToy", b"aGFuYToz", b"aGFuYTo0")]
    statuses = [(await ask(guard, http(path, method="GET", headers=[one]))).status for one in basic]
    assert (statuses, shop.reached) == ([401] * L + [429], L)


@pytest.mark.parametrize("path", ["/files/../login", "/files/%2e%2e/login", "/login#/../files"])
async def test_a_path_that_means_two_doors_is_refused(path: str) -> None:
    """A path that means two doors is refused: charged for a decoy account in the form, Starlette would try the
    header's.
    """
    shop = Anything()
    guard = guarded(shop, login="POST /login; * /files/* basic", **LIMIT)
    answered = [await ask(guard, http(path, headers=[BASIC]), form(f"decoy{n}", "x")) for n in range(GUESSES)]
    assert ([one.status for one in answered], shop.reached) == ([400] * GUESSES, 0)


@pytest.mark.parametrize("method", ["GET", "HEAD", "OPTIONS", "TRACE"])
async def test_a_form_in_the_body_of_a_harmless_method_is_counted(method: str) -> None:
    """A form in the body of a harmless method is counted; HTTP/1.1 headers announce the body."""
    for announced in ((b"content-length", b"31"), (b"transfer-encoding", b"chunked")):
        shop = Anything()
        statuses = await try_many(guarded(shop, **LIMIT), http(method=method, headers=[FORM, announced]))
        assert (statuses, shop.reached) == ([401] * L + [429] * (GUESSES - L), L)


@pytest.mark.parametrize("method", ["GET", "HEAD", "OPTIONS", "TRACE"])
@pytest.mark.parametrize("version", ["2", "3"])
async def test_a_form_that_nothing_announces_is_counted(method: str, version: str) -> None:
    """A form without a length (HTTP/2) is counted: the guard reads the stream and passes all of it on."""
    shop = Anything()
    guard = guarded(shop, **LIMIT)
    scope = http(method=method, headers=[FORM], http_version=version)
    chunked = [(b"", b"user", b"name=hana&password=", b"%d" % n) for n in range(GUESSES)]
    statuses = [
        (await ask(guard, {**scope, "client": (address(n), 1)}, *chunks)).status for n, chunks in enumerate(chunked)
    ]
    assert (statuses, shop.reached) == ([401] * L + [429] * (GUESSES - L), L)
    assert shop.bodies == [b"username=hana&password=%d" % n for n in range(L)]


@pytest.mark.parametrize("version", ["1.1", "2"])
async def test_looking_at_the_page_stays_free(version: str) -> None:
    """A GET without a body is no attempt, from a shed address too; the application's stream goes on."""
    shop = Anything()
    guard = guarded(shop, limit_ip="1/hour")
    await log_in(guard)
    assert (await log_in(guard)).status == 429

    statuses = [(await ask(guard, http(method="GET", headers=[], http_version=version))).status for _ in range(GUESSES)]

    assert (statuses, shop.bodies[1:]) == ([401] * GUESSES, [b""] * GUESSES)


async def test_who_hangs_up_before_the_body_is_never_passed_on() -> None:
    """A client that disconnects before the body's end never reaches the application, announced or not."""
    shop = Anything()
    line = Line([])
    line.finished.set()
    await guarded(shop)(http(method="GET", headers=[], http_version="2"), line.receive, line.send)
    assert (shop.reached, line.sent) == (0, [])


async def test_a_body_that_never_comes_is_waited_for_no_longer_than_any_other() -> None:
    """A body that never comes is answered with 408."""
    shop = Anything()
    line = Line([], hangs_up=False)
    guard = guarded(shop, body_seconds_max="0.1")
    await asyncio.wait_for(guard(http(method="GET", headers=[], http_version="2"), line.receive, line.send), 10)
    assert (line.answer.status, shop.reached) == (408, 0)


DOORS_AT_ONE_PATH = {"login": "POST /login", "code": "PUT /login form:username,code json:username,code"}


@pytest.mark.parametrize(
    ("method", "more", "body"),
    [
        ("POST", {"headers": [FORM, (b"x-http-method-override", b"PUT")]}, b""),
        ("POST", {"headers": [FORM, (b"x-method-override", b"PUT")]}, b""),
        ("POST", {"headers": [FORM, (b"x_http_method_override", b"put")]}, b""),
        ("PUT", {"headers": [FORM, (b"x-http-method", b"POST")]}, b""),
        ("POST", {"query_string": b"_method=PUT"}, b""),
        ("POST", {"query_string": b"a;%5Fmethod=PUT"}, b""),
        ("POST", {}, b"&_method=PUT"),
        ("POST", {}, b"&%5fmethod=PUT"),
        ("POST", {}, b"&_method[]=PUT"),
        ("POST", {"headers": [(b"content-type", b"application/json")]}, b'"_method": "PUT"'),
        ("DELETE", {}, b""),
        ("GET", {"headers": [FORM, (b"content-length", b"31")]}, b""),
    ],
)
async def test_where_doors_share_a_path_no_override_chooses_among_them(
    method: str, more: dict[str, Any], body: bytes
) -> None:
    """Where doors share a path a method override is refused: it could run one door and be charged at the other."""
    shop = Anything()
    guard = guarded(shop, **DOORS_AT_ONE_PATH, **LIMIT)
    sent = b"{%s}" % body if body.startswith(b'"') else b"username=decoy&password=guess&code=1" + body
    answered = await ask(guard, http(method=method, **more), sent)
    assert (answered.status, shop.reached) == (400, 0)


async def test_doors_that_share_a_path_work_by_their_own_methods() -> None:
    """Doors that share a path work by their methods, in any case of PUT, each charged for its own account."""
    shop = Anything()
    guard = guarded(shop, **DOORS_AT_ONE_PATH, **LIMIT)
    for method in ("POST", "PUT", "put"):
        assert (await ask(guard, http(method=method), b"username=hana&password=guess&code=1")).status == 401
    assert shop.reached == 3


@pytest.mark.parametrize(
    ("query", "status"),
    [
        (b"username=hana", 400),
        (b"email=hana", 400),
        (b"a=1&user%6Eame=hana", 400),
        (b"a=1;username=hana", 400),
        (b"username=decoy&username=hana", 400),
        (b"username[]=hana", 400),
        (b"username", 400),
        (b"username=decoy;a=1", 400),
        (b"username=decoy", 401),
        (b"email=%64ecoy", 401),
        (b"next=/home&user=hana", 401),
    ],
)
async def test_a_query_that_names_another_account_is_refused(query: bytes, status: int) -> None:
    """A query that names another account is refused (Quart's `request.values` prefers the query); the same name is
    fine.
    """
    shop = Anything()
    guard = guarded(shop, **LIMIT)
    assert (await ask(guard, http(query_string=query), form("decoy", "guess"))).status == status
    json = http(query_string=query, headers=[(b"content-type", b"application/json")])
    assert (await ask(guard, json, b'{"username": "decoy", "password": "guess"}')).status == status
    assert shop.reached == (2 if status == 401 else 0)


async def test_names_of_headers_are_read_in_any_case_and_arrive_as_they_were() -> None:
    """Header names are read in any case and arrive unchanged: Hypercorn's `h11_pass_raw_headers` keeps their case."""
    shop = Anything()
    guard = guarded(shop, login="POST /login; * /files/* basic", **LIMIT)
    title = (b"Authorization", BASIC[1])
    statuses = [
        (await ask(guard, http("/files/a", method="GET", headers=[(b"Host", b"x"), title], client=address(n)))).status
        for n in range(GUESSES)
    ]
    assert statuses[:1] == [401]
    assert [scope["headers"] for scope in shop.scopes] == [[(b"Host", b"x"), title]] * shop.reached
    assert [scope["state"]["sekisho"].attempt.account for scope in shop.scopes] == ["hana"] * shop.reached

    titled = [(b"Content-Type", FORM[1]), (b"X-Kept", b"1")]
    assert (await ask(guard, http(headers=titled), form("mio", "guess"))).status == 401
    assert shop.scopes[-1]["headers"] == titled


class BasicAuth(AuthenticationBackend):
    """The backend of Starlette's documentation, in short."""

    def __init__(self) -> None:
        self.tried: list[str] = []

    async def authenticate(self, conn: HTTPConnection) -> None:
        scheme, credentials = conn.headers["Authorization"].split()
        if scheme.lower() == "basic":
            self.tried.append(b64decode(credentials).decode())


async def test_basic_behind_white_space_is_no_way_round() -> None:
    """Row 130: Starlette's own example splits the header at any white space, 0xA0 too; none of twelve passes."""
    backend = BasicAuth()
    app = AuthenticationMiddleware(Starlette(), backend=backend)
    guard = guarded(app, login="POST /login; * /files/* basic", **LIMIT)
    for n in range(GUESSES):
        header = (b"authorization", b"\xa0" + BASIC[1])
        await ask(guard, http("/files/a", method="GET", headers=[header], client=address(n)))
    assert backend.tried == []
    await ask(guard, http("/files/a", method="GET", headers=[BASIC]))
    assert backend.tried == ["hana:guess"]


async def test_a_device_token_is_found_among_the_crumbs_of_http_2() -> None:
    """The device cookie is found among several lines, as granian passes them (RFC 9113 section 8.2.3)."""
    guard = guarded(Shop(), **{**LIMIT, "limit_account": "1/hour"})
    token = await known_device(guard)
    assert (await log_in(guard, password="guess")).status == 401
    assert (await log_in(guard)).status == 429

    device = (b"cookie", f"__Host-sekisho={token}".encode())
    for crumbs in ([device, (b"cookie", b"session=s")], [(b"cookie", b"a=1"), device, (b"cookie", b"session=s")]):
        answered = await log_in(guard, headers=crumbs)
        assert answered.status == 303
        device = (b"cookie", f"__Host-sekisho={answered.device}".encode())


@pytest.mark.parametrize(
    "query", [b"password=1", b"_method=POST", b"username=a&password=b", b"%70assword=1", b"next=/&password[]=1"]
)
@pytest.mark.parametrize("headers", [[], IMAGE])
async def test_images_on_another_site_cost_their_visitor_nothing(
    query: bytes, headers: Sequence[tuple[bytes, bytes]]
) -> None:
    """Images of another site at a door are refused and cost their visitor nothing: the own log-in passes."""
    shop = Shop()
    guard = guarded(shop, limit_ip="3/hour")
    image = http(method="GET", query_string=query, headers=headers)

    statuses = [(await ask(guard, image)).status for _ in range(20)]

    assert {*statuses} <= {400, 403, 415}
    assert shop.reached == []
    assert (await log_in(guard)).status == 303


@pytest.mark.parametrize(("mode", "dest"), [(b"no-cors", b"empty"), (b"navigate", b"iframe"), (b"no-cors", b"image")])
async def test_what_a_page_of_another_site_sends_unseen_is_refused_without_a_charge(mode: bytes, dest: bytes) -> None:
    """Another site's `no-cors` fetch or hidden frame is refused without a charge: no log-in is sent so."""
    shop = Shop()
    guard = guarded(shop, limit_ip="3/hour", limit_account="3/hour")
    planted = [(b"sec-fetch-site", b"cross-site"), (b"sec-fetch-mode", mode), (b"sec-fetch-dest", dest)]

    statuses = [(await log_in(guard, password=f"{n}", headers=planted)).status for n in range(20)]

    assert (statuses, shop.reached) == ([403] * 20, [])
    assert (await log_in(guard)).status == 303


@pytest.mark.parametrize(
    "headers",
    [
        [(b"sec-fetch-site", b"same-origin"), (b"sec-fetch-mode", b"no-cors"), (b"sec-fetch-dest", b"empty")],
        [(b"sec-fetch-site", b"cross-site"), (b"sec-fetch-mode", b"navigate"), (b"sec-fetch-dest", b"document")],
        [(b"sec-fetch-site", b"cross-site"), (b"sec-fetch-mode", b"cors"), (b"sec-fetch-dest", b"empty")],
    ],
)
async def test_log_ins_that_their_visitor_sees_pass(headers: Sequence[tuple[bytes, bytes]]) -> None:
    """Log-ins by a visible cross-site form, or by CORS from a named origin, pass."""
    assert (await log_in(guarded(Shop()), headers=headers)).status == 303


async def test_refused_for_free_is_only_what_tries_nothing() -> None:
    """An unreadable request is charged if it has a body or a secret in a header."""
    shop = Anything()
    guard = guarded(shop, limit_ip="3/hour")
    with_body = http(method="GET", headers=[(b"content-length", b"1")])
    assert [(await ask(guard, with_body, b"x")).status for _ in range(4)] == [415, 415, 415, 429]

    guard = guarded(shop, limit_ip="3/hour", login="POST /login; * /login basic")
    basic = http(method="GET", query_string=b"password=1", headers=[(b"authorization", b"Basic x")])
    assert [(await ask(guard, basic)).status for _ in range(4)] == [400, 400, 400, 429]
    assert shop.reached == 0
