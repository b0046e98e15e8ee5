"""Files are written completely or not at all."""

from __future__ import annotations

import os
import resource
import subprocess
import sys
from pathlib import Path

import pytest

from sekisho.files import read_at, replace_text

FULL = """
import resource, sys
from sekisho.cli import main
resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
sys.exit(main())
"""


def on_a_full_disk(*line: str) -> subprocess.CompletedProcess[str]:
    """Run a command that may write no byte into a file."""
    return subprocess.run([sys.executable, "-c", FULL, *line], capture_output=True, text=True, check=False, timeout=120)


def test_a_file_is_replaced_and_no_draft_stays(tmp_path: Path) -> None:
    """Through a link its target; a terminal or a pipe is written to."""
    (link := tmp_path / "link").symlink_to(path := tmp_path / "page")
    for text in ("a long text of the first time", "あ"):
        replace_text(link, text)
    reading, writing = os.pipe()
    replace_text(Path(f"/dev/fd/{writing}"), "to a pipe")

    assert (path.read_text(encoding="utf-8"), link.is_symlink(), sorted(tmp_path.iterdir())) == (
        "あ",
        True,
        [link, path],
    )
    assert os.read(reading, 99) == b"to a pipe"
    for each in (reading, writing):
        os.close(each)


def test_a_failure_leaves_the_file_of_before(tmp_path: Path) -> None:
    """The error names the file, and no draft is left."""
    (path := tmp_path / "page").write_text("before")
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, limits[1]))
    try:
        with pytest.raises(OSError, match="page") as caught:
            replace_text(path, "after")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)

    assert (caught.value.filename, path.read_text(), list(tmp_path.iterdir())) == (str(path), "before", [path])


def test_a_key_that_does_not_fit_leaves_no_file(tmp_path: Path) -> None:
    """An empty file would stop the next try: the command refuses a file that exists."""
    failed = on_a_full_disk("audit", "key", str(tmp_path / "key.pem"))

    assert (failed.returncode, failed.stdout, list(tmp_path.iterdir())) == (1, "", [])
    assert failed.stderr == f"sekisho audit key: {tmp_path}/key.pem: File too large\n"


def test_a_run_that_cannot_be_kept_leaves_no_half_line(tmp_path: Path) -> None:
    """The runs before it are kept, and the command names the file. The page is not written."""
    (kept := tmp_path / "kept").write_text("")
    line = ("simulate", "7pay", "--scale", "0.01", "--kept", str(kept), "--document", str(tmp_path / "page.md"))
    failed = on_a_full_disk(*line)

    assert (failed.returncode, failed.stdout, list(tmp_path.iterdir()), kept.read_text()) == (1, "", [kept], "")
    assert failed.stderr.endswith(f"sekisho simulate: {kept}: File too large\n")


@pytest.mark.parametrize("has_pread", [True, False])
def test_a_part_of_a_file_is_read_and_its_position_stays(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *, has_pread: bool
) -> None:
    """On Windows, whose Python has no `pread`, the position is moved and put back."""
    if not has_pread:
        monkeypatch.delattr(os, "pread")
    path = tmp_path / "data"
    path.write_bytes(b"0123456789")
    with path.open("rb", buffering=0) as file:
        file.seek(7)
        assert read_at(file.fileno(), 3, 2) == b"234"
        assert file.read() == b"789"
