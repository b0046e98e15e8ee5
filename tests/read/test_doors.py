"""Which requests are attempts at a door."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from starlette.routing import compile_path

from sekisho.model import Door, DoorKind, Encoding, Fields, Unreadable
from sekisho.read import Doors
from sekisho.read.paths import path_key, path_keys
from sekisho.settings.doors import parse_doors
from tests.read.making import door, scope

LOGIN = door()
DOORS = Doors([LOGIN])
FORM = (b"content-type", b"application/x-www-form-urlencoded")
JSON = (b"content-type", b"application/json")
BASIC = (b"authorization", b"Basic Ym9iOnNlY3JldA==")


@pytest.mark.parametrize(
    "path",
    [
        "/login",
        "/Login",
        "/LOGIN",
        "/login/",
        "/login//",
        "//login",
        "/./login",
        "/login/.",
        "/x/../login",
        "/../login",
        "/login\n",
        "/login ",
        "/ſignin/../login",
    ],
)
def test_path_variants_are_the_same_door(path: str) -> None:
    """Every path that a forgiving router takes for the log-in is the door (rows 43, 44)."""
    assert DOORS.find(scope(path)) is LOGIN


@pytest.mark.parametrize("path", ["/", "", "/logins", "/login/x", "/api/login", "/loginx", "/login.php", "/x/..", "*"])
def test_other_paths_are_no_door(path: str) -> None:
    """Other paths pass untouched."""
    assert DOORS.find(scope(path)) is None


def test_a_line_feed_that_starlette_forgives_is_the_same_door() -> None:
    """Starlette routes `/login%0A` to `/login`, so it is the door."""
    pattern, _, _ = compile_path("/login")
    assert pattern.match("/login\n")
    assert DOORS.find(scope("/login\n")) is LOGIN


@given(st.text(alphabet="/login.LOGIN\n ", max_size=14))
def test_whatever_starlette_routes_to_the_door_is_found(path: str) -> None:
    """No path that Starlette routes to the door escapes the guard."""
    pattern, _, _ = compile_path("/login")
    if pattern.match(path):
        assert DOORS.find(scope(path)) is LOGIN


@given(st.text())
def test_keys_of_paths_are_stable(path: str) -> None:
    """The key of a key is itself, for any path."""
    assert path_key(path_key(path)) == path_key(path)


@pytest.mark.parametrize(
    ("configured", "path", "root_path", "found"),
    [
        ("/api/login", "/api/login", "/api", True),
        ("/login", "/api/login", "/api", True),
        ("/login", "/api/login", "/api/", True),
        ("/login", "/API/Login/", "/api", True),
        ("/login", "/x/api/login", "/api", True),  # Litestar drops the mount point at any position
        ("/login", "/api/login", "/", False),
        ("/login", "/api/logins", "/api", False),
        ("/", "/api", "/api", True),
        # A guard in an application that is mounted at `/auth`, behind a server that is started with `--root-path /srv`.
        ("/auth/login", "/srv/auth/login", "/srv/auth", True),
        ("/login", "/srv/auth/login", "/srv/auth", True),
        ("/auth/login", "/SRV/Auth/Login/", "/srv/auth/", True),
        ("/v1/auth/login", "/srv/v1/auth/login", "/srv/v1/auth", True),
        ("/auth/login", "/other/auth/login", "/srv/auth", False),
        ("/auth/login", "/srv/auth/logins", "/srv/auth", False),
    ],
)
def test_mounted_doors_are_found_with_and_without_the_mount_point(
    configured: str, path: str, root_path: str, found: bool
) -> None:
    """A mounted door is found with and without the mount point (row 46)."""
    doors = Doors([door(path=configured)])
    assert (doors.find(scope(path, root_path=root_path)) is not None) is found


@pytest.mark.parametrize("path", ["/login.json", "/login.api", "/LOGIN.JSON/", "/srv/login.json"])
def test_the_suffix_of_a_format_is_no_way_round(path: str) -> None:
    """Django REST framework's routers find the handler of `/login/` at `/login.json`, too (row 46)."""
    mount = "/srv" if path.startswith("/srv") else ""
    assert DOORS.find(scope(path, root_path=mount)) is LOGIN
    assert DOORS.find(scope("/login.js")) is None
    pinned = door(path="/login.json")
    assert Doors([LOGIN, pinned]).find(scope("/login.json")) is pinned
    shared = door(path="/members/{id}/password/")
    assert Doors([shared]).find(scope("/members/7/password.json")) is shared


