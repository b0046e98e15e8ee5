"""Finds doors and protected routes that the application does not have: a misspelt one leaves the real one open."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from sekisho.check.log_in import LogIn, invented, log_in_at, plain_scope
from sekisho.check.trial import tried
from sekisho.model import Credentials, DoorKind

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from sekisho.asgi.types import App
    from sekisho.model import Door

NOT_THERE = 404
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


def _names_one_path(door: Door) -> bool:
    return "*" not in door.path and "{" not in door.path


async def _is_missing(app: App, door: Door, around: Mapping[str, Any], chance: Callable[[int], bytes]) -> bool:
    # A door is found with and without a last slash, and a router may know one of the two.
    other = door.path.removesuffix("/") if door.path.endswith("/") else f"{door.path}/"
    spellings = [door, replace(door, path=other)] if door.path != "/" else [door]
    return all([await _answers_404(app, one, around, chance) for one in spellings])


async def _answers_404(app: App, door: Door, around: Mapping[str, Any], chance: Callable[[int], bytes]) -> bool:
    # OPTIONS changes nothing (RFC 9110, section 9.2.1). For most routers it shows whether the path exists.
    scope = plain_scope(door, around, method="OPTIONS")
    asked = await tried(app, door, LogIn(scope, b"", Credentials("", "")), seconds_max=SECONDS_MAX)
    if asked.status != NOT_THERE:
        return False
    if door.kind is not DoorKind.LOGIN:
        return True
    # Some routers find a path only with its own method.
    log_in = log_in_at(door, invented(chance), plain_scope(door, around))
    return (await tried(app, door, log_in, seconds_max=SECONDS_MAX)).status == NOT_THERE
