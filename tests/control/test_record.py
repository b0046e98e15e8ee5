"""The control record: authenticated, versioned by its number, and read strictly."""

from __future__ import annotations

import json
from dataclasses import replace
from ipaddress import ip_network
from typing import Any

import pytest

from sekisho.control import (
    EMPTY,
    Act,
    Applied,
    ControlMac,
    ControlRecord,
    ControlState,
    ListEntry,
    MemoryControl,
    change,
)
from sekisho.control.asked import AskedGroup, with_told, without_account
from sekisho.control.record import ControlError, decode, decode_earlier, encode_earlier, posture_text
from sekisho.crypto.signers import Signer
from sekisho.model import Mode, Posture

SECRET, NEWER = b"s" * 40, b"n" * 40
MAC = ControlMac([SECRET], "shop")
NOW_S = 1_700_000_000.0
RECORD = ControlRecord(7, Mode.MONITOR, "heightened", (ListEntry("192.0.2.0/28", 5),), (ListEntry("2001:db8::/32", 9),))
ASKED = "has a field asked that is no list of at most 128 groups, of 2000 accounts in all"
PLAIN = {"v": 1, "number": 7, "mode": "monitor"}


class Worker:
    """A process that hears records."""

    def __init__(self, mac: ControlMac = MAC) -> None:
        self.now_s = NOW_S
        self.heard: list[Applied] = []
        self.state = ControlState(mac, self.heard.append, lambda: self.now_s)

    def hear(self, record: ControlRecord, mac: ControlMac = MAC) -> bool:
        return self.state.hear(mac.sign(record.encode()))

    @property
    def mode(self) -> Mode | None:
        return self.state.applied.mode


# Reading.


def test_a_record_is_read_back() -> None:
    """A record comes back from its text, with its lists as networks."""
    record = decode(RECORD.encode())

    assert replace(record, allowing=(), denying=(), others=RECORD.others) == RECORD
    assert (record.allowing, record.denying) == ((ip_network("192.0.2.0/28"),), (ip_network("2001:db8::/32"),))


def test_keys_of_a_later_release_are_kept() -> None:
    """An older command must not drop the keys of a newer one."""
    record = decode(json.dumps({**PLAIN, "campaigns": ["a"]}).encode())

    assert json.loads(replace(record, mode=None).encode())["campaigns"] == ["a"]


@pytest.mark.parametrize(
    ("changed", "problem"),
    [
        ({"v": 2}, "is no record of version 1"),
        ({"number": 0}, "has no number"),
        ({"number": True}, "has no number"),
        ({"number": "7"}, "has no number"),
        ({"mode": "open-sesame"}, "has an unknown mode"),
        ({"mode": None}, "has an unknown mode"),
        ({"mode": ["off"]}, "has an unknown mode"),
        ({"posture": 5}, "has a posture that is no word"),
        ({"posture": "x" * 33}, "has a posture that is no word"),
        ({"deny": {}}, "has a field deny that is no list of at most 1000 networks"),
        ({"deny": [["192.0.2.0/28"]]}, "has a field deny that is no list of at most 1000 networks"),
        ({"deny": [["192.0.2.0/28", True]]}, "has a field deny that is no list of at most 1000 networks"),
        ({"deny": [["192.0.2.0/28,10.0.0.0/8", 5]]}, "has a field deny that is no list of at most 1000 networks"),
        ({"deny": [["192.0.2.0/28", 5]] * 1_001}, "has a field deny that is no list of at most 1000 networks"),
        ({"asked": {}}, ASKED),
        ({"told": [["c-1", 5, "AAAA"]]}, ASKED.replace("asked", "told")),
        ({"asked": [["c-1", 5, "AAAA"]]}, ASKED),
        ({"asked": [["c-1", True, "AAAAAAAAAAA="]]}, ASKED),
        ({"asked": [["C 1", 5, "AAAAAAAAAAA="]]}, ASKED),
        ({"asked": [["c-1", 5, "no base64!!"]]}, ASKED),
        ({"asked": [["c-1", 5, "AAAAAAAAAAA="]] * 129}, ASKED),
        ({"asked": [["c-1", 5, "A" * 10_668 + "="]] * 2}, ASKED),
    ],
)
def test_a_wrong_record_is_an_error(changed: dict[str, Any], problem: str) -> None:
    """Each field is read strictly; the error repeats nothing of it."""
    with pytest.raises(ControlError) as error:
        decode(json.dumps({**PLAIN, **changed}).encode())
    assert str(error.value) == problem