def test_host_does_not_move_the_door() -> None:
    """The path alone decides: `Host: x/docs?` changes nothing (row 45)."""
    assert DOORS.find(scope(headers=[(b"host", b"x/docs?")])) is LOGIN
    assert DOORS.find(scope("/docs", headers=[(b"host", b"x/login?")])) is None


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE", "post", "LOGIN", "QUERY", ""])
def test_any_method_that_could_carry_a_form_is_the_doors(method: str) -> None:
    """Every method that may carry a form is the door's: a `_method` field can turn it into that (row 43)."""
    assert DOORS.find(scope(method=method)) is LOGIN


@pytest.mark.parametrize("method", ["GET", "HEAD", "OPTIONS", "TRACE"])
def test_looking_at_the_page_is_no_attempt(method: str) -> None:
    """Viewing the log-in page and CORS preflights are no attempts."""
    assert DOORS.find(scope(method=method)) is None


@pytest.mark.parametrize("name", [b"x-http-method-override", b"x-method-override", b"x-http-method"])
@pytest.mark.parametrize("value", [b"POST", b"post", b" Post "])
def test_an_overriding_header_counts(name: bytes, value: bytes) -> None:
    """GET with a header that makes it a POST is a POST (row 43)."""
    assert DOORS.find(scope(method="GET", headers=[(name, value)])) is LOGIN
    # A PUT belongs to the door, and so does a request that an override makes one.
    assert DOORS.find(scope(method="GET", headers=[(name, b"PUT")])) is LOGIN
    assert DOORS.find(scope(method="GET", headers=[(name, b"HEAD")])) is None
    assert DOORS.find(scope(method="GET", headers=[(name.replace(b"-", b"_"), value)])) is LOGIN


@pytest.mark.parametrize(
    "query",
    [
        b"username=a&password=b",
        b"password",
        b"p%61ssword=b",
        b"%70%41ssword=b".replace(b"%41", b"%61"),
        b"password[]=b",
        b"password%5B0%5D=x",
        b"a=1;password=b",
        b"_method=POST",
        b"%5Fmethod=POST",
    ],
)
@pytest.mark.parametrize("method", ["GET", "HEAD", "OPTIONS", "TRACE"])
def test_a_secret_in_the_query_is_an_attempt(query: bytes, method: str) -> None:
    """Row 42: a secret in the query is found as the door, and refused there."""
    assert DOORS.find(scope(method=method, query_string=query)) is LOGIN


@pytest.mark.parametrize(
    "query", [b"", b"next=/home", b"username=bob", b"next=password", b"xpassword=1", b"passwords=1", b"password%20=1"]
)
def test_other_queries_are_none(query: bytes) -> None:
    """Other queries are no attempt: a link may carry a return address or a name."""
    assert DOORS.find(scope(method="GET", query_string=query)) is None


def test_a_door_that_is_read_by_get_is_found_by_head() -> None:
    """A door read by GET is found by HEAD, which routers answer alike."""
    doors = Doors([door(method="GET")])
    assert doors.find(scope(method="HEAD")) is not None
    assert doors.find(scope(method="OPTIONS")) is None


def test_two_doors_at_one_path() -> None:
    """Two doors at one path each have their method, in any case; unknown methods go to the first."""
    sign_up = Door(DoorKind.SIGNUP, "PUT", "/login", LOGIN.fields)
    doors = Doors([LOGIN, sign_up])
    assert doors.find(scope(method="PUT")) == sign_up
    assert doors.find(scope(method="put")) == sign_up
    assert doors.find(scope(method="POST")) == LOGIN
    assert doors.find(scope(method="DELETE")) == LOGIN
    assert doors.find(scope(method="GET", headers=[(b"x-http-method", b"PUT")])) == sign_up


def test_doors_of_one_path_know_of_each_other() -> None:
    """Doors at one path know of each other, or an override would open the other one unseen (row 43)."""
    doors = Doors([LOGIN, Door(DoorKind.SIGNUP, "PUT", "/Login/", LOGIN.fields), basic_door("/login"), OUT])
    assert [door.shares_path for door in doors.all] == [True, True, False, False]
    assert not doors.all[2].reads_body


@pytest.mark.parametrize("method", ["GET", "HEAD", "OPTIONS", "TRACE"])
@pytest.mark.parametrize(
    ("name", "value", "found"),
    [
        (b"content-length", b"36", True),
        (b"content-length", b"0", False),
        (b"content-length", b"00", False),
        (b"content-length", b"010", True),
        (b"transfer-encoding", b"chunked", True),
    ],
)
def test_a_harmless_method_with_a_body_is_the_doors(method: str, name: bytes, value: bytes, found: bool) -> None:
    """A GET with a body is the door's: some handlers read a form from it (row 43)."""
    assert (DOORS.find(scope(method=method, headers=[(name, value)])) is LOGIN) is found


