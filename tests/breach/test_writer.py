"""A file is complete or absent, for any expected size and any failure."""

from __future__ import annotations

import os
import resource
import subprocess
import sys
from types import SimpleNamespace
from typing import TYPE_CHECKING

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sekisho.breach.corpus_file import Corpus
from sekisho.breach.header import CorpusError, bits_for
from sekisho.corpus.records import NONE, make
from sekisho.corpus.writer import TooDenseError, ensure_room, replacing, write_sorted
from tests.breach.making import BUILT, corpus_file, digests, records_of

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from sekisho.corpus.records import Records

SEEN = {digest: number % 300 + 1 for number, digest in enumerate(digests(3000))}
RECORDS = records_of(SEEN)


@pytest.fixture(params=["without a name", "with a passing name"])
def output(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An output path, on file systems with and without unnamed files."""
    if request.param == "with a passing name":
        monkeypatch.delattr(os, "O_TMPFILE", raising=False)
    return tmp_path / "corpus"


def holds(path: Path, seen: dict[bytes, int]) -> bool:
    corpus = Corpus.open(path)
    corpus.verify()
    return all(corpus.find(digest) == count.bit_length() for digest, count in seen.items())


@settings(max_examples=40)
@given(cuts=st.lists(st.integers(0, len(RECORDS)), max_size=40).map(sorted))
def test_the_size_of_blocks_does_not_matter(tmp_path_factory: pytest.TempPathFactory, cuts: list[int]) -> None:
    """The same records in any blocks give the same file to the byte."""
    folder = tmp_path_factory.mktemp("written")
    write_sorted(folder / "whole", [RECORDS], kind="passwords", built=BUILT)
    write_sorted(folder / "cut", np.split(RECORDS, cuts), kind="passwords", built=BUILT)
    assert (folder / "cut").read_bytes() == (folder / "whole").read_bytes()


@pytest.mark.parametrize("expected", [None, 1500, 3000, 3001, 100_000, 50_000_000])
def test_a_wrong_expectation_costs_no_digest(output: Path, expected: int | None) -> None:
    """With a wrong expected count everything is found, and the stated rate is the true one."""
    header = write_sorted(output, [RECORDS], kind="passwords", expected=expected)
    assert holds(output, SEEN)
    assert header.entries == 3000
    assert header.false_positive_rate == 3000 / 2 ** (header.bits + 28)


def test_a_file_foreseen_too_large_is_packed(output: Path) -> None:
    """An index for thirty times the entries is rebuilt, and the file is as with the right count, to the byte."""
    write_sorted(output, [RECORDS], kind="passwords", built=BUILT)
    right = output.read_bytes()
    write_sorted(output, [RECORDS], kind="passwords", expected=100_000, built=BUILT)
    assert output.read_bytes() == right


def test_a_file_that_shrinks_when_it_is_packed_ends_where_it_should(output: Path) -> None:
    """A thousand digests that a small index cannot tell apart become one entry, and nothing remains behind the end."""
    seen = {(number << 12).to_bytes(8, "big"): 1 for number in range(1000)}
    header = write_sorted(output, [records_of(seen)], kind="passwords", expected=10_000_000)
    assert header.entries == 1
    assert holds(output, seen)


def test_a_file_foreseen_too_small_says_how_many_there_are(output: Path) -> None:
    """Beyond one false positive in a million there is no file, but the count that makes a right one."""
    with pytest.raises(TooDenseError, match="build it as unsorted, or say that 3000 are expected") as caught:
        write_sorted(output, [RECORDS], kind="passwords", expected=10)
    assert not output.exists()
    write_sorted(output, [RECORDS], kind="passwords", expected=caught.value.entries)
    assert holds(output, SEEN)


def test_the_number_is_foreseen_from_the_first_million(tmp_path: Path) -> None:
    """Of three million even records the first third tells how many bits are needed."""
    heads = np.arange(3_000_000, dtype=np.uint64) * np.uint64(2**64 // 3_000_000)
    records = make(heads, np.ones(len(heads), np.int64))
    pieces = np.split(records, range(100_000, len(records), 100_000))
    taken = 0

    def blocks() -> Iterator[Records]:
        nonlocal taken
        for piece in pieces:
            taken += 1
            yield piece

    class Told:
        stages: tuple[str, ...] = ()

        def begin(self, stage: str, total: int | None, unit: str) -> None:
            self.stages += (stage,)

        def advance(self, amount: int) -> None:
            pass

    told = Told()
    header = write_sorted(tmp_path / "corpus", blocks(), kind="passwords", progress=told)
    assert (header.entries, header.bits) == (3_000_000, bits_for(3_000_000))
    assert told.stages == ("syncing",)  # and not "packing": it was right at once
    assert taken == len(pieces)


def test_two_passwords_that_the_file_cannot_tell_apart_are_the_commoner_one(tmp_path: Path) -> None:
    """Two passwords equal in all stored bits get the commoner one's class, never the rarer one's."""
    near = {bytes(7) + b"\x10": 1, bytes(7) + b"\x20": 1000, bytes(7) + b"\x30": 5, b"\x80" + bytes(7): 1}
    header = corpus_file(tmp_path / "corpus", near)
    assert header.entries == 2
    assert {Corpus.open(tmp_path / "corpus").find(digest) for digest in list(near)[:3]} == {10}


@pytest.mark.parametrize("expected", [None, 10])
def test_nothing_makes_no_file(output: Path, expected: int | None) -> None:
    """No entries make no file: every password would look clean."""
    with pytest.raises(CorpusError, match="there is nothing in the input to make a corpus from"):
        write_sorted(output, [NONE, NONE], kind="passwords", expected=expected)
    assert list(output.parent.iterdir()) == []


def test_everybody_may_read_it(output: Path) -> None:
    """The file is readable by all, as another user serves it, with any umask of the parent."""
    before = os.umask(0o077)
    try:
        write_sorted(output, [RECORDS], kind="passwords")
    finally:
        os.umask(before)
    assert output.stat().st_mode & 0o777 == 0o644


def test_a_link_stays_a_link(output: Path) -> None:
    """An operator's link to today's file stays, and its target is the new file."""
    target = output.parent / "disk" / "corpus-2025"
    target.parent.mkdir()
    output.symlink_to(target)
    write_sorted(output, [RECORDS], kind="passwords")
    assert output.is_symlink()
    assert holds(target, SEEN)
    assert [path.name for path in target.parent.iterdir()] == ["corpus-2025"]


@pytest.mark.parametrize("error", [ValueError("of the input"), KeyboardInterrupt(), CorpusError("of the input")])
def test_what_breaks_off_leaves_the_old_file_and_nothing_else(output: Path, error: BaseException) -> None:
    """Any end of a build, Ctrl-C too, leaves the folder as it was."""
    corpus_file(output, SEEN)
    before = output.read_bytes()

    def blocks() -> Iterator[Records]:
        yield RECORDS[:1000]
        raise error

    with pytest.raises(type(error)):
        write_sorted(output, blocks(), kind="passwords", expected=3000)
    assert output.read_bytes() == before
    assert [path.name for path in output.parent.iterdir()] == ["corpus"]


def test_until_the_end_there_is_only_the_old_file(output: Path) -> None:
    """During a build the path gives the old file, and in the moment after it the new one."""
    output.write_bytes(b"old")
    with replacing(output) as file:
        file.write(b"new")
        file.flush()
        assert output.read_bytes() == b"old"
    assert output.read_bytes() == b"new"
    assert [path.name for path in output.parent.iterdir()] == ["corpus"]


def test_a_full_disk_is_an_error_and_leaves_the_old_file(tmp_path: Path) -> None:
    """A failed write (here at a limit of the process) is an error, and the old file stays."""
    output = tmp_path / "corpus"
    corpus_file(output, dict.fromkeys(digests(100), 1))
    before = output.read_bytes()
    script = (
        "import sys\n"
        "from pathlib import Path\n"
        "from sekisho.breach.header import CorpusError\n"
        "from tests.breach.test_writer import RECORDS, write_sorted\n"
        "try:\n"
        "    write_sorted(Path(sys.argv[1]), [RECORDS], kind='passwords')\n"
        "except CorpusError as error:\n"
        "    sys.exit(str(error))\n"
    )
    found = subprocess.run(
        # -B: under this limit Python 3.11 would cache modules cut off, and later imports of them would fail.
        [sys.executable, "-B", "-c", script, str(output)],
        capture_output=True,
        text=True,
        check=False,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (8000, 8000)),
    )
    assert found.stderr == f"{output}: cannot be written: File too large\n"
    assert output.read_bytes() == before
    assert [path.name for path in tmp_path.iterdir()] == ["corpus"]


def test_a_folder_that_is_not_there_is_named(tmp_path: Path) -> None:
    """A missing folder is named and not created."""
    with pytest.raises(CorpusError, match="cannot be written to: No such file or directory"):
        write_sorted(tmp_path / "nowhere" / "corpus", [RECORDS], kind="passwords")


@pytest.mark.parametrize(
    ("free", "needed", "said"),
    [
        (0, 40_000, "0 B are free, and some 40 kB are needed"),
        (39_900, 40_000, "39.9 kB are free, and some 40 kB are needed"),
        (999_499, 1_234_567, "999 kB are free, and some 1.23 MB are needed"),
        (12 * 10**9, 38_200_000_000, "12 GB are free, and some 38.2 GB are needed"),
        (2 * 10**12, 3 * 10**15, "2 TB are free, and some 3 PB are needed"),
    ],
)
def test_sizes_have_units_that_fit(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, free: int, needed: int, said: str
) -> None:
    """Sizes are shown in fitting units, not as `0.0 GB`."""
    monkeypatch.setattr("shutil.disk_usage", lambda _: SimpleNamespace(free=free))
    with pytest.raises(CorpusError) as error:
        ensure_room(tmp_path, needed)
    assert str(error.value) == f"{tmp_path}: {said}: make room"


def test_too_little_room_is_told_before_the_work(tmp_path: Path) -> None:
    """Too little disk space is reported before the work, with folder, free and needed size."""
    with pytest.raises(CorpusError, match=rf"^{tmp_path}: .*B are free, and some 1,000 PB are needed"):
        ensure_room(tmp_path, 10**18)
    ensure_room(tmp_path, 1)