@pytest.mark.parametrize("payload", [b"", b"[]", b"{", b"[" * 100_000, b"\xff", b" " * 200_000])
def test_text_that_is_no_record_is_an_error(payload: bytes) -> None:
    """The store may hold anything."""
    with pytest.raises(ControlError):
        decode(payload)


@pytest.mark.parametrize("listed", ["192.0.2.1/28", "somewhere"])
def test_a_text_that_is_no_network_is_an_error(listed: str) -> None:
    """A mistyped network is refused, not skipped."""
    with pytest.raises(ControlError, match="has a list that is wrong"):
        decode(json.dumps({**PLAIN, "deny": [[listed, 5]]}).encode())


def test_half_of_the_internet_is_not_allowed() -> None:
    """The allow list lifts limits: as in the settings, it cannot hold everybody."""
    everybody = [["0.0.0.0/1", 5]]
    assert decode(json.dumps({**PLAIN, "deny": everybody}).encode()).denying
    with pytest.raises(ControlError, match="half of the internet"):
        decode(json.dumps({**PLAIN, "allow": everybody}).encode())


def test_accounts_are_asked_until_their_time() -> None:
    """Of two campaigns each account is asked as long as one of them asks; a worker hears of the end by itself."""
    one, other, both = b"account1", b"account2", b"in both."
    record = ControlRecord(7, asked=(AskedGroup("c-1", 900, (one, both)), AskedGroup("c-2", 950, (other, both))))
    worker = Worker()
    worker.now_s = 899
    worker.hear(record)
    worker.now_s = 900
    worker.state.hear(None)
    worker.now_s = 950
    worker.state.hear(None)
    assert [each.asked for each in worker.heard] == [{one, other, both}, {other, both}, set()]
    assert decode(record.encode()).asked == record.asked
    assert b"asked" not in RECORD.encode()


def test_the_oldest_campaigns_go_where_there_is_no_room_for_who_was_told() -> None:
    """At most 128 groups of 2,000 accounts in all; a campaign that is told of again is the newest."""
    many = tuple(number.to_bytes(8, "big") for number in range(1_999))
    told = with_told(AskedGroup("c-2", 900, (b"account2",)), (AskedGroup("c-1", 900, (b"account1",)),), 0)
    assert with_told(AskedGroup("c-3", 900, many), told, 0) == (told[1], AskedGroup("c-3", 900, many))
    assert with_told(AskedGroup("c-1", 950, (b"account3",)), told, 0)[1:] == (
        AskedGroup("c-1", 950, (b"account1", b"account3")),
    )
    for number in range(129):
        told = with_told(AskedGroup(f"d-{number}", 900, (b"account1",)), told, 0)
    assert (len(told), told[0].name, told[-1].name) == (128, "d-1", "d-128")
    record = ControlRecord(7, told=told)
    assert decode(record.encode()).told == told
    assert not decode(record.encode()).asked_accounts(0)


def test_a_forgotten_account_leaves_all_campaigns() -> None:
    """A campaign without accounts is left out."""
    groups = (AskedGroup("c-1", 900, (b"account1",)), AskedGroup("c-2", 900, (b"account1", b"account2")))
    assert without_account(b"account1", groups) == (AskedGroup("c-2", 900, (b"account2",)),)


# The MAC.


def test_only_the_service_signs() -> None:
    """A change of one bit, another secret, another namespace: not this service's record."""
    signed = MAC.sign(b"payload")

    assert MAC.verified(signed) == b"payload"
    assert MAC.verified(signed[:-1] + b"e") is None
    assert MAC.verified(bytes([signed[0] ^ 1]) + signed[1:]) is None
    assert ControlMac([NEWER], "shop").verified(signed) is None
    assert ControlMac([SECRET], "another-shop").verified(signed) is None
    assert [MAC.verified(text) for text in (b"", b"payload", signed[:64], signed[65:])] == [None] * 4


def test_all_listed_secrets_verify_and_the_newest_signs() -> None:
    """While secrets change, workers with either list take the record; `verify:` secrets do not sign yet."""
    both, waiting = (
        ControlMac([NEWER, SECRET], "shop"),
        ControlMac([Signer(NEWER, signs=False), Signer(SECRET)], "shop"),
    )

    assert both.verified(MAC.sign(b"x")) == b"x"
    assert ControlMac([NEWER], "shop").verified(both.sign(b"x")) == b"x"
    assert MAC.verified(waiting.sign(b"x")) == b"x"


# What a worker applies.


def test_a_newer_record_is_applied_once() -> None:
    """The same record every second is applied once."""
    worker = Worker()
    assert [worker.hear(RECORD) for _ in range(3)] == [True] * 3
    assert len(worker.heard) == 1
    assert worker.mode is Mode.MONITOR