@pytest.mark.parametrize("method", ["GET", "HEAD", "OPTIONS", "TRACE"])
def test_a_body_that_no_header_announces_is_the_doors(method: str) -> None:
    """A body without a header is the door's: HTTP/2 needs no `content-length`, so the stream decides."""
    assert DOORS.find(scope(method=method), has_body=True) is LOGIN
    assert DOORS.find(scope("/tea", method=method), has_body=True) is None


@pytest.mark.parametrize("path", ["http://x/login", "HTTPS://x:99/Login/", "http://u:p@x/./login", "//x/login"])
def test_an_absolute_target_is_the_door_of_its_path(path: str) -> None:
    """RFC 9112 section 3.2.2: h11 and Hypercorn pass an absolute target whole, and some frameworks route its path (row
    44).
    """
    assert DOORS.find(scope(path)) is LOGIN


@pytest.mark.parametrize(
    "path",
    ["login", "login.html", "x:login", "./login", "../login", "http:login", "http:/login", "http://x/login;a",
     "http://x/lo\tgin", "http://x/login#a", "\\login", " /login", "http://x\\login", "*login", "?", "tea"],
)  # fmt: skip
def test_other_targets_are_refused_wherever_they_lead(path: str) -> None:
    """Other targets are refused at any path: routers differ about them, and no client sends them."""
    with pytest.raises(Unreadable, match="400 request_target"):
        DOORS.find(scope(path))


@pytest.mark.parametrize("path", ["/login#a", "/login?a", "/login;a", "/lo%67in", "/lo%2567in", "/a%2f..%2flogin"])
def test_what_one_router_cuts_off_or_decodes_is_the_door(path: str) -> None:
    """A fragment, a parameter or a second escape, which one router drops or decodes, is the door (row 44)."""
    assert DOORS.find(scope(path)) is LOGIN


def test_the_path_as_it_came_counts_as_well() -> None:
    """`raw_path` counts as well: Sanic and BlackSheep route it, and outer middleware may have left it unchanged."""
    assert DOORS.find(scope("/", raw_path=b"/lo%67in")) is LOGIN
    assert DOORS.find(scope("/", raw_path=b"/login?next=/")) is LOGIN
    assert DOORS.find(scope("/tea", raw_path=b"/tea")) is None
    assert DOORS.find(scope("/茶", raw_path=b"/%E8%8C%B6")) is None


@pytest.mark.parametrize(
    ("path", "root_path"),
    [
        ("/srvlogin", "/srv"),  # uvicorn with h11: `POST login`; Hypercorn: `POST /srvlogin`, for Quart and Django
        ("/srv/srvlogin", "/srv"),
        ("srv/login", "srv"),
        ("/srvhttp://x/login", "/srv"),
        ("/SRV/login", "/srv"),
        ("http://x/srv/login", "/srv"),
        ("http://srv/srvlogin", "/srv"),
    ],
)
def test_a_root_path_that_runs_on_into_the_path_is_cut_off(path: str, root_path: str) -> None:
    """Quart, Django and BlackSheep cut a root path off wherever the path begins with it (row 46)."""
    if path == "/srv/srvlogin":  # they do it once
        assert DOORS.find(scope(path, root_path=root_path)) is None
    else:
        assert DOORS.find(scope(path, root_path=root_path)) is LOGIN


def test_a_door_named_with_the_mount_point_is_found_where_the_server_leaves_that_out() -> None:
    """A door named with its mount point is found with Hypercorn, whose `root_path` is not in its paths (row 46)."""
    doors = Doors([door(path="/srv/login")])
    assert doors.find(scope("/login", root_path="/srv")) is not None
    assert doors.find(scope("/login", root_path="/other")) is None


@pytest.mark.parametrize(
    "path",
    ["/files/../a", "/files/../../files/a", "/x/../files/a", "//files/../a", "/files//../a", "/files/./a", "/files/.."],
)
def test_for_a_prefix_both_the_path_and_what_it_comes_to_count(path: str) -> None:
    """A prefix counts for the path as written and as resolved: file servers resolve dots, routers do not (row 44)."""
    assert Doors([basic_door("/files/*")]).find(scope(path, "GET", [BASIC])) is not None


