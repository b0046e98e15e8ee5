"""The audit cannot be changed unnoticed: the verification names each line that is not as it was written."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from sekisho.audit.verify import Verifier, verify
from sekisho.model import Basis, Device, Outcome
from tests.audit.made import Audited, problems
from tests.record.made import LOGIN, attempt
from tests.record.test_event_file import small_disk

if TYPE_CHECKING:
    from pathlib import Path

CHANGED = "was changed, or is not by this service, or the opening line before it is missing"


@pytest.fixture
def audited(tmp_path: Path) -> Audited:
    """A worker that opened its chain, wrote five outcomes and closed the chain."""
    made = Audited(tmp_path)
    settle(made, 5)
    made.writer.end()
    return made


def settle(made: Audited, number: int) -> None:
    for _ in range(number):
        made.events.settled(LOGIN, Outcome.FAILED, Basis.RULE, attempt(), Device.STRANGER)
    made.writer.flush()


def test_an_untouched_file_is_verified(audited: Audited) -> None:
    """An opening line, one line an event, and a closing line: all verified, counted by what they tell."""
    found = audited.verified(checkpoints=audited.checkpoints)

    assert [line["kind"] for line in audited.read] == ["audit_opened", *["settled"] * 5, "audit_closed"]
    assert [line["chain"]["n"] for line in audited.read] == list(range(7))
    assert found.problems == []
    assert found.events == {("settled", "failed"): 5}
    assert [(chain.last, chain.is_closed) for chain in found.chains.values()] == [(6, True)]


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (b'"result":"failed"', b'"result":"succeeded"'),
        (b"2025-11-29", b"2025-11-28"),
        (b'"basis":"rule",', b""),
        (b'"door":', b' "door":'),
    ],
)
def test_a_changed_line_is_found(audited: Audited, old: bytes, new: bytes) -> None:
    """Any change of a line, even of a blank, is told with its number; the other lines are still verified."""
    lines = audited.lines
    assert old in lines[3]
    lines[3] = lines[3].replace(old, new)

    assert problems(audited.verified(lines)) == [(4, CHANGED)]


def test_removed_lines_are_found(audited: Audited) -> None:
    """The line behind the gap is told, and how many are missing before it."""
    lines = audited.lines
    del lines[2:4]

    assert problems(audited.verified(lines)) == [(3, "2 lines of its chain are missing before it")]


def test_reordered_lines_are_found(audited: Audited) -> None:
    """Two lines that changed places are told."""
    lines = audited.lines
    lines[2], lines[3] = lines[3], lines[2]

    assert problems(audited.verified(lines)) == [
        (3, "1 lines of its chain are missing before it"),
        (4, "is a copy, or stands behind a later line of its chain"),
    ]


def test_a_copied_line_is_found(audited: Audited) -> None:
    """A line that was told twice would count twice."""
    lines = audited.lines
    lines.insert(4, lines[2])

    assert problems(audited.verified(lines)) == [(5, "is a copy, or stands behind a later line of its chain")]


def test_an_added_line_is_found(audited: Audited) -> None:
    """A line of an attacker's own has no place in a chain."""
    lines = audited.lines
    lines.insert(4, b'{"v":1,"time":"2025-11-29T07:30:09Z","kind":"settled","result":"succeeded"}\n')

    assert problems(audited.verified(lines)) == [(5, "is no line of an audit: changed, cut, or added")]


def test_a_line_of_another_key_is_found(audited: Audited, tmp_path: Path) -> None:
    """An attacker without the secret writes a chain of his own: all of it is told."""
    (tmp_path / "other").mkdir()
    found = Verifier([b"another key" * 3], {})
    with audited.path.open("rb") as file:
        verify(found, [("audit.jsonl", file)])

    assert {text for _, text in problems(found.found)} == {
        CHANGED, "comes before an opening line of its chain, which is missing"
    }  # fmt: skip
    assert len(found.found.problems) == 7


def test_an_end_that_is_missing_is_found_by_checkpoints(audited: Audited) -> None:
    """Without checkpoints a cut chain looks like one of a killed worker; with them it is told."""
    cut = audited.lines[:4]

    without, with_them = audited.verified(cut), audited.verified(cut, checkpoints=audited.checkpoints)
    assert problems(without) == []
    assert [chain.is_closed for chain in without.chains.values()] == [False]
    assert problems(with_them) == [
        (0, "chain 0000000000000001: ends with line 3 of it, and a checkpoint says that it had 6")
    ]


def test_a_clock_that_is_set_back_puts_no_checkpoint_off(tmp_path: Path) -> None:
    """Until the clock had caught up, the end of a chain could be cut and nothing told of it."""
    made = Audited(tmp_path)
    settle(made, 3)
    made.clock.us -= 86_400_000_000
    settle(made, 3)

    assert [checkpoint.number for checkpoint in made.checkpoints.values()] == [6]


