"""`python -m tests.real.serve MODULE PORT`: one of the services over real HTTP, with a guard for each of its doors.

The header `x-guard` selects a request's guard: the file of a service and, after slashes, its configuration: `step` with
factors, or another rule. `/learned` reports that guard's counts.
"""

from __future__ import annotations

import json
import sys
import time
from base64 import b32encode
from hashlib import sha256
from importlib import import_module
from typing import TYPE_CHECKING, Any

import pyotp
import uvicorn

from sekisho import testing
from sekisho.crypto.seal import Sealer
from sekisho.crypto.vault_keys import enrolment_binding
from sekisho.owners import Contact, Enrolment, MemoryOwners
from sekisho.stepup.factors.totp import PURPOSE
from tests.real.catalogue import SERVICES

if TYPE_CHECKING:
    from sekisho import LoginGuard
    from sekisho.asgi.types import App, Receive, Scope, Send
    from tests.real.catalogue import Service

L = 3
TOTP_SECRET = b"twenty bytes of it!!"
OPEN = {"limit_ip": "9999/minute", "limit_network": "9999/minute", "limit_device": "9999/minute"}
SETTINGS: dict[str, Any] = {
    **OPEN,
    "limit_account": f"{L}/hour",
    "challenges": "none",
    "trusted_proxies": "127.0.0.1",
}


def code(steps: int = 0) -> str:
    """The code on the owner's phone, so many time steps from now."""
    return pyotp.TOTP(b32encode(TOTP_SECRET).decode()).at(int(time.time()) + 30 * steps)


async def owners_of(service: Service) -> MemoryOwners:
    """The accounts of the service, each with an authenticator app."""
    accounts = [service.owner[0], *(account for _, account, _ in service.situations if account)]
    people = MemoryOwners({account: Contact(account, None, "en") for account in accounts})
    for account in accounts:
        number = sha256(account.encode()).hexdigest()[:32]
        sealed = Sealer((testing.SECRET,), clock_s=time.time).seal(
            PURPOSE, TOTP_SECRET, bound_to=enrolment_binding(account, number)
        )
        await people.enrol(account, Enrolment(number, "totp", "phone", 1, sealed))
    return people


class Guarded:
    """An application behind guards for all services and configurations."""

    def __init__(self, app: App, services: list[Service]) -> None:
        self._app = app
        self._services = {service.file: service for service in services}
        self._guards: dict[str, LoginGuard] = {}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return await self._app(scope, receive, send)
        wanted = dict(scope["headers"]).get(b"x-guard", b"").decode()
        guard = await self._guard(wanted)
        if scope["path"] == "/learned":
            counts = {f"{what} {why}": n for (_, what, why), n in guard.counts.items()}
            return await _say(send, counts)
        return await guard(scope, receive, send)

    async def _guard(self, wanted: str) -> LoginGuard:
        if wanted not in self._guards:
            file, how, rule = [*wanted.split("/", 2), ""][:3]
            service = self._services[file]
            settings = {**SETTINGS, "login": service.door.replace(service.rule, rule or service.rule)}
            if how == "step":
                settings |= {"factors": "totp", "owners": await owners_of(service)}
            self._guards[wanted] = testing.guarded(self._app, **settings)
        return self._guards[wanted]


async def _say(send: Send, value: object) -> None:
    headers = [(b"content-type", b"application/json")]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": json.dumps(value).encode()})


def main() -> None:
    module, port = sys.argv[1:]
    app = import_module(f"tests.real.services.{module}").app
    services = [service for service in SERVICES if service.module == module]
    uvicorn.run(Guarded(app, services), port=int(port), proxy_headers=False, log_level="warning")


if __name__ == "__main__":
    main()
