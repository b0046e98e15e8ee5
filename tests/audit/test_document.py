"""The page on the audit."""

from __future__ import annotations

from pathlib import Path

from sekisho.audit.document import markdown

PAGE = Path(__file__).parents[2] / "docs" / "audit.md"


def test_the_page_is_what_the_code_says() -> None:
    """The page equals the tables. Refresh it with: python -m sekisho.audit > docs/audit.md."""
    assert markdown() == PAGE.read_text("utf-8")
