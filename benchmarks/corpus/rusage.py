"""Run a command and keep what it took: `python -m benchmarks.corpus.rusage RESULT.json COMMAND…`.

A small module of its own, because the kernel counts the launching process's memory into a child's peak: launched by a
benchmark that has numpy and a few arrays in memory, any builder would look large.
"""

from __future__ import annotations

import json
import os
import sys
import time


def main() -> int:
    result, *command = sys.argv[1:]
    begun = time.perf_counter()
    pid = os.posix_spawnp(command[0], command, os.environ)
    _, status, used = os.wait4(pid, 0)
    took = {
        "wall_seconds": time.perf_counter() - begun,
        "cpu_seconds": used.ru_utime + used.ru_stime,
        "peak_rss_bytes": used.ru_maxrss * 1024,
    }
    with open(result, "w") as file:  # noqa: PTH123 - pathlib is memory, too
        json.dump(took, file)
    return os.waitstatus_to_exitcode(status)


if __name__ == "__main__":
    sys.exit(main())
