"""Doors whose account or secret is in the path."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from sekisho.model import Credentials, Door, DoorKind, Unreadable
from sekisho.read import Doors, read_credentials
from sekisho.settings.doors import parse_doors
from tests.asgi.driving import FORM, OPEN, address, ask, guarded, http
from tests.read.making import scope

if TYPE_CHECKING:
    from collections.abc import Sequence


def doors(text: str, kind: DoorKind = DoorKind.RESET) -> Doors:
    return Doors(parse_doors(kind, text, "SEKISHO_RESET"))


ASK = doors("POST /password-recovery/{email} path:email")
KEY = doors("POST /reset/{key}/ path:,key form:,,password1")


@pytest.mark.parametrize(
    "path",
    [
        "/password-recovery/hana@example.com",
        "/Password-Recovery/hana@example.com/",
        "//password-recovery/hana",
        "/x/../password-recovery/hana",
        "/password-recovery/hana#a",
        "http://x/password-recovery/hana",
    ],
)
def test_a_placeholder_stands_for_one_step(path: str) -> None:
    """A placeholder stands for one segment, in any path that a forgiving router accepts."""
    assert ASK.find(scope(path)) is ASK.all[0]


@pytest.mark.parametrize(
    "path", ["/password-recovery", "/password-recovery/", "/password-recovery/a/b", "/x/hana", "/"]
)
def test_more_or_fewer_steps_are_other_routes(path: str) -> None:
    """Paths with more or fewer segments pass untouched."""
    assert ASK.find(scope(path)) is None


def test_a_look_at_such_a_page_is_no_attempt() -> None:
    """A `GET` of such a page is no attempt, unless the door's method is `GET`."""
    assert ASK.find(scope("/password-recovery/hana", "GET")) is None
    link = doors("GET /magic/{token} path:,token", DoorKind.LINK)
    assert link.find(scope("/magic/t", "GET")) is link.find(scope("/magic/t", "HEAD")) is link.all[0]


def read(at: Doors, path: str, body: bytes = b"", **more: Any) -> Credentials | None:
    request = scope(path, headers=[FORM], **more)
    door = at.find(request)
    assert isinstance(door, Door)
    return read_credentials(door, request, body)


@pytest.mark.parametrize(
    ("path", "root_path", "account"),
    [
        ("/password-recovery/hana@example.com", "", "hana@example.com"),
        ("/password-recovery/Hana+tag@example.com/", "", "Hana+tag@example.com"),
        ("/PASSWORD-RECOVERY/花", "", "花"),
        ("/api/password-recovery/hana", "/api", "hana"),
        ("/password-recovery/hana", "/api", "hana"),
        ("/srv/password-recovery/hana", "/srv/api", "hana"),
    ],
)
def test_the_account_is_what_the_server_decoded(path: str, root_path: str, account: str) -> None:
    """The account is the decoded text with its case and spelling, to which trust is bound."""
    assert read(ASK, path, root_path=root_path) == Credentials(account, "")


def test_path_and_body_together_say_who_and_what() -> None:
    """Path and body together give account and secret: a reset key in the path, the new password in the form."""
    assert read(KEY, "/reset/MQ-abc123/", b"password1=new&password2=new") == Credentials("", "MQ-abc123", "new")
    assert not ASK.all[0].reads_body
    assert KEY.all[0].reads_body


@pytest.mark.parametrize(
    "path",
    ["//password-recovery/hana", "/x/../password-recovery/hana", "/password-recovery/ha%6ea", "/password-recovery/a#b",
     "/password-recovery/a;b", "/password-recovery/\\ufffd", "http://x/password-recovery/hana"],
)  # fmt: skip
def test_a_path_whose_account_routers_read_differently_is_refused(path: str) -> None:
    """A path whose account routers read differently (cut or decoded twice) is refused."""
    with pytest.raises(Unreadable, match="400 path_doubtful"):
        read(ASK, path.replace("\\ufffd", "\ufffd"))


def test_a_mount_point_that_runs_on_into_the_account_is_refused() -> None:
    """A root path that runs on into the account is refused: `/srvhana` is `hana` for Quart and `srvhana` for others."""
    assert read(doors("POST /{email} path:email"), "/srv/hana", root_path="/srv") == Credentials("hana", "")
    with pytest.raises(Unreadable, match="400 path_doubtful"):
        read(doors("POST /{email} path:email"), "/srvhana", root_path="/srv")


def test_exact_doors_come_before_placeholders() -> None:
    """Exact doors come before placeholders, and placeholders before prefixes."""
    every = doors("POST /reset/{key} path:,key; POST /reset/done form:,code; PUT /reset/{other} path:,other")
    assert [door.name for door in every.all] == ["POST /reset/done", "POST /reset/{key}", "PUT /reset/{other}"]
    assert [door.shares_path for door in every.all] == [False, True, True]
    assert every.find(scope("/reset/done")) is every.all[0]
    assert every.find(scope("/reset/1")) is every.all[1]
    assert every.find(scope("/reset/1", "PUT")) is every.all[2]
    assert every.stand_at(("/reset/1",))
    assert not every.stand_at(("/reset",))
    assert list(every.find_all(scope("/reset/1", "PUT"))) == [every.all[2]]


async def _reached(reset: str, paths: Sequence[str]) -> tuple[list[int], int]:
    reached = 0

    async def app(_: Any, __: Any, send: Any) -> None:
        nonlocal reached
        reached += 1
        await send({"type": "http.response.start", "status": 404, "headers": []})
        await send({"type": "http.response.body", "body": b""})

    guard = guarded(app, reset=reset, **{**OPEN, "limit_account": "3/hour"})
    statuses = [(await ask(guard, http(path, client=address(n), headers=[]))).status for n, path in enumerate(paths)]
    return statuses, reached


async def test_accounts_in_the_path_are_counted() -> None:
    """Accounts in the path are counted over a dozen addresses, with and without a slash, in any case."""
    paths = ["/password-recovery/hana", "/password-recovery/Hana/", "/Password-recovery/HANA"] * 4
    statuses, reached = await _reached("POST /password-recovery/{email} path:email", paths)
    assert reached == 3
    assert {*statuses[3:]} == {429}
