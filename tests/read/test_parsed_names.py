"""Spellings that an application's types read as one account share one limit, or are refused."""

from __future__ import annotations

import uuid
from contextlib import suppress
from stringprep import in_table_b1

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import EmailStr, TypeAdapter, ValidationError

from sekisho.model import Unreadable
from sekisho.read import Accounts

MAIL = TypeAdapter(EmailStr)
NUMBER = TypeAdapter(int)


def counted(account: str) -> str:
    """The name under which attempts at an account are counted; "refused" if there are none."""
    accounts = Accounts()
    try:
        canonical = accounts.canonical(account)
        return accounts.limit_key(canonical) or canonical
    except Unreadable:
        return "refused"


@pytest.mark.parametrize(
    "account",
    [
        "x1 <hana@shop.example>",
        "<hana@shop.example>",
        '"x <1>" <hana@shop.example>',
        " x1 x2 <hana@shop.example> ",
        "x\u3000<hana@shop.example>\u00a0",
    ],
)
def test_an_address_with_a_name_in_front_is_refused(account: str) -> None:
    """Row 131: pydantic reads the address alone, so each name would be fresh attempts at it."""
    assert MAIL.validate_python(account) == "hana@shop.example"
    assert counted(account) == "refused"


@pytest.mark.parametrize("account", ["<hana>", "a<b@c.example", "i <3 you", "hana <3@home"])
def test_other_names_with_such_signs_are_accounts(account: str) -> None:
    """Names that only hold such signs are no addresses with a name in front."""
    assert counted(account) == account


@pytest.mark.parametrize(
    ("account", "plain"),
    [
        ("hana@shop\u3002example\uff61jp", "hana@shop.example.jp"),
        ("hana@xn--bcher-kva.example", "hana@bücher.example"),
        ("HANA@XN--BCHER-KVA.example", "hana@bücher.example"),
        ("hana@a.xn--wgv71a119e.jp", "hana@a.日本語.jp"),
    ],
)
def test_the_spellings_of_a_mail_domain_share_a_limit(account: str, plain: str) -> None:
    """Row 131: the two scripts of a mail domain, and its dots, are one domain."""
    with suppress(ValidationError):
        assert MAIL.validate_python(account).lower() == plain.lower()
    assert counted(account) == counted(plain)


def test_marks_that_directories_drop_make_no_other_name() -> None:
    """Row 131: every character that stringprep maps to nothing, for LDAP and SASL, is dropped or refused."""
    dropped = [chr(code) for code in range(0x80, 0x110000) if in_table_b1(chr(code))] + ["\ufffc"]
    assert {counted(f"ha{char}na") for char in dropped} <= {"hana", "refused"}
    assert counted("\u1806\ufffc") == "refused"
    assert counted("\u18067") == counted("7")


@pytest.mark.parametrize(
    "account", ["a@xn--.example", "a@xn--\u00fc.example", "a@xn--99999999.example", f"a@xn--{'a' * 900}", "xn--"]
)
def test_what_is_no_such_domain_stays_as_it_is(account: str) -> None:
    """Text that only looks like an international domain is an account like any other."""
    assert counted(account) != "refused"
    assert counted(account) == counted(account.upper())


@given(st.text("0123456789+-_. \u0663\uff17", min_size=1, max_size=8))
def test_every_spelling_of_a_number_shares_its_limit(text: str) -> None:
    """Row 131: every text that `int` or pydantic reads as a number counts as its digits."""
    for reading in (int, NUMBER.validate_python):
        with suppress(ValueError):
            assert counted(text) == str(abs(reading(text)))


@pytest.mark.parametrize(
    ("account", "key"),
    [
        ("+81 (90) 1234-5678", "819012345678"),
        ("090-1234-5678", "9012345678"),
        ("000", "0"),
        ("7.00", "7"),
        ("1.5", "15"),
        ("...", "..."),
        ("-", "-"),
        ("7up", "7up"),
        ("3.a", "3.a"),
    ],
)
def test_digits_count_without_their_separators(account: str, key: str) -> None:
    """Telephone numbers count by their digits; a name with a letter is no number."""
    assert counted(account) == key


@given(st.uuids(), st.sampled_from(["{}", "{{{}}}", "urn:uuid:{}", "{{urn:uuid:{}}}"]), st.booleans())
def test_every_spelling_of_a_uuid_shares_its_limit(one: uuid.UUID, form: str, is_bare: bool) -> None:
    """Row 131: `uuid.UUID` takes braces, prefixes and any dashes; the usual spelling keeps its counter."""
    spelled = form.format(one.hex[:3] + "-" + one.hex[3:] if is_bare else one).upper().replace("URN:UUID:", "urn:uuid:")
    assert uuid.UUID(spelled) == one
    assert counted(spelled) == str(one)


def test_tenants_are_kept_apart_and_each_part_is_folded() -> None:
    """A tuple's parts are folded each on its own."""
    accounts = Accounts(parts=2)
    keys = {accounts.limit_key(accounts.canonical(account)) for account in ("shop/007", "shop/7", "shop/+7")}
    assert len(keys - {""}) <= 1
    assert accounts.limit_key(accounts.canonical("shop/007")) == accounts.canonical("shop/7")
