"""What is nobody's business here, and must not pay for those who are looked at: nearly every request of a service."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from sekisho.middleware.asgi import App, Receive, Scope, Send

PATHS_MAX = 4_096  # a service has hundreds of routes; with ids in their paths they are forgotten, and looked at again
PATH_CHARS_MAX = 256  # both together bound the memory that strangers can fill: a few megabytes


class Passing:
    """Remembers at which paths something of ours may stand, and hands on requests for all others without a look.

    Others are only paths at which no request could concern us, whatever its method and headers; and none of a mounted
    application, where the path alone does not tell.

    Args:
        app: the application.
        guarded: looks at everything else.
        is_ours: whether a path could be a door, a protected route or a page of ours, read as forgivingly as any router
            reads it.
    """

    __slots__ = ("_app", "_guarded", "_is_ours", "_known")

    def __init__(self, app: App, guarded: App, is_ours: Callable[[str], bool]) -> None:
        self._app = app
        self._guarded = guarded
        self._is_ours = is_ours
        self._known: dict[str, bool] = {}

    def __call__(self, scope: Scope, receive: Receive, send: Send) -> Awaitable[None]:
        # No coroutine of its own: it would cost as much as the look that is spared.
        path = scope.get("path", "")
        ours = self._known.get(path)
        if ours is False and not scope.get("root_path"):
            return self._app(scope, receive, send)
        if ours is None:
            self._remember(path)
        return self._guarded(scope, receive, send)

    def _remember(self, path: str) -> None:
        if len(path) > PATH_CHARS_MAX:
            return
        if len(self._known) >= PATHS_MAX:
            self._known.clear()
        self._known[path] = self._is_ours(path)
