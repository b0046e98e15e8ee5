"""As `guarded`, and every password and pair is looked up in files of leaked ones."""

from __future__ import annotations

import os

from benchmarks.apps import bare
from sekisho import LoginGuard

app = LoginGuard(
    bare.app,
    secret="for-benchmarks-on-loopback-and-nothing-else",
    store=os.environ["BENCH_STORE"],
    login="POST /login form:username,password success=302:/home",
    trusted_proxies="127.0.0.0/8",
    challenges="none",  # counting is measured against others that count; asking for work is what they do not do
    corpus=os.environ["BENCH_CORPUS"],
    pairs=os.environ["BENCH_PAIRS"],
    pairs_key=os.environ["BENCH_PAIRS_KEY"],
)
