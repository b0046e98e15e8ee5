"""What is nobody's business here, and must not pay for those who are looked at: nearly every request of a service."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, final

if TYPE_CHECKING:
    from collections.abc import Callable

    from sekisho.middleware.asgi import Scope

# A service has hundreds of routes; with ids in their paths they are forgotten, and looked at again.
PATHS_MAX: Final = 4_096
PATH_CHARS_MAX: Final = 256  # both together bound the memory that strangers can fill: a few megabytes


@final
class Passing:
    """Remembers at which paths something of ours may stand, so that requests for all others need no look.

    Others are only paths at which no request could concern us, whatever its method and headers; and none of a mounted
    application, where the path alone does not tell.

    Args:
        is_ours: whether a path could be a door, a protected route or a page of ours, read as forgivingly as any router
            reads it.
    """

    __slots__ = ("_is_ours", "_known")

    def __init__(self, is_ours: Callable[[str], bool]) -> None:
        self._is_ours = is_ours
        self._known: dict[str, bool] = {}

    def passes(self, scope: Scope) -> bool:
        """Whether this is certain to concern nobody here. The first look at a path is never certain of it."""
        path = scope.get("path")
        if not path:  # a lifespan has none
            return False
        ours = self._known.get(path)
        if ours is None:
            self._remember(path)
            return False
        return not (ours or scope.get("root_path"))

    def _remember(self, path: str) -> None:
        if len(path) > PATH_CHARS_MAX:
            return
        if len(self._known) >= PATHS_MAX:
            self._known.clear()
        self._known[path] = self._is_ours(path)
