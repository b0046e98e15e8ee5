"""As `guarded`, with `BENCH_LIMITS` limits (1 to 4) on every dimension."""

from __future__ import annotations

import os

from benchmarks.apps import bare
from sekisho import LoginGuard

# None of them is ever reached: what is counted here is what counting costs.
PERIODS = ("10minute", "hour", "day", "7day")
_LIMITS = ";".join(f"{1_000 * (place + 1)}/{period}" for place, period in enumerate(PERIODS))
_TEXT = ";".join(_LIMITS.split(";")[: int(os.environ["BENCH_LIMITS"])])

app = LoginGuard(
    bare.app,
    secret="for-benchmarks-on-loopback-and-nothing-else",
    store=os.environ["BENCH_STORE"],
    login="POST /login form:username,password success=302:/home",
    trusted_proxies="127.0.0.0/8",
    challenges="none",  # counting is measured against others that count; asking for work is what they do not do
    limit_ip=_TEXT,
    limit_network=_TEXT,
    limit_account=_TEXT,
    limit_device=_TEXT,
)
