"""`python -m tests.cli.shown …`: `sekisho …` as its own process."""

from __future__ import annotations

import sys

from sekisho.cli import main

sys.exit(main())
