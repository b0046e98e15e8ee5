"""What an attempt takes in Redis: the scripts that are counted, and how they are compared."""

from __future__ import annotations

import random
from pathlib import Path

from benchmarks.in_redis import BATCH, LedgerAt, ratios
from benchmarks.lua import stuffing

MIDDLEWARE = Path(__file__).parents[1] / "middleware"


def test_a_tree_has_one_script_which_a_batch_of_attempts_and_of_successes_runs() -> None:
    """Each attempt has five keys: network, address, device, account, secret. A success that earns credit has three: the
    address, its credit, and the account.
    """
    here, charges = LedgerAt("here", MIDDLEWARE), list(stuffing(random.Random(1), BATCH))

    commands = [here.command(here.call(charges)), here.command(here.between(charges))]

    assert [command[0] for command in commands] == [b"FCALL", b"FCALL"]
    assert [command[2] for command in commands] == [64 * 5, 64 * 3]
    assert here.library.startswith(b"#!lua name=sekisho_")


def test_each_count_is_compared_with_the_same_attempts_of_the_other_tree() -> None:
    found = {"new": {"base": 100.0, "here": 110.0}, "again": {"base": 200.0, "here": 190.0}}

    assert ratios(found, "base") == {"new": 1.1, "again": 0.95}
