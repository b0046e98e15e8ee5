"""`python -m sekisho.record > docs/events.md`."""

from __future__ import annotations

import sys

from sekisho.record.document import markdown

if __name__ == "__main__":
    sys.stdout.write(markdown())
