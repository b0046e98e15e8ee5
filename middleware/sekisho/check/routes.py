"""Finds doors that leave a way past them open.

The application does not have the door or protected route: the real one has another path. Or it has the door, and
answers below its path as well.
"""

from __future__ import annotations

from base64 import b64encode
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from sekisho.check.log_in import LogIn, invented, log_in_at, plain_scope
from sekisho.check.trial import tried
from sekisho.model import Credentials, DoorKind, Encoding

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from sekisho.asgi.types import App
    from sekisho.model import Door
    from sekisho.model.headers import Header

NOT_THERE = 404
_REFUSED = frozenset({401, 403})
SECONDS_MAX = 5.0


async def missing_routes(
    app: App, doors: Iterable[Door], around: Mapping[str, Any], chance: Callable[[int], bytes]
) -> list[Door]:
    """The doors whose path the application answers with 404.

    Args:
        app: the application.
        doors: those with a `*` in their path, and those that only read a header, name no single path and are skipped.
        around: keys that the framework puts into all its scopes.
        chance: `n -> n` random bytes.
    """
    exact = [door for door in doors if door.reads_body and _names_one_path(door)]
    return [door for door in exact if await _is_missing(app, door, around, chance)]


async def missing_protected(app: App, routes: Iterable[Door], around: Mapping[str, Any]) -> list[Door]:
    """The protected routes whose path the application answers with 404; paths with `*` or `{` are skipped.

    The application is asked by OPTIONS alone, as a visitor.
    """

    def nothing(_count: int) -> bytes:
        return b""  # only log-ins are invented

    return [route for route in routes if _names_one_path(route) and await _is_missing(app, route, around, nothing)]


async def open_below(
    app: App, doors: Iterable[Door], around: Mapping[str, Any], chance: Callable[[int], bytes]
) -> list[Door]:
    """The doors that the application also answers below their path: a mount, or a pattern without an end.

    The application is asked by OPTIONS alone. A door is named if its path and one below it are answered alike, and
    one beside it otherwise. Arguments: see `missing_routes`.
    """
    exact = [door for door in doors if door.reads_body and _names_one_path(door) and not door.operation]
    return [door for door in exact if await _is_open_below(app, door, around, chance(8).hex())]


async def basic_beside(
    app: App, doors: Iterable[Door], around: Mapping[str, Any], chance: Callable[[int], bytes]
) -> list[Door]:
    """The doors without `basic` where the application looks at HTTP Basic all the same, as Django REST framework does.

    The application is asked by OPTIONS, without a secret and with that of an invented account. `doors`: as `Doors` has
    them, with `basic` where another door's prefix covers them. Other arguments: see `missing_routes`.
    """
    exact = [door for door in doors if door.reads_body and _names_one_path(door) and not _reads_basic(door)]
    return [door for door in exact if await _refuses_basic(app, door, around, chance)]


def _reads_basic(door: Door) -> bool:
    return any(fields.encoding is Encoding.BASIC for fields in door.fields)


async def _refuses_basic(app: App, door: Door, around: Mapping[str, Any], chance: Callable[[int], bytes]) -> bool:
    if await _status_of(app, door, around) in {0, *_REFUSED}:
        return False
    made_up = invented(chance)
    shown = b"Basic " + b64encode(f"{made_up.account}:{made_up.secret}".encode())
    return await _status_of(app, door, around, [(b"authorization", shown)]) in _REFUSED


async def _is_open_below(app: App, door: Door, around: Mapping[str, Any], name: str) -> bool:
    path = door.path.rstrip("/")
    below = await _status_of(app, replace(door, path=f"{path}/{name}"), around)
    if below in {0, NOT_THERE}:
        return False
    # A mount only answers with its last slash.
    here = [await _status_of(app, replace(door, path=place), around) for place in (door.path, f"{path}/")]
    beside = await _status_of(app, replace(door, path=f"{path.rpartition('/')[0]}/{name}"), around)
    return below in here and below != beside


def _names_one_path(door: Door) -> bool:
    return "*" not in door.path and "{" not in door.path


async def _is_missing(app: App, door: Door, around: Mapping[str, Any], chance: Callable[[int], bytes]) -> bool:
    # A door is found with and without a last slash, and a router may know one of the two.
    other = door.path.removesuffix("/") if door.path.endswith("/") else f"{door.path}/"
    spellings = [door, replace(door, path=other)] if door.path != "/" else [door]
    return all([await _answers_404(app, one, around, chance) for one in spellings])


async def _answers_404(app: App, door: Door, around: Mapping[str, Any], chance: Callable[[int], bytes]) -> bool:
    if await _status_of(app, door, around) != NOT_THERE:
        return False
    if door.kind is not DoorKind.LOGIN:
        return True
    # Some routers find a path only with its own method.
    log_in = log_in_at(door, invented(chance), plain_scope(door, around))
    return (await tried(app, door, log_in, seconds_max=SECONDS_MAX)).status == NOT_THERE


async def _status_of(app: App, door: Door, around: Mapping[str, Any], headers: Sequence[Header] = ()) -> int:
    """The status of the answer to OPTIONS; 0 where there is none.

    OPTIONS changes nothing (RFC 9110, section 9.2.1). For most routers it shows whether the path exists.
    """
    scope = plain_scope(door, around, method="OPTIONS", headers=headers)
    return (await tried(app, door, LogIn(scope, b"", Credentials("", "")), seconds_max=SECONDS_MAX)).status
