"""`python -m tests.cli.shown …`: `sekisho …` as its own process."""

from __future__ import annotations

import signal
import sys

from sekisho.cli import main

if __name__ == "__main__":
    # `nohup` makes a suite ignore it, and so would the commands that are interrupted here.
    signal.signal(signal.SIGHUP, signal.SIG_DFL)
    sys.exit(main())