def test_a_change_after_the_clock_was_set_back_and_the_store_was_emptied_is_obeyed() -> None:
    """It was a replay until the clock had caught up; a record that was made earlier is one still."""
    worker = Worker()
    worker.hear(ControlRecord(int(NOW_S * 1000), Mode.MONITOR))
    worker.now_s -= 86_400
    now_ms = int(worker.now_s * 1000)

    replayed = worker.hear(ControlRecord(now_ms - 61_000, Mode.OFF))
    heard = worker.hear(ControlRecord(now_ms - 59_000, Mode.ENFORCE))
    again = worker.hear(ControlRecord(now_ms - 60_000, Mode.OFF))

    assert (replayed, heard, again) == (False, True, False)
    assert worker.mode is Mode.ENFORCE


@pytest.mark.parametrize("step_s", [-86_400, 86_400])
def test_entries_end_at_their_moment_on_the_clock_that_shows_it(step_s: int) -> None:
    """A clock that is set moves the end; once it is right again, so is the list. An operator can remove an entry."""
    worker = Worker()
    until_s = int(NOW_S) + 3_600
    posture = posture_text(Posture.ATTACK, until_s)
    worker.hear(ControlRecord(1, posture=posture, deny=(ListEntry("192.0.2.0/28", until_s),)))
    found = []
    for now_s in (NOW_S + step_s, NOW_S, NOW_S + 3_600):
        worker.now_s = now_s
        worker.state.hear(None)
        found.append((worker.state.applied.posture is Posture.ATTACK, len(worker.state.applied.deny)))

    assert found == [(step_s < 0, int(step_s < 0)), (True, 1), (False, 0)]


def test_an_older_record_is_a_replay(caplog: pytest.LogCaptureFixture) -> None:
    """An attacker puts the record back that switched the guard off: it is ignored, and said once."""
    worker = Worker()
    off = ControlRecord(6, Mode.OFF)
    worker.hear(off)
    worker.hear(ControlRecord(7, Mode.ENFORCE))
    caplog.clear()

    assert [worker.hear(off) for _ in range(3)] == [False] * 3
    assert worker.mode is Mode.ENFORCE
    [message] = caplog.messages
    assert message.startswith("a control record is ignored: it is older than the one that was applied.")


def test_another_record_of_the_same_number_is_ignored() -> None:
    """A number stands for one record."""
    worker = Worker()
    worker.hear(ControlRecord(7, Mode.ENFORCE))
    assert not worker.hear(ControlRecord(7, Mode.OFF))
    assert worker.mode is Mode.ENFORCE


def test_a_forged_record_is_ignored(caplog: pytest.LogCaptureFixture) -> None:
    """A party that can write to the store, and does not know the secret, changes nothing; it is said once."""
    worker = Worker()
    forged = ControlMac([NEWER], "shop")
    for number in (8, 9):
        worker.hear(ControlRecord(number, Mode.OFF), forged)
    worker.state.hear(b"x" * 1_000_000)

    assert worker.mode is None
    assert worker.heard == []
    [message] = caplog.messages
    assert message.startswith("a control record is ignored: it is not signed with SEKISHO_SECRET")
    assert message.endswith("[SEK040]")


def test_a_record_that_cannot_be_read_keeps_the_one_before() -> None:
    """A later release's mode is unknown here: the last one stays."""
    worker = Worker()
    worker.hear(RECORD)
    worker.state.hear(MAC.sign(json.dumps({**PLAIN, "number": 9, "mode": "gentle"}).encode()))

    assert worker.mode is Mode.MONITOR


def test_a_missing_record_changes_nothing() -> None:
    """An attacker who deletes the record, and an outage of the store, switch nothing."""
    worker = Worker()
    worker.hear(RECORD)
    worker.state.hear(None)

    assert worker.mode is Mode.MONITOR


def test_entries_end() -> None:
    """A network is on its list until its time; the end needs no new record, and no store."""
    worker = Worker()
    until = int(NOW_S) + 60
    worker.hear(ControlRecord(1, deny=(ListEntry("192.0.2.0/28", until), ListEntry("198.51.100.0/24", until + 60))))
    worker.now_s = NOW_S + 60
    worker.state.hear(None)

    found = [[str(network) for network in applied.deny] for applied in worker.heard]
    assert found == [["192.0.2.0/28", "198.51.100.0/24"], ["198.51.100.0/24"]]


