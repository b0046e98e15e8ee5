"""Which door a request stands at, if any.

Every request of the service passes here, so those at no door must pass quickly; and every request that the
application would take for a log-in must be found, whatever its path, method or mount point looks like.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from sekisho.model import Encoding, Fields
from sekisho.read.basic import has_basic
from sekisho.read.fields import secret_names
from sekisho.read.names import mentions
from sekisho.read.paths import path_key

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from sekisho.model import Door

_HARMLESS = frozenset({"GET", "HEAD", "OPTIONS", "TRACE"})
_OVERRIDES = frozenset({b"x-http-method-override", b"x-method-override", b"x-http-method"})


class Doors:
    """The doors of a service, ready to be looked up.

    A door that HTTP Basic opens as well, because a wildcard door of that kind covers its path, is returned with
    `Encoding.BASIC` among its fields: `all` holds the doors as `find` returns them.
    """

    __slots__ = ("_places", "_wild", "all")

    def __init__(self, doors: Iterable[Door]) -> None:
        listed = tuple(doors)
        wild = [door for door in listed if door.path.endswith("*")]
        exact = [_opened_by_basic(door, listed) for door in listed if door not in wild]
        self.all = (*exact, *wild)
        by_key: dict[str, list[Door]] = {}
        for door in exact:
            by_key.setdefault(path_key(door.path), []).append(door)
        self._places = {key: _Place(here) for key, here in by_key.items()}
        by_prefix: dict[str, list[Door]] = {}
        for door in sorted(wild, key=lambda door: len(door.path), reverse=True):
            by_prefix.setdefault(_prefix(door), []).append(door)
        self._wild = [(prefix, _Place(here)) for prefix, here in by_prefix.items()]

    def find(self, scope: Mapping[str, Any]) -> Door | None:
        """The door of a request or a WebSocket, or `None`. Only the path decides: `Host` is the client's to choose."""
        path = scope.get("path")
        if path is None:  # lifespan
            return None
        key = path_key(path)
        if scope.get("root_path"):
            return self._find_mounted(key, scope)
        place = self._places.get(key)
        if place is not None and (door := place.find(scope)):
            return door
        return self._find_wild((key,), scope) if self._wild else None

    def stand_at(self, path: str) -> bool:
        """Whether `find` could find a door for some request with this path and no `root_path`."""
        key = path_key(path)
        return key in self._places or any(f"{key}/".startswith(prefix) for prefix, _ in self._wild)

    def _find_mounted(self, key: str, scope: Mapping[str, Any]) -> Door | None:
        # Litestar drops the mount point wherever it first appears, others at the start alone; doors may be
        # configured with it or without.
        keys = (key, key.partition(path_key(scope["root_path"]) or "\0")[2])
        for each in keys:
            place = self._places.get(each)
            if place is not None and (door := place.find(scope)):
                return door
        return self._find_wild(keys, scope) if self._wild else None

    def _find_wild(self, keys: tuple[str, ...], scope: Mapping[str, Any]) -> Door | None:
        for prefix, place in self._wild:
            if any(f"{key}/".startswith(prefix) for key in keys) and (door := place.find(scope)):
                return door
        return None


class _Place:
    """All doors that share a path."""

    __slots__ = ("_basic", "_by_method", "_first", "_secrets")

    def __init__(self, doors: list[Door]) -> None:
        opened = [door for door in doors if _asks_in_body(door)]
        self._by_method = {door.method: door for door in reversed(opened)}
        self._first = self._by_method.get("*") or next(iter(opened), None)
        self._basic = next((door for door in doors if not _asks_in_body(door)), None)
        self._secrets = frozenset(name for door in opened for name in secret_names(door))

    def find(self, scope: Mapping[str, Any]) -> Door | None:
        method = scope.get("method", "")
        door = self._by_method.get(method)
        if door is None and self._first is not None:
            door = self._by_other_method(self._first, method, scope)
        if door is None and self._basic is not None and has_basic(scope["headers"]):
            return self._basic
        return door

    def _by_other_method(self, first: Door, method: str, scope: Mapping[str, Any]) -> Door | None:
        # A socket has no method, and a field `_method` in a body can make any of these the door's.
        if method not in _HARMLESS or first.method == "*":
            return first
        for name, value in scope["headers"]:
            if name in _OVERRIDES and (door := self._by_method.get(value.decode("latin-1").strip().upper())):
                return door
        if method in {"GET", "HEAD"} and self._tells_secret(scope.get("query_string", b"")):
            return first
        # Routers that answer GET answer HEAD, with the same handler.
        return self._by_method.get("GET") if method == "HEAD" else None

    def _tells_secret(self, query: bytes) -> bool:
        return bool(query) and mentions(query, self._secrets | {"_method"})


def _asks_in_body(door: Door) -> bool:
    # A door without any field (a log-out) is found by its method as well.
    return door.reads_body or not door.fields


def _prefix(door: Door) -> str:
    # `/files/*` covers `/files/` and below it, `/files*` also `/filesystem`; `*` everything.
    return door.path.removesuffix("*").casefold()


def _opened_by_basic(door: Door, doors: Iterable[Door]) -> Door:
    if not _asks_in_body(door) or any(fields.encoding is Encoding.BASIC for fields in door.fields):
        return door
    basics = (other for other in doors if not _asks_in_body(other))
    if any(_covers(other, door) for other in basics):
        return replace(door, fields=(*door.fields, Fields(Encoding.BASIC)))
    return door


def _covers(basic: Door, door: Door) -> bool:
    key = path_key(door.path)
    if basic.path.endswith("*"):
        return f"{key}/".startswith(_prefix(basic))
    return path_key(basic.path) == key
