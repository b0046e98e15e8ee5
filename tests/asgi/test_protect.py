"""Protected routes: which requests ask for a proof, and whose proof is fresh."""

from __future__ import annotations

import time
from typing import Any

import pytest

from sekisho.asgi.ports import Fresh, Stale
from sekisho.asgi.session_account import SessionAccounts
from sekisho.model import FactorClass, ProtectedRoute
from sekisho.read import SessionCredentials
from sekisho.stepup.flow.protected_routes import Protection
from sekisho.stepup.session_binding import SessionBinding, SessionBindings
from tests.read.making import scope

NOW = 1_700_000_000
TIES = SessionBindings([b"s" * 32], clock_s=time.time)
TOP_UP = ProtectedRoute("POST", "/top-up", 300)
PAYOUT = ProtectedRoute("*", "/payout/*", 60)
STATEMENT = ProtectedRoute("GET", "/statement", 900)
UNTOLD = SessionAccounts(None, print)
PROTECTION = Protection((TOP_UP, PAYOUT, STATEMENT), TIES, UNTOLD)
TOKEN = (b"authorization", b"Bearer a-token")


def shown(account: str = "Alice", proved_s: int = NOW, by: FactorClass = FactorClass.APP) -> list[tuple[bytes, bytes]]:
    """The headers of a session that is bound to an account."""
    credentials = SessionCredentials((), "a-token")
    return [*TIES.headers(SessionBinding(account, "", proved_s, by), credentials, NOW, by_header=True), TOKEN]


@pytest.mark.parametrize(
    ("method", "path", "route"),
    [
        ("POST", "/top-up", TOP_UP),
        ("PUT", "/top-up", TOP_UP),
        ("POST", "/Top-Up/", TOP_UP),
        ("POST", "//top-up", TOP_UP),
        ("POST", "/x/../top-up", TOP_UP),
        ("GET", "/top-up", None),
        ("GET", "/top-up?", None),
        ("GET", "/payout/1/confirm", PAYOUT),
        ("DELETE", "/payout", PAYOUT),
        ("GET", "/statement", STATEMENT),
        ("HEAD", "/statement", STATEMENT),
        ("OPTIONS", "/statement", None),
        ("POST", "/", None),
    ],
)
def test_routes_are_found_as_doors_are(method: str, path: str, route: ProtectedRoute | None) -> None:
    """A protected route is found by any path that a forgiving router accepts."""
    assert PROTECTION.route(scope(path, method)) == route


PAGED = (
    ProtectedRoute("POST", "/top-up", 300),
    ProtectedRoute("GET", "/top-up", 150, is_page=True),
    ProtectedRoute("POST", "/Pay/", 60),
    ProtectedRoute("PUT", "/pay", 30),
    ProtectedRoute("POST", "/vault/door", 300),
    ProtectedRoute("*", "/vault/*", 60),
    ProtectedRoute("DELETE", "/key", 60),
)


@pytest.mark.parametrize("path", ["/top-up", "/top-up/", "/Top-up", "/Pay/", "/pay", "/vault/door", "/key", "/"])
@pytest.mark.parametrize("method", ["GET", "POST", "post", "PUT", "DELETE", "BREW"])
@pytest.mark.parametrize(
    "more",
    [
        {},
        {"raw_path": b"/other"},
        {"raw_path": None},
        {"root_path": "/top-up"},
        {"query_string": b"_method=PUT"},
        {"headers": [(b"x-http-method-override", b"DELETE")]},
        {"headers": [(b"content-type", b"application/json"), (b"content-length", b"2")]},
    ],
)
def test_what_needs_no_search_is_found_as_if_it_did(path: str, method: str, more: dict[str, Any]) -> None:
    """The short way to a route's exact path and method leads where the search leads."""
    protection, searching = Protection(PAGED, TIES, UNTOLD), Protection(PAGED, TIES, UNTOLD)
    assert {*protection._at_path} == {"/top-up", "/key"}
    searching._at_path.clear()
    request = {**scope(path, method), "raw_path": path.encode(), **more}
    assert protection.route(request) == searching.route(request)
    assert protection.capped(request) == searching.capped(request)