def test_values_show_no_address() -> None:
    """Error reporters print values: neither the record nor what is applied shows a network."""
    worker = Worker()
    worker.hear(replace(RECORD, deny=(ListEntry("192.0.2.0/28", int(NOW_S) + 5),)))
    assert "192.0.2" not in f"{worker.state.record!r} {worker.state.applied!r}"


# Changing it.


async def test_changes_raise_the_number() -> None:
    """Each change has a higher number, even while the clock stands."""
    worker = Worker()
    place = MemoryControl(worker.state.hear)
    await change(place, MAC, lambda one: replace(one, mode=Mode.MONITOR), lambda: 0.005)
    await change(place, MAC, lambda one: replace(one, mode=Mode.ENFORCE), lambda: 0.005)

    assert (worker.mode, worker.state.record.number) == (Mode.ENFORCE, 6)


async def test_a_change_after_the_store_was_emptied_is_newer() -> None:
    """Workers remember the number: the first record in an empty store is newer by its time."""
    worker = Worker()
    await change(MemoryControl(worker.state.hear), MAC, lambda one: replace(one, mode=Mode.MONITOR), lambda: NOW_S)
    await change(MemoryControl(worker.state.hear), MAC, lambda one: replace(one, mode=Mode.OFF), lambda: NOW_S + 1)

    assert worker.mode is Mode.OFF


async def test_two_changes_at_once_are_both_kept() -> None:
    """Two operators at once do not undo each other's change."""
    worker = Worker()
    place = MemoryControl(worker.state.hear)
    calls: list[int] = []

    async def other() -> None:
        await change(place, MAC, lambda one: replace(one, posture="heightened"), lambda: NOW_S)

    class Slow(MemoryControl):
        async def get(self) -> bytes | None:
            found = await place.get()
            calls.append(1)
            if len(calls) == 1:
                await other()
            return found

        async def swap(self, old: bytes | None, new: bytes, earlier: bytes = b"") -> bool:
            return await place.swap(old, new, earlier)

    record = await change(Slow(lambda _: True), MAC, lambda one: replace(one, mode=Mode.MONITOR), lambda: NOW_S)

    assert (record.mode, record.posture, len(calls)) == (Mode.MONITOR, "heightened", 2)


async def test_a_change_that_readers_would_refuse_is_refused() -> None:
    """A list with a mistyped network is not written."""
    with pytest.raises(ControlError):
        await change(
            MemoryControl(lambda _: True), MAC, lambda one: replace(one, deny=(ListEntry("nowhere", 5),)), lambda: NOW_S
        )


def test_an_empty_record_applies_nothing() -> None:
    """Before any record is heard the settings alone hold."""
    assert (Worker().state.record, Worker().state.applied) == (EMPTY, Applied())


# Acts.

ACT = Act(7, int(NOW_S), "unblock", "account", "jane (uid 1000) on web1", "called", (b"d" * 16,), account="ab" * 16)


class Hearing(Worker):
    """A process that hears of acts as well."""

    def __init__(self, now_s: float = NOW_S) -> None:
        super().__init__()
        self.now_s = now_s
        self.acts: list[int] = []
        self.state = ControlState(
            MAC, self.heard.append, lambda: self.now_s, lambda acts: self.acts.extend(act.number for act in acts)
        )


def test_an_act_is_read_back() -> None:
    """Who, when, what and why come back from the record's text."""
    assert decode(ControlRecord(7, acts=(ACT,)).encode()).acts == (ACT,)


def test_each_act_is_heard_once() -> None:
    """Acts stay in the record; those that were obeyed are not obeyed again."""
    worker = Hearing()
    second = ACT._replace(number=8)
    worker.hear(ControlRecord(7, acts=(ACT,)))
    worker.hear(ControlRecord(7, acts=(ACT,)))
    worker.hear(ControlRecord(8, acts=(ACT, second)))
    worker.hear(ControlRecord(9, acts=(ACT, second)))

    assert worker.acts == [7, 8]


def test_a_process_that_starts_does_not_do_again_what_was_done_days_ago() -> None:
    """A restart unblocks no account a second time; acts of the last minute may be by a clock that is behind."""
    later, now = Hearing(NOW_S + 86_400), Hearing(NOW_S + 59)
    for worker in (later, now):
        worker.hear(ControlRecord(7, acts=(ACT,)))
        worker.hear(ControlRecord(8, acts=(ACT, ACT._replace(number=8))))

    assert (later.acts, now.acts) == ([8], [7, 8])


