"""`sekisho corpus info` and `verify`: a file's description, and whether it is true."""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING

import pytest

from sekisho.cli import FAILED, main
from tests.cli.corpora import BUILT, KEY, OTHER_KEY, pairs, passwords

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def corpus(tmp_path: Path) -> Path:
    return passwords(tmp_path / "passwords.corpus", {f"password{number}": number for number in range(1, 500)})


def test_info_is_read_by_people(corpus: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Info shows number, size, age and error rate."""
    assert main(["corpus", "info", str(corpus)]) == 0
    said = capsys.readouterr().out
    size = corpus.stat().st_size
    days = (int(time.time()) - BUILT) // 86_400
    for text in (
        f"{corpus}: leaked passwords",
        "entries          499",
        f"size             {size / 1000:.3g} kB, {size / 499:.2f} bytes an entry",
        "false positives  one look-up in ",
        f"built            2026-09-21 14:13 UTC, {days} days ago",
        "checksum         BLAKE2b-256 ",
    ):
        assert text in said
    assert "key" not in said


def test_info_is_read_by_machines(corpus: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Info as JSON shows the same and nothing else."""
    assert main(["corpus", "info", str(corpus), "--json"]) == 0
    printed = capsys.readouterr()
    told = json.loads(printed.out)
    assert (told["kind"], told["entries"], told["built"], told["key_id"]) == ("passwords", 499, BUILT, "")
    assert told["bytes"] == corpus.stat().st_size
    assert 0 < told["false_positive_rate"] <= 1.2e-7
    assert told["age_seconds"] == pytest.approx(time.time() - BUILT, abs=60)
    assert printed.err == ""


@pytest.mark.parametrize(
    ("key", "text", "ours"),
    [
        ("", "SEKISHO_PAIRS_KEY is not set here", None),
        (KEY, "the key that is set here", True),
        (OTHER_KEY, "NOT the key", False),
    ],
)
def test_info_tells_whether_pairs_are_under_the_key_of_here(
    key: str,
    text: str,
    ours: bool | None,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Info tells whether pairs are under this environment's key, without showing it: a frequent cause of unknown
    pairs.
    """
    monkeypatch.setenv("SEKISHO_PAIRS_KEY", key)
    path = str(pairs(tmp_path / "pairs.corpus", [("hana", "sunshine1")]))
    assert main(["corpus", "info", path]) == 0
    assert main(["corpus", "info", path, "--json"]) == 0
    printed = capsys.readouterr().out
    people, machines = printed.split("\n{")
    assert text in people
    assert json.loads("{" + machines)["key_is_set_here"] is ours
    assert not key or key not in printed


def test_info_of_something_else_says_so(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Info says in a sentence that a file is something else."""
    other = tmp_path / "notes.txt"
    other.write_text("milk, eggs")
    assert main(["corpus", "info", str(other)]) == FAILED
    assert capsys.readouterr().err == (
        f"sekisho corpus info: {other}: this is no corpus file: make one with `sekisho corpus build`\n"
    )


def test_a_folder_is_no_file(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A folder is refused before anything is read."""
    assert main(["corpus", "verify", str(tmp_path)]) == 2
    assert "FILE is a folder, not a file" in capsys.readouterr().err


def test_verify_says_that_a_file_is_whole(corpus: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Verify says that a file is whole, with separate progress."""
    assert main(["corpus", "verify", str(corpus)]) == 0
    said = capsys.readouterr()
    assert said.out.startswith(f"{corpus}: whole, 499 entries, ")
    assert said.err.startswith("verifying: ")
    assert "verifying: done, " in said.err


def test_verify_finds_one_flipped_bit(corpus: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Verify finds one flipped bit, as a sentence or JSON, with exit code 1."""
    content = bytearray(corpus.read_bytes())
    content[5_000] ^= 1
    corpus.write_bytes(content)
    assert main(["corpus", "verify", str(corpus)]) == FAILED
    said = capsys.readouterr()
    assert f"sekisho corpus verify: {corpus}: its checksum is wrong" in said.err
    assert said.out == ""
    assert main(["corpus", "verify", str(corpus), "--json"]) == FAILED
    told = json.loads(capsys.readouterr().out)
    assert told["whole"] is False
    assert "its checksum is wrong" in told["problem"]


def test_verify_for_machines(corpus: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Verify as JSON prints nothing else on standard output."""
    assert main(["corpus", "verify", str(corpus), "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == {"whole": True, "kind": "passwords", "entries": 499}


@pytest.mark.parametrize("name", ["info", "verify"])
def test_a_file_that_was_cut_short_is_neither_described_nor_whole(
    name: str, corpus: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A file that was cut short, as by a full disk, is neither described nor whole."""
    corpus.write_bytes(corpus.read_bytes()[:-100])
    assert main(["corpus", name, str(corpus)]) == FAILED
    assert "the copy was cut short" in capsys.readouterr().err
