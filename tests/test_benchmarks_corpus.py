"""The corpus benchmark's tools: repeatable leaks, exact intervals, and memory by its owner."""

from __future__ import annotations

import json
import mmap
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks.corpus import common, synthetic
from benchmarks.corpus.synthetic import Synthetic
from sekisho.model import prevalence

SIZES = st.integers(1, 3000)
LARGER = 300_000  # more than one partition a bit


@given(SIZES, st.integers(0, 2**32))
def test_a_leak_has_as_many_keys_as_asked_for(entries: int, seed: int) -> None:
    """All keys are different and sorted over all partitions, in the stated number."""
    heads = np.concatenate(list(Synthetic(entries, seed).ordered()))

    assert len(heads) == entries
    assert (heads[1:] > heads[:-1]).all()


def test_a_larger_leak_is_cut_by_its_leading_bits() -> None:
    """A partition made again alone is the same stretch of the whole."""
    source = Synthetic(LARGER)
    whole = np.concatenate(list(source.ordered()))

    assert source.partitions > 2
    for partition in range(source.partitions):
        own = whole[whole >> np.uint64(64 - source.partition_bits) == partition]
        assert (own == source.present(partition)).all()


@given(SIZES, st.integers(1, 500))
def test_absent_keys_are_absent(entries: int, count: int) -> None:
    """A key counted as absent is absent, or it would look like a false positive."""
    source = Synthetic(entries)

    for partition in range(source.partitions):
        absent = source.absent(partition, count)
        assert len(absent) <= count
        assert not np.isin(absent, source.present(partition)).any()


def test_what_was_drawn_and_is_present_is_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    """Absent keys drawn from the present ones' own stream are left out."""
    monkeypatch.setattr(synthetic, "_ABSENT", synthetic._PRESENT)

    assert len(Synthetic(1000).absent(0, 10_000)) == 9_500


def test_shuffled_lines_are_the_same_lines() -> None:
    """Nothing is lost or doubled, and the order is another one."""
    source = Synthetic(LARGER)

    ordered, shuffled = (b"".join(map(synthetic.text, some)) for some in (source.ordered(), source.shuffled()))

    assert ordered != shuffled
    assert ordered.splitlines() == sorted(shuffled.splitlines())


def test_lines_are_as_published() -> None:
    """Forty hex digits in upper case, a colon, a count without leading zeros; and the class is that of the count."""
    heads = Synthetic(20_000).present(0)
    lines = synthetic.text(heads).decode().splitlines()

    assert len(lines) == len(heads)
    for line, digest, of_class in zip(lines, synthetic.as_bytes(heads), synthetic.classes(heads).tolist(), strict=True):
        digits, _, count = line.partition(":")
        assert digits == digest.hex().upper()
        assert count == str(int(count))
        assert prevalence(int(count)) == of_class


def test_counts_have_a_heavy_tail() -> None:
    """Half of all passwords seen once, some a thousand times: lines of unequal length, and classes far apart."""
    counts = synthetic.counts(Synthetic(LARGER).present(0))

    assert 0.5 < (counts == 1).mean() < 0.6
    assert counts.max() > 1000


@given(st.lists(st.integers(0, 20), min_size=1))
def test_repeated_heads_move_to_the_next_free_number(numbers: list[int]) -> None:
    """As many as before, none twice, none lower than it was."""
    before = np.array(sorted(numbers), np.uint64)

    after = synthetic.strictly_rising(before.copy())

    assert (after[1:] > after[:-1]).all()
    assert (after >= before).all()


@pytest.mark.parametrize(("hits", "low", "high"), [(0, 0.0, 3.689), (1, 0.0253, 5.572), (10, 4.795, 18.390)])
def test_rare_events_have_the_intervals_of_the_tables(hits: int, low: float, high: float) -> None:
    """Garwood's limits for a Poisson count, as statistical tables print them."""
    rate = common.rate_interval(hits, 1_000_000)

    assert rate.low * 1e6 == pytest.approx(low, abs=1e-3)
    assert rate.high * 1e6 == pytest.approx(high, abs=1e-3)


def test_many_events_have_an_interval_too() -> None:
    """A filter that is wrong four times in a thousand does not break the arithmetic."""
    rate = common.rate_interval(39_000, 10_000_000)

    assert rate.low < 0.0039 < rate.high
    assert rate.high - rate.low == pytest.approx(2 * 1.96 * 39_000**0.5 / 1e7, rel=0.01)


def test_memory_of_a_mapped_file_is_told_apart(tmp_path: Path) -> None:
    """The memory of a mapped and read file is counted, and that of another is not."""
    path = tmp_path / "mapped"
    path.write_bytes(bytes(2**20))
    with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as mapped:
        sum(mapped[at] for at in range(0, 2**20, 4096))

        assert common.memory(path)["Rss"] == 2**20
        assert common.memory(tmp_path / "other")["Rss"] == 0
        assert common.memory()["Rss"] > 2**20


def test_the_peak_of_a_command_is_its_own(tmp_path: Path) -> None:
    """The peak is the command's own, for any memory of the measuring process."""
    held = bytearray(b"x") * (150 * 2**20)
    result = tmp_path / "took.json"

    subprocess.run(
        [sys.executable, "-m", "benchmarks.corpus.rusage", str(result), sys.executable, "-c", "x = b'x' * 2**25"],
        check=True,
        cwd=Path(__file__).parents[1],
    )

    took = json.loads(result.read_text())
    assert 2**25 <= took["peak_rss_bytes"] < len(held) / 1.5
    assert 0 < took["cpu_seconds"] < took["wall_seconds"] * 2


def test_a_command_that_fails_fails_here_too(tmp_path: Path) -> None:
    """A failed command fails the measurement: a broken build's time must not be reported."""
    command = [sys.executable, "-m", "benchmarks.corpus.rusage", str(tmp_path / "took"), "false"]

    assert subprocess.run(command, check=False, cwd=Path(__file__).parents[1]).returncode == 1
