"""A corpus file finds its entries and nothing else, and a damaged one is refused."""

from __future__ import annotations

import re
import subprocess
import sys
from dataclasses import replace
from hashlib import blake2b
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sekisho.breach.corpus_file import Corpus
from sekisho.breach.header import HEADER_BYTES, CorpusError, Header
from sekisho.model.breach import prevalence
from tests.breach.making import BUILT, corpus_file, digests

if TYPE_CHECKING:
    from pathlib import Path

SEEN = {digest: number % 70_000 + 1 for number, digest in enumerate(digests(300))}

# Both sides of every boundary between classes, and far beyond the last.
COUNTS = st.one_of(st.sampled_from([n + d for n in (2**k for k in range(18)) for d in (-1, 0)][1:]), st.just(10**9))


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "corpus"
    corpus_file(path, SEEN)
    return path


@given(seen=st.dictionaries(st.binary(min_size=20, max_size=20), COUNTS, min_size=1, max_size=200))
def test_what_was_put_in_is_found_with_its_class(
    tmp_path_factory: pytest.TempPathFactory, seen: dict[bytes, int]
) -> None:
    """Every digest is found with the class of its count: no false negative."""
    path = tmp_path_factory.mktemp("corpus") / "corpus"
    heads = {digest[:7]: (digest, count) for digest, count in seen.items()}  # equal heads would be one entry
    corpus_file(path, dict(heads.values()))
    find = Corpus.open(path).find
    assert {digest: find(digest) for digest, _ in heads.values()} == {
        digest: prevalence(count) for digest, count in heads.values()
    }


def test_what_was_not_put_in_is_absent(path: Path) -> None:
    """Fifty thousand other digests are absent: a false positive is expected in one of three hundred runs, and runs are
    alike.
    """
    find = Corpus.open(path).find
    assert [find(digest) for digest in digests(50_000, "absent")] == [0] * 50_000


def test_one_other_bit_is_another_digest(path: Path) -> None:
    """All stored bits are compared: bucket and suffix, first and last."""
    corpus = Corpus.open(path)
    for digest in list(SEEN)[:50]:
        for bit in range(corpus.header.bits + 28):
            other = int.from_bytes(digest[:8], "big") ^ 1 << 63 - bit
            assert corpus.find(other.to_bytes(8, "big")) == 0


def test_the_lowest_and_the_highest_digest_are_found(tmp_path: Path) -> None:
    """The lowest and the highest digest are found, in the first and last bucket."""
    seen = {bytes(20): 1, b"\xff" * 20: 70_000}
    corpus_file(tmp_path / "corpus", seen)
    find = Corpus.open(tmp_path / "corpus").find
    assert [find(digest) for digest in seen] == [1, 16]


def test_the_header_tells_what_is_inside(path: Path) -> None:
    """The header gives kind, number of entries and build date."""
    header = Corpus.open(path).header
    assert (header.kind, header.entries, header.built, header.key_id) == ("passwords", 300, BUILT, "")


def test_a_worker_keeps_a_replaced_file_that_it_has_open(path: Path) -> None:
    """A worker that has a replaced file mapped keeps it: a build renames."""
    old = Corpus.open(path)
    corpus_file(path, dict.fromkeys(digests(10, "new"), 1))
    assert all(old.find(digest) == prevalence(count) for digest, count in SEEN.items())
    assert Corpus.open(path).find(digests(1, "new")[0]) == 1


@pytest.mark.parametrize(
    ("asked", "problem"),
    [
        ({"kind": "pairs"}, "it holds passwords, not pairs"),
        ({"key_id": "c0ffee"}, "it was made with another key: build it again with the current key"),
    ],
)
def test_another_kind_or_key_is_refused(path: Path, asked: dict[str, str], problem: str) -> None:
    """A file of another kind or key is refused, as all its answers would be wrong."""
    with pytest.raises(CorpusError, match=f"^{re.escape(f'{path}: {problem}')}$"):
        Corpus.open(path, **asked)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    """The error names the path and the reason."""
    path = tmp_path / "nowhere"
    with pytest.raises(CorpusError, match=f"^{re.escape(str(path))}: No such file or directory$"):
        Corpus.open(path)


def test_a_folder_is_no_corpus(tmp_path: Path) -> None:
    """A folder is refused like any other wrong path."""
    with pytest.raises(CorpusError, match="it is no regular file"):
        Corpus.open(tmp_path)


