"""`python -m sekisho.audit > docs/audit.md`."""

from __future__ import annotations

import sys

from sekisho.audit.document import markdown

if __name__ == "__main__":
    sys.stdout.write(markdown())
