"""Those who are to be let in: owners on known devices, and honest strangers beside them.

Each log-in has a connection of its own and an instant at which it is due; its time counts from then.
"""

from __future__ import annotations

import asyncio
import json
import random
import re
import secrets
import time
from contextlib import suppress
from typing import Any, NamedTuple
from urllib.parse import urlencode

from benchmarks.known import proved
from benchmarks.login_post import address, form_post, read_answer, status_of
from benchmarks.overload.site import OWNERS, PASSWORD, code
from sekisho.simulate.solve import solved

PATIENCE_S = 10.0
TRIES_MAX = 3
"""How often an honest stranger sends the form who is told to come back, each time as soon as he may."""
STRANGERS = 5_000_000  # addresses from this number on


_RETRY_AFTER = re.compile(rb"retry-after: (\d+)", re.IGNORECASE)


class Came(NamedTuple):
    """What became of one. `ms` counts from the instant it was due to the answer that let it in, or to the last one."""

    is_in: bool
    ms: float
    said: str


async def known(port: int, rate: float, count: int, first: int) -> list[Came]:
    """Log-ins of known devices, each of its own account, at even distances."""

    async def one(number: int, due: float) -> Came:
        name = f"owner{number % OWNERS}"
        form = {"username": name, "password": PASSWORD}
        status, said, _ = await _post(port, "/login", form, address(number), {"Sekisho-Device": proved(name)})
        return Came(status == 302, (time.monotonic() - due) * 1e3, f"{status} {said}".strip())

    return await _at(rate, count, one, first)


async def strangers(port: int, rate: float, count: int, first: int) -> list[Came]:
    """Right passwords on new devices: do the work and show the factor that they are asked for."""

    async def one(number: int, due: float) -> Came:
        said = ""
        for _ in range(TRIES_MAX):
            status, said, wait_s = await _honestly(port, number)
            if status == 302:
                return Came(True, (time.monotonic() - due) * 1e3, "302")
            said = f"{status} {said}".strip()
            await asyncio.sleep(wait_s)
        return Came(False, (time.monotonic() - due) * 1e3, said)

    return await _at(rate, count, one, first)


async def _honestly(port: int, number: int) -> tuple[int, str, float]:
    where, name, browser_key = address(STRANGERS + number), f"guest{number}", secrets.token_urlsafe(16)
    form, shown = {"username": name, "password": PASSWORD}, {"Sekisho-Challenge": browser_key}
    status, body, wait_s = await _asked(port, "/login", form, where, shown)
    if body.get("code") == "challenge_required" and "work" in body:
        work = await asyncio.to_thread(solved, body["work"])
        status, body, wait_s = await _asked(port, "/login", form, where, {**shown, "Sekisho-Work": work})
    if body.get("code") == "step_up_required" and "challenge" in body:
        form = {"challenge": body["challenge"], "factor": "totp", "code": code()}
        status, body, wait_s = await _asked(port, "/sekisho/step-up", form, where, shown)
    return status, str(body.get("code", "")), wait_s


async def _asked(
    port: int, path: str, form: dict[str, str], where: str, more: dict[str, str]
) -> tuple[int, dict[str, Any], float]:
    status, text, wait_s = await _post(port, path, form, where, more)
    try:
        body = json.loads(text)
    except ValueError:
        body = {"code": text}
    return status, body, wait_s


class _Connections:
    """Kept open, as a proxy keeps those to the service behind it."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._idle: list[tuple[asyncio.StreamReader, asyncio.StreamWriter]] = []

    async def exchange(self, request: bytes) -> tuple[bytes, bytes]:
        """Head and body of the answer. Raises `OSError` or `TimeoutError`."""
        async with asyncio.timeout(PATIENCE_S):
            reader, writer = await self._one()
            try:
                writer.write(request)
                head, body = await read_answer(reader)
            except BaseException:
                writer.close()
                raise
        self._idle.append((reader, writer))
        return head, body

    async def _one(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        while self._idle:
            reader, writer = self._idle.pop()
            if not reader.at_eof():
                return reader, writer
            writer.close()
        return await asyncio.open_connection("127.0.0.1", self._port)


_connections: dict[int, _Connections] = {}


def forget_connections() -> None:
    """Before another event loop: those of this one are of no use there."""
    _connections.clear()


async def state(port: int) -> dict[str, Any]:
    """What the service says of itself, over a connection that is open already."""
    for _ in range(5):
        with suppress(OSError, TimeoutError, asyncio.IncompleteReadError):
            _, text = await _to(port).exchange(b"GET /state HTTP/1.1\r\nHost: shop.example\r\n\r\n")
            found: dict[str, Any] = json.loads(text)
            return found
    raise RuntimeError("the service does not answer")


def _to(port: int) -> _Connections:
    return _connections.setdefault(port, _Connections(port))


async def _post(port: int, path: str, form: dict[str, str], where: str, more: dict[str, str]) -> tuple[int, str, float]:
    """Status, body, and what `Retry-After` says."""
    request = form_post(path, urlencode(form), where, *(f"{name}: {value}" for name, value in more.items()))
    try:
        head, body = await _to(port).exchange(request)
    except (OSError, TimeoutError, asyncio.IncompleteReadError) as error:
        return 0, type(error).__name__, 1.0
    retry_after = _RETRY_AFTER.search(head)
    return status_of(head), body.decode(), float(retry_after[1]) if retry_after else 1.0


async def _at(rate: float, count: int, one: Any, first: int) -> list[Came]:
    begun, chance = time.monotonic(), random.Random(first)
    tasks = []
    for number in range(count):
        due = begun + (number + chance.random()) / rate
        await asyncio.sleep(max(0.0, due - time.monotonic()))
        tasks.append(asyncio.create_task(one(first + number, due)))
    return list(await asyncio.gather(*tasks))
