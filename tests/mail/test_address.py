"""An address means the same mailbox to every program on its way."""

from __future__ import annotations

from email import message_from_bytes
from email.policy import SMTPUTF8, default
from email.utils import getaddresses

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sekisho.mail.address import ADDRESS_BYTES_MAX, Unsendable, address
from sekisho.mail.compose import compose

from .sending import NOW, SENDER, letter


@pytest.mark.parametrize(
    ("text", "spec"),
    [
        ("owner@mail.example", "owner@mail.example"),
        ("Owner+Tag@MAIL.Example", "Owner+Tag@mail.example"),
        ("o'hara@mail.example", "o'hara@mail.example"),
        ("a..b@docomo.example", '"a..b"@docomo.example'),
        ("ab.@docomo.example", '"ab."@docomo.example'),
        ('".ab"@docomo.example', '".ab"@docomo.example'),
        ('"plain"@mail.example', "plain@mail.example"),
        ("用户@例え.example", "用户@xn--r8jz45g.example"),
        ("root@localhost", "root@localhost"),
    ],
)
def test_addresses_in_use_are_read(text: str, spec: str) -> None:
    """Addresses in use are read: the local part as given, the domain in the form that every server understands."""
    assert address(text).spec == spec


@pytest.mark.parametrize(
    "text",
    [
        "",
        "@",
        "owner",
        "owner@",
        "@mail.example",
        "a@b@mail.example",
        "owner@mail.example, thief@evil.example",
        "owner@mail.example,thief@evil.example",
        "Owner <owner@mail.example>",
        "<owner@mail.example>",
        "owner@mail.example>",
        "owner(comment)@mail.example",
        "owner @mail.example",
        " owner@mail.example",
        "owner@mail.example ",
        "owner@mail.example\n",
        "owner\r\nRCPT TO:<thief@evil.example>@mail.example",
        "owner\x00@mail.example",
        "owner\u2028@mail.example",
        "owner\u200b@mail.example",
        "\u202eowner@mail.example",
        "owner\ud800@mail.example",
        '"a b"@mail.example',
        '"a\\"b"@mail.example',
        '"@mail.example',
        '""@mail.example',
        "thief＠evil.example@mail.example",
        "thief＂@mail.example",
        "=?utf-8?q?thief=40evil.example?=@mail.example",
        "owner@[127.0.0.1]",
        "owner@127.0.0.1",
        "owner@-mail.example",
        "owner@mail_.example",
        "owner@mail..example",
        "owner@mail.example.",
        "owner@faß.example",  # by the old rules fass.example, by the new ones another domain
        "owner@ｍail.example",
        "owner@mail。example",
        "owner@ma\u00adil.example",
        f"{'x' * 65}@mail.example",
        f"{'あ' * 22}@mail.example",
        f"owner@{'x' * 64}.example",
        f"owner@{'x.' * 130}example",
        "x" * 1_000_000 + "@mail.example",
    ],
)
def test_what_could_be_read_in_two_ways_is_no_address(text: str) -> None:
    """An ambiguous address (second recipient, comment, a letter that folds into `@`) is refused, and no error repeats
    it.
    """
    with pytest.raises(Unsendable) as error:
        address(text)
    assert len(str(error.value)) < 20


NASTY = st.text(st.sampled_from('ab.@<>"\\,;:()[]=?\r\n\t \x00\x0b\x85\u2028\u200b\u202e＠用é\ud800'), max_size=30)
LOCALS = st.from_regex(r"[A-Za-z0-9!#$%&'*+\-/=?^_`{|}~.]{1,64}", fullmatch=True) | NASTY
DOMAINS = st.from_regex(r"([a-z0-9-]{1,63}\.){0,3}[a-z]{1,63}", fullmatch=True) | NASTY


@given(local=LOCALS, domain=DOMAINS)
def test_no_address_adds_a_header_or_a_receiver(local: str, domain: str) -> None:
    """A message to any accepted address has the usual headers and one recipient."""
    try:
        to = address(f"{local}@{domain}")
    except Unsendable:
        return
    message = compose(letter(), sender=address(SENDER), sender_name="Shop", to=to, now=NOW, token="t")
    wire = message.as_bytes()
    parsed = message_from_bytes(wire, policy=SMTPUTF8 if to.international else default)

    assert parsed.keys() == [
        *("From", "To", "Subject", "Date", "Message-ID", "Auto-Submitted"),
        *("MIME-Version", "Content-Type", "Content-Language"),
    ]
    assert f"\r\nTo: {to.spec}\r\n".encode() in wire
    assert [found for _, found in getaddresses([to.spec])] == [to.spec]
    assert len(to.spec.encode()) <= ADDRESS_BYTES_MAX


@given(st.text())
def test_any_text_is_an_address_or_unsendable(text: str) -> None:
    """Any text is an address or unsendable, and neither `repr` shows it."""
    for candidate in (text, f"{text}@mail.example", f"owner@{text}"):
        try:
            assert repr(address(candidate)) == "Address(…)"
        except Unsendable:
            continue
