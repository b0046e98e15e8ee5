"""What a process leaves where others can read it: its logs, and its keys in Redis."""

from __future__ import annotations

import io
import logging
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import redis

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.servers import RedisServer


class Captured(logging.Handler):
    """All records of all levels: formatted, with their arguments and their tracebacks."""

    def __init__(self) -> None:
        super().__init__(logging.NOTSET)
        self.text = io.StringIO()

    def emit(self, record: logging.LogRecord) -> None:
        self.text.write(f"{record.name} {record.getMessage()} {record.args!r} {self.format(record)}\n")


@contextmanager
def capturing() -> Iterator[Captured]:
    """Every record of every logger, from the lowest level."""
    handler, root = Captured(), logging.getLogger()
    before = root.level
    root.addHandler(handler)
    root.setLevel(logging.NOTSET)
    logging.getLogger("sekisho").setLevel(logging.DEBUG)
    try:
        yield handler
    finally:
        root.removeHandler(handler)
        root.setLevel(before)
        logging.getLogger("sekisho").setLevel(logging.NOTSET)


def dump(server: RedisServer) -> bytes:
    """All keys and values of a Redis, as bytes."""
    parts: list[bytes] = []
    with redis.Redis(unix_socket_path=str(server.socket_path)) as client:
        read: dict[bytes, Callable[[bytes], Any]] = {
            b"string": client.get,
            b"hash": client.hgetall,
            b"zset": lambda key: client.zrange(key, 0, -1),
            b"set": lambda key: list(client.smembers(key)),
        }
        for key in client.keys("*"):
            parts += [key, *_flat(read[client.type(key)](key))]
    return b"\n".join(parts)


def _flat(value: Any) -> list[bytes]:
    if isinstance(value, bytes):
        return [value]
    items = value.items() if isinstance(value, dict) else value
    return [part for item in items for part in _flat(item)] if not isinstance(value, int | float) else []