def test_a_chain_that_is_missing_is_found_by_checkpoints(audited: Audited, tmp_path: Path) -> None:
    """All lines of a worker were removed: the checkpoints tell of them."""
    checkpoints = audited.checkpoints
    (tmp_path / "second").mkdir()
    second = Audited(tmp_path / "second", id_start=2)
    settle(second, 1)

    (found,) = second.verified(checkpoints=checkpoints).problems
    assert found.text.startswith("chain 0000000000000001: a checkpoint of 2025-11-29T07:30:09.000000Z tells of it")


def test_a_forged_checkpoint_is_ignored(audited: Audited) -> None:
    """A checkpoint without its seal would make good files look cut, or hide a cut."""
    path = audited.checkpoints_path
    path.write_bytes(path.read_bytes().replace(b'"n":6', b'"n":3'))

    assert audited.checkpoints["0000000000000001"].number == 5


def test_workers_share_a_file(tmp_path: Path) -> None:
    """Lines of two workers that alternate are two chains, both whole."""
    first, second = Audited(tmp_path), Audited(tmp_path, id_start=7)
    for _ in range(3):
        settle(first, 1)
        settle(second, 2)

    found = first.verified()
    assert found.problems == []
    assert [chain.last for chain in found.chains.values()] == [3, 6]


def test_a_forked_worker_begins_a_chain_of_its_own(tmp_path: Path) -> None:
    """Two processes with one chain would write the same number twice."""
    made = Audited(tmp_path)
    settle(made, 1)
    child = os.fork()
    if child == 0:
        settle(made, 1)
        os._exit(0)
    os.waitpid(child, 0)
    settle(made, 1)

    found = made.verified()
    assert found.problems == []
    assert sorted(chain.last for chain in found.chains.values()) == [1, 2]


def test_each_file_can_be_verified_by_itself(tmp_path: Path) -> None:
    """A file that reached its size is renamed, and each file begins with an opening line; the oldest are removed."""
    made = Audited(tmp_path, bytes_max=2_000)
    for _ in range(60):
        settle(made, 1)

    names = sorted(path.name for path in tmp_path.iterdir())
    assert names == ["audit.jsonl", "audit.jsonl.1", "audit.jsonl.2", "audit.jsonl.3", "checkpoints.jsonl"]
    for name in names[:4]:
        found = made.verified((tmp_path / name).read_bytes().splitlines(keepends=True))
        assert found.problems == []
        assert found.lines > 3
    in_order = [
        line for name in reversed(names[:4]) for line in (tmp_path / name).read_bytes().splitlines(keepends=True)
    ]
    whole = made.verified(in_order)
    assert whole.problems == []
    assert [chain.first > 0 for chain in whole.chains.values()] == [True]


def test_a_renamed_file_goes_on_in_another(tmp_path: Path) -> None:
    """After logrotate, the new file begins with an opening line of the same chain."""
    made = Audited(tmp_path)
    settle(made, 2)
    made.path.rename(tmp_path / "older")
    settle(made, 2)

    assert [line["kind"] for line in made.read] == ["audit_opened", "settled", "settled"]
    assert made.verified().problems == []
    assert made.verified((tmp_path / "older").read_bytes().splitlines(keepends=True) + made.lines).problems == []


def test_a_long_chain_is_opened_again(tmp_path: Path) -> None:
    """Of a stream that was cut anywhere, lines are verified from the next opening line on."""
    made = Audited(tmp_path, reopen_lines=4)
    settle(made, 10)
    kinds = [line["kind"] for line in made.read]
    assert [number for number, kind in enumerate(kinds) if kind == "audit_opened"] == [0, 5, 10]

    part = made.verified(made.lines[3:], is_part=True)
    assert (part.problems, part.unverified) == ([], 2)
    assert len(made.verified(made.lines[3:]).problems) == 2


def test_lost_events_are_told(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """While the file cannot be written, events are dropped and counted, and the next line says how many."""
    made = Audited(tmp_path)
    settle(made, 1)
    made.path.rename(tmp_path / "older")
    made.path.mkdir()
    settle(made, 2)
    made.path.rmdir()
    settle(made, 1)

    assert made.counts.numbers["", "events", "unwritable"] == 2
    assert [message[-8:] for message in caplog.messages if message.startswith("SEKISHO_AUDIT")][:1] == ["[SEK024]"]
    assert made.read[0]["lost"] == 2
    assert made.verified().problems == []


def test_a_disk_that_fills_up_is_a_gap(tmp_path: Path) -> None:
    """A line that was cut, and those after it, are told by the verification, and by the next opening line."""
    made = Audited(tmp_path)
    settle(made, 1)
    with small_disk(made.path.stat().st_size + 100):
        settle(made, 2)
    settle(made, 1)

    assert [text for _, text in problems(made.verified())] == [
        "is no line of an audit: changed, cut, or added", "2 lines of its chain are missing before it"
    ]  # fmt: skip
    assert made.read_whole[-2]["lost"] == 2
