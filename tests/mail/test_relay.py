"""Relay URLs: the safe form is short, an unsafe one must be explicit, and nonsense is refused."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sekisho.mail import Mailer
from sekisho.mail.relay import Relay, Security, relay, tls_context
from sekisho.model import SettingsError

from .sending import SENDER, FakeTime

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize(
    ("url", "password", "expected"),
    [
        ("smtp://me@relay.example:2525", "pw", Relay("relay.example", 2525, Security.STARTTLS, "me", "pw")),
        ("smtp://me:p%40w@relay.example", None, Relay("relay.example", 587, Security.STARTTLS, "me", "p@w")),
        (
            "smtp://me@shop.example@relay.example/",
            "p",
            Relay("relay.example", 587, Security.STARTTLS, "me@shop.example", "p"),
        ),
        ("smtps://relay.example", None, Relay("relay.example", 465, Security.TLS, None, None)),
        ("smtp://127.0.0.1", None, Relay("127.0.0.1", 25, Security.PLAIN, None, None)),
        ("smtp://localhost:1025", None, Relay("localhost", 1025, Security.PLAIN, None, None)),
        ("smtp://me@[::1]:1025", "pw", Relay("::1", 1025, Security.PLAIN, "me", "pw")),
        ("smtp+starttls://localhost", None, Relay("localhost", 587, Security.STARTTLS, None, None)),
        ("smtp+plain://mailpit:1025", None, Relay("mailpit", 1025, Security.PLAIN, None, None)),
        # No loopback, although they look like one.
        ("smtp://localhost.example", None, Relay("localhost.example", 587, Security.STARTTLS, None, None)),
        ("smtp://127.0.0.1.example", None, Relay("127.0.0.1.example", 587, Security.STARTTLS, None, None)),
    ],
)
def test_a_url_says_how_to_get_there(url: str, password: str | None, expected: Relay) -> None:
    """Plain text is allowed on this machine, or where it is asked for by name."""
    assert relay(url, password) == expected


@pytest.mark.parametrize(
    ("url", "password"),
    [
        ("", None),
        ("relay.canary", None),
        ("http://relay.canary", None),
        ("smtp://", None),
        ("smtp://relay.canary:0", None),
        ("smtp://relay.canary:99999", None),
        ("smtp://relay.canary:canary", None),
        ("smtp://[canary", None),
        ("smtp://relay.canary/path", None),
        ("smtp://relay.canary?tls=no", None),
        ("smtp://relay.canary#x", None),
        ("smtp://relay.canary\r\nQUIT", None),
        ("smtp://relay canary", None),
        ("smtp://user.canary@relay.example", None),
        ("smtp://relay.canary", "pw.canary"),
        ("smtp://user:pw.canary@relay.example", "pw.canary"),
        ("smtp+plain://user@relay.canary", "pw.canary"),
    ],
)
def test_a_url_that_makes_no_sense_is_refused_at_start(url: str, password: str | None) -> None:
    """A wrong URL is refused at the start, by its setting's name alone: URLs hold passwords."""
    with pytest.raises(SettingsError, match=r"^SEKISHO_SMTP: ") as error:
        relay(url, password)
    assert "canary" not in str(error.value)
    assert error.value.__cause__ is None
    assert error.value.__suppress_context__ or error.value.__context__ is None


@given(st.text())
def test_any_text_is_a_relay_or_a_settings_error(text: str) -> None:
    """Any text is a relay or a settings error."""
    for url in (text, f"smtp://{text}", f"smtps://{text}@relay.example"):
        try:
            relay(url)
        except SettingsError:
            continue


def test_a_relay_keeps_its_secrets() -> None:
    """A relay's `repr` shows how it is secured, and nothing else."""
    assert repr(relay("smtp://canary:canary@canary.example")) == "Relay(security=<Security.STARTTLS: 'starttls'>)"


def test_certificates_cannot_be_ignored(tmp_path: Path) -> None:
    """A missing or empty file of authorities does not disable verification."""
    (tmp_path / "empty.pem").touch()
    for name in ("empty.pem", "missing.pem"):
        with pytest.raises(SettingsError, match="authorities"):
            tls_context(str(tmp_path / name))
    assert tls_context().check_hostname


@pytest.mark.parametrize("sender", ["", "canary", "Shop <canary@shop.example>", "canary@shop.example\r\nBcc: x@y"])
async def test_a_sender_that_is_no_address_is_refused_at_start(sender: str) -> None:
    """A sender that is no address is refused at the start, not by the relay later."""
    with pytest.raises(SettingsError, match=r"^SEKISHO_SMTP: needs an address") as error:
        Mailer("smtp://127.0.0.1", sender=sender, means=FakeTime().means)
    assert "canary" not in str(error.value)


@pytest.mark.parametrize("name", ["Shop\r\nBcc: x@y.example", "Shop\u2028", "x" * 61, "\u202eShop"])
async def test_a_name_of_more_than_one_line_is_refused_at_start(name: str) -> None:
    """A sender name of several lines is refused at the start: it is in every header."""
    with pytest.raises(SettingsError, match="sender's name"):
        Mailer("smtp://127.0.0.1", sender=SENDER, sender_name=name, means=FakeTime().means)
