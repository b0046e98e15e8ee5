"""The same leaks give the same corpus in any input form, and the old corpus stays until the new one is complete."""

from __future__ import annotations

import gzip
import io
import os
import signal
import subprocess
import sys
from hashlib import sha1
from itertools import permutations
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sekisho.breach.corpus_file import Corpus
from sekisho.breach.header import CorpusError
from sekisho.corpus import reading
from sekisho.corpus.build import Hashes, Plain, Ranges, build
from sekisho.corpus.writer import TooDenseError
from sekisho.model.breach import prevalence
from tests.breach.making import BUILT, corpus_file, digest, digests

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from pathlib import Path

    from sekisho.breach.progress import Progress
    from sekisho.corpus.build import Source
    from sekisho.corpus.records import Records

FEW_RECORDS = 8 * 7  # of memory, so that small lists are sorted on disk too


def text_of(seen: Mapping[bytes, int]) -> bytes:
    """`SHA1:count`, sorted."""
    return b"".join(f"{key.hex().upper()}:{count}\n".encode() for key, count in sorted(seen.items()))


def as_text(folder: Path, seen: Mapping[bytes, int]) -> Source:
    (folder / "text").write_bytes(text_of(seen))
    return Hashes(folder / "text")


def as_unsorted_text(folder: Path, seen: Mapping[bytes, int]) -> Source:
    rows = text_of(seen).lower().splitlines(keepends=True)
    (folder / "unsorted").write_bytes(b"".join(rows[1::2] + rows[::2][::-1]))
    return Hashes(folder / "unsorted", ordered=False)


def as_gzip(folder: Path, seen: Mapping[bytes, int]) -> Source:
    (folder / "gzip").write_bytes(gzip.compress(text_of(seen).replace(b"\n", b"\r\n")))
    return Hashes(folder / "gzip")


def as_ranges(folder: Path, seen: Mapping[bytes, int]) -> Source:
    (folder / "ranges").mkdir()
    for key, count in seen.items():
        with (folder / "ranges" / key.hex().upper()[:5]).open("ab") as file:
            file.write(f"{key.hex().upper()[5:]}:{count}\r\n".encode())
    return Ranges(folder / "ranges", partial=True)


FORMS: list[Callable[[Path, Mapping[bytes, int]], Source]] = [as_text, as_unsorted_text, as_gzip, as_ranges]


@settings(max_examples=30, deadline=None)
@given(
    counts=st.lists(st.integers(1, 2**17), min_size=1, max_size=80),
    chunk=st.integers(20, 5000),
    memory=st.sampled_from([FEW_RECORDS, 2**20]),
)
def test_all_forms_of_the_same_leaks_make_the_same_file(
    tmp_path_factory: pytest.TempPathFactory, counts: list[int], chunk: int, memory: int
) -> None:
    """All forms of the same leaks give the same file to the byte, with any blocks and memory, and all entries are
    found.
    """
    folder = tmp_path_factory.mktemp("build")
    seen = dict(zip(digests(len(counts)), counts, strict=True))
    files = set()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(reading, "CHUNK_BYTES", chunk)
        for form in FORMS:
            build([form(folder, seen)], folder / "corpus", built=BUILT, memory_bytes=memory)
            files.add((folder / "corpus").read_bytes())
    assert len(files) == 1
    corpus = Corpus.open(folder / "corpus")
    corpus.verify()
    assert {key: corpus.find(key) for key in seen} == {key: prevalence(count) for key, count in seen.items()}
    assert not any(map(corpus.find, digests(500, "absent")))


@settings(max_examples=30, deadline=None)
@given(
    passwords=st.lists(st.binary(min_size=1, max_size=3).filter(lambda text: not {10, 13} & set(text)), min_size=1),
    memory=st.sampled_from([FEW_RECORDS, 2**20]),
)
def test_plain_passwords_count_as_often_as_they_stand_there(
    tmp_path_factory: pytest.TempPathFactory, passwords: list[bytes], memory: int
) -> None:
    """A plain list counts repetitions, like a list of hashes with counts."""
    folder = tmp_path_factory.mktemp("plain")
    (folder / "plain").write_bytes(b"first line\n" + b"\n".join(passwords))
    build([Plain(folder / "plain")], folder / "corpus", memory_bytes=memory)
    find = Corpus.open(folder / "corpus").find
    assert {find(sha1(password).digest()) == prevalence(passwords.count(password)) for password in passwords} == {True}