def test_no_path_takes_long_to_read() -> None:
    """Reading a path takes bounded time: long ones are refused (row 57)."""
    for text in ("/.", "//", "/%", "/a/..", ";", "/%2e%2e", "#", "/"):
        keys: tuple[str, ...] = ()
        with suppress(Unreadable):
            keys = path_keys(scope(text * (65_536 // len(text)), raw_path=(text * 100).encode()))
        assert len(keys) <= 32


def test_a_web_socket_at_a_door_is_the_door() -> None:
    """Row 52: a WebSocket at a door is found, and the middleware refuses it."""
    socket = {"type": "websocket", "path": "/Login", "query_string": b"", "headers": [], "root_path": ""}
    assert DOORS.find(socket) is LOGIN
    assert DOORS.find({**socket, "path": "/chat"}) is None


def test_lifespan_stands_at_no_door() -> None:
    """A lifespan scope, without a path, is no attempt."""
    assert DOORS.find({"type": "lifespan"}) is None


@pytest.mark.parametrize("method", ["GET", "POST", "OPTIONS"])
def test_a_door_of_every_method(method: str) -> None:
    """`*` means every method, for doors with a body too."""
    every = door(method="*")
    assert Doors([every]).find(scope(method=method)) is every


OUT = Door(DoorKind.LOGOUT, "POST", "/logout", ())


def test_a_door_without_fields_is_found() -> None:
    """A door without fields, such as a log-out, is found."""
    assert Doors([OUT]).find(scope("/logout")) is OUT


def test_all_doors_that_a_request_may_lead_to() -> None:
    """All doors that a request may lead to: by method, override or prefix, and any of them for an unknown method."""
    put, post, below = (
        Door(DoorKind.CHANGE, method, path, ()) for method, path in [("PUT", "/a"), ("POST", "/a"), ("*", "/a/*")]
    )
    doors = Doors([put, post, below])

    def all_of(method: str, **more: Any) -> list[Door]:
        return list(doors.find_all(scope("/a", method, **more)))

    assert all_of("PUT") == [put, below]
    assert {*all_of("PUT", headers=[(b"x-http-method", b"post")])} == {put, post, below}
    assert {*all_of("PUT", query_string=b"_method=post")} == {put, post, below}
    assert all_of("POST", headers=[JSON]) == [post, below]
    assert {*all_of("POST", headers=[FORM])} == {put, post, below}  # `_method=PUT` may stand in it
    assert {*all_of("DELETE")} == {put, post, below}
    assert {*all_of("GET", headers=[(b"content-length", b"1")])} == {put, post, below}
    assert all_of("GET") == all_of("HEAD") == [below]
    assert list(doors.find_all(scope("/b"))) == list(doors.find_all({"type": "lifespan"})) == []


def basic_door(path: str, method: str = "*") -> Door:
    return Door(DoorKind.LOGIN, method, path, (Fields(Encoding.BASIC),))


@pytest.mark.parametrize(
    ("pattern", "path", "found"),
    [
        ("*", "/anything/at/all", True),
        ("*", "/", True),
        ("/files*", "/files", True),
        ("/files*", "/filesystem", True),
        ("/files/*", "/files", True),
        ("/files/*", "/FILES/a", True),
        ("/files/*", "/filesystem", False),
        ("/files", "/files/", True),
        ("/files", "/files/a", False),
    ],
)
def test_basic_doors_are_found_by_their_header(pattern: str, path: str, found: bool) -> None:
    """Row 48: a Basic door is found on any route and by any method, if the header is there."""
    doors = Doors([basic_door(pattern)])
    for method in ("GET", "POST", "OPTIONS"):
        assert (doors.find(scope(path, method, [BASIC])) is not None) is found
        assert doors.find(scope(path, method, [(b"authorization", b"Bearer x")])) is None
        assert doors.find(scope(path, method)) is None


@pytest.mark.parametrize("value", [b"basic eA==", b"BASIC eA==", b" Basic eA==", b"Basic\teA==", b"Basic", b"basic"])
def test_the_scheme_is_found_in_any_spelling(value: bytes) -> None:
    """The scheme is found in any spelling that frameworks accept for Basic by splitting at blanks."""
    assert Doors([basic_door("*")]).find(scope("/x", "GET", [(b"authorization", value)])) is not None


def test_mounted_wildcards() -> None:
    """A wildcard without the mount point covers the mounted paths."""
    doors = Doors([basic_door("/files/*")])
    assert doors.find(scope("/api/files/a", "GET", [BASIC], root_path="/api")) is not None


def test_the_longest_wildcard_wins() -> None:
    """The longer of two wildcards wins."""
    wide, narrow = basic_door("*"), basic_door("/files/*")
    assert Doors([wide, narrow]).find(scope("/files/a", "GET", [BASIC])) is narrow


@pytest.mark.parametrize("pattern", ["*", "/log*", "/login"])
def test_an_explicit_door_wins_over_basic_and_knows_of_it(pattern: str) -> None:
    """The form door wins and lists Basic among its encodings, so a request with both is refused."""
    found = Doors([LOGIN, basic_door(pattern)]).find(scope(headers=[BASIC]))
    assert found is not None
    assert [fields.encoding for fields in found.fields] == [Encoding.FORM, Encoding.JSON, Encoding.BASIC]
    assert found.name == LOGIN.name


def test_basic_elsewhere_changes_no_form_door() -> None:
    """Only wildcards that cover the path add Basic to a form door."""
    assert Doors([LOGIN, basic_door("/files/*")]).find(scope(headers=[BASIC])) is LOGIN


def test_the_page_of_a_form_door_is_a_basic_door_under_a_wildcard() -> None:
    """GET /login with Basic under a wildcard is an attempt by Basic."""
    doors = Doors([LOGIN, basic_door("*")])
    assert doors.find(scope(method="GET", headers=[BASIC])) == basic_door("*")
    assert doors.find(scope(method="GET")) is None


def test_all_holds_what_find_returns() -> None:
    """`all` holds every door that `find` returns, by identity."""
    doors = Doors([LOGIN, basic_door("*")])
    requests: list[dict[str, Any]] = [scope(), scope(headers=[BASIC]), scope("/x", "GET", [BASIC])]
    for request in requests:
        assert any(doors.find(request) is each for each in doors.all)


@pytest.mark.parametrize("path", ["/files/../login", "/files/%2e%2e/login", "/login#/../files"])
def test_a_path_that_means_two_doors_is_refused(path: str) -> None:
    """A path that some routers take to the form and others to Basic is refused: one is charged, the other tried."""
    doors = Doors([LOGIN, basic_door("/files/*")])
    for method in ("POST", "GET"):
        with pytest.raises(Unreadable) as refused:
            doors.find(scope(path, method, [BASIC, FORM]))
        assert (refused.value.status, refused.value.reason) == (400, "path_doubtful")
    assert doors.find(scope(path, headers=[FORM])) is LOGIN


def test_doors_that_differ_in_their_fields_are_two() -> None:
    """`/reset/../login` is refused if the two doors differ in their fields."""
    fields = (Fields(Encoding.FORM, (("user",),), (("code",),)),)
    other = Door(DoorKind.CODE, "POST", "/reset", fields)
    with pytest.raises(Unreadable):
        Doors([LOGIN, other]).find(scope("/login#/../../reset"))
    twin = door(path="/srv/login")
    assert Doors([LOGIN, twin]).find(scope("/srv/login", root_path="/srv")) is LOGIN


def test_a_prefix_that_covers_a_door_is_no_second_one() -> None:
    """Mounted `/srv/login` is the form below the prefix, which knows of Basic."""
    doors = Doors([LOGIN, basic_door("*")])
    found = doors.find(scope("/srv/login", headers=[BASIC], root_path="/srv"))
    assert found is not None
    assert found.name == LOGIN.name


def test_a_long_path_of_doubled_slashes_is_refused() -> None:
    """Row 128: merging 20,000 doubled slashes takes milliseconds; a long path with a URL in it is read."""
    doors = Doors([door()])
    with pytest.raises(Unreadable, match=r"^400 request_target$"):
        doors.find(scope("//[," * 16_000))
    assert doors.find(scope("/img/https://x/" + "a" * 4_000 + "//b")) is None
    with pytest.raises(Unreadable, match=r"^400 request_target$"):
        doors.find(scope("/" + "é" * 60_000, raw_path=b"/" + b"%C3%A9" * 60_000))
    assert doors.find(scope("/" + "é" * 16_000, raw_path=b"/" + b"%C3%A9" * 16_000)) is None


def test_a_door_for_graphql_covers_what_is_below_it() -> None:
    """Row 51: an application that is mounted at `/graphql` answers at every path below it."""
    text = "POST /graphql graphql:login(email,password); POST /graphql/other form:a,b"
    doors = Doors(parse_doors(DoorKind.LOGIN, text, "SEKISHO_LOGIN"))
    for path in ("/graphql", "/graphql/", "/graphql/x", "/GraphQL/x/y", "/graphql/%00", "//graphql/x"):
        found = doors.find(scope(path))
        assert found is not None, path
        assert found.operation == "login", path
    other = doors.find(scope("/graphql/other"))
    assert other is not None
    assert other.operation == ""
    assert doors.find(scope("/graphqlx")) is None