@pytest.mark.parametrize("by", [-1, 1, -5])
def test_a_file_of_the_wrong_length_is_refused(path: Path, by: int) -> None:
    """A file that was cut or extended is not mapped."""
    whole = path.read_bytes()
    path.write_bytes((whole + b"\0" * 9)[: len(whole) + by])
    with pytest.raises(CorpusError, match=f"it is {len(whole) + by} bytes long and should be {len(whole)}: "):
        Corpus.open(path)


def test_an_empty_file_is_refused(tmp_path: Path) -> None:
    """An empty file is refused."""
    (tmp_path / "empty").touch()
    with pytest.raises(CorpusError, match="this is no corpus file"):
        Corpus.open(tmp_path / "empty")


def test_a_big_endian_machine_is_refused(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A big-endian machine, which would find nothing, is refused with an error."""
    monkeypatch.setattr(sys, "byteorder", "big")
    with pytest.raises(CorpusError, match="need a little-endian machine"):
        Corpus.open(path)


def test_a_whole_file_verifies(path: Path) -> None:
    """An undamaged file verifies."""
    Corpus.open(path).verify()


def test_damage_to_any_byte_is_noticed(tmp_path: Path) -> None:
    """A flipped bit anywhere is found when opening or verifying."""
    path = tmp_path / "corpus"
    corpus_file(path, dict.fromkeys(digests(70), 3))
    whole = path.read_bytes()
    for place in (*range(0, HEADER_BYTES, 97), *range(HEADER_BYTES, len(whole))):
        path.write_bytes(whole[:place] + bytes([whole[place] ^ 1 << place % 8]) + whole[place + 1 :])
        with pytest.raises(CorpusError):
            Corpus.open(path).verify()


def sign(path: Path, payload: bytes) -> None:
    """Put a payload under a header with the right checksum, as a builder's bug would."""
    header = Header.parse(path.read_bytes()[:HEADER_BYTES])
    path.write_bytes(replace(header, payload_blake2b=blake2b(payload, digest_size=32).hexdigest()).render() + payload)


@pytest.mark.parametrize("first", [0, 4])
def test_entries_out_of_order_do_not_verify(path: Path, first: int) -> None:
    """Entries out of order or doubled do not verify, even with a right checksum: a look-up would miss them."""
    payload = bytearray(path.read_bytes()[HEADER_BYTES:])
    payload[0:4], payload[4:8] = payload[4:8], payload[first : first + 4]
    sign(path, bytes(payload))
    with pytest.raises(CorpusError, match="its entries are not in order: build the file again"):
        Corpus.open(path).verify()


@pytest.mark.parametrize("number", [1, 5])
def test_an_index_out_of_order_does_not_verify(path: Path, number: int) -> None:
    """An index in which a bucket ends before it begins does not verify."""
    payload = bytearray(path.read_bytes()[HEADER_BYTES:])
    start = 4 * len(SEEN) + 4 * number
    payload[start : start + 4] = (301).to_bytes(4, "little")
    sign(path, bytes(payload))
    with pytest.raises(CorpusError, match="its index is not in order: build the file again"):
        Corpus.open(path).verify()


@pytest.mark.parametrize("place", [4 * len(SEEN), -4])
def test_an_index_that_begins_or_ends_elsewhere_is_refused(path: Path, place: int) -> None:
    """A zeroed last page or noise as the first one is found without reading the file."""
    payload = bytearray(path.read_bytes()[HEADER_BYTES:])
    payload[place] ^= 255
    sign(path, bytes(payload))
    with pytest.raises(CorpusError, match="its index is damaged: "):
        Corpus.open(path)


def test_verifying_tells_how_far_it_is(path: Path) -> None:
    """Verifying reports each byte to be read once."""
    told: list[int] = []
    totals: list[tuple[str, int | None, str]] = []

    class Told:
        def begin(self, stage: str, total: int | None, unit: str) -> None:
            totals.append((stage, total, unit))

        def advance(self, amount: int) -> None:
            told.append(amount)

    Corpus.open(path).verify(Told())
    assert totals == [("verifying", sum(told), "B")]


@pytest.mark.parametrize("module", ["corpus_file", "reloadable_file"])
def test_a_worker_never_loads_numpy(module: str) -> None:
    """The reader needs the standard library alone: numpy would cost each worker 20 MiB and 0.1 s."""
    code = f"import sys, sekisho.breach.{module}; sys.exit('numpy' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