def test_inputs_may_come_in_any_order(tmp_path: Path) -> None:
    """Several inputs add up, and their order does not change a byte."""
    common = digest("password")
    sources = [form(tmp_path, {common: 3, **dict.fromkeys(digests(40, form.__name__), 9)}) for form in FORMS[1:]]
    (tmp_path / "plain").write_text("password\nqwerty\npassword\n")
    files = set()
    for order in permutations([*sources, Plain(tmp_path / "plain")]):
        build(order, tmp_path / "corpus", built=BUILT, memory_bytes=FEW_RECORDS)
        files.add((tmp_path / "corpus").read_bytes())
    assert len(files) == 1
    corpus = Corpus.open(tmp_path / "corpus")
    # Three times class 2, which stands for 2 and 3, and twice class 1: 3 × 2 + 2 = 8.
    assert (corpus.header.entries, corpus.find(common), corpus.find(digest("qwerty"))) == (122, 4, 1)


def test_a_sorted_file_foreseen_too_small_is_read_again(tmp_path: Path) -> None:
    """A sorted file with too low an expected count is read again: then the number is known."""
    seen = dict.fromkeys(digests(3000), 1)
    header = build([as_text(tmp_path, seen)], tmp_path / "corpus", expected=10)
    assert header.false_positive_rate < 1.2e-7
    assert all(map(Corpus.open(tmp_path / "corpus").find, seen))


def test_a_sorted_pipe_foreseen_too_small_says_what_to_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A sorted pipe with too low an expected count is an error that states the right number, as it cannot be read
    again.
    """
    text = text_of(dict.fromkeys(digests(3000), 1))
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(text)))
    with pytest.raises(TooDenseError, match="build it as unsorted, or say that 3000 are expected"):
        build([Hashes(None)], tmp_path / "corpus", expected=10)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("ordered", [True, False])
def test_an_error_leaves_the_old_file_and_nothing_else(tmp_path: Path, *, ordered: bool) -> None:
    """An error in the last line, when almost all is written, leaves the folder as it was."""
    corpus_file(tmp_path / "corpus", {digest("old"): 1})
    before = (tmp_path / "corpus").read_bytes()
    (tmp_path / "text").write_bytes(text_of(dict.fromkeys(digests(500), 1)) + b"F" * 39 + b":1\n")
    with pytest.raises(CorpusError, match="text, line 501: does not begin with 40 hex digits"):
        build([Hashes(tmp_path / "text", ordered=ordered)], tmp_path / "corpus", memory_bytes=FEW_RECORDS, expected=500)
    assert (tmp_path / "corpus").read_bytes() == before
    assert sorted(path.name for path in tmp_path.iterdir()) == ["corpus", "text"]


# Reports each read; with a second argument there are no files without names.
CHILD = """
import os, sys
from sekisho.corpus.build import Hashes, build

class Told:
    def begin(self, stage, total, unit): pass
    def advance(self, amount): print(amount, flush=True)

if len(sys.argv) > 2:
    del os.O_TMPFILE
