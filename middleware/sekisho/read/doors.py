"""Find the door of a request, if it has one.

Every request of the service passes here, so requests at no door must pass quickly. Every request that the application
would treat as a log-in must be found, for any spelling of its path, method or mount point.

**Doors fail towards being found**: a request that any supported server and router could deliver to a door's handler
belongs to that door, or is refused. Protected routes, sekisho's own pages and the fast path use the same `path_keys`.
"""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise
from typing import TYPE_CHECKING, Any

from sekisho.model import Encoding, Unreadable
from sekisho.read.basic import has_basic
from sekisho.read.fields import secret_names
from sekisho.read.graphql import PARAMETERS
from sekisho.read.names import OVERRIDE_FIELD, Mention
from sekisho.read.paths import path_key, path_keys
from sekisho.read.request.method import HARMLESS, announces_body, overrides
from sekisho.read.request.template import FORMATS, Template, same_route

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

    from sekisho.model import Door


class Doors:
    """An index of a service's doors.

    If a door for HTTP Basic covers another door's path, that other door also gets `Encoding.BASIC` among its fields.
    Doors that share a path are marked so. `all` holds the doors as `find` returns them.
    """

    __slots__ = ("_as_written", "_operations", "_patterns", "_places", "_wild", "all")

    def __init__(self, doors: Iterable[Door]) -> None:
        listed = tuple(doors)
        wild = [door for door in listed if door.path.endswith("*")]
        exact = [_opened_by_basic(door, listed) for door in listed if door not in wild]
        plain = _together(exact, lambda door: path_key(door.path), lambda door: "{" not in door.path)
        patterns = _together(exact, lambda door: same_route(door.path), lambda door: "{" in door.path)
        self.all = (*(door for here in (*plain.values(), *patterns.values()) for door in here), *wild)
        places = {key: _Place(here) for key, here in plain.items()}
        self._places = {key + suffix: place for suffix in FORMATS for key, place in places.items()} | places
        # If a door's path is its own only key, an attempt at exactly that path needs no `path_keys`.
        self._as_written = {
            door.path: raw
            for door in exact
            if path_keys({"path": door.path, "raw_path": (raw := door.path.encode())}) == (door.path,)
        }
        self._patterns = [(Template(here[0].path), _Place(here)) for here in patterns.values()]
        self._operations = {
            door.name: tuple(other for other in self.all if other.operation and _is_beside(door, other))
            for door in self.all
            if door.operation
        }
        by_prefix: dict[str, list[Door]] = {}
        for door in wild:
            by_prefix.setdefault(_prefix(door), []).append(door)
        # A mounted GraphQL application answers at every path below its own: `/graphql/x` would be a gate beside it.
        for key, here in plain.items():
            if operations := [door for door in here if door.operation]:
                by_prefix.setdefault(f"{key.rstrip('/')}/", []).extend(operations)
        longest_first = sorted(by_prefix.items(), key=lambda each: len(each[0]), reverse=True)
        self._wild = [(prefix, _Place(here)) for prefix, here in longest_first]

    def find(self, scope: Mapping[str, Any], *, has_body: bool = False) -> Door | None:
        """The door of a request or a WebSocket, or `None`. `Host` is ignored: the client chooses it.

        Args:
            scope: the ASGI scope; header names in lower case.
            has_body: whether there is a body that no header announces, as HTTP/2 allows.

        Raises:
            Unreadable: 400 if routers disagree about the target; see `path_keys`. And if some routers choose one door
                and some another that reads other credentials: `/files/../login`.
        """
        path = scope.get("path")
        if path is None:  # lifespan
            return None
        as_written = self._as_written.get(path)
        if as_written is not None and as_written == scope.get("raw_path") and not scope.get("root_path"):
            keys: tuple[str, ...] = (path,)
        elif len(keys := path_keys(scope)) > 1:
            self._agree_on(keys, scope)
        for key in keys:
            place = self._places.get(key)
            if place is not None and (door := place.find(scope, has_body=has_body)):
                return door
        return self._find_wider(keys, scope, has_body=has_body) if self._wild or self._patterns else None

    def find_all(self, scope: Mapping[str, Any], *, has_body: bool = False) -> Iterator[Door]:
        """Every door that some router may choose for the request. Raises `Unreadable` as `path_keys` does."""
        if scope.get("path") is None:
            return
        keys = path_keys(scope)
        places = [place for key in keys if (place := self._places.get(key))]
        for place in (*places, *self._wider(keys)):
            yield from place.find_all(scope, has_body=has_body)

    def operations(self, door: Door) -> tuple[Door, ...]:
        """Return the doors for GraphQL operations at this door's method and path, itself included."""
        return self._operations[door.name]

    def stand_at(self, keys: tuple[str, ...]) -> bool:
        """Whether any door, for any method, has a path with one of these keys. The keys: see `path_keys`."""
        return any(key in self._places for key in keys) or bool(self._wider(keys))

    def _agree_on(self, keys: tuple[str, ...], scope: Mapping[str, Any]) -> None:
        # Otherwise a guess would be charged at one door and checked, uncounted, at the other.
        places = {place for key in keys if (place := self._places.get(key) or next(iter(self._wider((key,))), None))}
        if len(places) < 2:
            return
        shows_basic = has_basic(scope["headers"])
        read = sorted([place.fields for place in places if shows_basic or not place.by_header], key=len)
        if not all(less <= more for less, more in pairwise(read)):
            raise Unreadable(400, "path_doubtful")

    def _find_wider(self, keys: tuple[str, ...], scope: Mapping[str, Any], *, has_body: bool) -> Door | None:
        for place in self._wider(keys):
            if door := place.find(scope, has_body=has_body):
                return door
        return None

    def _wider(self, keys: tuple[str, ...]) -> list[_Place]:
        """The places that match more than one path: those with placeholders, then prefixes, the longest first."""
        patterns = [place for template, place in self._patterns if template.matches(keys)]
        return [*patterns, *(place for prefix, place in self._wild if _is_below(keys, prefix))]


