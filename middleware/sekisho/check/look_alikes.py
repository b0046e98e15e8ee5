"""Routes of an application that look like doors and are none: a door that the settings leave out stays open.

Routes are read from the objects of frameworks without importing any of them: Starlette, FastAPI, Litestar, Quart and
Flask, Django. Of other applications none is known.
"""

from __future__ import annotations

import re
import sys
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from sekisho.model import DoorKind, Unreadable
from sekisho.read import Doors
from sekisho.read.paths import path_keys

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from sekisho.model import Door

UNNAMED: Final = "unnamed"
"""The result of a route that is no door, beside those of doors."""
ROUTES_MAX: Final = 10_000
LAYERS_MAX: Final = 100
_WRITING: Final = ("POST", "PUT", "PATCH")

_BY_LAST_SEGMENT: Final[Mapping[DoorKind, re.Pattern[str]]] = {
    kind: re.compile(words, re.IGNORECASE)
    for kind, words in {
        DoorKind.LOGIN: r"(?:.*[-_])?(?:log[-_]?[io]n|sign[-_]?in|authenticate|token|tokens|sessions?)",
        DoorKind.SIGNUP: r"(?:.*[-_])?(?:sign[-_]?up|register|registration|join)|create[-_]account",
        DoorKind.RESET: r"(?:.*[-_])?(?:forgot|forgotten|lost|recover|recovery|reset)(?:[-_].*)?",
        DoorKind.CHANGE: r"password|(?:set|change|update)[-_]password|password[-_]change",
        DoorKind.CODE: r"(?:.*[-_])?(?:otp|totp|mfa|2fa|two[-_]?factor|code|pin|verify)",
    }.items()
}
_NOT: Final = re.compile(r"csrf|refresh|revoke|push[-_]token|api[-_]tokens?|qr[-_]?code|zip[-_]?code", re.IGNORECASE)
_STEPS: Final = frozenset({"confirm", "create", "json", "key", "new"})
"""Words behind the one that says what a route does: `/reset/key`, `/session/new`."""
_PLACEHOLDER: Final = re.compile(r"\{(\w+)[^}]*\}|<(?:[^>:]*:)?(\w+)>|\(\?P<(\w+)>[^/()]*\)")
"""`{name:type}` of Starlette and Litestar, `<type:name>` of Quart and Django, and named groups of Django."""
_INNER: Final = ("app", "_app", "application")
_WORDS: Final[Mapping[DoorKind, str]] = {
    DoorKind.LOGIN: "a log-in",
    DoorKind.SIGNUP: "a sign-up",
    DoorKind.RESET: "a reset",
    DoorKind.CHANGE: "a change of a password",
    DoorKind.CODE: "a code",
}


class LookAlike(NamedTuple):
    """A route that looks like a door. `route`: as the settings write it, `POST /auth/register`."""

    route: str
    kind: DoorKind

    def described(self) -> dict[str, Any]:
        """Return it as JSON values, beside the reports of doors."""
        path = self.route.partition(" ")[2]
        line = f"{self.route} form:ACCOUNT,SECRET" if "{" not in path else f"{self.route} form:SECRET"
        return {
            "door": self.route,
            "result": UNNAMED,
            "number": "",
            "advice": f"If it is {_WORDS[self.kind]}, it is open. Add it to SEKISHO_{self.kind.name}: {line}",
        }


def look_alikes(app: Any, doors: Iterable[Door]) -> list[LookAlike]:
    """The routes of an application that take what a client writes, look like doors, and are none of these doors."""
    known = Doors(door for door in doors if door.reads_body)
    found: dict[str, LookAlike] = {}
    for number, (method, path) in enumerate(routes_in(app)):
        if number == ROUTES_MAX:
            break
        kind = _kind(path)
        if kind is not None and not _is_door(path, known):
            found.setdefault(path, LookAlike(f"{method} {path}", kind))
    return sorted(found.values(), key=lambda each: (list(DoorKind).index(each.kind), each.route))


def routes_in(app: Any) -> Iterator[tuple[str, str]]:
    """Yield the routes of an application that a client may write to: method and path, placeholders as `{name}`."""
    for methods, path in _routes(app):
        method = next((each for each in _WRITING if methods is None or each in methods), None)
        if method is not None:
            yield method, _PLACEHOLDER.sub(lambda found: f"{{{found[found.lastindex or 0]}}}", path)


def _kind(path: str) -> DoorKind | None:
    """The kind that the last word of a path names; `/reset/{token}` is that of `reset`."""
    named = [segment for segment in path.split("/") if segment and "{" not in segment]
    while named and named[-1] in _STEPS:
        named.pop()
    if not named or _NOT.search(named[-1]) or named[-2:-1] == ["token"]:
        return None
    if named[-2:] == ["password", "change"]:
        return DoorKind.CHANGE
    return next((kind for kind, words in _BY_LAST_SEGMENT.items() if words.fullmatch(named[-1])), None)


def _is_door(path: str, doors: Doors) -> bool:
    plain = re.sub(r"\{[^}]*\}", "x", path)
    try:
        return doors.stand_at(path_keys({"path": plain, "raw_path": plain.encode()}))
    except Unreadable:
        return False


Found = tuple["Iterable[str] | None", str]


def _routes(app: Any) -> Iterator[Found]:
    """All routes with their methods; None for a route whose methods are not known."""
    for _ in range(LAYERS_MAX):
        if hasattr(app, "url_map"):
            yield from ((rule.methods, rule.rule) for rule in app.url_map.iter_rules())
            return
        if isinstance(getattr(app, "routes", None), list | tuple):
            yield from _of_router(app.routes, "")
            return
        if type(app).__module__.startswith("django."):
            yield from _of_django()
            return
        inner = next((getattr(app, name) for name in _INNER if callable(getattr(app, name, None))), None)
        if inner is None:
            return
        app = inner


def _of_router(routes: Iterable[Any], prefix: str, depth: int = 0) -> Iterator[Found]:
    if depth == LAYERS_MAX:
        return
    for route in routes:
        path = prefix + getattr(route, "path", "")
        included = getattr(route, "original_router", None)  # how FastAPI keeps a router that is included
        if included is not None:
            context = getattr(route, "include_context", None)
            yield from _of_router(included.routes, prefix + getattr(context, "prefix", ""), depth + 1)
        elif isinstance(below := getattr(route, "routes", None), list | tuple):
            yield from _of_router(below, path, depth + 1)
        elif methods := getattr(route, "methods", None):
            yield methods, path


def _of_django() -> Iterator[Found]:
    urls: Any = sys.modules.get("django.urls")
    if urls is not None:
        yield from _of_patterns(urls.get_resolver().url_patterns, "/")


def _of_patterns(patterns: Iterable[Any], prefix: str) -> Iterator[Found]:
    for each in patterns:
        path = prefix + str(each.pattern).removeprefix("^").removesuffix("$").removesuffix(r"\Z").replace("\\", "")
        if hasattr(each, "url_patterns"):
            yield from _of_patterns(each.url_patterns, path)
        else:
            yield None, path
