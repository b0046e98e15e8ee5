"""Log-ins as clients send them over HTTP/1.1 on loopback, behind one proxy, and how their answers are read."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import asyncio

AGENT = "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/141.0 Safari/537.36"
FORM = "application/x-www-form-urlencoded"
PAGE, JSON = "text/html,application/xhtml+xml", "application/json"
ONE_ADDRESS = "198.51.100.7"
"""The origin of a flood from a single address."""

NETWORKS, STEP = 6_291_456, 1_000_003  # as in attack.lua
_LENGTH = re.compile(rb"content-length: (\d+)", re.IGNORECASE)


def address(number: int) -> str:
    """The address of a client: each is in a network of its own, and neighbours in time are far apart."""
    network = number * STEP % NETWORKS
    return f"{128 + (network >> 16)}.{network >> 8 & 255}.{network & 255}.{1 + number % 250}"


def form_post(
    path: str, body: str, where: str, *more: str, agent: str = AGENT, accept: str = JSON, language: str = ""
) -> bytes:
    """A form post. `where`: the client's address. `more`: further header lines."""
    lines = [f"POST {path} HTTP/1.1", "Host: shop.example", f"User-Agent: {agent}", f"Accept: {accept}"]
    lines += [f"Accept-Language: {language}"] if language else []
    lines += [f"Content-Type: {FORM}", f"X-Forwarded-For: {where}", *more, f"Content-Length: {len(body)}"]
    return "\r\n".join([*lines, "", body]).encode()


def numbered_login(load: str, number: int) -> bytes:
    """The log-in that `attack.lua` sends under this number: address, account and password are its own."""
    where = ONE_ADDRESS if load == "shed" else address(number)
    return form_post("/login", numbered_body(load, number), where, accept=PAGE, language="ja,en;q=0.8")


def numbered_body(load: str, number: int) -> str:
    password = "right" if load == "success" else "wrong"
    return f"username=user{number:07d}%40mail.example&password={password}{number:07d}"


async def read_answer(reader: asyncio.StreamReader) -> tuple[bytes, bytes]:
    """Head and body of an answer. Raises `asyncio.IncompleteReadError` if the server hangs up."""
    head = await reader.readuntil(b"\r\n\r\n")
    length = _LENGTH.search(head)
    return head, await reader.readexactly(int(length[1]) if length else 0)


def status_of(head: bytes) -> int:
    return int(head[9:12])
