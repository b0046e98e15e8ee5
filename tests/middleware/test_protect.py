"""Protected routes: which requests ask for one, and whose proof is fresh there."""

from __future__ import annotations

import pytest

from sekisho.challenge.tie import Tie, Ties
from sekisho.middleware.protect import Fresh, Protection, Stale
from sekisho.model import ProtectedRoute
from sekisho.read import SessionCredentials
from tests.read.making import scope

NOW = 1_700_000_000
TIES = Ties([b"s" * 32])
TOP_UP = ProtectedRoute("POST", "/top-up", 300)
PAYOUT = ProtectedRoute("*", "/payout/*", 60)
STATEMENT = ProtectedRoute("GET", "/statement", 900)
PROTECTION = Protection((TOP_UP, PAYOUT, STATEMENT), TIES)
TOKEN = (b"authorization", b"Bearer a-token")


def shown(account: str = "Alice", proved_s: int = NOW) -> list[tuple[bytes, bytes]]:
    """The headers of a session that is tied to an account."""
    credentials = SessionCredentials((), "a-token")
    return [*TIES.headers(Tie(account, "", proved_s), credentials, NOW, by_header=True), TOKEN]


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
    """However a forgiving router would come to the route, the proof is asked for."""
    assert PROTECTION.route(scope(path, method)) == route


def test_mounts_overrides_and_sockets_are_no_way_around() -> None:
    """The same requests that are found at a door."""
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
    """The same that is found at a door."""
    assert PROTECTION.route(scope(path, root_path=root_path)) == TOP_UP


@pytest.mark.parametrize("path", ["/payout/../a", "/payout/%2e%2e/a", "/x/../payout/a", "//payout/../a"])
def test_dot_segments_below_a_protected_prefix_are_the_route(path: str) -> None:
    """Both what the path says and what it comes to count."""
    assert PROTECTION.route(scope(path, "GET")) == PAYOUT


def test_a_body_makes_a_look_the_routes() -> None:
    """Announced or not: a handler that takes GET and POST may act on it."""
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
    """A route of its own with a longer age opens nothing that a wider one guards more closely, in any order."""
    routes = [
        ProtectedRoute("GET", "/payout/list", 3_600),
        ProtectedRoute("*", "/payout/*", 1),
        ProtectedRoute("GET", "/payout/deep/*", 900),
        ProtectedRoute("GET", "/card", 300),
        ProtectedRoute("*", "/card", 30),
        ProtectedRoute("PUT", "/card", 20),
    ]
    for order in (routes, routes[::-1]):
        route = Protection(tuple(order), TIES).route(scope(path, method))
        assert route is not None
        assert route.max_age_s == max_age_s


def test_of_two_routes_on_a_path_an_unnamed_method_wants_the_shorter_age() -> None:
    """In whichever order they are written."""
    put, delete = ProtectedRoute("PUT", "/card", 300), ProtectedRoute("DELETE", "/card", 30)
    both = Protection((put, delete), TIES)
    assert both.route(scope("/card", "PUT")) == put
    assert both.route(scope("/card", "PATCH")) == delete


@pytest.mark.parametrize(("age_s", "fresh"), [(0, True), (300, True), (301, False), (-60, True), (-61, False)])
def test_a_proof_is_fresh_until_its_age_is_reached(age_s: int, fresh: bool) -> None:
    """And one from the future is none."""
    expected = Fresh(TOP_UP, "Alice") if fresh else Stale(TOP_UP, "Alice")
    assert PROTECTION.verdict(scope("/top-up", headers=shown(proved_s=NOW - age_s)), NOW) == expected


def test_a_session_without_any_proof_is_not_fresh() -> None:
    """A right password alone opens no protected route."""
    assert PROTECTION.stale(scope("/top-up", headers=shown(proved_s=0)), NOW) == Stale(TOP_UP, "Alice")


@pytest.mark.parametrize("headers", [[], [TOKEN], [shown()[0]], [shown()[0], (b"authorization", b"Bearer stolen")]])
def test_a_session_that_is_not_tied_is_nobodys(headers: list[tuple[bytes, bytes]]) -> None:
    """No proof would do: there is nobody whose proof it would be (R4)."""
    assert PROTECTION.verdict(scope("/top-up", headers=headers), NOW) == Stale(TOP_UP, None)


@pytest.mark.parametrize(("said", "fresh"), [("Alice", True), (None, True), ("Bob", False), ("alice", False)])
def test_the_application_has_the_last_word_on_whose_session_it_is(said: str | None, fresh: bool) -> None:
    """Where it says another account than the tie does, the proof was somebody else's (R4)."""
    told = Protection((TOP_UP,), TIES, lambda _: said)
    expected = None if fresh else Stale(TOP_UP, None)
    assert told.stale(scope("/top-up", headers=shown()), NOW) == expected


def test_other_requests_are_nobodys_business() -> None:
    """Neither are all of them where nothing is protected."""
    assert PROTECTION.verdict(scope("/", headers=shown(proved_s=0)), NOW) is None
    assert Protection((), TIES).verdict(scope("/top-up"), NOW) is None


def test_verdicts_print_no_account() -> None:
    """Tracebacks show these."""
    assert "Alice" not in repr((Fresh(TOP_UP, "Alice"), Stale(TOP_UP, "Alice")))
