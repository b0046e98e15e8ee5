"""A mail server's refusal ends a notice only where it is about its recipient or its text. It speaks real SMTP."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from sekisho.outbox.by_mail import MailDelivery
from sekisho.outbox.notice import Notice, Undelivered
from tests.mail.sending import OWNER, SHOP, mailer
from tests.mail.servers import HANG_UP, faulty_server, real_server

if TYPE_CHECKING:
    from collections.abc import Mapping

NOTICE = Notice("factor_changed", OWNER, "en", {"when": 1_795_953_600, "factor": "totp", "change": "added"})


async def refusal(replies: Mapping[str, bytes | list[bytes]], *, user: str = "") -> Undelivered:
    """What a notice comes to at a server that answers so."""
    password = "secret" if user else None
    async with (
        faulty_server(dict(replies)) as server,
        mailer(f"smtp://{f'{user}@' if user else ''}127.0.0.1:{server.port}", password=password) as (mail, _),
    ):
        with pytest.raises(Undelivered) as failed:
            await MailDelivery(mail, SHOP)(NOTICE, 1, "t")
    return failed.value


@pytest.mark.parametrize(
    ("step", "reply", "reason"),
    [
        ("greeting", b"554 no service for you", "status 554 at the greeting"),
        ("HELO", b"550 who are you", "status 550 at EHLO"),
        ("MAIL", b"550 this sender is not yours", "status 550 at MAIL FROM"),
        ("MAIL", b"553 log in first", "status 553 at MAIL FROM"),
        ("MAIL", b"552 too large", "status 552 at MAIL FROM"),
        ("MAIL", b"451 later", "status 451 at MAIL FROM"),
        ("RCPT", b"554 5.7.1 <owner>: Relay access denied", "status 554 at RCPT TO"),
        ("RCPT", b"530 5.7.0 Authentication required", "status 530 at RCPT TO"),
        ("RCPT", b"421 going down", "status 421 at RCPT TO"),
        ("DATA", b"503 what?", "status 503 at DATA"),
        ("end", HANG_UP, "no connection"),
    ],
)
async def test_trouble_of_the_server_or_the_settings_keeps_the_notice(step: str, reply: bytes, reason: str) -> None:
    """No owner would hear of anything after a mistake in SEKISHO_MAIL_FROM: each notice waits, and the log says why."""
    replies: dict[str, bytes | list[bytes]] = {step: reply, **({"EHLO": b"502 what?"} if step == "HELO" else {})}
    fault = await refusal(replies)

    assert (fault.reason, fault.passing, fault.way_works) == (reason, True, False)


async def test_a_wrong_password_of_ours_keeps_the_notice() -> None:
    fault = await refusal({"AUTH": b"535 5.7.8 wrong"}, user="shop")

    assert (fault.reason, fault.passing, fault.way_works) == ("status 535 at AUTH", True, False)


@pytest.mark.parametrize(
    ("step", "reply", "passing", "reason"),
    [
        ("RCPT", b"550 5.1.1 no such mailbox", False, "status 550 at RCPT TO"),
        ("RCPT", b"550 no such mailbox", False, "status 550 at RCPT TO"),
        ("RCPT", b"501 5.1.3 bad address", False, "status 501 at RCPT TO"),
        ("RCPT", b"450 4.2.0 greylisted", True, "status 450 at RCPT TO"),
        ("RCPT", b"452 4.2.2 mailbox full", True, "status 452 at RCPT TO"),
        ("end", b"554 5.7.1 looks like spam", False, "status 554 at DATA"),
    ],
)
async def test_a_refusal_of_one_recipient_or_text_is_of_this_notice(
    step: str, reply: bytes, passing: bool, reason: str
) -> None:
    """Other notices leave meanwhile; for good only where the server says so."""
    fault = await refusal({step: reply})

    assert (fault.reason, fault.passing, fault.way_works) == (reason, passing, True)


async def test_an_address_that_this_server_cannot_take_is_no_outage() -> None:
    """A server without SMTPUTF8 takes all other notices: one owner's Japanese address is not the relay's trouble."""
    async with real_server(utf8=False) as server, mailer(f"smtp://127.0.0.1:{server.port}") as (mail, _):
        deliver = MailDelivery(mail, SHOP)
        with pytest.raises(Undelivered) as failed:
            await deliver(NOTICE._replace(to="花@mail.example"), 1, "t")
        await deliver(NOTICE, 1, "t")

    assert (failed.value.reason, failed.value.passing, failed.value.way_works) == ("no SMTPUTF8", False, True)
    assert len(server.received) == 1
