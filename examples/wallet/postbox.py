"""A mail relay on loopback that keeps its letters, for the tests and the stories. Nothing leaves this machine."""

from __future__ import annotations

import asyncio
import re
from collections import defaultdict
from email import message_from_bytes, policy
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from typing import Self

WAIT_SECONDS = 20
LETTER_BYTES_MAX = 1 << 20
_ADDRESS = re.compile(rb"<([^>]*)>")
_CODE = re.compile(r"\b(\d{4})[- ]?(\d{4})\b")
_RESET = re.compile(r"token=([\w-]+)")


class Letter(NamedTuple):
    subject: str
    text: str

    @property
    def code(self) -> str:
        """The code in it; empty if there is none."""
        found = _CODE.search(self.text)
        return "".join(found.groups()) if found else ""

    @property
    def reset(self) -> str:
        """The token of a reset in it; empty if there is none."""
        found = _RESET.search(self.text)
        return found[1] if found else ""


class Postbox:
    """A context manager; speaks as much SMTP as a client needs to hand over a letter.

    Attributes:
        port: on 127.0.0.1.
        letters: by recipient, oldest first.
    """

    def __init__(self) -> None:
        self.port = 0
        self.letters: defaultdict[str, list[Letter]] = defaultdict(list)
        self._news = asyncio.Condition()
        self._server: asyncio.Server | None = None
        self._writers: set[asyncio.StreamWriter] = set()

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._talk, "127.0.0.1", 0, limit=LETTER_BYTES_MAX)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._server is not None:
            self._server.close()
            for writer in self._writers:
                writer.close()
            await self._server.wait_closed()

    async def code(self, email: str) -> str:
        """The next code sent to this address; empty if none comes within `WAIT_SECONDS`. Each is returned once."""
        try:
            async with asyncio.timeout(WAIT_SECONDS), self._news:
                while True:
                    letters = self.letters[email]
                    for at, letter in enumerate(letters):
                        if letter.code:
                            letters[at] = letter._replace(text="")
                            return letter.code
                    await self._news.wait()
        except TimeoutError:
            return ""

    async def _talk(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._writers.add(writer)
        try:
            await self._conversation(reader, writer)
        except (ConnectionError, asyncio.IncompleteReadError):
            pass
        finally:
            self._writers.discard(writer)
            writer.close()

    async def _conversation(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"220 postbox.test ESMTP\r\n")
        to: list[str] = []
        while line := await reader.readline():
            word = line[:4].upper()
            if word == b"RCPT" and (found := _ADDRESS.search(line)):
                to.append(found[1].decode())
            if word == b"DATA":
                writer.write(b"354 go on\r\n")
                content = await reader.readuntil(b"\r\n.\r\n")
                await self._keep(to, content)
                to = []
            if word == b"QUIT":
                writer.write(b"221 bye\r\n")
                return
            writer.write(b"250-postbox.test\r\n250 8BITMIME\r\n" if word == b"EHLO" else b"250 ok\r\n")

    async def _keep(self, to: list[str], content: bytes) -> None:
        message = message_from_bytes(content, policy=policy.default)
        body = message.get_body(("plain",))
        letter = Letter(str(message["subject"]), body.get_content() if body else "")
        async with self._news:
            for email in to:
                self.letters[email].append(letter)
            self._news.notify_all()
