"""As `guarded`, and every password and pair is looked up in files of leaked ones."""

from __future__ import annotations

import os

from benchmarks.apps.guard import guarded

app = guarded(
    corpus=os.environ["BENCH_CORPUS"], pairs=os.environ["BENCH_PAIRS"], pairs_key=os.environ["BENCH_PAIRS_KEY"]
)
