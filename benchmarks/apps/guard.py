"""The guard as the benchmarks have it: before the bare endpoint, behind one trusted hop."""

from __future__ import annotations

import os
import sys
from typing import Any

from benchmarks.apps import bare
from sekisho import LoginGuard

# Under callgrind everything takes fifty times as long: the application would look slow, and strangers be kept waiting.
# Older commits have that clock in a module, or none.
if os.environ.get("BENCH_CALLGRIND"):
    if hasattr(LoginGuard, "_clocks"):
        LoginGuard._clocks = LoginGuard._clocks._replace(monotonic_s=float)  # noqa: SLF001 - for this alone
    for _module, _clock in (("sekisho.wiring.clocks", "monotonic_s"), (LoginGuard.__module__, "_monotonic_s")):
        if hasattr(sys.modules.get(_module), _clock):
            setattr(sys.modules[_module], _clock, float)  # no setting should stop it
    # Its tasks of each second would fall on the attempts of a fiftieth of a second.
    for _module in ("detect.exchange", "metrics.shared", "control.follow", "feed.publisher", "ledger.worker_sync"):
        _every_s = getattr(sys.modules.get(f"sekisho.{_module}"), "EVERY_S", 0.0)
        if _every_s:
            setattr(sys.modules[f"sekisho.{_module}"], "EVERY_S", _every_s * 50)  # noqa: B010 - no setting of ours
    # The looks at the store's connection as well: how many fall on the attempts would depend on the machine's load.
    # Older commits have them in another module.
    for _module in ("store.connection", "store.line"):
        for _name in ("WEIGHED_S", "STALL_US"):
            if hasattr(sys.modules.get(f"sekisho.{_module}"), _name):
                setattr(sys.modules[f"sekisho.{_module}"], _name, 600_000_000)


def guarded(**settings: Any) -> LoginGuard:
    """With the limits it has when nobody sets any, and with `settings`."""
    return LoginGuard(
        bare.app,
        secret="for-benchmarks-on-loopback-and-nothing-else",
        store=os.environ["BENCH_STORE"],
        login="POST /login form:username,password success=302:/home",
        trusted_proxies="127.0.0.0/8",
        challenges="none",  # counting is measured against others that count; asking for work is what they do not do
        **settings,
    )
