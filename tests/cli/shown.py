"""`python -m tests.cli.shown …`: `sekisho …` as a process of its own."""

from __future__ import annotations

import sys

from sekisho.cli import main

sys.exit(main())
