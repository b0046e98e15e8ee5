"""Reads one cookie of a request, and writes the device token's."""

from __future__ import annotations

from typing import Final, final

from sekisho.answer.cookies import attributes
from sekisho.model.value import Value


def cookie(header: bytes, start: bytes) -> bytes:
    """The value of the first cookie that starts with `start` (`name=`); empty if there is none."""
    pair = 0  # no earlier pair is the one
    # `find`, not `in`: `bytes.__contains__` first tries bytes as a number, and the error costs a thousand steps.
    while (at := header.find(start, pair)) >= 0:
        before = header[max(pair, header.rfind(b";", pair, at) + 1) : at] if at > pair else b""
        end = header.find(b";", at)
        if not before.strip():
            return header[at + len(start) : end if end >= 0 else len(header)].rstrip()
        if end < 0:
            break
        pair = end + 1
    return b""


@final
class DeviceCookie(Value):
    """The device token's cookie: its name, and its lifetime in days. `start`: how it begins in a header."""

    __slots__ = ("_elsewhere", "_here", "days", "name", "start")

    def __init__(self, name: bytes, days: int) -> None:
        self.name: Final = name
        self.days: Final = days
        self.start: Final = name + b"="
        self._here: Final = attributes(days * 86_400)
        self._elsewhere: Final = attributes(days * 86_400, elsewhere=True)

    def line(self, token: str, *, elsewhere: bool = False) -> bytes:
        return self.start + token.encode() + (self._elsewhere if elsewhere else self._here)

    def deleted(self, *, elsewhere: bool = False) -> bytes:
        return self.start + attributes(0, elsewhere=elsewhere)