def test_a_forged_or_old_record_does_nothing() -> None:
    """An attacker with write access to the store unblocks nothing, also not with a record of before."""
    worker = Hearing()
    worker.hear(ControlRecord(7, acts=(ACT,)))
    worker.hear(ControlRecord(8, acts=(ACT, ACT._replace(number=8))), ControlMac([NEWER], "shop"))
    worker.hear(ControlRecord(7, acts=(ACT._replace(number=9),)))

    assert worker.acts == [7]


@pytest.mark.parametrize(
    "changed",
    [
        {"number": 0},
        {"number": True},
        {"at_s": "now"},
        {"word": "Un block"},
        {"word": "x" * 33},
        {"by": 5},
        {"why": "x" * 201},
        {"digests": ["ab"]},
        {"digests": ["zz" * 16]},
        {"digests": ["ab" * 16] * 17},
        {"account": "hana"},
    ],
)
def test_a_wrong_act_is_an_error(changed: dict[str, Any]) -> None:
    """Each field is bounded: what a worker writes into its events comes from here."""
    acts = [{**ACT.as_json(), **changed}]
    with pytest.raises(ControlError, match="has a field acts that is no list of at most 16 acts"):
        decode(json.dumps({**PLAIN, "acts": acts}).encode())


@pytest.mark.parametrize("acts", [{}, "acts", [1], [ACT.as_json()] * 17])
def test_acts_are_a_bounded_list(acts: Any) -> None:
    """Sixteen at most."""
    with pytest.raises(ControlError, match="has a field acts"):
        decode(json.dumps({**PLAIN, "acts": acts}).encode())


def test_acts_of_a_later_release_are_read() -> None:
    """Words and fields that this release does not know are no error."""
    acts = [{**ACT.as_json(), "word": "posture", "campaign": 5}]
    assert decode(json.dumps({**PLAIN, "acts": acts}).encode()).acts == (ACT._replace(word="posture"),)


def test_acts_beside_the_record_are_bounded() -> None:
    """240 are kept, and the newest of them where each is as long as an act may be: no reader would take more."""
    long = ACT._replace(by="b" * 200, why="w" * 200, digests=(b"d" * 16,) * 16, days=(b"d" * 16,) * 16)
    short, longest = ([act._replace(number=n) for n in range(1, 301)] for act in (ACT, long))

    assert [act.number for act in decode_earlier(encode_earlier(short))] == list(range(61, 301))
    kept = decode_earlier(text := encode_earlier(longest))
    assert len(text) <= 131_072
    assert [act.number for act in kept] == list(range(301 - len(kept), 301))
    assert len(kept) > 60


def test_acts_that_stay_in_force_are_kept_before_those_that_are_over() -> None:
    """A support desk unblocks a thousand owners: who switched the mode, and who denied which network, is still told."""
    staying = [
        ACT._replace(number=1, word="mode", of="monitor"),
        ACT._replace(number=2, word="deny", of="203.0.113.0/24"),
        ACT._replace(number=3, word="mode", of="off"),
    ]
    unblocks = [ACT._replace(number=n, word="unblock", of="account") for n in range(4, 1_004)]
    denied = [ACT._replace(number=n, word="deny", of=f"10.0.{n - 1_000}.0/24") for n in range(1_004, 1_204)]

    kept = decode_earlier(encode_earlier([*staying, *unblocks]))
    mixed = decode_earlier(
        encode_earlier([*staying, *denied, *(act._replace(number=act.number + 1_300) for act in unblocks)])
    )

    assert [act.number for act in kept] == [1, 2, 3, *range(767, 1_004)]
    assert [act.number for act in mixed] == [*range(1_084, 1_204), *range(2_184, 2_304)]


@pytest.mark.parametrize(
    "payload", [b"", b"[]", b"{}", b'{"earlier":7}', b'{"earlier":[7,{"number":0}]}', b"[" * 9_999]
)
def test_a_text_without_acts_beside_the_record_has_none(payload: bytes) -> None:
    """What a later release writes there, or no JSON, is no error."""
    assert decode_earlier(payload) == ()


def test_a_record_and_the_acts_beside_it_are_not_taken_for_each_other() -> None:
    """Both are signed alike. An attacker with write access to the store who puts one for the other changes nothing."""
    worker = Hearing()
    assert not worker.state.hear(MAC.sign(encode_earlier((ACT,))))
    assert worker.state.hear(
        MAC.sign(ControlRecord(9, acts=(ACT._replace(number=9),)).encode()),
        MAC.sign(ControlRecord(8, acts=(ACT,)).encode()),
    )
    assert worker.acts == [9]


def test_an_act_shows_nothing() -> None:
    """Error reporters print values, and what was denied may be an address."""
    assert repr(ACT._replace(of="203.0.113.9/32")) == "Act(word='unblock', ...)"
