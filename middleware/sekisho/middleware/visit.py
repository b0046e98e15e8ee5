"""A request at a door: who it comes from, and the ends of its line."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from sekisho.middleware.cookies import cookie

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sekisho.middleware.asgi import Scope, Send
    from sekisho.middleware.intake import Intake
    from sekisho.model import Door, Origin


DEVICE_HEADER = b"sekisho-device"


class Presented(NamedTuple):
    """The device token as a client sent it. Native apps use a header, and are answered in one."""

    token: str
    by_header: bool

    def __repr__(self) -> str:
        return f"Presented(by_header={self.by_header}, ...)"


NOTHING = Presented("", by_header=False)


def presented(named: Mapping[bytes, bytes], start: bytes) -> Presented:
    """The device token in a request's headers; `start`: how its cookie begins."""
    if token := cookie(named.get(b"cookie", b""), start):
        return Presented(token.decode("latin-1"), by_header=False)
    if (shown := named.get(DEVICE_HEADER)) is not None:
        return Presented(shown.decode("latin-1"), by_header=True)
    return NOTHING


class Visit(NamedTuple):
    """Attributes:
    digests: of the origin, as `Digests.origin_digests` gives them.
    named: the request's headers by name; of a repeated one the last. Asked whether a name is there at all.
    """

    door: Door
    origin: Origin
    digests: tuple[bytes, ...]
    presented: Presented
    named: dict[bytes, bytes]
    scope: Scope
    intake: Intake
    send: Send

    def __repr__(self) -> str:
        # Its scope holds cookies and addresses, and error reporters print the values of a frame.
        return f"Visit(door={self.door.name!r}, ...)"
