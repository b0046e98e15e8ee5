"""`python -m sekisho.settings > docs/settings.md`."""

from __future__ import annotations

import sys

from sekisho.settings.document import markdown

sys.stdout.write(markdown())
