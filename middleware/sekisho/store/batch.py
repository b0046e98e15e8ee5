"""One call to Redis: operations of a script, written together and answered with one string.

A module of its own: code that every attempt runs is compiled, and the line's tasks must not be (`hatch_build.py` says
why).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, final

from redis.exceptions import InvalidResponse

from sekisho.model import StoreUnavailable
from sekisho.model.value import Value

if TYPE_CHECKING:
    import asyncio
    from collections import deque
    from collections.abc import Sequence

    from sekisho.store.script import Script


@final
class PackedKeys(Value):
    """The keys of an operation, as they are sent.

    Attributes:
        first: the first one, or its beginning up to the end of its hash tag: on a Cluster it determines the slot.
        count: how many.
        words: all of them; see `packed_words`.
    """

    __slots__ = ("count", "first", "words")

    def __init__(self, first: bytes, count: int, words: bytes) -> None:
        self.first: Final = first
        self.count: Final = count
        self.words: Final = words


def packed_keys(keys: Sequence[bytes]) -> PackedKeys:
    return PackedKeys(keys[0], len(keys), packed_words(keys))


@final
class Operation:
    """One operation. `answer` is None where no caller waits for it; `deadline` in seconds, by the loop's clock."""

    __slots__ = ("answer", "argument", "deadline", "keys")

    def __init__(
        self, keys: PackedKeys, argument: bytes, answer: asyncio.Future[bytes] | None, deadline: float
    ) -> None:
        self.keys: Final = keys
        self.argument: Final = argument
        self.answer: Final = answer
        self.deadline: Final = deadline

    @property
    def is_over(self) -> bool:
        """Whether the operation's caller was answered or was cancelled; False where no caller waits."""
        return self.answer is not None and self.answer.done()

    def by(self, deadline: float) -> Operation:
        """Return a copy with this deadline (seconds by the loop's clock), or the operation's own if that is earlier."""
        return Operation(self.keys, self.argument, self.answer, min(self.deadline, deadline))


@final
class BatchCall:
    """One command and the operations whose callers wait for its answer.

    Attributes:
        command: its words; of a script's call the first ones.
        packed: as it is written: all of its words.
    """

    __slots__ = ("asking", "command", "deadline", "operations", "packed", "result")

    def __init__(self, command: tuple[bytes, ...], deadline: float, packed: bytes = b"") -> None:
        self.command = command
        self.packed = packed or b"*%d%s\r\n" % (len(command), packed_words(command))
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
    """Remove and return the first `most` operations of a queue; those whose callers were cancelled are discarded."""
    operations: list[Operation] = []
    while queue and len(operations) < most:
        operation = queue.popleft()
        if not operation.is_over:
            operations.append(operation)
    return operations


def pack_call(script: Script, operations: list[Operation], how: tuple[bytes, bytes]) -> bytes:
    """Return, in Redis's protocol, one call of the script that runs all operations.

    `how`: the words that begin the call, such as `script.by_name`.
    """
    count, keys, rest = 0, list[bytes](), list(script.leading)
    for operation in operations:
        count += operation.keys.count
        keys.append(operation.keys.words)
        rest.append(operation.argument)
    size = len(how) + 1 + count + len(rest)
    return b"".join([b"*%d" % size, packed_words([*how, b"%d" % count]), *keys, packed_words(rest), b"\r\n"])


def packed_words(words: Sequence[bytes]) -> bytes:
    """Words of a command in the protocol of Redis (RESP: an array of bulk strings), without its first and last bytes.

    Packed here instead of by hiredis, which takes three times as long for many short keys.
    """
    parts: list[bytes] = []
    for word in words:
        parts.append(before_word(len(word)))
        parts.append(word)
    return b"".join(parts)


def before_word(length: int) -> bytes:
    """Return the bytes that stand before a word of so many bytes: the end of the word before it, and the length."""
    return _BEFORE[length] if length < _SHORT else b"\r\n$%d\r\n" % length


_SHORT: Final = 256
_BEFORE: Final = [b"\r\n$%d\r\n" % length for length in range(_SHORT)]


def share_out(operations: list[Operation], reply: Any, reply_bytes: int) -> None:
    """Give each operation's waiting caller its `reply_bytes` bytes of the reply.

    Raises `InvalidResponse` if the reply is no bytes, or not `reply_bytes` for each caller.
    """
    asked = [operation.answer for operation in operations if operation.answer is not None]
    if not isinstance(reply, bytes) or len(reply) != reply_bytes * len(asked):
        raise InvalidResponse
    at = 0
    for answer in asked:
        if not answer.done():
            answer.set_result(reply[at : at + reply_bytes])
        at += reply_bytes
