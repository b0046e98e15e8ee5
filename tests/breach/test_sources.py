"""Leaks are read alike in every form; damage is an error with the line's number and nothing of its text."""

from __future__ import annotations

import gzip
import io
import sys
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sekisho.breach.header import CorpusError
from sekisho.breach.progress import Silent
from sekisho.corpus import reading
from sekisho.corpus.reading import LINE_BYTES_MAX, lines
from sekisho.corpus.records import make
from sekisho.corpus.sources import RANGES, Hashes, Plain, Ranges, of_passwords
from tests.breach.making import digest, digests, records_of

if TYPE_CHECKING:
    from pathlib import Path

    from sekisho.corpus.sources import Source

SEEN = dict(sorted((digest, number % 300 + 1) for number, digest in enumerate(digests(200))))
RIGHT = records_of(SEEN).tolist()
TEXT = b"".join(f"{digest.hex().upper()}:{count}\n".encode() for digest, count in SEEN.items())

SECRET = b"correct horse battery staple"


def read(source: Source) -> list[int]:
    return [record for block in source.records(Silent()) for record in block.tolist()]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "leaks"


def unended(text: bytes) -> bytes:
    return text.removesuffix(b"\n")


FORMS = {
    "as it comes": TEXT,
    "small letters": TEXT.lower(),
    "CRLF": TEXT.replace(b"\n", b"\r\n"),
    "a byte order mark": b"\xef\xbb\xbf" + TEXT,
    "no end of the last line": unended(TEXT),
    "CR without LF at the end": unended(TEXT) + b"\r",
    "gzip": gzip.compress(TEXT),
    "gzip in members": gzip.compress(TEXT[:1000]) + gzip.compress(TEXT[1000:]),
    "gzip of CRLF with a mark": gzip.compress(b"\xef\xbb\xbf" + TEXT.replace(b"\n", b"\r\n")),
    "padding": TEXT + b"F" * 40 + b":0\n",
}


@pytest.mark.parametrize("form", FORMS)
def test_all_forms_of_hashes_are_read_alike(path: Path, form: str) -> None:
    """Hashes are read alike in any case, line end, mark and compression; file names do not matter."""
    path.write_bytes(FORMS[form])
    assert read(Hashes(path)) == RIGHT


