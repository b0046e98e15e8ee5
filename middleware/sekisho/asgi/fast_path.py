"""Fast path for requests that do not concern the guard (nearly all of a service): they must not pay for the others."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, final

if TYPE_CHECKING:
    from collections.abc import Callable

    from sekisho.asgi.types import Scope

# A service has hundreds of routes. Paths with ids in them fill the table; it is then cleared and learnt again.
PATHS_MAX: Final = 4_096
PATH_CHARS_MAX: Final = 256  # with PATHS_MAX this bounds the memory that strangers can fill to a few megabytes
RAW_BYTES_MAX: Final = 3 * PATH_CHARS_MAX


@final
class FastPath:
    """Remembers which paths may lead to a guarded route, so that requests for all others are not examined.

    A path is passed only if no request for it could concern the guard, regardless of method and headers. Requests
    to a mounted application are never passed: there the path alone does not determine the route.

    Args:
        is_ours: whether a request's path could be that of a door, a protected route or one of the guard's own pages,
            read as leniently as any router reads it.
    """

    __slots__ = ("_is_ours", "_known")

    def __init__(self, is_ours: Callable[[Scope], bool]) -> None:
        self._is_ours = is_ours
        # Decoded path → the raw path (some routers read that instead), and whether it may lead to a guarded route.
        self._known: dict[str, tuple[bytes | None, bool]] = {}

    def passes(self, scope: Scope) -> bool:
        """Whether this request certainly does not concern the guard. The first request for a path is never certain."""
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
