"""One call to Redis: operations of a script, written together and answered with one string.

A module of its own: code that every attempt runs is compiled, and the line's tasks must not be (`hatch_build.py` says
why).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, final

from redis.exceptions import InvalidResponse

from sekisho.model import StoreUnavailable

if TYPE_CHECKING:
    import asyncio
    from collections import deque
    from collections.abc import Sequence

    from sekisho.store.script import Script


@final
class Operation:
    """One operation. `answer` is None where no caller waits for it; `deadline` in seconds, by the loop's clock."""

    __slots__ = ("answer", "argument", "deadline", "keys")

    def __init__(
        self, keys: Sequence[bytes], argument: bytes, answer: asyncio.Future[bytes] | None, deadline: float
    ) -> None:
        self.keys: Final = keys
        self.argument: Final = argument
        self.answer: Final = answer
        self.deadline: Final = deadline

    @property
    def is_over(self) -> bool:
        """Whether the caller was answered or was cancelled."""
        return self.answer is not None and self.answer.done()

    def by(self, deadline: float) -> Operation:
        """The same operation with this deadline."""
        return Operation(self.keys, self.argument, self.answer, min(self.deadline, deadline))


@final
class BatchCall:
    """One command and the operations whose callers wait for its answer."""

    __slots__ = ("asking", "command", "deadline", "operations", "result")

    def __init__(self, command: tuple[bytes, ...], deadline: float) -> None:
        self.command = command
        self.deadline = deadline
        self.operations: list[Operation] = []
        self.result: asyncio.Future[Any] | None = None
        self.asking = False  # a Cluster is moving the slot to this call's node

    def fail(self) -> None:
        refuse(self.result)
        for operation in self.operations:
            refuse(operation.answer)

    @property
    def told(self) -> list[Operation]:
        return [operation for operation in self.operations if operation.answer is None]


def refuse(answer: asyncio.Future[Any] | None) -> None:
    if answer is not None and not answer.done():
        answer.set_exception(StoreUnavailable())


def taken_from(queue: deque[Operation], most: int) -> list[Operation]:
    """The next operations, without those that were cancelled before they were written: they never happened."""
    operations: list[Operation] = []
    while queue and len(operations) < most:
        operation = queue.popleft()
        if not operation.is_over:
            operations.append(operation)
    return operations


def command_of(script: Script, operations: list[Operation], how: tuple[bytes, bytes]) -> tuple[bytes, ...]:
    """The command that runs all of these operations. `how`: its first words, such as `script.by_name`."""
    keys: list[bytes] = []
    for operation in operations:
        keys.extend(operation.keys)
    arguments = [operation.argument for operation in operations]
    return (*how, b"%d" % len(keys), *keys, *script.leading, *arguments)


def packed(commands: Sequence[tuple[bytes, ...]]) -> bytes:
    """Commands in the protocol of Redis (RESP: arrays of bulk strings).

    Packed here instead of by hiredis, which takes three times as long for many short keys.
    """
    parts: list[bytes] = []
    for command in commands:
        parts.append(b"*%d" % len(command))
        for each in command:
            length = len(each)
            parts.append(_LENGTHS[length] if length < _SHORT else _length(length))
            parts.append(each)
        parts.append(b"\r\n")
    return b"".join(parts)


def _length(length: int) -> bytes:
    """The bytes between two strings: the end of the first and the length of the second."""
    return b"\r\n$%d\r\n" % length


_SHORT: Final = 256
_LENGTHS: Final = [_length(length) for length in range(_SHORT)]


def share_out(operations: list[Operation], reply: Any, reply_bytes: int) -> None:
    """Give each caller its part of the reply. Raises `InvalidResponse` if the reply has another length."""
    asked = [operation.answer for operation in operations if operation.answer is not None]
    if not isinstance(reply, bytes) or len(reply) != reply_bytes * len(asked):
        raise InvalidResponse
    at = 0
    for answer in asked:
        if not answer.done():
            answer.set_result(reply[at : at + reply_bytes])
        at += reply_bytes