class _Place:
    """All doors that share a path."""

    __slots__ = ("_basic", "_by_method", "_first", "_telling", "by_header", "fields")

    def __init__(self, doors: list[Door]) -> None:
        self.by_header = all(door.by_header for door in doors)
        self.fields = frozenset(fields for door in doors for fields in door.fields)
        opened = [door for door in doors if not door.by_header]
        self._by_method = {door.method: door for door in reversed(opened)}
        self._first = self._by_method.get("*") or next(iter(opened), None)
        self._basic = next((door for door in doors if door.by_header), None)
        names = {name for door in opened for name in (PARAMETERS if door.operation else secret_names(door))}
        self._telling = Mention({OVERRIDE_FIELD, *names})

    def find(self, scope: Mapping[str, Any], *, has_body: bool) -> Door | None:
        method = scope.get("method", "")
        door = self._by_method.get(method)
        if door is None and self._first is not None:
            door = self._by_other_method(self._first, method, scope, has_body=has_body)
        if door is None and self._basic is not None and has_basic(scope["headers"]):
            return self._basic
        return door

    def find_all(self, scope: Mapping[str, Any], *, has_body: bool) -> list[Door]:
        method = scope.get("method", "").upper()
        methods = {method, *overrides(scope), "GET" if method == "HEAD" else "*", "*"}
        known = [door for name, door in self._by_method.items() if name in methods]
        is_look = method in HARMLESS and not self._is_more_than_a_look(scope, has_body=has_body)
        # The handler of a method without a door is unknown. And any form may override its method.
        if is_look or (method in self._by_method and not (method == "POST" and _brings_form(scope))):
            return known
        return list(self._by_method.values())

    def _by_other_method(self, first: Door, method: str, scope: Mapping[str, Any], *, has_body: bool) -> Door | None:
        # Django treats `put` as PUT.
        if door := self._by_method.get(method.upper()):
            return door
        # A WebSocket has no method, and a body's field `_method` can turn any of these methods into the door's.
        if method not in HARMLESS or first.method == "*":
            return first
        for other in overrides(scope):
            if other not in HARMLESS:
                return self._by_method.get(other, first)
        if self._is_more_than_a_look(scope, has_body=has_body):
            return first
        # Routers answer HEAD with the handler of GET.
        return self._by_method.get("GET") if method == "HEAD" else None

    def _is_more_than_a_look(self, scope: Mapping[str, Any], *, has_body: bool) -> bool:
        """Whether there is a body, or a secret or another method in the query.

        Handlers for both GET and POST read a form from either.
        """
        told = self._telling.search(scope.get("query_string", b""))
        return has_body or told or announces_body(scope["headers"])


def _is_beside(door: Door, other: Door) -> bool:
    return (door.method, same_route(door.path)) == (other.method, same_route(other.path))


def _brings_form(scope: Mapping[str, Any]) -> bool:
    """Whether the body may have a field `_method`: frameworks read it in forms."""
    types = [value for name, value in scope["headers"] if name == b"content-type"]
    return not types or any(b"json" not in value.lower() for value in types)


def _together(
    doors: Iterable[Door], key_of: Callable[[Door], str], belongs: Callable[[Door], bool]
) -> dict[str, list[Door]]:
    """The doors for which `belongs` holds, by path."""
    by_key: dict[str, list[Door]] = {}
    for door in doors:
        if belongs(door):
            by_key.setdefault(key_of(door), []).append(door)
    return {key: _sharing(here) for key, here in by_key.items()}


def _sharing(doors: list[Door]) -> list[Door]:
    """Mark the doors of one path as shared if there are several: there a method override selects the door."""
    several = len({door.method for door in doors if not door.by_header}) > 1
    return [replace(door, shares_path=not door.by_header) for door in doors] if several else doors


def _prefix(door: Door) -> str:
    # `/files/*` covers `/files/` and all below it, `/files*` also `/filesystem`; `*` covers everything.
    return door.path.removesuffix("*").casefold()


def _is_below(keys: tuple[str, ...], prefix: str) -> bool:
    return any(f"{key}/".startswith(prefix) for key in keys)


def _opened_by_basic(door: Door, doors: Iterable[Door]) -> Door:
    if door.by_header or any(fields.encoding is Encoding.BASIC for fields in door.fields):
        return door
    covering = [other for other in doors if other.by_header and _covers(other, door)]
    if not covering:
        return door
    # Of several, the one that `find` would return: its charset applies to the header.
    nearest = max(covering, key=lambda other: (not other.path.endswith("*"), len(other.path)))
    return replace(door, fields=(*door.fields, *nearest.fields))


def _covers(basic: Door, door: Door) -> bool:
    key = path_key(door.path)
    if basic.path.endswith("*"):
        return f"{key}/".startswith(_prefix(basic))
    return path_key(basic.path) == key
