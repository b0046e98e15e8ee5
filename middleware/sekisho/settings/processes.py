"""The number of processes that the server starts of this service, as far as its environment and command line say."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

PROCESSES: Final = "WEB_CONCURRENCY"  # by it uvicorn and gunicorn start workers
SERVERS: Final = ("uvicorn", "gunicorn", "hypercorn", "granian", "fastapi")
DIGITS_MAX: Final = 6


def processes(environ: Mapping[str, str], argv: Sequence[str]) -> int:
    """How many processes the server starts, by its environment and command line; 1 where neither says so.

    Args:
        environ: as `os.environ`.
        argv: as `sys.argv`, which the workers of these servers inherit; other programs' are not read.
    """
    told = [_number(environ.get(PROCESSES, ""))]
    if argv and any(server in argv[0] for server in SERVERS):
        told += map(_number, _workers(argv))
    return max(told)


def _workers(argv: Sequence[str]) -> Iterator[str]:
    for option, value in pairwise((*argv, "")):
        if option in {"--workers", "-w"}:
            yield value
        elif option.startswith("--workers="):
            yield option.partition("=")[2]


def _number(text: str) -> int:
    text = text.strip()[:DIGITS_MAX]
    return int(text) if text.isdecimal() else 1
