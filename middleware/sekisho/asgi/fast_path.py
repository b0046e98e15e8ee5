"""Fast path for requests that do not concern the guard (nearly all of a service): they must not pay for the others."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, final

if TYPE_CHECKING:
    from collections.abc import Callable

    from sekisho.asgi.types import Scope

# A service has hundreds of routes. Paths with ids in them fill the table; it is then cleared and learnt again.
PATHS_MAX: Final = 4_096
PATH_CHARS_MAX: Final = 256  # with PATHS_MAX this bounds the memory that strangers can fill to a few megabytes
LOOK_EVERY: Final = 256  # requests: an examined one costs some twenty fast ones
RAW_BYTES_MAX: Final = 3 * PATH_CHARS_MAX

_NONE: Final[frozenset[str | None]] = frozenset()
_LOOKS: Final[frozenset[str | None]] = frozenset({"GET", "HEAD", "OPTIONS", "TRACE", None})  # None: a WebSocket
_USUAL: Final[frozenset[str | None]] = _LOOKS | {"POST", "PUT", "PATCH", "DELETE"}


@final
class FastPath:
    """Remembers which paths may lead to a guarded route, so that requests for all others are not examined.

    A path is passed only if no request for it could concern the guard, regardless of method and headers. Requests
    to a mounted application are never passed: there the path alone does not determine the route.

    One in 256 requests is examined all the same: a path whose first request showed no credentials may answer to HTTP
    Basic.

    Args:
        is_ours: whether a request's path could be that of a door, a protected route or one of the guard's own pages,
            read as leniently as any router reads it.
        samples: how many requests that may have a body do not pass, of each path: they are looked at.
    """

    __slots__ = ("_is_ours", "_known", "_left", "_sampled", "_samples")

    def __init__(self, is_ours: Callable[[Scope], bool], *, samples: int = 0) -> None:
        self._is_ours = is_ours
        self._samples = samples
        self._left = LOOK_EVERY
        # Decoded path → the raw path (some routers read that instead), and the methods of requests that pass.
        self._known: dict[str, tuple[bytes | None, frozenset[str | None]]] = {}
        self._sampled: dict[str, int] = {}

    def passes(self, scope: Scope) -> bool:
        """Whether this request certainly does not concern the guard. The first request for a path is never certain."""
        known = self._known.get(scope.get("path", ""))
        if known is not None:
            raw, passing = known
            if raw == scope.get("raw_path"):
                if passing is _NONE:
                    return False
                if scope.get("method") in passing:
                    self._left -= 1
                    if self._left:
                        return not scope.get("root_path")
                    self._left = LOOK_EVERY
                    return False
                if passing is _LOOKS:
                    self._sample(scope["path"], raw)
                return False
        if scope.get("path") and not scope.get("root_path"):  # a lifespan has none
            self._remember(scope, scope["path"], scope.get("raw_path"))
        return False

    def _remember(self, scope: Scope, path: str, raw: bytes | None) -> None:
        if len(path) > PATH_CHARS_MAX or (raw is not None and len(raw) > RAW_BYTES_MAX):
            return
        if len(self._known) >= PATHS_MAX:
            self._known.clear()
            self._sampled.clear()
        passing = _LOOKS if self._samples else _USUAL
        if self._is_ours(scope):
            passing = _NONE
        self._known[path] = raw, passing
        if passing is _LOOKS and scope.get("method") not in _LOOKS:
            self._sample(path, raw)

    def _sample(self, path: str, raw: bytes | None) -> None:
        """Count a request of a path that is looked at; after enough of them all pass."""
        self._sampled[path] = count = self._sampled.get(path, 0) + 1
        if count >= self._samples:
            self._known[path] = raw, _USUAL
            del self._sampled[path]
