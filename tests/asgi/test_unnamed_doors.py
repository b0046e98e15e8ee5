"""Doors that nobody named are reported once each, by their route and never by their content."""

from __future__ import annotations

import json
import time
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import pytest
from fastapi import APIRouter, FastAPI, Request
from starlette.applications import Starlette
from starlette.routing import Mount

from sekisho.asgi.unnamed_doors import _brings_password, shown_path
from tests.asgi.driving import FORM, JSON, SESSION, answer, ask, form, guarded, http, read

if TYPE_CHECKING:
    from sekisho.asgi.types import Receive, Scope, Send
    from sekisho.wiring import LoginGuard

PASSWORD, SET = "[SEK081]", "[SEK082]"


class Routes:
    """Answers 200 with a session, except at `/none` and without one at `/plain`."""

    def __init__(self, template: str = "") -> None:
        self.template = template
        self.bodies: list[bytes] = []

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        self.bodies.append(await read(receive))
        if self.template:
            scope["route"] = type("Route", (), {"path": self.template})()
        status = 404 if scope["path"].startswith("/none") else 200
        await answer(send, status, [] if scope["path"] == "/plain" else [SESSION], b"done")


async def post(guard: LoginGuard, path: str, body: bytes, headers: Any = (FORM,)) -> None:
    await ask(guard, http(path, headers=headers), body[:9], body[9:])


def lines(caplog: pytest.LogCaptureFixture, number: str) -> list[str]:
    return [text.partition(":")[0] for text in caplog.messages if number in text]


@pytest.mark.parametrize(
    ("body", "headers"),
    [
        (form("hana", "s3cret"), (FORM,)),
        (b"user%5Bpassword%5D=x&user[password]=s3cret", (FORM,)),
        (b'{"user": {"name": "hana", "newPassword" : "s3cret"}}', (JSON,)),
        (
            b'--B\r\nContent-Disposition: form-data; name="user_pwd"\r\n\r\ns3cret\r\n--B--\r\n',
            ((b"content-type", b"multipart/form-data; boundary=B"),),
        ),
    ],
)
async def test_a_password_elsewhere_is_reported_once(
    caplog: pytest.LogCaptureFixture, body: bytes, headers: Any
) -> None:
    """A password field in any encoding is seen; the application gets its body whole; nothing of it is in the log."""
    routes = Routes()
    guard = guarded(routes)
    for _ in range(3):
        await post(guard, "/admin/hana/login", body, headers)
    assert lines(caplog, PASSWORD) == ["POST /admin/*/login"]
    assert routes.bodies == [body] * 3
    assert "hana" not in caplog.text
    assert "s3cret" not in caplog.text
    assert guard.counts["", "unnamed_door", "password"] == 1


@pytest.mark.parametrize(
    ("query", "is_told"),
    [
        ("mutation L($u: String!, $p: String!) { login(name: $u, password: $p) { token } }", True),
        ('mutation { login(input: {name: "hana", passWord: "s3cret"}) { token } }', True),
        ("mutation {\n  login(\n    name: $u\n    password: $p\n  ) { token }\n}", True),
        ("{ me { passwordChangedAt } }", False),
        ("query Q($password: Boolean!) { settings { password } }", False),
    ],
)
async def test_a_password_of_a_graphql_operation_is_reported(
    query: str, is_told: bool, caplog: pytest.LogCaptureFixture
) -> None:
    """Strawberry's log-in: the variables are called as the client likes, and the argument stands in the text alone."""
    body = json.dumps({"query": query, "variables": {"u": "hana", "p": "s3cret"}}).encode()
    await post(guarded(Routes()), "/plain", body, (JSON,))

    assert lines(caplog, PASSWORD) == ["POST /*"] * is_told
    assert "s3cret" not in caplog.text


