"""`python -m sekisho.settings > docs/settings.md`; with `--table`, the table alone, for the README."""

from __future__ import annotations

import sys

from sekisho.settings.document import markdown, table_markdown

sys.stdout.write(table_markdown() if "--table" in sys.argv[1:] else markdown())
