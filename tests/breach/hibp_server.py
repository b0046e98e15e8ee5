"""A range API server on a real socket that answers rightly or fails in one of many ways."""

from __future__ import annotations

import asyncio
import re
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from tests.talking import Talker, listening

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable

    from tests.breach.ranges import Ranges

    Answer = Callable[[asyncio.StreamWriter, bytes], Awaitable[None]]


class RangeApi(Talker):
    """Answers `/range/{prefix}` from `ranges`, in the manner of `answer`, which may be changed at any time.

    Attributes:
        requests: all that each connection has sent, to the last byte, in the order in which they came.
        asked: set while there has been a request since it was last cleared.
    """

    def __init__(self, ranges: Ranges, answer: Answer, *, padding: int = 0) -> None:
        super().__init__()
        self.ranges = ranges
        self.answer = answer
        self.padding = padding
        self.requests: list[bytearray] = []
        self.asked = asyncio.Event()
        self.url = ""

    @property
    def prefixes(self) -> list[str]:
        """The prefixes asked for, in order."""
        return [_prefix(bytes(request)) for request in self.requests]

    async def talk(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        request = bytearray(await reader.readuntil(b"\r\n\r\n"))
        self.requests.append(request)
        self.asked.set()
        await self.answer(writer, self.ranges.body(_prefix(bytes(request)), padding=self.padding))
        await writer.drain()
        if writer.can_write_eof():
            writer.write_eof()  # written bytes arrive; an abort alone might overtake them
            request += await reader.read()
        else:
            writer.close()  # TLS
            await writer.wait_closed()

    async def leave(self, writer: asyncio.StreamWriter) -> None:
        writer.transport.abort()


@asynccontextmanager
async def range_api(
    ranges: Ranges, answer: Answer | None = None, *, padding: int = 0, secure: bool = False, port: int = 0
) -> AsyncIterator[RangeApi]:
    api = RangeApi(ranges, answer or whole, padding=padding)
    async with listening(api, secure=secure, port=port) as api.url:
        yield api


def _prefix(request: bytes) -> str:
    found = re.match(rb"GET [^ ]*/range/([0-9A-Fa-f]{5}) HTTP/1.1\r\n", request)
    return found[1].decode() if found else ""


# Ways to answer.


def framed(body: bytes, *, status: str = "200 OK", headers: str = "", length: int | None = None) -> bytes:
    """A response with its end stated, or misstated by `length`."""
    size = len(body) if length is None else length
    return f"HTTP/1.1 {status}\r\nContent-Length: {size}\r\n{headers}\r\n".encode() + body


def chunk(data: bytes) -> bytes:
    return b"%X\r\n%b\r\n" % (len(data), data)


CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"


async def whole(writer: asyncio.StreamWriter, body: bytes) -> None:
    writer.write(framed(body))


async def whole_in_chunks(writer: asyncio.StreamWriter, body: bytes) -> None:
    writer.write(CHUNKED + chunk(body[:1000]) + chunk(body[1000:]) + chunk(b""))


async def small_letters(writer: asyncio.StreamWriter, body: bytes) -> None:
    writer.write(framed(body.lower()))


async def from_a_file(writer: asyncio.StreamWriter, body: bytes) -> None:
    """As a text-file mirror answers: the last row ends in a bare line feed."""
    writer.write(framed(body.replace(b"\r\n", b"\n") + b"\n"))


async def with_a_mark(writer: asyncio.StreamWriter, body: bytes) -> None:
    """With the byte order mark that the library strips."""
    writer.write(framed(b"\xef\xbb\xbf" + body))


async def without_an_end(writer: asyncio.StreamWriter, body: bytes) -> None:
    """The whole answer without a stated end."""
    writer.write(b"HTTP/1.1 200 OK\r\n\r\n" + body)


async def cut_short(writer: asyncio.StreamWriter, body: bytes) -> None:
    writer.write(framed(body[: len(body) // 2], length=len(body)))


async def cut_short_in_chunks(writer: asyncio.StreamWriter, body: bytes) -> None:
    writer.write(CHUNKED + chunk(body[: len(body) // 2]))


async def cut_short_in_a_chunk(writer: asyncio.StreamWriter, body: bytes) -> None:
    writer.write(CHUNKED + chunk(body)[: len(body) // 2])


async def cut_short_after_a_row(writer: asyncio.StreamWriter, body: bytes) -> None:
    """Cut after a row by a cache that kept a part and states its length."""
    rows = body.split(b"\r\n")
    writer.write(framed(b"\r\n".join(rows[: len(rows) * 9 // 10])))


async def a_part(writer: asyncio.StreamWriter, body: bytes) -> None:
    writer.write(framed(body, status="206 Partial Content"))


async def few_rows(writer: asyncio.StreamWriter, body: bytes) -> None:
    """Every tenth row: another list than the service's."""
    writer.write(framed(b"\r\n".join(body.split(b"\r\n")[::10])))


async def nothing(writer: asyncio.StreamWriter, body: bytes) -> None:
    writer.write(framed(b""))


async def padding_alone(writer: asyncio.StreamWriter, body: bytes) -> None:
    writer.write(framed(re.sub(rb":[0-9]+", b":0", body)))


async def a_page(writer: asyncio.StreamWriter, body: bytes) -> None:
    writer.write(framed(b"<!doctype html><title>Log in to the network of Hotel Sekisho</title>"))


async def garbage(writer: asyncio.StreamWriter, body: bytes) -> None:
    writer.write(framed(bytes(range(256)) * 300))


async def one_bad_row(writer: asyncio.StreamWriter, body: bytes) -> None:
    rows = body.split(b"\r\n")
    writer.write(framed(b"\r\n".join([*rows[:700], rows[700].replace(b":", b";"), *rows[701:]])))


async def odd_numbers(writer: asyncio.StreamWriter, body: bytes) -> None:
    """Counts that Python's `int` would accept as numbers."""
    writer.write(framed(body.replace(b":", b":+1_0")))


async def no_http(writer: asyncio.StreamWriter, body: bytes) -> None:
    writer.write(b"220 mail.example ESMTP\r\n" + body)


async def hang_up(writer: asyncio.StreamWriter, body: bytes) -> None:
    pass


async def reset(writer: asyncio.StreamWriter, body: bytes) -> None:
    writer.transport.abort()


async def without_end_in_sight(writer: asyncio.StreamWriter, body: bytes) -> None:
    writer.write(CHUNKED)
    while True:
        writer.write(chunk(body + b"\r\n"))
        await writer.drain()


async def a_promise_too_large(writer: asyncio.StreamWriter, body: bytes) -> None:
    writer.write(framed(body, length=10**9))


async def a_chunk_too_large(writer: asyncio.StreamWriter, body: bytes) -> None:
    writer.write(CHUNKED + b"3FFFFFFF\r\n" + body)


async def headers_without_end(writer: asyncio.StreamWriter, body: bytes) -> None:
    writer.write(b"HTTP/1.1 200 OK\r\n")
    while True:
        writer.write(b"X-Filler: " + b"x" * 50_000 + b"\r\n")
        await writer.drain()


async def silence(writer: asyncio.StreamWriter, body: bytes) -> None:
    await asyncio.Event().wait()


async def silence_after_headers(writer: asyncio.StreamWriter, body: bytes) -> None:
    writer.write(framed(b"", length=len(body)))
    await asyncio.Event().wait()


async def drip(writer: asyncio.StreamWriter, body: bytes) -> None:
    """A byte every few milliseconds, so that no single read is slow."""
    await _drip(writer, framed(body))


async def drip_of_body(writer: asyncio.StreamWriter, body: bytes) -> None:
    writer.write(framed(b"", length=len(body)))
    await _drip(writer, body)


async def _drip(writer: asyncio.StreamWriter, data: bytes) -> None:
    for at in range(len(data)):
        writer.write(data[at : at + 1])
        await writer.drain()
        await asyncio.sleep(0.005)


def status(line: str, headers: str = "") -> Answer:
    """Another status over a body that would be right."""

    async def answer(writer: asyncio.StreamWriter, body: bytes) -> None:
        writer.write(framed(body, status=line, headers=headers))

    return answer


def after(gate: asyncio.Event) -> Answer:
    """The right answer after the gate opens."""

    async def answer(writer: asyncio.StreamWriter, body: bytes) -> None:
        await gate.wait()
        await whole(writer, body)

    return answer
