"""The service: one log-in at `POST /login`, and `GET /state` for the harness.

`BENCH_APP` says how it checks passwords: `passwords` (`sekisho.passwords`), `pool` (threads of its own, first come
first served) or `blocking` (on the event loop). Each computes argon2id at OWASP's settings for every log-in.
"""

from __future__ import annotations

import asyncio
import json
import os
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl

from argon2 import PasswordHasher
from argon2.exceptions import VerifyMismatchError

from benchmarks.apps.endpoint import FAILED, SUCCEEDED, Answer, answer, read
from benchmarks.known import SECRET
from benchmarks.open_loop import percentile
from benchmarks.overload.site import APP_SECRET, OWNERS, PASSWORD, is_member
from sekisho import LoginGuard
from sekisho.crypto.seal import Sealer
from sekisho.crypto.vault_keys import enrolment_binding
from sekisho.owners import Contact, Enrolment, MemoryOwners
from sekisho.passwords import OWASP, Passwords
from sekisho.stepup.factors.totp import PURPOSE

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, MutableMapping

    from benchmarks.apps.endpoint import Receive, Send

    Check = Callable[[str | None, str], Awaitable[bool]]

CORES = len(os.sched_getaffinity(0))
TICK_S = 0.01
_HASHER = PasswordHasher(time_cost=OWASP.passes, memory_cost=OWASP.memory_kib, parallelism=OWASP.lanes)


def _matches(stored: str, password: str) -> bool:
    try:
        return _HASHER.verify(stored, password)
    except VerifyMismatchError:
        return False


def pool() -> Check:
    """As many threads as there are cores, and everybody waits in one line."""
    threads, nobodys = ThreadPoolExecutor(CORES), _HASHER.hash("nobody's")

    async def check(stored: str | None, password: str) -> bool:
        right = await asyncio.get_running_loop().run_in_executor(threads, _matches, stored or nobodys, password)
        return right and stored is not None

    return check


def blocking() -> Check:
    """While a password is checked, nothing else happens."""
    nobodys = _HASHER.hash("nobody's")

    async def check(stored: str | None, password: str) -> bool:
        return _matches(stored or nobodys, password) and stored is not None

    return check


def passwords() -> Check:
    checking = Passwords()

    async def check(stored: str | None, password: str) -> bool:
        return bool(await checking.verify(stored, password))

    return check


KINDS: dict[str, Callable[[], Check]] = {"passwords": passwords, "pool": pool, "blocking": blocking}


def _stated(text: str) -> Answer:
    return Answer(200, [(b"content-length", b"%d" % len(text))], text.encode())


class Service:
    """Counts what reached it, and how late its event loop is."""

    def __init__(self, check: Check) -> None:
        self._check = check
        self._stored = _HASHER.hash(PASSWORD)
        self._reached = self._members = 0
        self._late_ms: list[float] = []
        self._watching: asyncio.Task[None] | None = None

    async def __call__(self, scope: MutableMapping[str, Any], receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            return await self._live(receive, send)
        if scope["path"] == "/state":
            return await answer(send, _stated(self._state()))
        if scope["path"] != "/login":
            return await answer(send, Answer(404, [(b"content-length", b"0")], b""))
        return await self._log_in(receive, send)

    async def _log_in(self, receive: Receive, send: Send) -> None:
        sent = dict(parse_qsl((await read(receive)).decode()))
        member = is_member(sent["username"])
        self._reached += 1
        self._members += member
        right = await self._check(self._stored if member else None, sent["password"])
        await answer(send, SUCCEEDED if right else FAILED)

    def _state(self) -> str:
        late, self._late_ms = sorted(self._late_ms) or [0.0], []
        found = {
            "reached": self._reached,
            "members": self._members,
            "lag_p99_ms": percentile(late, 0.99),
            "lag_max_ms": late[-1],
            "tasks": len(asyncio.all_tasks()),
            "files": len(list(Path("/proc/self/fd").iterdir())),
        }
        return json.dumps(found)

    async def _live(self, receive: Receive, send: Send) -> None:
        self._watching = asyncio.create_task(self._watch())
        while True:
            message = await receive()
            if message["type"] == "lifespan.shutdown":
                self._watching.cancel()
                with suppress(asyncio.CancelledError):
                    await self._watching
            await send({"type": f"{message['type']}.complete"})
            if message["type"] == "lifespan.shutdown":
                return

    async def _watch(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            due = loop.time() + TICK_S
            await asyncio.sleep(TICK_S)
            self._late_ms.append((loop.time() - due) * 1e3)


def owners() -> MemoryOwners:
    """Every member has an authenticator app."""
    names = [f"{kind}{number}" for kind in ("owner", "guest") for number in range(OWNERS)]
    found = MemoryOwners({name: Contact(name, None, "en") for name in names})
    sealer = Sealer((SECRET.encode(),), clock_s=time.time)

    async def enrol() -> None:
        for number, name in enumerate(names):
            enrolment = f"{number:032x}"
            sealed = sealer.seal(PURPOSE, APP_SECRET, bound_to=enrolment_binding(name, enrolment))
            await found.enrol(name, Enrolment(enrolment, "totp", "phone", 1, sealed))

    with suppress(StopIteration):  # nothing in it waits, and this is imported on an event loop
        enrol().send(None)
    return found


_factors: dict[str, Any] = {"factors": "totp", "owners": owners()} if os.environ.get("BENCH_FACTORS") else {}

app = LoginGuard(
    Service(KINDS[os.environ.get("BENCH_APP", "passwords")]()),
    secret=SECRET,
    store=os.environ["BENCH_STORE"],
    login="POST /login form:username,password success=302:/home",
    trusted_proxies="127.0.0.0/8",  # so that each attempt has an address of its own
    challenges=os.environ.get("BENCH_CHALLENGES", "pow"),
    **_factors,
)
