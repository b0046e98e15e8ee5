"""The pictures of the documentation: one for each page that `make screenshots` takes, small, and shown somewhere."""

from __future__ import annotations

import re
from pathlib import Path

from tests.screenshots import CONSOLE, FOLDER, names

ROOT = Path(__file__).resolve().parents[1]
BYTES_MAX = 100_000


def test_each_picture_is_there_small_and_shown() -> None:
    """Refresh them with: make screenshots."""
    pages = [ROOT / "README.md", *(ROOT / "docs").glob("*.md")]
    shown = {name for page in pages for name in re.findall(r"screenshots/([a-z-]+)\.png\)", page.read_text("utf-8"))}
    assert shown == {*names(), CONSOLE} == {path.stem for path in FOLDER.iterdir()}
    assert all(path.stat().st_size < BYTES_MAX for path in FOLDER.iterdir())
