"""The posture as the workers estimate it."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING

from sekisho.control.sockets import SocketControl
from sekisho.detect import StoredPostures
from sekisho.detect.written import PostureMac, decode_state
from sekisho.judge.posture import PostureState

if TYPE_CHECKING:
    from sekisho.cli.operator import Desk


async def estimate(service: Desk) -> PostureState:
    """What the workers estimate; an empty state where they do not, or where it cannot be read.

    Raises `StoreUnavailable`.
    """
    found = service.settings
    if service.line is None:
        return _told(await SocketControl(found.control_socket or "").ask(b"posture"))
    mac = PostureMac(found.listed, found.namespace)
    return await StoredPostures(service.line, found.namespace, [door.name for door in found.doors], mac).kept()


def _told(answer: bytes) -> PostureState:
    with suppress(ValueError):  # a process that estimates none, or of an earlier version
        return decode_state(answer)
    return PostureState()
