"""As `guarded`, and every password and pair is looked up in files of leaked ones."""

# ruff: noqa: SLF001 - how far a file is mapped is nobody else's business

from __future__ import annotations

import os

from benchmarks.apps import bare
from sekisho import LoginGuard
from sekisho.observe.breach.live import LiveCorpus
from sekisho.observe.breach.pairs import Pairs

app = LoginGuard(
    bare.app,
    secret="for-benchmarks-on-loopback-and-nothing-else",
    store=os.environ["BENCH_STORE"],
    login="POST /login form:username,password success=302:/home",
    trusted_proxies="127.0.0.0/8",
    corpus=os.environ["BENCH_CORPUS"],
    pairs=os.environ["BENCH_PAIRS"],
    pairs_key=os.environ["BENCH_PAIRS_KEY"],
)

# A worker that has served for an hour has met every page of its files; one that has just started pays for each page at
# the first touch. The former is measured.
MADV_POPULATE_READ = 22  # Linux 5.14
assert app._parts is not None
for live in (app._parts.leaks._corpus, app._parts.leaks._pairs):
    file = live._file if isinstance(live, Pairs) else live
    assert isinstance(file, LiveCorpus)
    assert file._corpus is not None
    file._corpus._mapped.madvise(MADV_POPULATE_READ)
