"""What is nobody's business here, and must not pay for those who are looked at: nearly every request of a service."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, final

if TYPE_CHECKING:
    from collections.abc import Callable

    from sekisho.middleware.asgi import Scope

# A service has hundreds of routes; with ids in their paths they are forgotten, and looked at again.
PATHS_MAX: Final = 4_096
PATH_CHARS_MAX: Final = 256  # both together bound the memory that strangers can fill: a few megabytes
RAW_BYTES_MAX: Final = 3 * PATH_CHARS_MAX


@final
class Passing:
    """Remembers at which paths something of ours may stand, so that requests for all others need no look.

    Others are only paths at which no request could concern us, whatever its method and headers; and none of a mounted
    application, where the path alone does not tell.

    Args:
        is_ours: whether a request's path could be that of a door, a protected route or a page of ours, read as
            forgivingly as any router reads it.
    """

    __slots__ = ("_is_ours", "_known")

    def __init__(self, is_ours: Callable[[Scope], bool]) -> None:
        self._is_ours = is_ours
        # Path as decoded → as it came, which some routers read instead, and whether something of ours may stand there.
        self._known: dict[str, tuple[bytes | None, bool]] = {}

    def passes(self, scope: Scope) -> bool:
        """Whether this is certain to concern nobody here. The first look at a path is never certain of it."""
        path = scope.get("path")
        if not path:  # a lifespan has none
            return False
        raw = scope.get("raw_path")
        known = self._known.get(path)
        if known is not None and known[0] == raw:
            return not (known[1] or scope.get("root_path"))
        if not scope.get("root_path"):
            self._remember(scope, path, raw)
        return False

    def _remember(self, scope: Scope, path: str, raw: bytes | None) -> None:
        if len(path) > PATH_CHARS_MAX or (raw is not None and len(raw) > RAW_BYTES_MAX):
            return
        if len(self._known) >= PATHS_MAX:
            self._known.clear()
        self._known[path] = raw, self._is_ours(scope)
