"""Requests that are none of ours pass quickly, and no request to a door is among them."""

from __future__ import annotations

import asyncio
import inspect
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sekisho.asgi.fast_path import PATH_CHARS_MAX, PATHS_MAX, FastPath
from sekisho.model import Door, DoorKind, Encoding, Fields, Unreadable
from sekisho.owners import MemoryOwners
from sekisho.read import Doors
from sekisho.read.paths import path_keys
from tests.asgi.driving import Shop, answer, ask, guarded, http, log_in

if TYPE_CHECKING:
    from sekisho.asgi.types import Receive, Scope, Send
    from sekisho.wiring import LoginGuard

READS = Fields(Encoding.FORM, (("username",),), (("password",),))
DOORS = Doors(
    [
        Door(DoorKind.LOGIN, "POST", "/login", (READS,)),
        Door(DoorKind.LOGIN, "*", "/files/*", (Fields(Encoding.BASIC),)),
        Door(DoorKind.LOGOUT, "POST", "/", ()),
    ]
)
BASIC = (b"authorization", b"Basic Ym9iOnNlY3JldA==")
OVERRIDE = (b"x-http-method-override", b"POST")


PATHS = st.lists(st.sampled_from(["", ".", "..", "login", "LOGIN", "login\n", "logins", "files", "1"]), max_size=5).map(
    "/".join
)


def stand_at(scope: Scope) -> bool:
    return DOORS.stand_at(path_keys(scope))


def passed(passing: FastPath, *paths: str, root_path: str = "") -> list[str]:
    """The requests for these paths, in turn, that pass."""
    return [path for path in paths if passing.passes(http(path, root_path=root_path))]


@given(
    PATHS,
    st.sampled_from(["GET", "POST", "HEAD", "PUT"]),
    st.lists(st.sampled_from([BASIC, OVERRIDE]), max_size=2),
    st.booleans(),
)
def test_a_door_is_never_remembered_as_no_door(
    path: str, method: str, headers: list[tuple[bytes, bytes]], socket: bool
) -> None:
    """A door is recognised in any spelling, or its second request would pass unseen (row 44)."""
    scope = http(path, method=method, headers=headers, query_string=b"password=x")
    if socket:
        scope = {"type": "websocket", "path": path, "headers": headers}

    try:
        keys = path_keys(scope)
    except Unreadable:
        return  # refused, wherever it points
    assert DOORS.find(scope) is None or DOORS.stand_at(keys)


def test_where_a_path_leads_is_worked_out_once() -> None:
    """The route of a path is worked out once, for doors too."""
    looked: list[str] = []

    def is_ours(scope: Scope) -> bool:
        looked.append(scope["path"])
        return stand_at(scope)

    passing = FastPath(is_ours)

    assert passed(passing, "/tea", "/login", "/login", "/tea", "/login") == ["/tea"]
    assert looked == ["/tea", "/login"]


def test_the_guard_looks_once_at_what_is_not_its_own() -> None:
    """The guard looks once at a path that is not its own, and every time at one that is."""
    passing = FastPath(stand_at)

    found = passed(
        passing, "/tea", "/tea", "/login", "/login", "/LOGIN/", "/files/1", "/files/1", "/", "//", "/", "/tea"
    )

    assert found == ["/tea", "/tea"]


def test_the_path_of_a_mounted_application_tells_nothing() -> None:
    """The path within a mount decides nothing: `/login` below `/shop` may be the log-in by either reading."""
    passing = FastPath(stand_at)

    assert passed(passing, "/shop/login", "/shop/login") == ["/shop/login"]
    assert passed(passing, "/shop/login", "/shop/login", root_path="/shop") == []


def test_a_path_that_came_otherwise_is_looked_at_again() -> None:
    """A path with another raw form is looked at again: some routers read the raw form, which may be a door."""
    passing = FastPath(stand_at)
    tea, anomaly = http("/tea"), http("/tea", raw_path=b"/login")

    asked = (tea, tea, anomaly, anomaly, tea, tea)
    assert [passing.passes(scope) for scope in asked] == [False, True, False, False, False, True]


def test_strangers_fill_no_memory() -> None:
    """Neither many paths nor long ones fill memory; a forgotten path is looked at again."""
    passing = FastPath(stand_at)

    passed(passing, *(f"/{number}" for number in range(3 * PATHS_MAX)), "/" + "x" * PATH_CHARS_MAX)

    assert len(passing._known) <= PATHS_MAX
    assert max(map(len, passing._known)) <= PATH_CHARS_MAX
    assert passed(passing, "/0", "/0") == ["/0"]


def test_a_lifespan_never_takes_the_fast_path() -> None:
    """A second lifespan, on another loop, starts the guard as the first did, whichever paths passed before."""
    passing = FastPath(stand_at)
    scopes: list[Any] = [{"type": "lifespan"}, http(""), {"type": "of another kind"}, http("")]

    assert [passing.passes(scope) for scope in scopes * 2] == [False] * 8


async def test_the_guard_awaits_the_application_directly() -> None:
    """`LoginGuard` awaits the application directly: each coroutine between costs every request."""
    between: list[str] = []

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        frame = inspect.currentframe()
        while (frame := frame and frame.f_back) and frame.f_code is not here:
            between.append(frame.f_code.co_qualname)
        await answer(send, 200)

    here = getattr(inspect.currentframe(), "f_code", None)
    guard = guarded(app)
    for _ in range(2):
        between.clear()
        await guard(http("/tea", method="GET"), _receive, _send)

    assert between == ["LoginGuard.__call__"]


def test_servers_see_that_it_is_asgi_3() -> None:
    """uvicorn, hypercorn and asgiref recognise ASGI 3 by a `__call__` that is a coroutine function."""
    assert inspect.iscoroutinefunction(guarded(Shop()).__call__)
    assert asyncio.iscoroutinefunction(guarded(Shop()).__call__)


async def _receive() -> dict[str, Any]:
    raise AssertionError("nobody reads")


async def _send(message: Any) -> None:
    """Discards the answer."""


@pytest.fixture
def guard() -> LoginGuard:
    more: dict[str, Any] = {"factors": "totp", "owners": MemoryOwners({}), "change": "POST /pw"}
    return guarded(Shop(), limit_account="2/hour", limit_ip="2/hour", protect="POST /pay max_age=60", **more)


async def test_a_flood_elsewhere_opens_no_door(guard: LoginGuard) -> None:
    """A flood of other paths opens no door: the limit holds before and after, in every spelling."""
    for path in ("/tea", "/login/x", "/tea", "/login/x"):
        assert (await ask(guard, http(path, method="GET"))).status == 200

    statuses = [(await log_in(guard, password=f"guess{number}", path=path)).status
                for number, path in enumerate(["/login", "/Login", "/login/", "//login"])]  # fmt: skip

    assert [status == 429 for status in statuses] == [False, False, True, True]


async def test_doors_routes_and_pages_are_never_remembered_as_foreign(guard: LoginGuard) -> None:
    """Doors of all kinds, protected routes and our pages are never remembered as foreign paths."""
    assert guard._loops is not None
    ours = ["/login", "/pw", "/PW/", "/pay", "/x/../pay", "/sekisho/api/step-up", "/sekisho/", "/x/../Sekisho/continue"]
    ours += ["http://x/login", "http://x/pay", "login", "x:pay", "/login#a", "/pay;a"]

    assert [path for path in ours if not guard._loops.process._is_ours(http(path))] == []
    assert [path for path in ("/", "/tea", "/payment", "/login/x") if guard._loops.process._is_ours(http(path))] == []
