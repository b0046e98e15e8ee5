"""A request to the guard's own pages, as the modules that answer it get it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, NamedTuple

from sekisho.stepup.flow.resubmission import before

if TYPE_CHECKING:
    from sekisho.answer import Answer
    from sekisho.asgi.types import App, Receive, Scope, Send
    from sekisho.model.headers import Headers
    from sekisho.read import Caller
    from sekisho.stepup.flow.browser_key import BrowserKey


class PageCall(NamedTuple):
    """One request to the guard's own pages.

    `guarded`: the guarded application; a request that a page carried goes through it like any other.
    """

    scope: Scope
    caller: Caller
    by_name: dict[bytes, bytes]
    fields: dict[str, str]
    browser_key: BrowserKey
    mount: str
    receive: Receive
    send: Send
    guarded: App

    @property
    def headers(self) -> Headers:
        headers: Headers = self.scope["headers"]
        return headers

    @property
    def prefix(self) -> str:
        """The part of the path before the mount: where the application itself is mounted, if anywhere."""
        return before(self.scope, self.mount)

    def __repr__(self) -> str:
        return "PageCall(...)"


Handler = Callable[[PageCall], Awaitable["Answer | None"]]
