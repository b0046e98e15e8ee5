"""How the outbox sends: again after a failure, given up loudly, and nothing lost when it closes."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest

from sekisho.outbox import Notice, NoticeOutbox, OutboxBounds, Undelivered
from sekisho.outbox.kept import notices_to
from sekisho.outbox.sending import Cause, OutboxMeans
from sekisho.owners import OwnersUnavailable, OwnersUnfit
from sekisho.owners.outbox import Claimed, OutboxRow, Queued

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Collection

SECRET = b"a secret of thirty-two bytes ...."
NOW = 1_750_000_000
DEVICE = Notice("new_device", "hana@mail.example", "ja", {"when": NOW, "browser": "Firefox", "network": "192.0.2.0/24"})
FACTOR = Notice("factor_changed", "hana@mail.example", "ja", {"when": NOW, "factor": "totp", "change": "removed"})


class Rows:
    """The table in memory, as far as one worker needs it."""

    def __init__(self) -> None:
        self.kept: dict[str, Queued] = {}
        self.times: dict[str, int] = {}
        self.tries: dict[str, int] = {}
        self.calls: list[tuple[str, object]] = []
        self.failures: list[Exception] = []

    async def add(self, queued: Queued) -> None:
        self.kept[queued.id] = queued
        self.times[queued.id] = self.times.get(queued.id, 0) + 1

    async def add_once(self, marks: Collection[Queued], notices: Collection[Queued]) -> bool:
        fresh = [mark for mark in marks if mark.id not in self.kept]
        self.kept |= {mark.id: mark for mark in fresh}
        self.times |= {mark.id: 0 for mark in fresh}
        for notice in notices if fresh else ():
            await self.add(notice)
        return bool(fresh)

    async def claim(self, holder: str, *, now_s: int, lease_s: int, most: int) -> list[Claimed]:
        if self.failures:
            raise self.failures.pop(0)
        due = [one for one in self.kept.values() if one.due_s <= now_s and self.times[one.id]][:most]
        for one in due:
            self.tries[one.id] = self.tries.get(one.id, 0) + 1
            self.kept[one.id] = one._replace(due_s=now_s + lease_s)
        return [Claimed(one.id, self.times[one.id], self.tries[one.id], one.expires_s, one.sealed) for one in due]

    async def sent(self, row: Claimed, holder: str, *, quiet_until_s: int | None) -> None:
        self.calls.append(("sent", quiet_until_s))
        del self.kept[row.id]

    async def postpone(self, row: Claimed, holder: str, due_s: int) -> None:
        self.calls.append(("postpone", due_s))
        self.kept[row.id] = self.kept[row.id]._replace(due_s=due_s)

    async def drop(self, row: Claimed, holder: str) -> None:
        self.calls.append(("drop", row.id in self.kept))
        del self.kept[row.id]

    async def sweep(self, *, now_s: int, most: int) -> int:
        return 0

    async def rows_after(self, after: str, most: int) -> list[OutboxRow]:
        ids = [each for each in sorted(self.kept) if each > after][:most]
        rows = [self.kept[each] for each in ids]
        return [OutboxRow(row.id, self.times[row.id], row.due_s, row.expires_s, row.sealed) for row in rows]


class Trial:
    """An outbox whose clock advances only when it sleeps; it sleeps `naps` times, then for good."""

    def __init__(self, *answers: Undelivered | None, naps: int = 50) -> None:
        self.rows = Rows()
        self.now_s = float(NOW)
        self.slept: list[float] = []
        self.delivered: list[tuple[Notice, int, str]] = []
        self.lost: list[tuple[str, str]] = []
        self.ways: list[tuple[str, bool]] = []
        self.asleep = asyncio.Event()
        self._answers = list(answers)
        self._naps = naps
        self.outbox = self.made(SECRET, self.deliver)

    def made(self, secret: bytes, deliver: Callable[[Notice, int, str], Awaitable[None]]) -> NoticeOutbox:
        means = OutboxMeans(lambda: self.now_s, self.sleep, lambda: 0.0, lambda count: b"\x01" * count)
        return NoticeOutbox(
            self.rows, [secret], deliver, lambda *why: self.lost.append(why), means, OutboxBounds(),
            on_way=lambda *change: self.ways.append(change),
        )  # fmt: skip

    async def deliver(self, notice: Notice, times: int, token: str) -> None:
        self.delivered.append((notice, times, token))
        answer = self._answers.pop(0) if self._answers else None
        if answer is not None:
            raise answer

    async def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        if len(self.slept) > self._naps:
            self.asleep.set()
            await asyncio.Event().wait()
        self.now_s += seconds
        await asyncio.sleep(0)

    async def ran(self) -> None:
        self.outbox.start()
        async with asyncio.timeout(60):
            await self.asleep.wait()
        await self.outbox.aclose()


async def test_a_notice_is_sealed_sent_and_removed() -> None:
    """A kept row contains neither address nor kind; what arrives is what was kept, and its row goes."""
    trial = Trial(naps=0)
    await trial.outbox.add(FACTOR, "hana")
    (row,) = trial.rows.kept.values()
    assert b"hana" not in row.sealed
    assert b"factor" not in row.sealed
    assert (row.due_s, row.expires_s, row.is_summed) == (NOW, NOW + 259_200, False)
    await trial.ran()
    assert [(notice, times) for notice, times, _ in trial.delivered] == [(FACTOR, 1)]
    assert trial.rows.calls == [("sent", None)]


async def test_events_of_one_kind_share_a_row_but_changes_do_not() -> None:
    """Two new devices of one owner are one row, which stays quiet for an hour; two changes of factors are two rows."""
    trial = Trial(naps=0)
    for _ in range(2):
        await trial.outbox.add(DEVICE, "hana")
    assert len(trial.rows.kept) == 1
    await trial.outbox.add(DEVICE, "ken")
    assert len(trial.rows.kept) == 2
    await trial.ran()
    assert sorted(times for _, times, _ in trial.delivered) == [1, 2]
    assert trial.rows.calls == [("sent", NOW + 3_600)] * 2


async def test_one_cause_is_told_once() -> None:
    """A second run because of the same campaigns adds nothing; a further one is a new cause. Marks are not sent."""
    trial = Trial(naps=0)
    runs = [("c-1", "c-2"), ("c-1",), ("c-2",), ("c-2", "c-3"), ("c-3",)]
    kept = [await trial.outbox.add_once([FACTOR], "hana", Cause("4711", names, NOW + 900)) for names in runs]
    other = await trial.outbox.add_once([DEVICE], "ken", Cause("4712", ("c-1",), NOW + 900))
    assert [len(ids) for ids in (*kept, other)] == [1, 0, 0, 1, 0, 1]
    marks = [row for row in trial.rows.kept.values() if not trial.rows.times[row.id]]
    assert [(row.expires_s - NOW, b"4711" in row.sealed) for row in marks] == [(900, False)] * 4
    found = await notices_to(trial.rows, [SECRET], lambda: NOW, addresses=[], account_id="4711")
    assert sorted(str(notice.facts["cause"]) for _, notice in found) == ["c-1", "c-2", "c-3"]
    await trial.ran()
    assert {notice.kind for notice, _, _ in trial.delivered} == {"factor_changed", "new_device"}


async def test_a_way_that_takes_no_notices_is_told_once_and_so_is_its_end(caplog: pytest.LogCaptureFixture) -> None:
    """Notices wait for three days: without a word, the operator would hear of a dead relay when they are given up."""
    down = Undelivered("no connection", passing=True, way_works=False)
    trial = Trial(down, down, down, naps=2_000)
    for name in ("hana", "ken"):
        await trial.outbox.add(FACTOR, name)
    await trial.ran()

    assert trial.ways == [("mail", False), ("mail", True)]
    assert caplog.messages == [
        "SEKISHO_SMTP: the mail server takes no notices (no connection); they wait, three days at most [SEK044]",
        "notices leave again (mail)",
    ]


async def test_a_webhook_that_takes_no_notices_is_told(caplog: pytest.LogCaptureFixture) -> None:
    """By the setting that names it."""
    trial = Trial(Undelivered("status 503", passing=True, way_works=False), naps=2_000)
    await trial.outbox.add(FACTOR._replace(to=""), "hana")
    await trial.ran()

    assert trial.ways == [("webhook", False), ("webhook", True)]
    assert caplog.messages[0] == (
        "SEKISHO_NOTICES_WEBHOOK: the webhook takes no notices (status 503); they wait, three days at most [SEK091]"
    )


@pytest.mark.parametrize("passing", [True, False])
async def test_a_way_that_refuses_one_notice_works_again(passing: bool) -> None:
    """After an outage the server answers about a recipient: that it takes mail again is said at once."""
    down = Undelivered("no connection", passing=True, way_works=False)
    trial = Trial(down, Undelivered("status 450 at RCPT TO", passing=passing, way_works=True), naps=20)
    await trial.outbox.add(FACTOR, "hana")
    await trial.ran()

    assert trial.ways == [("mail", False), ("mail", True)]


async def test_one_mailbox_that_is_full_is_no_outage() -> None:
    """Other notices leave meanwhile."""
    trial = Trial(Undelivered("status 452 at RCPT TO", passing=True, way_works=True), naps=2_000)
    await trial.outbox.add(FACTOR, "hana")
    await trial.ran()

    assert trial.ways == []


async def test_a_failure_that_passes_is_tried_again_with_one_token() -> None:
    """Pauses grow from a minute to an hour, and each try has the same token: a repeated message is recognised."""
    later = Undelivered("no connection", passing=True)
    trial = Trial(*([later] * 5), naps=2_000)
    await trial.outbox.add(FACTOR, "hana")
    await trial.ran()
    pauses = [int(str(due)) for call, due in trial.rows.calls if call == "postpone"]
    assert pauses[0] == NOW + 60
    assert [b - a >= pause for a, b, pause in zip(pauses, pauses[1:], (300, 900, 3_600, 3_600), strict=False)] == [
        True
    ] * 4
    assert trial.rows.calls[-1] == ("sent", None)
    assert len({token for _, _, token in trial.delivered}) == 1
    assert trial.lost == []


@pytest.mark.parametrize(
    ("answers", "naps", "why"),
    [
        ((Undelivered("status 550", passing=False),), 0, "status 550"),
        ((Undelivered("no connection", passing=True),) * 200, 60_000, "no connection"),
    ],
    ids=["refused", "too late"],
)
async def test_what_cannot_be_sent_is_given_up_loudly(
    answers: tuple[Undelivered, ...], naps: int, why: str, caplog: pytest.LogCaptureFixture
) -> None:
    """A refused notice, or one that nobody took for three days, is one line in the log and one event."""
    trial = Trial(*answers, naps=naps)
    await trial.outbox.add(FACTOR, "hana")
    await trial.ran()
    assert trial.lost == [("factor_changed", why)]
    assert caplog.messages == [f"1 notice(s) of kind factor_changed were given up: {why}"]
    assert trial.rows.kept == {}


async def test_a_row_of_a_removed_secret_is_given_up() -> None:
    """A row that no listed secret opens is dropped and said: it would be tried for ever."""
    trial = Trial(naps=0)
    await trial.made(b"another secret of thirty-two bytes", trial.deliver).add(FACTOR, "hana")
    await trial.ran()
    assert trial.lost == [("", "unreadable")]
    assert trial.delivered == []


@pytest.mark.parametrize(
    ("failure", "pause_s"),
    [(OwnersUnavailable("down"), 5.0), (OwnersUnfit("no table"), 60.0)],
    ids=["down", "no table"],
)
async def test_a_database_that_fails_is_asked_again(failure: Exception, pause_s: float) -> None:
    """An outage is waited for five seconds, a missing table a minute; then the notice goes out."""
    trial = Trial(naps=1)
    trial.rows.failures.append(failure)
    await trial.outbox.add(FACTOR, "hana")
    trial.outbox._news.clear()
    await trial.ran()
    assert trial.slept[0] == pause_s
    assert len(trial.delivered) == 1


class Swept(Rows):
    """Removes what has expired, as the table does."""

    async def sweep(self, *, now_s: int, most: int) -> int:
        over = [one.id for one in self.kept.values() if one.expires_s <= now_s and one.due_s <= now_s][:most]
        for each in over:
            del self.kept[each]
        return len(over)


async def test_notices_are_sent_after_a_clock_was_set_forward_by_days() -> None:
    """All of them had expired, and those beyond the first four were lost."""
    trial = Trial(naps=0)
    trial.rows = Swept()
    trial.outbox = trial.made(SECRET, trial.deliver)
    for number in range(9):
        await trial.outbox.add(DEVICE, f"owner {number}")
    trial.now_s += 30 * 86_400
    await trial.ran()
    assert (len(trial.delivered), trial.lost) == (9, [])


def test_no_row_waits_longer_than_two_hours() -> None:
    """The look-up bounds it by that: a row that is due later was dated by a clock that has been set back."""
    bounds = OutboxBounds()
    assert max(bounds.quiet_s, bounds.lease_s, *(1.5 * pause_s for pause_s in bounds.backoff_s)) <= 5_400


async def test_closing_waits_for_what_is_in_flight() -> None:
    """A stopping worker lets the notice in its hands arrive, and its row go: otherwise it would be sent twice."""
    trial = Trial()
    begun, may_end = asyncio.Event(), asyncio.Event()

    async def slow(notice: Notice, times: int, token: str) -> None:
        begun.set()
        await may_end.wait()

    outbox = trial.made(SECRET, slow)
    await outbox.add(FACTOR, "hana")
    outbox.start()
    await begun.wait()
    closing = asyncio.create_task(outbox.aclose())
    await asyncio.sleep(0)
    may_end.set()
    await closing
    assert trial.rows.calls == [("sent", None)]


async def test_an_operator_finds_the_notices_of_one_owner() -> None:
    """Those to one of the addresses, in any case, and those for a webhook that name the account; no other's."""
    trial = Trial()
    others = [DEVICE._replace(to="mio@mail.example"), FACTOR._replace(to="", facts={"account_id": "4712"})]
    own = [DEVICE, DEVICE._replace(to="", facts={"account_id": "4711"})]
    for notice in own + others:
        await trial.outbox.add(notice, notice.to)
    trial.rows.kept["f" * 32] = Queued("f" * 32, False, NOW, NOW, b"sealed with another secret")
    trial.rows.times["f" * 32] = 1
    found = await notices_to(trial.rows, [SECRET], lambda: NOW, addresses=["Hana@mail.example"], account_id="4711")
    assert sorted((one.notice.kind, one.notice.to) for one in found) == [
        ("new_device", ""),
        ("new_device", "hana@mail.example"),
    ]
