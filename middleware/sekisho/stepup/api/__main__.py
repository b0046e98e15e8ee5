"""`python -m sekisho.stepup.api > docs/openapi.json`."""

from __future__ import annotations

import sys

from sekisho.stepup.api.document import text

if __name__ == "__main__":
    sys.stdout.write(text())
