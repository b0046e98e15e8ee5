"""A `siteverify` server on a real socket that answers as Turnstile or hCaptcha do, or fails in one of many ways.

Its checks and error codes follow their documentation. It shares its failures with the range API of `tests.breach`: ways
to break HTTP do not depend on the content.
"""

from __future__ import annotations

import asyncio
import json
import re
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any, NamedTuple
from urllib.parse import parse_qs

from tests.breach.hibp_server import whole
from tests.talking import Talker, listening

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from tests.breach.hibp_server import Answer

SECRET = "0x4AAAA-of-the-site"


class Riddle(NamedTuple):
    """An earned token, and where it was earned."""

    hostname: str
    action: str
    sitekey: str


class SiteverifyApi(Talker):
    """Answers in the manner of `answer`, which may be changed at any time.

    Attributes:
        forms: the fields of each request, in order.
        heads: the request lines and headers.
        extra: members that are added to each answer, or replace members of it.
    """

    def __init__(self, answer: Answer, *, speaks: str) -> None:
        super().__init__()
        self.answer = answer
        self.speaks = speaks
        self.forms: list[dict[str, str]] = []
        self.heads: list[str] = []
        self.extra: dict[str, Any] = {}
        self.asked = asyncio.Event()
        self.url = ""
        self._riddles: dict[str, Riddle] = {}
        self._used: set[str] = set()

    def earned(self, hostname: str = "shop.example", action: str = "login", sitekey: str = "site-1") -> str:
        """A token as the provider's script would put it into the form."""
        token = f"0.{len(self._riddles)}-{'x' * 300}_."
        self._riddles[token] = Riddle(hostname, action, sitekey)
        return token

    def forget_use(self) -> None:
        """Accept used tokens again, as a provider that breaks its promise would."""
        self._used.clear()

    def said(self, form: dict[str, str]) -> dict[str, Any]:
        code = self._refusal(form)
        if code:
            return {"success": False, "error-codes": [code]} | self.extra
        riddle = self._riddles[form["response"]]
        self._used.add(form["response"])
        said = {"success": True, "challenge_ts": "2026-01-01T00:00:00.000Z", "hostname": riddle.hostname}
        if self.speaks == "turnstile":
            return said | {"error-codes": [], "action": riddle.action, "cdata": "", "metadata": {}} | self.extra
        return said | {"credit": False} | self.extra

    def _refusal(self, form: dict[str, str]) -> str:
        """The error code of the answer, or nothing."""
        token, turnstile = form.get("response", ""), self.speaks == "turnstile"
        if form.get("secret") != SECRET:
            return "invalid-input-secret" if form.get("secret") else "missing-input-secret"
        if not token:
            return "missing-input-response"
        if token not in self._riddles:
            return "invalid-input-response" if turnstile else "invalid-or-already-seen-response"
        if not turnstile and form.get("sitekey", self._riddles[token].sitekey) != self._riddles[token].sitekey:
            return "sitekey-secret-mismatch"
        if token in self._used:
            return "timeout-or-duplicate" if turnstile else "already-seen-response"
        return ""

    async def talk(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode()
        length = re.search(r"\r\nContent-Length: ([0-9]+)\r\n", head)
        assert length
        body = (await reader.readexactly(int(length[1]))).decode()
        form = {name: value for name, [value] in parse_qs(body, strict_parsing=True).items()}
        self.heads.append(head)
        self.forms.append(form)
        self.asked.set()
        await self.answer(writer, json.dumps(self.said(form)).encode())
        await writer.drain()


@asynccontextmanager
async def siteverify_api(
    answer: Answer = whole, *, speaks: str = "turnstile", secure: bool = False
) -> AsyncIterator[SiteverifyApi]:
    api = SiteverifyApi(answer, speaks=speaks)
    async with listening(api, secure=secure) as address:
        api.url = f"{address}/turnstile/v0/siteverify"
        yield api


# Ways to answer, besides those of the range API.


async def and_then_stays(writer: asyncio.StreamWriter, body: bytes) -> None:
    """The whole answer, on a connection that stays open although we asked to close it."""
    await whole(writer, body)
    await asyncio.Event().wait()


async def in_pieces(writer: asyncio.StreamWriter, body: bytes) -> None:
    """The whole answer in three parts that split its header and its body."""
    data = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%b" % (len(body), body)
    for part in (data[:10], data[10:-5], data[-5:]):
        writer.write(part)
        await writer.drain()
        await asyncio.sleep(0)
        await asyncio.sleep(0.01)


async def a_greeting(writer: asyncio.StreamWriter, body: bytes) -> None:
    """The greeting of another protocol."""
    writer.write(b"220 mail.example ESMTP\r\n\r\n")


def instead(text: bytes) -> Answer:
    """A well-framed answer with other content."""

    async def answer(writer: asyncio.StreamWriter, body: bytes) -> None:
        await whole(writer, text)

    return answer
