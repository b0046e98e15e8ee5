"""The context of a request at a door: its client, its headers, its body reader and its `send`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, final

from sekisho.asgi.cookies import cookie
from sekisho.devices.token import browser_family
from sekisho.model.value import Value

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sekisho.asgi.body_reader import BodyReader
    from sekisho.asgi.types import Scope, Send
    from sekisho.model import Door
    from sekisho.read import Caller


DEVICE_HEADER: Final = b"sekisho-device"


@final
class PresentedToken(Value):
    """The device token as the client sent it. Native apps send it in a header and get the new one in a header."""

    __slots__ = ("by_header", "token")

    def __init__(
        self,
        token: str,
        by_header: bool,
    ) -> None:
        self.token: Final = token
        self.by_header: Final = by_header

    def __repr__(self) -> str:
        return f"PresentedToken(by_header={self.by_header}, ...)"


NOTHING: Final = PresentedToken("", by_header=False)


def presented(by_name: Mapping[bytes, bytes], start: bytes) -> PresentedToken:
    """The device token in a request's headers; `start`: how its cookie begins."""
    if token := cookie(by_name.get(b"cookie", b""), start):
        return PresentedToken(token.decode("latin-1"), by_header=False)
    if (shown := by_name.get(DEVICE_HEADER)) is not None:
        return PresentedToken(shown.decode("latin-1"), by_header=True)
    return NOTHING


@final
class RequestContext(Value):
    """Attributes:
    by_name: the request's headers by name: the last of a repeated header, all cookies.
    as_sent: the scope as the server gave it, for the application alone.
    scope: the same with header names in lower case.
    """

    __slots__ = (
        "_family",
        "as_sent",
        "body_reader",
        "by_name",
        "caller",
        "digests",
        "door",
        "origin",
        "presented",
        "scope",
        "send",
    )

    def __init__(
        self,
        door: Door,
        caller: Caller,
        presented: PresentedToken,
        by_name: dict[bytes, bytes],
        as_sent: Scope,
        scope: Scope,
        body_reader: BodyReader,
        send: Send,
    ) -> None:
        self._family = -1  # not asked yet
        self.door: Final = door
        self.caller: Final = caller
        self.origin: Final = caller.origin
        self.digests: Final = caller.digests
        self.presented: Final = presented
        self.by_name: Final = by_name
        self.as_sent: Final = as_sent
        self.scope: Final = scope
        self.body_reader: Final = body_reader
        self.send: Final = send

    @property
    def family(self) -> int:
        """The family of the client's browser, as a number that device tokens contain. It is read from `User-Agent`."""
        if self._family < 0:
            self._family = browser_family(self.by_name.get(b"user-agent", b""))
        return self._family

    def at(self, door: Door) -> RequestContext:
        """This context at another door of the same path."""
        return RequestContext(
            door, self.caller, self.presented, self.by_name, self.as_sent, self.scope, self.body_reader, self.send
        )

    def sending(self, send: Send) -> RequestContext:
        """This context with another `send`, by which the request is answered."""
        return RequestContext(
            self.door, self.caller, self.presented, self.by_name, self.as_sent, self.scope, self.body_reader, send
        )

    def __repr__(self) -> str:
        # The scope holds cookies and addresses, and error reporters print local variables.
        return f"RequestContext(door={self.door.name!r}, ...)"