def test_mounts_overrides_and_sockets_are_no_way_around() -> None:
    """Mounts, method overrides and sockets do not bypass a protected route."""
    override = [(b"x-http-method-override", b"POST")]
    assert PROTECTION.route(scope("/shop/top-up", root_path="/shop")) == TOP_UP
    assert PROTECTION.route(scope("/top-up", "GET", override)) == TOP_UP
    assert PROTECTION.route({"type": "websocket", "path": "/top-up", "headers": []}) == TOP_UP
    assert PROTECTION.route({"type": "lifespan"}) is None


@pytest.mark.parametrize(
    ("path", "root_path"),
    [
        ("http://x/top-up", ""),
        ("/srvtop-up", "/srv"),
        ("/top-up", "/srv"),
        ("/top-up#a", ""),
        ("/top%2dup", ""),
        ("/a/%2e%2e/top-up", ""),
    ],
)
def test_every_way_to_write_a_target_is_the_route(path: str, root_path: str) -> None:
    """Every spelling of a target that finds a door finds a route."""
    assert PROTECTION.route(scope(path, root_path=root_path)) == TOP_UP


@pytest.mark.parametrize("path", ["/payout/../a", "/payout/%2e%2e/a", "/x/../payout/a", "//payout/../a"])
def test_dot_segments_below_a_protected_prefix_are_the_route(path: str) -> None:
    """A path with dot segments is matched as written and as resolved."""
    assert PROTECTION.route(scope(path, "GET")) == PAYOUT


def test_a_body_makes_a_look_the_routes() -> None:
    """A body makes a GET a protected request: a handler for GET and POST may act on it."""
    assert PROTECTION.route(scope("/top-up", "GET", [(b"content-length", b"5")])) == TOP_UP
    assert PROTECTION.route(scope("/top-up", "GET"), has_body=True) == TOP_UP


@pytest.mark.parametrize(
    ("method", "path", "max_age_s"),
    [
        ("POST", "/payout/list", 1),
        ("GET", "/payout/list", 1),
        ("GET", "/payout/list/2", 1),
        ("GET", "/card", 30),
        ("PUT", "/card", 20),
        ("GET", "/payout/deep/a", 1),
    ],
)
def test_of_all_routes_that_match_the_strictest_counts(method: str, path: str, max_age_s: int) -> None:
    """Of all routes that match the shortest age counts, in any order: a narrow route cannot relax a wider one."""
    routes = [
        ProtectedRoute("GET", "/payout/list", 3_600),
        ProtectedRoute("*", "/payout/*", 1),
        ProtectedRoute("GET", "/payout/deep/*", 900),
        ProtectedRoute("GET", "/card", 300),
        ProtectedRoute("*", "/card", 30),
        ProtectedRoute("PUT", "/card", 20),
    ]
    for order in (routes, routes[::-1]):
        route = Protection(tuple(order), TIES, UNTOLD).route(scope(path, method))
        assert route is not None
        assert route.max_age_s == max_age_s


def test_of_two_routes_on_a_path_an_unnamed_method_wants_the_shorter_age() -> None:
    """Of two routes on a path an unnamed method needs the shorter age, in any order."""
    put, delete = ProtectedRoute("PUT", "/card", 300), ProtectedRoute("DELETE", "/card", 30)
    both = Protection((put, delete), TIES, UNTOLD)
    assert both.route(scope("/card", "PUT")) == put
    assert both.route(scope("/card", "PATCH")) == delete


