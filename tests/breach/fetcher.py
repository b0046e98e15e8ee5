"""`python -m tests.breach.fetcher URL FOLDER RANGES`: a fetch in its own process, to be interrupted and killed."""

from __future__ import annotations

import asyncio
import sys
import time
from itertools import count
from pathlib import Path

from sekisho.corpus.fetch import FetchPace, Surroundings, fetch
from tests.breach.ranges import prefix

REQUESTS = 8


def _hasty() -> Surroundings:
    """Let ten seconds pass between two reads of the clock, so that each range is written down at once."""
    seconds = count(time.time() - 3600, 10.0)
    return Surroundings(now=lambda: next(seconds))


def main(url: str, folder: str, ranges: str) -> None:
    wanted = map(prefix, range(int(ranges)))
    pace = FetchPace(requests=REQUESTS)
    asyncio.run(fetch(Path(folder), url=url, prefixes=wanted, pace=pace, surroundings=_hasty()))


if __name__ == "__main__":
    main(*sys.argv[1:])