@pytest.mark.parametrize("form", FORMS)
def test_standard_input_is_read_as_a_file_is(form: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Standard input is read like a file."""
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(FORMS[form])))
    assert read(Hashes(None)) == RIGHT


def test_closed_standard_input_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    """Closed standard input, as some service managers leave it, is an error."""
    monkeypatch.setattr(sys, "stdin", None)
    with pytest.raises(CorpusError, match=r"^standard input is closed$"):
        read(Hashes(None))


@pytest.mark.parametrize("form", ["CRLF", "a byte order mark", "no end of the last line"])
def test_a_block_may_end_at_any_byte(path: Path, form: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Blocks that end at every byte of the file give the same records."""
    text = b"".join(FORMS[form].splitlines(keepends=True)[:7])
    path.write_bytes(unended(text) if form == "no end of the last line" else text)
    for size in range(2, len(text) + 1):
        monkeypatch.setattr(reading, "CHUNK_BYTES", size)
        assert read(Hashes(path)) == RIGHT[:7], size


@given(text=st.text("ab\r\n").map(str.encode), sizes=st.lists(st.integers(0, 5), max_size=30))
def test_lines_are_whole_and_numbered(text: bytes, sizes: list[int]) -> None:
    """Lines of a text cut anywhere come whole, once, with an editor's line numbers."""
    cuts = [0, *np.cumsum(sizes).tolist(), len(text)]
    found = list(lines((text[start:end] for start, end in pairwise(cuts)), "it"))
    assert b"".join(block.data for block in found) in {text, text + b"\n"}
    number = 1
    for block in found:
        assert block.first == number
        assert block.data.endswith(b"\n")
        number += block.data.count(b"\n")


def test_a_line_without_an_end_is_refused(path: Path) -> None:
    """An endless line, as of a film by mistake, is refused before memory is full."""
    path.write_bytes(b"ok\n" + b"x" * (2 * LINE_BYTES_MAX))
    with pytest.raises(CorpusError, match=rf"^{path}, line 2: longer than 65536 bytes: this is no such list$"):
        read(Plain(path))


@pytest.mark.parametrize("form", ["utf-16-le", "utf-16-be"])
def test_utf_16_is_named(path: Path, form: str) -> None:
    """UTF-16, as PowerShell's `>` writes it, is named in the error."""
    path.write_bytes(("\ufeff" + TEXT.decode()).encode(form))
    with pytest.raises(CorpusError, match=f"^{path}: is in UTF-16: convert it to UTF-8$"):
        read(Hashes(path))


def damaged(text: bytes, line: int) -> bytes:
    """The text with a password in place of a line, counted from 1."""
    every = text.splitlines(keepends=True)
    return b"".join([*every[: line - 1], SECRET + b"\n", *every[line:]])


@pytest.mark.parametrize("line", [1, 2, 100, 200])
@pytest.mark.parametrize("size", [64, 1000, 2**20])
def test_damage_names_its_line_and_shows_nothing(
    path: Path, line: int, size: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Damage is named by its line in the file, in any block, without its text."""
    monkeypatch.setattr(reading, "CHUNK_BYTES", size)
    path.write_bytes(damaged(TEXT, line))
    with pytest.raises(CorpusError, match=f"^{path}, line {line}: does not begin with 40 hex digits$") as caught:
        read(Hashes(path))
    assert caught.value.__cause__ is None
    assert SECRET.decode() not in repr((caught.value, caught.value.__context__))


@pytest.mark.parametrize("size", [64, 1000, 2**20])
@pytest.mark.parametrize("line", [2, 100, 200])
def test_hashes_out_of_order_name_their_line(path: Path, line: int, size: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Input that claims to be sorted is checked, across blocks too; other input may come in any order."""
    monkeypatch.setattr(reading, "CHUNK_BYTES", size)
    every = TEXT.splitlines(keepends=True)
    every[line - 2], every[line - 1] = every[line - 1], every[line - 2]
    path.write_bytes(b"".join(every))
    with pytest.raises(
        CorpusError,
        match=f"^{path}, line {line}: is not sorted by hash from here: build it as unsorted, which takes longer$",
    ):
        read(Hashes(path))
    assert sorted(read(Hashes(path, ordered=False))) == RIGHT


@pytest.mark.parametrize("short", range(1, 44))
def test_a_hash_cut_short_is_an_error(path: Path, short: int) -> None:
    """A hash cut at the end of the file is an error that names the last line."""
    last = TEXT.splitlines()[-1]
    path.write_bytes(TEXT[: -len(last) - 1] + last[:41][:-short])
    if short >= 41:
        assert read(Hashes(path)) == RIGHT[:-1]
        return
    with pytest.raises(CorpusError, match=f"^{path}, line 200: (does not begin|has no)"):
        read(Hashes(path))


def test_sorted_hashes_that_end_early_were_cut_short(path: Path) -> None:
    """Sorted hashes that end early were cut between two lines: complete ones end where all digits are F."""
    half = b"".join(TEXT.splitlines(keepends=True)[:100])
    path.write_bytes(half)
    with pytest.raises(
        CorpusError, match=rf"^{path}, line 100: ends at [45]\d\.\d% of all hashes, so it was cut short"
    ):
        read(Hashes(path))
    assert read(Hashes(path, partial=True)) == RIGHT[:100]
    assert read(Hashes(path, ordered=False)) == RIGHT[:100]


@pytest.mark.parametrize("at", [10, 100, -9, -1])
def test_gzip_cut_short_is_an_error(path: Path, at: int) -> None:
    """Cut gzip is an error."""
    path.write_bytes(gzip.compress(TEXT)[:at])
    with pytest.raises(CorpusError, match=f"^{path}: its gzip is cut short: get the whole file again$"):
        read(Hashes(path))


@pytest.mark.parametrize("place", [2, 500, -6, -2])
def test_damaged_gzip_is_an_error(path: Path, place: int) -> None:
    """Gzip's method, content, checksum and length are checked."""
    packed = bytearray(gzip.compress(TEXT))
    packed[place] ^= 0xFF
    path.write_bytes(packed)
    with pytest.raises(CorpusError, match=f"^{path}"):
        read(Hashes(path))


@pytest.mark.parametrize("form", ["as it comes", "gzip"])
def test_progress_is_told_in_bytes_that_were_read(path: Path, form: str) -> None:
    """Progress counts read bytes, which add up to the file's size."""
    told: list[int] = []
    begun: list[tuple[str, int | None, str]] = []

    class Told:
        def begin(self, stage: str, total: int | None, unit: str) -> None:
            begun.append((stage, total, unit))

        def advance(self, amount: int) -> None:
            told.append(amount)

    path.write_bytes(FORMS[form])
    assert len(list(Hashes(path).records(Told()))) == 1
    assert begun == [(f"reading {path}", sum(told), "B")]


def test_passwords_are_hashed_as_the_bytes_that_they_are(path: Path) -> None:
    """Passwords are hashed as their bytes: UTF-8 or not, blanks kept, with CRLF; empty lines are skipped."""
    path.write_bytes("\ufeffhunter2\r\n пароль \n\n".encode() + "пароль\n".encode("cp1251") + b"hunter2")
    right = [b"hunter2", " пароль ".encode(), "пароль".encode("cp1251"), b"hunter2"]
    assert read(Plain(path)) == of_passwords(right).tolist()
    assert read(Plain(path))[0] == int.from_bytes(digest("hunter2")[:8], "big") >> 4 << 4


def test_hex_notation_is_undone(path: Path) -> None:
    """Hashcat's hex notation (for line ends in passwords) is decoded; lookalikes stay."""
    path.write_bytes(b"$HEX[610a62]\n$HEX[6]\n$HEX[zz]\nx$HEX[61]\n$HEX[]\n")
    assert read(Plain(path)) == of_passwords([b"a\nb", b"$HEX[6]", b"$HEX[zz]", b"x$HEX[61]"]).tolist()


def range_file(number: int, seen: dict[bytes, int]) -> bytes:
    """The range API's answer for a prefix."""
    prefix = f"{number:05X}"
    rows = ((digest.hex().upper(), count) for digest, count in seen.items())
    return b"".join(f"{key[5:]}:{count}\r\n".encode() for key, count in rows if key.startswith(prefix))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Ranges of a few hashes, in all file names."""
    folder = tmp_path / "ranges"
    folder.mkdir()
    for place, key in enumerate(SEEN):
        number = int(key.hex()[:5], 16)
        stem = f"{number:05x}" if place % 3 == 0 else f"{number:05X}"
        rows = range_file(number, SEEN)
        name, data = [
            (stem, rows),
            (f"{stem}.txt", rows),
            (f"{stem}.gz", gzip.compress(rows)),
            (f"{stem}.txt.gz", gzip.compress(b"\xef\xbb\xbf" + unended(rows))),
        ][place % 4]
        (folder / name).write_bytes(data)
    return folder


def test_ranges_give_the_hashes_that_they_were_made_of(folder: Path) -> None:
    """Ranges give their hashes, with names in either case, with and without endings, packed or not, and sorted."""
    assert read(Ranges(folder, partial=True)) == RIGHT


def test_padding_is_left_out_and_rows_may_come_in_any_order(folder: Path) -> None:
    """Padding rows, with count 0, are skipped, and rows may come in any order."""
    for path in list(folder.iterdir()):
        rows = path.read_bytes()
        if not path.name.endswith("gz"):
            path.write_bytes(b"F" * 35 + b":0\r\n" + b"E" * 35 + b":3\r\n" + rows)
    found = read(Ranges(folder, partial=True))
    assert found == sorted(found)
    assert set(RIGHT) < set(found)
    assert len(found) == len(RIGHT) + sum(not path.name.endswith("gz") for path in folder.iterdir())


def test_other_files_of_the_folder_are_left_alone(folder: Path) -> None:
    """An index, a partial download and a folder beside the ranges are ignored."""
    for name in ("index.sqlite", "00000.gz.part", "0000", "000000", "0000g", "aAaAa", "README.txt"):
        (folder / name).write_bytes(SECRET)
    assert read(Ranges(folder, partial=True)) == RIGHT


def test_missing_ranges_are_named(folder: Path) -> None:
    """Missing ranges are named and refused without `partial`: their passwords would look clean."""
    with pytest.raises(CorpusError) as caught:
        read(Ranges(folder))
    there = {int(key.hex()[:5], 16) for key in SEEN}
    names = ", ".join(f"{number:05X}" for number in range(20) if number not in there)[:33]
    assert str(caught.value) == (
        f"{folder}: {RANGES - len(there)} of {RANGES} ranges are missing, the first of them {names}, …: "
        "fetch them, or say that the folder is partial"
    )


def test_a_whole_set_needs_no_excuse(tmp_path: Path) -> None:
    """A complete set has 16^5 ranges; with one less its name is reported."""
    every = bytearray(b"\1" * RANGES)
    Ranges(tmp_path)._ensure_complete(every)
    every[0xBEEF5] = 0
    with pytest.raises(CorpusError, match=r"1 of 1048576 ranges are missing, the first of them BEEF5: "):
        Ranges(tmp_path)._ensure_complete(every)


def test_a_folder_without_ranges_is_told(tmp_path: Path) -> None:
    """A folder without ranges is an error, even if partial."""
    with pytest.raises(CorpusError, match=r"holds no range, such as 00000\.gz"):
        read(Ranges(tmp_path, partial=True))


def test_a_range_that_is_there_twice_is_an_error(folder: Path) -> None:
    """A range that exists twice is an error: two answers of different age would add up."""
    for name in ("00000", "00000.gz"):
        (folder / name).write_bytes(b"A" * 35 + b":1\n")
    with pytest.raises(CorpusError, match="range 00000 is there twice: remove one of the two"):
        read(Ranges(folder, partial=True))


def test_an_empty_range_is_an_error(tmp_path: Path) -> None:
    """An empty range, as a crash leaves it, is an error: no real range is empty."""
    (tmp_path / "00000").touch()
    (tmp_path / "00001").write_bytes(b"A" * 35 + b":1\n")
    source = Ranges(tmp_path)
    with pytest.raises(CorpusError, match=f"^{tmp_path}/00000: is empty: delete it and fetch it again, or say that"):
        source._range(0, 1)
    assert len(read(Ranges(tmp_path, partial=True))) == 1


@pytest.mark.parametrize(
    ("data", "problem"),
    [
        (b"A" * 35 + b":1\n" + SECRET, ", line 2: does not begin with 35 hex digits"),
        (b"A" * 40 + b":1\n", ", line 1: does not begin with 35 hex digits"),
        (gzip.compress(b"A" * 35 + b":1\n")[:-3], ": its gzip is cut short: delete it and fetch it again"),
        (gzip.compress(b"A" * 35 + b":1\n") + b"\n", ": something follows its gzip: delete it and fetch it again"),
        (b"\x1f\x8b\xff\xff", ": its gzip is damaged: delete it and fetch it again"),
        (b"\xff\xfeA\0", ": is in UTF-16: convert it to UTF-8"),
        (b"A" * (2**24 + 1), ": is longer than 16777216 bytes: this is no range"),
        (gzip.compress(b"A" * 2**26), ": is longer than 16777216 bytes: this is no range"),
    ],
)
def test_a_damaged_range_is_named(tmp_path: Path, data: bytes, problem: str) -> None:
    """Among thousands of files the damaged one and its line are named, and a compression bomb is not unpacked."""
    for number in range(5):
        (tmp_path / f"{number:05X}").write_bytes(b"B" * 35 + b":1\n" * (number != 3) or data)
    (tmp_path / "00003").write_bytes(data)
    with pytest.raises(CorpusError) as caught:
        read(Ranges(tmp_path, partial=True))
    assert str(caught.value) == f"{tmp_path / '00003'}{problem}"


@pytest.mark.parametrize("source", [Hashes, Plain, Ranges])
def test_what_is_not_there_is_named(tmp_path: Path, source: type[Hashes | Plain | Ranges]) -> None:
    """A missing path is its own kind of error, from every reader."""
    with pytest.raises(CorpusError, match=f"^{tmp_path / 'nowhere'}: No such file or directory$"):
        read(source(tmp_path / "nowhere"))


def test_how_many_there_are_at_least_is_never_too_many(path: Path) -> None:
    """The estimated minimum of records is never too high, so a sufficient disk is not refused."""
    path.write_bytes(b"".join(b"%040X:9999999999\r\n" % number for number in range(100)))
    assert Hashes(path).records_min() == 100
    path.write_bytes(gzip.compress(path.read_bytes()))
    assert Hashes(path).records_min() == 0


def test_of_passwords_makes_no_record_of_nothing() -> None:
    """An empty block of a list makes no record."""
    assert of_passwords([]).tolist() == []
    assert (
        of_passwords([b"a"]).tolist()
        == make(np.array([int.from_bytes(digest("a")[:8], "big")], np.uint64), np.array([1])).tolist()
    )