@pytest.mark.parametrize("floor", [FactorClass.SENT, FactorClass.APP, FactorClass.PHR])
@pytest.mark.parametrize("acr", [FactorClass.NONE, FactorClass.APP, FactorClass.PHR])
@pytest.mark.parametrize("by", FactorClass)
async def test_a_proof_counts_from_the_class_of_site_and_route_on(
    by: FactorClass, acr: FactorClass, floor: FactorClass
) -> None:
    """A proof opens a route if it reaches the site's floor and the route's `acr`; an unknown class reaches neither."""
    protection = Protection((ProtectedRoute("POST", "/top-up", 300, acr),), TIES, UNTOLD, floor=floor)
    route = protection.route(scope("/top-up"))
    assert route is not None
    verdict = await protection.verdict(route, scope("/top-up", headers=shown(by=by)), NOW)
    needed = max(acr, FactorClass.NONE if floor is FactorClass.SENT else floor)
    assert isinstance(verdict, Fresh) is (by >= needed)


def test_of_all_routes_that_match_the_strongest_class_counts() -> None:
    """Of two routes that match, the shorter age and the stronger class apply; the question names the stronger one."""
    routes = (
        ProtectedRoute("*", "/card", 30),
        ProtectedRoute("PUT", "/card", 300, FactorClass.PHR),
    )
    for order in (routes, routes[::-1]):
        protection = Protection(order, TIES, UNTOLD)
        route = protection.route(scope("/card", "PUT"))
        assert route == ProtectedRoute("PUT", "/card", 30, FactorClass.PHR)
        assert protection.demand(route.name).least is FactorClass.PHR
    assert PROTECTION.demand("POST /gone").least is FactorClass.PHR


@pytest.mark.parametrize(("age_s", "fresh"), [(0, True), (300, True), (301, False), (-60, True), (-61, False)])
async def test_a_proof_is_fresh_until_its_age_is_reached(age_s: int, fresh: bool) -> None:
    """A proof is fresh until its age; one from the future is not."""
    expected = Fresh(TOP_UP, "Alice", NOW - age_s) if fresh else Stale(TOP_UP, "Alice")
    assert await PROTECTION.verdict(TOP_UP, scope("/top-up", headers=shown(proved_s=NOW - age_s)), NOW) == expected


async def test_a_session_without_any_proof_is_not_fresh() -> None:
    """A session with a password alone opens no protected route."""
    assert await PROTECTION.verdict(TOP_UP, scope("/top-up", headers=shown(proved_s=0)), NOW) == Stale(TOP_UP, "Alice")


@pytest.mark.parametrize("headers", [[], [TOKEN], [shown()[0]], [shown()[0], (b"authorization", b"Bearer stolen")]])
async def test_a_session_that_is_not_tied_is_nobodys(headers: list[tuple[bytes, bytes]]) -> None:
    """A session bound to no account is refused: no proof could be anyone's (R4)."""
    assert await PROTECTION.verdict(TOP_UP, scope("/top-up", headers=headers), NOW) == Stale(TOP_UP, None)


@pytest.mark.parametrize(("said", "fresh"), [("Alice", True), (None, True), ("Bob", False), ("alice", False)])
async def test_the_application_has_the_last_word_on_whose_session_it_is(said: str | None, fresh: bool) -> None:
    """If the application names another account than the binding, the proof was another account's (R4)."""
    told = Protection((TOP_UP,), TIES, SessionAccounts(lambda _: said, print))
    expected = Fresh(TOP_UP, "Alice", NOW) if fresh else Stale(TOP_UP, None)
    assert await told.verdict(TOP_UP, scope("/top-up", headers=shown()), NOW) == expected


def test_other_requests_are_nobodys_business() -> None:
    """Requests elsewhere, or without protected routes, are not checked."""
    assert PROTECTION.route(scope("/", headers=shown(proved_s=0))) is None
    assert Protection((), TIES, UNTOLD).route(scope("/top-up")) is None


def test_verdicts_print_no_account() -> None:
    """A verdict's `repr` shows no account: tracebacks print it."""
    assert "Alice" not in repr((Fresh(TOP_UP, "Alice"), Stale(TOP_UP, "Alice")))
