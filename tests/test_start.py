"""A service's start imports the packages that it uses, and no others.

Checked by names and not by time, which depends on the machine.
"""

from __future__ import annotations

import subprocess
import sys

import pytest

import sekisho
from sekisho.stepup import factors
from sekisho.wiring import LoginGuard

BUILT = """
import asyncio, secrets, sys
from sekisho import LoginGuard

async def app(scope, receive, send):
    await send({{"type": "http.response.start", "status": 401, "headers": []}})
    await send({{"type": "http.response.body", "body": b""}})

async def receive():
    return {{"type": "http.request", "body": b"username=hana&password=guess"}}

async def send(message):
    pass

guard = LoginGuard(app, secret=secrets.token_urlsafe(48), **{settings})

async def first_requests():
    before = set(sys.modules)
    await guard({{"type": "http", "path": "/tea", "method": "GET", "headers": []}}, receive, send)
    form = [(b"content-type", b"application/x-www-form-urlencoded")]
    await guard({{"type": "http", "path": "/login", "method": "POST", "headers": form}}, receive, send)
    print(*sorted(set(sys.modules) - before))
    await guard._loops.stop()

print(guard._problem)
asyncio.run(first_requests())
print(*sorted(sys.modules))
"""

NEVER = {"limits", "pwnedpasswords", "sqlalchemy", "rich", "httpx", "numpy", "zxcvbn", "uvicorn", "starlette"}
NEVER |= {"prometheus_client", "opentelemetry.exporter"}  # redis loads the rest of OpenTelemetry where it is installed
OF_FACTORS = {"webauthn", "OpenSSL", "cbor2", "pyotp", "segno", "aiosmtplib"}
OF_WORK = {"altcha", "jinja2", "argon2", "cryptography.hazmat"}  # altcha's newer puzzles use argon2

REDIS = {"store": "redis://127.0.0.1:1"}
FACTORS = {"owners": "sqlite+aiosqlite:///nowhere", "owners_query": "select 1 as email, 2 as locale where :account = 3"}


def started(settings: dict[str, str]) -> tuple[set[str], set[str]]:
    """The modules of a fresh process that built a guard, read a page and logged in, and those loaded at the log-in."""
    code = BUILT.format(settings=settings)
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 0, done.stderr
    problem, later, modules = done.stdout.split("\n")[:3]
    assert problem == ""
    return set(modules.split()), set(later.split())


@pytest.mark.parametrize(
    ("settings", "absent"),
    [
        ({"challenges": "none"}, NEVER | OF_FACTORS | OF_WORK),
        ({"challenges": "none", **REDIS}, NEVER | OF_FACTORS | OF_WORK),
        ({}, NEVER | OF_FACTORS),
        (REDIS, NEVER | OF_FACTORS),
        ({"factors": "totp", **FACTORS}, NEVER - {"sqlalchemy"} | {"aiosmtplib"}),
        ({"challenges": "none", "otel": "on"}, NEVER - {"opentelemetry.exporter"} | {"grpc"}),
    ],
    ids=[
        "limits alone",
        "limits alone, on Redis",
        "with work",
        "with work, on Redis",
        "with a factor",
        "with OpenTelemetry",
    ],
)
def test_a_guard_loads_what_it_uses_and_nothing_else(settings: dict[str, str], absent: set[str]) -> None:
    """All modules are loaded at the start: loading at the first log-in would delay other requests."""
    modules, later = started(settings)

    assert sorted(modules & absent) == []
    assert [module for module in sorted(later) if not module.startswith("encodings.")] == []


def test_hashing_alone_loads_no_guard() -> None:
    """`sekisho.passwords` alone loads no guard."""
    code = "import sys, sekisho.passwords; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert {"sekisho.passwords", "argon2"} <= set(done.stdout.split())
    assert set(done.stdout.split()) & {"sekisho.wiring", "sekisho.settings", "redis"} == set()


def test_the_package_has_what_it_names_and_nothing_else() -> None:
    """Lazily loaded names exist, and no others."""
    assert sekisho.LoginGuard is LoginGuard
    assert [name for name in sekisho.__all__ if not hasattr(sekisho, name)] == []
    with pytest.raises(AttributeError, match=r"^module 'sekisho' has no attribute 'LoginGard'$"):
        getattr(sekisho, "LoginGard")  # noqa: B009 - mypy would know
    with pytest.raises(AttributeError, match=r"^module 'sekisho.stepup.factors' has no attribute 'Factor'$"):
        getattr(factors, "Factor")  # noqa: B009 - the same


def test_limits_in_another_notation_still_load_what_reads_it() -> None:
    """The package `limits` is loaded for limits that are not in plain notation."""
    modules, _ = started({"limit_ip": "20 per 10 minutes"})

    assert "limits" in modules
