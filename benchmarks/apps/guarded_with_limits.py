"""As `guarded`, with `BENCH_LIMITS` limits (1 to 4) on every dimension."""

from __future__ import annotations

import os

from benchmarks.apps.guard import guarded

# None of them is ever reached: only the cost of counting is measured.
PERIODS = ("10minute", "hour", "day", "7day")
_COUNT = int(os.environ["BENCH_LIMITS"])
_TEXT = ";".join(f"{1_000 * place}/{period}" for place, period in enumerate(PERIODS[:_COUNT], start=1))

app = guarded(limit_ip=_TEXT, limit_network=_TEXT, limit_account=_TEXT, limit_device=_TEXT)
