"""Notices are sent to a real mail server in the owner's language, and never raise."""

from __future__ import annotations

import asyncio
import time
from email import message_from_bytes, policy
from typing import TYPE_CHECKING, cast

import pytest

from sekisho.mail import Service
from sekisho.outbox import Notice
from sekisho.owners import Contact, OwnersUnfit
from sekisho.record import Events
from sekisho.stepup.factors import AccountOwner
from sekisho.stepup.factors.codes import Code
from sekisho.stepup.factors.senders import Senders
from tests.mail.sending import mailer
from tests.mail.servers import real_server

if TYPE_CHECKING:
    from sekisho.outbox import NoticeOutbox
    from sekisho.owners import OwnersError

SHOP = Service("Shop", "shop.example/account")
HANAKO = AccountOwner("hanako", Contact("3", "hanako@mail.example", "ja-JP"), ())
NOWHERE = AccountOwner("bob", Contact("2", None, None), ())
NOBODY = AccountOwner("nobody", None, ())
EVENTS = Events(clock_us=lambda: 0)
CODE = Code("12345678", 599)


async def test_every_letter_reaches_its_owner() -> None:
    """A mail of each kind reaches its owner; an account without an address gets none."""
    async with real_server() as server, mailer(f"smtp+plain://127.0.0.1:{server.port}") as (post, results):
        senders = Senders(EVENTS, post, SHOP, clock_s=lambda: 1_700_000_000)
        for owner in (NOBODY, NOWHERE, HANAKO):
            senders.send_code("email", owner, CODE)
            senders.send_code("webhook", owner, CODE)
            senders.new_device(owner, browser="Firefox", network="192.0.2.0/24")
            senders.not_completed(owner, browser="Firefox", network="192.0.2.0/24")
            senders.factor_changed(owner, "totp", "added")
            senders.reset_asked(owner, 1_700_086_400)
        await results.first(5)
        subjects = [str(message_from_bytes(one.content, policy=policy.default)["subject"]) for one in server.received]
    assert sorted(kind for kind, _ in results.told) == [
        "code",
        "factor_changed",
        "factor_reset_asked",
        "new_device",
        "step_up_not_completed",
    ]
    assert {one.to for one in server.received} == {("hanako@mail.example",)}
    assert "Shop ログイン確認コードのお知らせ" in subjects


async def test_nothing_raises(caplog: pytest.LogCaptureFixture) -> None:
    """A change without words is logged by its kind, and without a mailer nothing happens."""
    async with mailer("smtp+plain://127.0.0.1:9") as (post, _):
        Senders(EVENTS, post, SHOP, clock_s=time.time).factor_changed(HANAKO, "telepathy", "added")
    Senders(EVENTS, None, None, clock_s=time.time).factor_changed(HANAKO, "telepathy", "added")
    assert caplog.messages == ["a message of kind factor_changed was not written: KeyError"]


async def test_a_mailer_wants_a_service() -> None:
    """A mailer needs the service's name for its texts."""
    async with mailer("smtp+plain://127.0.0.1:9") as (post, _):
        with pytest.raises(ValueError, match="a service"):
            Senders(EVENTS, post, None, clock_s=time.time)


class Kept:
    """An outbox that keeps notices when it may, or fails."""

    def __init__(self, failure: OwnersError | None = None) -> None:
        self.may = asyncio.Event()
        self.added: list[tuple[Notice, str]] = []
        self._failure = failure

    async def add(self, notice: Notice, owner: str) -> None:
        await self.may.wait()
        if self._failure is not None:
            raise self._failure
        self.added.append((notice, owner))


async def test_an_answer_waits_until_its_notice_is_kept() -> None:
    """`kept` returns after the notices to this owner are in the outbox, and does not wait for another owner's."""
    outbox = Kept()
    async with mailer("smtp+plain://127.0.0.1:9") as (post, _):
        senders = Senders(EVENTS, post, SHOP, outbox=cast("NoticeOutbox", outbox), clock_s=lambda: 1_700_000_000)
        senders.factor_changed(HANAKO, "totp", "added")
        await senders.kept("another")
        waiting = asyncio.create_task(senders.kept(HANAKO.account_id))
        await asyncio.sleep(0)
        assert not waiting.done()
        outbox.may.set()
        await waiting
        facts: dict[str, str | int] = {"when": 1_700_000_000, "factor": "totp", "change": "added"}
        assert outbox.added == [(Notice("factor_changed", "hanako@mail.example", "ja-JP", facts), "3")]
        await senders.aclose()


async def test_without_its_table_a_notice_goes_to_the_mailer() -> None:
    """Where the outbox cannot keep a notice, it is sent from memory, as without an outbox."""
    outbox = Kept(OwnersUnfit("no table"))
    outbox.may.set()
    async with real_server() as server, mailer(f"smtp+plain://127.0.0.1:{server.port}") as (post, results):
        senders = Senders(EVENTS, post, SHOP, outbox=cast("NoticeOutbox", outbox), clock_s=time.time)
        senders.factor_changed(HANAKO, "totp", "added")
        await senders.kept(HANAKO.account_id)
        await results.first(1)
    assert results.told[0][0] == "factor_changed"
