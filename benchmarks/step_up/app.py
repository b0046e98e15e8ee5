"""The services that are measured: a log-in that hashes as real ones do, and one that only waits.

Which of them, and whether it asks for a second proof, stands in the environment: see `site.environment`.
"""

from __future__ import annotations

import asyncio
import logging
import os
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl

from benchmarks.apps import endpoint
from benchmarks.apps.endpoint import FAILED, RIGHT, SUCCEEDED, Counted, Service
from benchmarks.known import SECRET
from benchmarks.step_up.site import FLOOD, FLOOD_S, KNOWN, PASSWORD, PROFILE, QUERY, members
from sekisho import LoginGuard
from sekisho.passwords import Passwords

if TYPE_CHECKING:
    from collections.abc import MutableMapping

    from benchmarks.apps.endpoint import Login, Receive, Send


LETTERS = {
    "smtp": "smtp://127.0.0.1:9",  # no relay: each letter is written and given up
    "mail_from": "no-reply@shop.example",
    "service_name": "Shop",
    "account_page": "shop.example/account",
}


logging.getLogger("sekisho.mail").setLevel(logging.ERROR)  # its thousand lines about them


def hashing() -> Login:
    """Checks every password against one stored hash: a check costs the same for each member."""
    passwords = Passwords(PROFILE)
    known = frozenset(members(KNOWN))
    kept: list[str] = []
    more_s = int(os.environ.get("BENCH_MORE_MS", "0")) / 1000
    renews = bool(os.environ.get("BENCH_REHASH"))

    async def login(_scope: MutableMapping[str, Any], receive: Receive, send: Send) -> None:
        if not kept:
            kept.append(await passwords.hash(PASSWORD))
        Counted.reached += 1
        sent = dict(parse_qsl((await endpoint.read(receive)).decode()))
        if sent["username"].startswith(FLOOD):
            await asyncio.sleep(FLOOD_S)
            return await endpoint.answer(send, FAILED)
        stored = kept[0] if sent["username"] in known else None
        right = await passwords.verify(stored, sent["password"])
        if right and renews:
            await passwords.hash(sent["password"])
        if right and more_s:
            await asyncio.sleep(more_s)
        return await endpoint.answer(send, SUCCEEDED if right else FAILED)

    return login


def waiting(seconds: float) -> Login:
    """Waits, as for a directory or a database far away."""

    async def login(_scope: MutableMapping[str, Any], receive: Receive, send: Send) -> None:
        Counted.reached += 1
        body = await endpoint.read(receive)
        if seconds:
            await asyncio.sleep(seconds)
        await endpoint.answer(send, SUCCEEDED if RIGHT in body else FAILED)

    return login


def alike(login: Login) -> Login:
    """The same log-in; at every other door the same answer for every account, as it must be."""

    async def answered(scope: MutableMapping[str, Any], receive: Receive, send: Send) -> None:
        if scope["path"] == "/login":
            return await login(scope, receive, send)
        await endpoint.read(receive)
        return await endpoint.answer(send, FAILED._replace(status=200))

    return answered


def _doors() -> dict[str, Any]:
    if not os.environ.get("BENCH_DOORS"):
        return {}
    asks = bool(os.environ.get("BENCH_FACTORS"))
    filed, contact = (" on_file=username", " contact=username") if asks else ("", "")
    return {
        **(LETTERS if asks else {}),
        "signup": f"POST /signup form:username,password{contact} success=303",
        "reset": f"POST /forgot form:username{filed}; POST /reset form:username,token,password success=303",
        "code": "POST /send form:username; POST /code form:username,code success=303",
        "link": "POST /link form:username,pin success=303",
        "code_guesses_max": "1000",
        "link_account_max": "1000000",
        "signup_codes_max": "1000000",
    }


def _limits() -> dict[str, Any]:
    """None that trips, where more than a few attempts come from one place."""
    names = ("ip", "network", "device", "account")
    return {f"limit_{name}": "100000/minute" for name in names} if os.environ.get("BENCH_NO_LIMITS") else {}


def _asking() -> dict[str, Any]:
    factors = os.environ.get("BENCH_FACTORS")
    if not factors:
        return {}
    passkeys = {"passkey_domain": "shop.example"} if "webauthn" in factors else {}
    return {"factors": factors, "owners": os.environ["BENCH_OWNERS"], "owners_query": QUERY, **passkeys}


_wait = os.environ.get("BENCH_WAIT_MS")

app = LoginGuard(
    Service(alike(hashing() if _wait is None else waiting(int(_wait) / 1000))),
    secret=SECRET,
    store=os.environ["BENCH_STORE"],
    login="POST /login form:username,password success=302:/home",
    trusted_proxies="127.0.0.0/8",  # so that each attempt has an address of its own
    challenges="none",  # work would stand before the step-up
    store_deadline_ms="2000",  # somebody else on this machine must not look like a broken store
    **_doors(),
    **_limits(),
    **_asking(),
)
