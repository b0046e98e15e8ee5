"""Records in any number and order are sorted in the given memory, with the result of a sort in memory."""

from __future__ import annotations

import random
import tracemalloc
from typing import TYPE_CHECKING

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sekisho.breach.corpus_file import Corpus
from sekisho.breach.header import CorpusError
from sekisho.breach.progress import Silent
from sekisho.corpus.records import make, merge
from sekisho.corpus.sorter import Sorter
from sekisho.corpus.writer import write_sorted
from tests.breach.making import BUILT, digests, records_of

if TYPE_CHECKING:
    from pathlib import Path

    from sekisho.corpus.records import Records

SEEN = {digest: number % 300 + 1 for number, digest in enumerate(digests(2000))}
RECORDS = records_of(SEEN)
SHUFFLED = np.array(random.Random(5).sample(RECORDS.tolist(), len(RECORDS)), np.uint64)

MANY_RUNS = 8 * 100


@pytest.mark.parametrize("memory_bytes", [8, MANY_RUNS, 8 * 1999, 8 * 2000, 8 * 2001, 2**20])
def test_the_memory_does_not_matter(tmp_path: Path, memory_bytes: int) -> None:
    """From one record at a time to all at once the file is the same to the byte."""
    write_sorted(tmp_path / "right", [RECORDS], kind="passwords", built=BUILT)
    with Sorter(tmp_path / "sorted", memory_bytes=memory_bytes) as sorter:
        sorter.add(SHUFFLED)
        sorter.write(kind="passwords", built=BUILT)
    assert (tmp_path / "sorted").read_bytes() == (tmp_path / "right").read_bytes()


HEADS = st.integers(0, 20).map(lambda n: n << 59 | n << 4)  # few, so that most are in several runs


@settings(max_examples=60)
@given(
    drawn=st.lists(st.builds(lambda head, low: head | low, HEADS, st.integers(0, 15)), min_size=1, max_size=300),
    pieces=st.integers(1, 9),
    memory=st.integers(1, 50),
)
def test_order_and_runs_do_not_matter(
    tmp_path_factory: pytest.TempPathFactory, drawn: list[int], pieces: int, memory: int
) -> None:
    """A password in many runs adds up exactly as in one list."""
    records = np.array(drawn, np.uint64)
    path = tmp_path_factory.mktemp("sorted") / "corpus"
    with Sorter(path, memory_bytes=8 * memory) as sorter:
        for piece in np.array_split(records, pieces):
            sorter.add(piece)
        sorter.write(kind="passwords")
    corpus = Corpus.open(path)
    right = merge(np.sort(records)).tolist()
    assert [corpus.find(record.to_bytes(8, "big")) - 1 for record in right] == [record % 16 for record in right]
    assert corpus.header.entries == len(right)


def test_what_comes_out_is_sorted_and_can_be_asked_for_again(tmp_path: Path) -> None:
    """The output is sorted, and the runs can be read again, as after a wrong expected count."""
    with Sorter(tmp_path / "corpus", memory_bytes=MANY_RUNS) as sorter:
        sorter.add(SHUFFLED)
        once, again = (np.concatenate(list(sorter.blocks(Silent()))) for _ in range(2))
    assert once.tolist() == RECORDS.tolist()
    assert again.tolist() == once.tolist()


def test_the_highest_record_comes_out(tmp_path: Path) -> None:
    """The highest record (all bits set, maximum count) comes out."""
    highest = np.array([2**64 - 1], np.uint64)
    with Sorter(tmp_path / "corpus", memory_bytes=8) as sorter:
        sorter.add(np.concatenate((highest, SHUFFLED[:2], highest)))
        *_, last = np.concatenate(list(sorter.blocks(Silent())))
    assert last == highest[0]


def test_a_wrong_expectation_is_mended(tmp_path: Path) -> None:
    """A wrong expected count, which would be too dense, is corrected from the runs."""
    with Sorter(tmp_path / "corpus", memory_bytes=MANY_RUNS) as sorter:
        sorter.add(SHUFFLED)
        header = sorter.write(kind="passwords", expected=10)
    assert header.false_positive_rate < 1.2e-7
    assert all(Corpus.open(tmp_path / "corpus").find(digest) for digest in SEEN)


def test_pairs_keep_their_kind_and_key(tmp_path: Path) -> None:
    """Sorted keyed digests give a file that names the key."""
    with Sorter(tmp_path / "pairs") as sorter:
        sorter.add(SHUFFLED)
        sorter.write(kind="pairs", key_id="c0ffee")
    header = Corpus.open(tmp_path / "pairs", kind="pairs", key_id="c0ffee").header
    assert (header.kind, header.key_id) == ("pairs", "c0ffee")


def test_nothing_makes_no_file(tmp_path: Path) -> None:
    """Without records, or without `write`, no file is left."""
    with Sorter(tmp_path / "corpus", memory_bytes=MANY_RUNS) as sorter:
        with pytest.raises(CorpusError, match="there is nothing in the input"):
            sorter.write(kind="passwords")
        sorter.add(SHUFFLED)
    assert list(tmp_path.iterdir()) == []


def test_what_is_set_aside_lies_beside_the_output_and_has_no_name(tmp_path: Path) -> None:
    """Temporary files lie beside the output without a name, so any end of the process removes them."""
    with Sorter(tmp_path / "corpus", memory_bytes=MANY_RUNS) as sorter:
        sorter.add(SHUFFLED)
        assert list(tmp_path.iterdir()) == []


def test_a_folder_that_cannot_be_written_to_is_named(tmp_path: Path) -> None:
    """A folder without write permission is named before the first record is read."""
    with pytest.raises(CorpusError, match="cannot be written: No such file or directory"):
        Sorter(tmp_path / "nowhere" / "corpus")


def skewed(size: int, rng: np.random.Generator) -> Records:
    """Half of the records in a thousandth of the range, half spread evenly."""
    heads = rng.integers(0, 2**64, size, np.uint64)
    heads[::2] >>= np.uint64(10)
    return make(heads, np.ones(size, np.int64))


@pytest.mark.parametrize("alike", [False, True])
def test_memory_does_not_grow_with_the_input(tmp_path: Path, *, alike: bool) -> None:
    """Three times the records, unevenly spread or all of one password, take no more peak memory."""
    peaks = []
    for blocks in (20, 60):
        rng = np.random.default_rng(11)
        tracemalloc.start()
        with Sorter(tmp_path / "corpus", memory_bytes=2**20) as sorter:
            for _ in range(blocks):
                sorter.add(np.full(2**16, 16, np.uint64) if alike else skewed(2**16, rng))
            sorter.write(kind="passwords")
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    index = 4 * 60 * 2**16 // 16  # the one thing that does grow
    assert peaks[1] < peaks[0] * 1.25 + index
    assert max(peaks) < 20 * 2**20
