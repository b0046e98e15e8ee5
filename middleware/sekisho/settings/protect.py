"""The notation of protected routes: `POST /top-up max_age=300 page=/top-up; * /payout/* max_age=60 acr=phr`."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import TYPE_CHECKING

from sekisho.model import DoorKind, FactorClass, ProtectedRoute, SettingsError, SuccessBy, SuccessRule
from sekisho.settings.doors import METHOD, change_of, is_path, status_rules
from sekisho.settings.factors import class_named

if TYPE_CHECKING:
    from collections.abc import Iterable

    from sekisho.model import Door

ROUTES_MAX = 64
MAX_AGE_S_MAX = 86_400

_NO_ERROR = SuccessRule(SuccessBy.STATUS, statuses=range(200, 400))
_MAX_AGE = re.compile(r"max_age=([0-9]{1,6})")


def parse_routes(text: str, setting: str) -> tuple[ProtectedRoute, ...]:
    """Read routes separated by `;`: `METHOD PATH max_age=SECONDS [acr=CLASS] [page=PATH] [notice=KIND [success=RULE]]`.

    The page of a form is a route of its own, with half the age: a client that was let in there has the other half to
    fill the form, so that nobody loses a filled one.

    Raises `SettingsError` for `setting`, with the number of the route (from 1) and never its text.
    """
    texts = text.split(";")
    if len(texts) > ROUTES_MAX:
        raise SettingsError(setting, f"lists more than {ROUTES_MAX} routes")
    routes = tuple(route for number, one in enumerate(texts, 1) for route in _routes(one.split(), setting, number))
    if len({(route.method, _folded(route.path)) for route in routes}) < len(routes):
        raise SettingsError(setting, "has the same method and path twice; keep the shorter max_age")
    return routes


def _routes(words: list[str], setting: str, number: int) -> list[ProtectedRoute]:
    pages = [word.removeprefix("page=") for word in words if word.startswith("page=")]
    told = [word for word in words if word.startswith(("notice=", "success="))]
    route = _route([word for word in words if not word.startswith("page=") and word not in told], setting, number)
    route = _telling(route, told, setting, number)
    if not pages:
        return [route]
    if len(pages) > 1 or not is_path(pages[0]) or pages[0].endswith("*") or route.method in {"GET", "*"}:
        problem = "wants one page= with the exact path of the page that holds the form, at a method that the form sends"
        raise SettingsError(setting, f"route {number} {problem}; as in {_EXAMPLE} page=/top-up")
    return [route, ProtectedRoute("GET", pages[0], max(1, route.max_age_s // 2), route.acr, is_page=True)]


def _route(words: list[str], setting: str, number: int) -> ProtectedRoute:
    if not 3 <= len(words) <= 4:
        raise SettingsError(setting, f"route {number} is not written METHOD PATH max_age=SECONDS, as in {_EXAMPLE}")
    method, path, age = words[0].upper(), words[1], _MAX_AGE.fullmatch(words[2])
    if not METHOD.fullmatch(method):
        raise SettingsError(setting, f"route {number} wants a method or * first, as in {_EXAMPLE}")
    if not is_path(path):
        problem = "wants the path as the application sees it, beginning with a slash: no query, no % escapes, no //"
        raise SettingsError(setting, f"route {number} {problem}; a prefix ends in /*")
    if age is None or not 1 <= int(age[1]) <= MAX_AGE_S_MAX:
        raise SettingsError(setting, f"route {number} wants max_age= and seconds from 1 to {MAX_AGE_S_MAX}")
    return ProtectedRoute(method, path, int(age[1]), _acr(words[3:], setting, number))


def _telling(route: ProtectedRoute, words: list[str], setting: str, number: int) -> ProtectedRoute:
    """The route, with the change that its owner is told of after a success."""
    if not words:
        return route
    notices = [word for word in words if word.startswith("notice=")]
    rules = [word.removeprefix("success=") for word in words if word.startswith("success=")]
    if len(notices) != 1 or len(rules) > 1 or not change_of(notices[0]) or route.method in {"GET", "HEAD"}:
        problem = (
            "wants one notice= with address or payout, at a method that changes something, and one success= at most"
        )
        raise SettingsError(setting, f"route {number} {problem}; as in {_EXAMPLE} notice=payout success=303:/home")
    success = status_rules(rules[0], setting, number) if rules else (_NO_ERROR,)
    return replace(route, notice=change_of(notices[0]), success=success)


def _acr(words: list[str], setting: str, number: int) -> FactorClass:
    """The class that a route's last word requires; `NONE` without one."""
    if not words:
        return FactorClass.NONE
    name, _, text = words[0].partition("=")
    found = class_named(text)
    if name != "acr" or found is None:
        raise SettingsError(setting, f"route {number} wants nothing after max_age= but acr=phr, acr=app or acr=sent")
    return found


_EXAMPLE = "POST /top-up max_age=300"


def conflict(routes: Iterable[ProtectedRoute], doors: Iterable[Door], mount: str) -> str:
    """Describe the first conflict of protected routes with a door or the mount; "" if there is none.

    A protected door would require a proof that a client can only get by passing the door. At a `LINK` door the proof is
    of the session's account, as at a protected route.
    """
    listed = tuple(doors)
    for number, route in enumerate(routes, 1):
        if any(
            _meet(route.method, door.method) and _overlap(route.path, door.path) and not _is_link(door, route)
            for door in listed
        ):
            return f"route {number} is a door as well, or holds one; a door asks for proof by itself: leave it out here"
        if _overlap(route.path, mount) or _overlap(route.path, mount + "/*"):
            return f"route {number} holds SEKISHO_MOUNT, or lies below it, where proofs are shown; choose another path"
    return ""


def _is_link(door: Door, route: ProtectedRoute) -> bool:
    return door.kind is DoorKind.LINK and (door.method, door.path) == (route.method, route.path)


def _meet(one: str, other: str) -> bool:
    return one == other or "*" in {one, other}


def _overlap(one: str, other: str) -> bool:
    """Whether some path belongs to both. Compared as lenient routers do: without case and last slash."""
    first, second = _folded(one), _folded(other)
    return (
        first == second
        or (one.endswith("*") and second.startswith(first))
        or (other.endswith("*") and first.startswith(second))
    )


def _folded(path: str) -> str:
    return (path.removesuffix("*") if path.endswith("*") else path.rstrip("/") + "/").casefold()
