"""`python -m sekisho.metrics > docs/metrics.md`."""

from __future__ import annotations

import sys

from sekisho.metrics.document import markdown

if __name__ == "__main__":
    sys.stdout.write(markdown())