@pytest.mark.parametrize("filler", [b"n", b"\\n", b" nnnnnnnnnnnnnnnnnnnnnnnn", b";", b"("])
def test_no_body_makes_the_look_for_passwords_slow(filler: bytes) -> None:
    """A body for which the search begins at each letter costs little more than any other of its length."""

    def seconds(body: bytes) -> float:
        begun = [time.process_time() for _ in range(6) if not _brings_password(body)]
        return min(later - earlier for earlier, later in pairwise(begun))

    start = b'{"query":"'
    assert seconds(start + filler * (4_000 // len(filler))) < 30 * seconds(start + b"x" * 4_000)


@pytest.mark.parametrize(
    ("query", "status", "told"),
    [
        (b"username=hana&password=s3cret", 401, ["GET /login"]),
        (b"Pass=s3cret", 403, ["GET /login"]),
        (b"password=s3cret", 302, ["GET /login"]),  # which sets a session
        (b"password=s3cret", 404, []),
        # A page that looks at no password: a scanner could have each one reported.
        (b"password=s3cret", 200, []),
        (b"reset_password=1", 401, []),
        (b"password=", 401, []),
    ],
)
async def test_a_password_in_the_query_is_reported(
    query: bytes, status: int, told: list[str], caplog: pytest.LogCaptureFixture
) -> None:
    """Guesses by GET have no body: where the answer depends on one, the route is reported, and nothing of the query."""

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await answer(send, status, [SESSION] if status == 302 else [])

    guard = guarded(app, login="POST /enter")
    for _ in range(2):
        await ask(guard, http("/login", method="GET", headers=(), query_string=query))

    assert lines(caplog, PASSWORD) == told
    assert "s3cret" not in caplog.text


async def test_the_frameworks_own_template_is_shown(caplog: pytest.LogCaptureFixture) -> None:
    """Where the framework says which route it took, the line has the route's text."""
    await post(guarded(Routes("/members/{name}/enter")), "/members/hana/enter", form("hana", "x"))
    assert lines(caplog, PASSWORD) == ["POST /members/{name}/enter"]


@pytest.mark.parametrize(
    ("shown", "path", "template", "root", "values"),
    [
        ("/shop/token", "/shop/token", "/token", "/shop", {}),
        ("/shop/", "/shop/", "/", "/shop", {}),
        ("/*/token", "/hana/token", "/token", "/hana", {"tenant": "hana"}),
        ("/*/u/{name}", "/t-7/u/hana", "/u/{name}", "/t-7", {"tenant": 7, "name": "hana"}),
        ("/graphql", "/graphql/", "/graphql", "/graphql", {}),  # a mount without a router in it
        ("/api/graphql", "/api/graphql/x", "/graphql", "/api/graphql", {}),
        ("/api/login", "/api/login", "/api/login", "", {}),
        ("/accounts/login/", "/accounts/login/", "", "", {}),  # as Django has it: without the slash it only redirects
        ("/*/login", "/hana/login", "", "", {}),
        ("/", "/", "", "", {}),
    ],
)
def test_a_mounted_route_is_shown_with_its_mount(
    shown: str, path: str, template: str, root: str, values: dict[str, Any]
) -> None:
    """Without the mount the line would name a door that does not exist; values of its placeholders are not shown."""
    route = type("Route", (), {"path": template})()
    scope = {"path": path, "root_path": root, "path_params": values, **({"route": route} if template else {})}
    assert shown_path(scope, path) == shown


@pytest.mark.parametrize(
    ("shown", "path", "template", "root", "values"),
    [
        ("/api/v1/auth/token", "/api/v1/auth/token", "/token", "", {}),
        ("/api/v1/token", "/api/v1/token", "/token", "/svc", {}),  # FastAPI(root_path="/svc"); no path has it
        ("/svc/api/v1/token", "/svc/api/v1/token", "/token", "/svc", {}),
        ("/graphql", "/graphql", "", "", {}),  # Strawberry's router has no path of its own
        ("/*/login", "/hana/login", "/login", "", {"tenant": "hana"}),
        ("/{rest:path}", "/u/hana", "/{rest:path}", "", {"rest": "u/hana"}),
    ],
)
def test_a_route_is_shown_with_the_prefix_of_its_router(
    shown: str, path: str, template: str, root: str, values: dict[str, Any]
) -> None:
    """FastAPI leaves the prefix of `include_router` out of the route's path: the line would name no door."""
    route = type("Route", (), {"path": template, "methods": {"POST"}})()
    scope = {"path": path, "root_path": root, "path_params": values, "route": route}
    assert shown_path(scope, path) == shown


async def test_the_prefixes_of_fastapis_routers_are_shown(caplog: pytest.LogCaptureFixture) -> None:
    """The installed FastAPI, whose routers are included into each other: the line is the one to write."""

    async def token(request: Request) -> int:
        return len(await request.body())

    inner, outer, app = APIRouter(prefix="/auth"), APIRouter(prefix="/api/v1"), FastAPI()
    inner.add_api_route("/token", token, methods=["POST"])
    outer.include_router(inner)
    app.include_router(outer)
    await post(guarded(app), "/api/v1/auth/token", form("hana", "x"))

    assert lines(caplog, PASSWORD) == ["POST /api/v1/auth/token"]


async def test_no_part_of_a_mounts_path_is_shown(caplog: pytest.LogCaptureFixture) -> None:
    """An application without a router of its own may have names in its paths."""
    await post(guarded(Starlette(routes=[Mount("/", Routes())])), "/u/hana/auth", form("hana", "x"))

    assert "hana" not in caplog.text
    assert len(lines(caplog, PASSWORD)) == 1


@pytest.mark.parametrize("field", ["pass", "pw", "user[pass]", "login_pass", "senha", "passphrase", "mdp"])
async def test_other_names_of_a_password_are_seen(field: str, caplog: pytest.LogCaptureFixture) -> None:
    """Short names count as whole words alone."""
    await post(guarded(Routes()), "/auth", f"q=1&{field}=x".encode())
    assert lines(caplog, PASSWORD) == ["POST /auth"]
    guard = guarded(Routes())
    for other in ("bypass", "passenger", "compass", "pwa", "passed"):
        await post(guard, "/plain", f"q=1&{other}=x".encode())
        await post(guard, "/plain", f'{{"{other}": "x"}}'.encode(), (JSON,))
    assert lines(caplog, PASSWORD) == ["POST /auth"]


async def test_a_session_elsewhere_is_advice(caplog: pytest.LogCaptureFixture) -> None:
    """A new session is reported; one that the client had is not, and a password there is worth a second line."""
    guard = guarded(Routes())
    await post(guard, "/auth/token", b"link=1", (FORM, (b"cookie", b"session=old")))
    assert lines(caplog, SET) == []
    for _ in range(2):
        await post(guard, "/auth/token", b"link=1")
    assert lines(caplog, SET) == ["POST /auth/token"]
    for _ in range(2):
        await post(guard, "/auth/token", form("hana", "x"))
    await post(guard, "/auth/token", b"link=1")
    assert lines(caplog, PASSWORD) == lines(caplog, SET) == ["POST /auth/token"]
    assert guard._loops is not None
    found = [each.hazard.number for each in guard._loops.process._diagnoses()]
    assert found.count("SEK081") == 1
    assert "SEK082" not in found


async def test_other_requests_are_none(caplog: pytest.LogCaptureFixture) -> None:
    """Doors, pages, missing routes, bodies without such a field and bodies of other kinds are not reported."""
    guard = guarded(Routes())
    await post(guard, "/login", form("hana", "x"))
    await ask(guard, http("/auth", method="GET", headers=()))
    await post(guard, "/none/login", form("hana", "x"))
    await post(guard, "/plain", b"q=password&note=my+password")
    await post(guard, "/plain", b'{"q": "password"}', (JSON,))
    await post(guard, "/plain", b'"password":', ((b"content-type", b"application/octet-stream"),))
    await post(guard, "/plain", b"a" * 5_000 + b"&password=x")
    assert lines(caplog, PASSWORD) == lines(caplog, SET) == []


SHOWN = (b"authorization", b"bAsic aGFuYTpzM2NyZXQ=")


class Basic:
    """Answers each path by its name: `/401` with a challenge, `/200` without one."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        status = int(scope["path"][-3:])
        await answer(send, status, [(b"www-authenticate", b'Basic realm="api"')] if status == 401 else [], b"done")


@pytest.mark.parametrize(("path", "method"), [("/api/200", "GET"), ("/api/401", "GET"), ("/api/401", "POST")])
async def test_basic_that_is_answered_elsewhere_is_reported_once(
    path: str, method: str, caplog: pytest.LogCaptureFixture
) -> None:
    """A success, or a challenge for other credentials, is said once by route, with nothing of the header."""
    guard = guarded(Basic())
    for _ in range(3):
        await ask(guard, http(path, method=method, headers=(SHOWN,)))

    assert lines(caplog, "[SEK090]") == [f"{method} /api/*"]
    assert "aGFuYTpzM2NyZXQ" not in caplog.text
    assert "hana" not in caplog.text
    assert guard.counts["", "unnamed_door", "basic"] == 1
    assert guard._loops is not None
    assert "SEK090" in [each.hazard.number for each in guard._loops.process._diagnoses()]


async def test_basic_that_nothing_looked_at_is_not_reported(caplog: pytest.LogCaptureFixture) -> None:
    """Redirects, missing pages, refusals without a challenge, answers to `OPTIONS`, and other schemes."""
    guard = guarded(Basic(), login="* /dav/* basic success=!401,403")
    for path in ("/api/301", "/api/404", "/api/403", "/api/500", "/dav/200"):
        await ask(guard, http(path, method="GET", headers=(SHOWN,)))
    await ask(guard, http("/api/200", method="OPTIONS", headers=(SHOWN,)))
    await ask(guard, http("/v1/200", method="GET", headers=((b"authorization", b"Bearer t"),)))
    assert lines(caplog, "[SEK090]") == []


async def test_basic_is_found_at_a_path_that_is_known_already(caplog: pytest.LogCaptureFixture) -> None:
    """One in 256 requests is looked at, also of a path whose first request showed nothing."""
    guard = guarded(Basic())
    await ask(guard, http("/api/200", method="GET", headers=()))
    for _ in range(256):
        await ask(guard, http("/api/200", method="GET", headers=(SHOWN,)))
    assert lines(caplog, "[SEK090]") == ["GET /api/*"]


@pytest.mark.parametrize("method", ["G\x1b[31mET", "hana@x.test", "GET fake", "A" * 17])
async def test_a_method_that_is_none_is_not_shown(method: str, caplog: pytest.LogCaptureFixture) -> None:
    """Hypercorn passes any `:method` of HTTP/2 on: it could steer the terminal that shows the log."""
    await ask(guarded(Basic()), http("/api/200", method=method, headers=(SHOWN,)))
    assert lines(caplog, "[SEK090]") == ["? /api/*"]


async def test_strangers_with_basic_fill_no_log(caplog: pytest.LogCaptureFixture) -> None:
    """Eight routes are reported at most: any client may send the header to any page."""
    guard = guarded(Basic())
    for number in range(20):
        words = ["api" if number >> bit & 1 else "v1" for bit in range(5)]
        await ask(guard, http(f"/{'/'.join(words)}/200", method="GET", headers=(SHOWN,)))
    assert len(lines(caplog, "[SEK090]")) == 8


async def test_strangers_fill_neither_log_nor_memory(caplog: pytest.LogCaptureFixture) -> None:
    """Thirty-two routes are reported at most, and eight requests of each path are looked at."""
    guard = guarded(Routes())
    for _ in range(9):
        await post(guard, "/plain", b"a=b")
    await post(guard, "/plain", form("hana", "x"))
    assert lines(caplog, PASSWORD) == []
    for number in range(40):
        await post(guard, "".join("/api" if number >> bit & 1 else "/v1" for bit in range(6)), form("hana", "x"))
    assert len(lines(caplog, PASSWORD)) == 32
    assert max(map(len, caplog.messages)) < 300