build([Hashes(None)], sys.argv[1], expected=100_000, progress=Told())
"""


def broken_off(folder: Path, number: int, *more: str) -> None:
    """Build from an endless pipe, and send a signal once megabytes are read and written."""
    text = text_of(dict.fromkeys(digests(75_000), 1))
    child = subprocess.Popen(
        [sys.executable, "-c", CHILD, str(folder / "corpus"), *more],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
    )
    with child:
        assert child.stdin
        assert child.stdout
        child.stdin.write(text)  # more than a pipe holds: once it is written, most of it was read
        child.stdin.flush()
        assert child.stdout.readline()
        child.send_signal(number)
        child.wait(30)
    assert child.returncode == -number


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_a_build_that_is_killed_leaves_the_old_file(tmp_path: Path, number: int) -> None:
    """A build ended by Ctrl-C, a shutdown or the out-of-memory killer leaves the old file working."""
    corpus_file(tmp_path / "corpus", {digest("old"): 5})
    broken_off(tmp_path, number)
    corpus = Corpus.open(tmp_path / "corpus")
    corpus.verify()
    assert corpus.find(digest("old")) == 3
    assert [path.name for path in tmp_path.iterdir() if not path.name.startswith(".")] == ["corpus"]


@pytest.mark.parametrize("more", [(), ("named",)])
def test_ctrl_c_leaves_nothing_behind(tmp_path: Path, more: tuple[str, ...]) -> None:
    """Ctrl-C leaves no file behind, hidden ones included, on file systems with and without unnamed files."""
    broken_off(tmp_path, signal.SIGINT, *more)
    assert list(tmp_path.iterdir()) == []


class Claiming:
    """A source that states its size and must not be read."""

    name = "claiming"
    ordered = True
    repeatable = True

    def __init__(self, records: int) -> None:
        self._records = records

    def records_min(self) -> int:
        return self._records

    def records(self, progress: Progress) -> Iterator[Records]:
        raise AssertionError("it was read")


@pytest.mark.parametrize("amount", [1, 2])
def test_room_is_looked_at_before_anything_is_read(tmp_path: Path, amount: int) -> None:
    """Disk space is checked before reading, three times as much for sorting, so no build fails after an hour."""
    needed = "12 PB" if amount > 1 else "4 PB"
    with pytest.raises(CorpusError, match=f"B are free, and some {needed} are needed: make room"):
        build([Claiming(10**15 // amount)] * amount, tmp_path / "corpus")


def test_an_output_that_is_an_input_is_refused(tmp_path: Path) -> None:
    """An output that is an input, under any name, is refused: the corpus would replace the list."""
    source = as_text(tmp_path, {digest("a"): 1})
    (tmp_path / "alias").symlink_to("text")
    before = (tmp_path / "text").read_bytes()
    with pytest.raises(CorpusError, match="is an input and the output: name another output"):
        build([source], tmp_path / "alias")
    assert (tmp_path / "text").read_bytes() == before


def test_an_output_in_no_folder_is_refused(tmp_path: Path) -> None:
    """An output in a missing folder, or that is a folder, is refused."""
    source = as_text(tmp_path, {digest("a"): 1})
    with pytest.raises(CorpusError, match="there is no such folder: make it first"):
        build([source], tmp_path / "nowhere" / "corpus")
    with pytest.raises(CorpusError, match="is a folder: name a file in it"):
        build([source], tmp_path)


@pytest.mark.parametrize("form", [Hashes, Plain])
@pytest.mark.parametrize("text", [b"", b"\xef\xbb\xbf", gzip.compress(b"")])
def test_nothing_makes_no_corpus(tmp_path: Path, form: type[Hashes | Plain], text: bytes) -> None:
    """Empty input is refused: it is an earlier mistake, and everything would look clean."""
    (tmp_path / "empty").write_bytes(text)
    with pytest.raises(CorpusError, match="there is nothing in the input to make a corpus from"):
        build([form(tmp_path / "empty")], tmp_path / "corpus")
    with pytest.raises(CorpusError, match="there is nothing to make a corpus from: name a file"):
        build([], tmp_path / "corpus")
    assert [path.name for path in tmp_path.iterdir()] == ["empty"]


def test_an_input_of_nothing_but_padding_makes_no_corpus(tmp_path: Path) -> None:
    """Input of padding rows alone, which are no leaks, makes no corpus."""
    (tmp_path / "padding").write_bytes(b"A" * 40 + b":0\n")
    with pytest.raises(CorpusError, match="there is nothing in the input to make a corpus from"):
        build([Hashes(tmp_path / "padding")], tmp_path / "corpus")


def test_a_fifo_is_read_as_a_file_is(tmp_path: Path) -> None:
    """A FIFO, as of a shell's `<(…)`, works although it has no size and cannot be read twice."""
    os.mkfifo(tmp_path / "fifo")
    text = text_of(dict.fromkeys(digests(100), 1))
    with subprocess.Popen(["sh", "-c", 'cat > "$0"', str(tmp_path / "fifo")], stdin=subprocess.PIPE) as writer:
        assert writer.stdin
        writer.stdin.write(text)
        writer.stdin.close()
        header = build([Hashes(tmp_path / "fifo")], tmp_path / "corpus")
    assert header.entries == 100


def test_stages_are_named(tmp_path: Path) -> None:
    """The progress names each stage."""
    stages: list[str] = []

    class Told:
        def begin(self, stage: str, total: int | None, unit: str) -> None:
            stages.append(stage)

        def advance(self, amount: int) -> None:
            pass

    source = as_unsorted_text(tmp_path, dict.fromkeys(digests(100), 1))
    build([source], tmp_path / "corpus", memory_bytes=FEW_RECORDS, progress=Told())
    assert stages == [f"reading {source.name}", "merging", "syncing"]
