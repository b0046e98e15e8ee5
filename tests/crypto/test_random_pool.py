"""Names come from a pool of random bytes, and no two of them share a byte of it."""

from __future__ import annotations

import os
from itertools import count

import pytest

from sekisho.crypto.random_pool import RandomPool


def counting() -> tuple[RandomPool, list[int]]:
    """A pool whose bytes are the numbers of the blocks they come from, and the sizes that were asked for."""
    asked: list[int] = []
    numbers = count(1)

    def source(size: int) -> bytes:
        asked.append(size)
        return bytes([next(numbers)]) * size

    return RandomPool(source), asked


def test_many_names_take_one_call() -> None:
    """Sixty-four names of eight bytes come from one block of 512 bytes, the next one from another."""
    pool, asked = counting()
    assert [pool.take(8) for _ in range(64)] == [b"\1" * 8] * 64
    assert asked == [512]
    assert pool.take(8) == b"\2" * 8


def test_no_byte_is_handed_out_twice() -> None:
    """Names of changing sizes, one after the other, are the bytes of the blocks in their order."""
    blocks = [os.urandom(512) for _ in range(4)]
    left = list(blocks)
    pool = RandomPool(lambda _: left.pop(0))
    sizes = (8, 4, 20) * 64
    assert b"".join([pool.take(size) for size in sizes]) == b"".join(blocks)


def test_a_name_never_ends_in_another_block() -> None:
    """A block's last bytes are dropped where they are too few for a name."""
    pool, asked = counting()
    pool.take(505)
    assert pool.take(8) == b"\2" * 8
    assert asked == [512, 512]


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork here")
@pytest.mark.filterwarnings("ignore:.*multi-threaded.*fork:DeprecationWarning")
def test_a_child_does_not_hand_out_its_parents_bytes() -> None:
    """Parent and child name devices differently after a fork, although the pool was filled before it."""
    pool = RandomPool()
    pool.take(8)
    reading, writing = os.pipe()
    if (child := os.fork()) == 0:
        os.write(writing, pool.take(8))
        os._exit(0)
    os.waitpid(child, 0)
    theirs = os.read(reading, 8)
    os.close(reading)
    os.close(writing)
    assert len(theirs) == 8
    assert theirs != pool.take(8)
