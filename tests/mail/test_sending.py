"""A real server receives the messages: encrypted where required, and with nothing about this host."""

from __future__ import annotations

import email
import email.policy
import re
import socket
from email.message import EmailMessage

import pytest

from sekisho.mail import SendResult
from tests.talking import CERTIFICATE

from .sending import CODE, OWNER, SENDER, FakeTime, letter, mailer
from .servers import real_server


def read(content: bytes) -> EmailMessage:
    found = email.message_from_bytes(content, policy=email.policy.default)
    assert isinstance(found, EmailMessage)
    assert not found.defects
    return found


async def test_a_message_arrives_byte_for_byte() -> None:
    """A message arrives with exactly its headers and both texts, in seven bits."""
    async with real_server() as server, mailer(f"smtp://127.0.0.1:{server.port}", sender_name="Shop") as (mail, _):
        mail.send(OWNER, letter())
        received = await server.message()

    assert (received.sender, received.to) == (SENDER, (OWNER,))
    masked = re.sub(rb"[0-9a-f]{32}@", b"TOKEN@", received.content)
    head, _, body = re.sub(rb"={15}\d+==", b"BOUNDARY", masked).partition(b"\r\n\r\n")
    assert head == (
        b"From: Shop <no-reply@shop.example>\r\n"
        b"To: owner.canary@mail.example\r\n"
        b"Subject: Your log-in code for Shop\r\n"
        b"Date: Sun, 22 Nov 2026 21:53:10 +0000\r\n"
        b"Message-ID: <TOKEN@shop.example>\r\n"
        b"Auto-Submitted: auto-generated\r\n"
        b"MIME-Version: 1.0\r\n"
        b"Content-Type: multipart/alternative;\r\n"
        b' boundary="BOUNDARY"\r\n'
        b"Content-Language: en"
    )
    assert body.isascii()
    parts = list(read(received.content).iter_parts())
    assert [part.get_content_type() for part in parts] == ["text/plain", "text/html"]
    assert all(CODE in part.get_content() for part in parts)


async def test_japanese_arrives_whole_through_seven_bits() -> None:
    """Japanese arrives intact through a relay without 8BITMIME."""
    async with (
        real_server(utf8=False) as server,
        mailer(f"smtp://127.0.0.1:{server.port}", sender_name="店") as (mail, _),
    ):
        mail.send(OWNER, letter("ja-JP"))
        received = await server.message()

    message = read(received.content)
    plain = message.get_body(("plain",))
    assert received.content.isascii()
    assert message["Subject"] == letter("ja").subject
    assert message["From"].addresses[0].display_name == "店"
    assert plain is not None
    assert plain.get_content().splitlines()[0] == letter("ja").paragraphs[0]


async def test_nothing_tells_the_name_of_this_host() -> None:
    """Neither greeting, headers nor boundaries name this host."""
    async with real_server() as server, mailer(f"smtp://127.0.0.1:{server.port}") as (mail, _):
        mail.send(OWNER, letter())
        received = await server.message()

    assert received.called == "shop.example"
    assert socket.gethostname().encode() not in received.content
    assert socket.getfqdn().encode() not in received.content


@pytest.mark.parametrize(
    ("scheme", "starttls", "tls"),
    [("smtps", False, True), ("smtp+starttls", True, False), ("smtp+plain", False, False)],
)
async def test_each_way_is_encrypted_as_named(scheme: str, *, starttls: bool, tls: bool) -> None:
    """Implicit TLS, STARTTLS and plain text are used as named, and the server knows the user."""
    user = "me@shop.example", "päss:word/@"
    async with (
        real_server(starttls=starttls, tls=tls, login=user) as server,
        mailer(f"{scheme}://me%40shop.example@127.0.0.1:{server.port}", password=user[1]) as (mail, results),
    ):
        mail.send(OWNER, letter())

        assert await results.first() == [SendResult.SENT]
        assert (server.received[0].encrypted, server.received[0].user) == (starttls or tls, user[0])


async def test_no_starttls_no_mail() -> None:
    """A man in the middle who removes STARTTLS from the offers gets no password and no message."""
    async with (
        real_server(login=("me", "secret")) as server,
        mailer(f"smtp+starttls://me@127.0.0.1:{server.port}", password="secret") as (mail, results),
    ):
        mail.send(OWNER, letter())

        assert await results.first() == [SendResult.REFUSED]
        assert not server.received
        assert not server.offered


@pytest.mark.parametrize("scheme", ["smtps", "smtp+starttls"])
@pytest.mark.parametrize(
    ("host", "ca_file"), [("127.0.0.1", None), ("127.0.0.2", str(CERTIFICATE))], ids=["of nobody", "of another host"]
)
async def test_a_certificate_that_is_not_believed_gets_no_mail(scheme: str, host: str, ca_file: str | None) -> None:
    """An untrusted certificate, or one of another host, gets no password, no mail and no second try."""
    async with (
        real_server(tls=scheme == "smtps", starttls=scheme != "smtps", login=("me", "secret"), host=host) as server,
        mailer(f"{scheme}://me@{host}:{server.port}", password="secret", ca_file=ca_file) as (mail, results),
    ):
        mail.send(OWNER, letter())

        assert await results.first() == [SendResult.REFUSED]
        assert not server.received
        assert not server.offered


async def test_a_wrong_password_is_not_tried_again() -> None:
    """A wrong password is not retried: relays lock accounts for that."""
    time = FakeTime()
    async with (
        real_server(tls=True, login=("me", "right")) as server,
        mailer(f"smtps://me@127.0.0.1:{server.port}", password="wrong", time=time) as (mail, results),
    ):
        mail.send(OWNER, letter())

        assert await results.first() == [SendResult.REFUSED]
        assert max(time.slept, default=0) < 1


@pytest.mark.parametrize(
    ("address", "header", "utf8"),
    [
        ("用户@例え.example", "用户@xn--r8jz45g.example", True),
        ("owner@例え.example", "owner@xn--r8jz45g.example", False),
        ("a..b.@docomo.example", '"a..b."@docomo.example', False),
    ],
)
async def test_addresses_beyond_the_old_ones_arrive(address: str, header: str, *, utf8: bool) -> None:
    """Non-ASCII local parts are sent by SMTPUTF8, domains as A-labels, and carriers' odd dots quoted."""
    async with real_server() as server, mailer(f"smtp://127.0.0.1:{server.port}") as (mail, _):
        mail.send(address, letter("ja"))
        received = await server.message()

    assert received.to == (header.replace('"', ""),)  # this server shows the quotes' content
    assert f"\r\nTo: {header}\r\n".encode() in received.content
    assert ("SMTPUTF8" in received.options) is utf8


async def test_a_server_without_smtputf8_is_not_asked_to_guess() -> None:
    """Without SMTPUTF8 such an address is refused, never rewritten."""
    async with real_server(utf8=False) as server, mailer(f"smtp://127.0.0.1:{server.port}") as (mail, results):
        mail.send("用户@mail.example", letter())

        assert await results.first() == [SendResult.REFUSED]
        assert not server.received
