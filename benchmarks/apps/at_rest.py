"""What `benchmarks.idle` looks at: a service, `BENCH_SERVICE`, and what guards it, `BENCH_GUARD`."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

from benchmarks.apps.endpoint import Service

if TYPE_CHECKING:
    from collections.abc import Callable


def _bare() -> Any:
    from benchmarks.apps import bare  # noqa: PLC0415 - each only where it is looked at

    return bare.app


def _starlette() -> Any:
    from examples.starlette_service.app import build  # noqa: PLC0415

    return Service(build())


def _factors() -> dict[str, Any]:
    from sekisho.owners.memory import MemoryOwners  # noqa: PLC0415

    return {"factors": "webauthn,totp", "owners": MemoryOwners({}), "passkey_domain": "shop.example",
            "protect": "POST /pay max_age=300"}  # fmt: skip


SERVICES: dict[str, Callable[[], Any]] = {"bare": _bare, "starlette": _starlette}
GUARDS: dict[str, Callable[[], dict[str, Any]]] = {
    "limits": lambda: {"challenges": "none"},
    "work": dict,
    "step-up": _factors,
}


def build(service: str, guard: str, store: str) -> Any:
    """The application; `guard` is one of `GUARDS`, or empty."""
    app = SERVICES[service]()
    if not guard:
        return app
    from sekisho import LoginGuard  # noqa: PLC0415

    return LoginGuard(
        app,
        secret="for-benchmarks-on-loopback-and-nothing-else",
        store=store,
        trusted_proxies="127.0.0.0/8",
        **GUARDS[guard](),
    )


app = build(
    os.environ.get("BENCH_SERVICE", "bare"),
    os.environ.get("BENCH_GUARD", ""),
    os.environ.get("BENCH_STORE", "memory://"),
)
